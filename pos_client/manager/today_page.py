"""Today: the report of the day, its hours, the queue; as PDF and CSV too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pos_client.manager.charts import hours_chart, queue_chart
from pos_client.manager.elements import drawing, el, facts, table
from pos_client.manager.words import PROOFS, STATES, day_name
from pos_client.office.day import DayReport, Tally, day_report
from pos_client.office.series import hours, queue
from sync.terminal import wall_ms

if TYPE_CHECKING:
    from pos_client.manager.page import Window
    from pos_client.screen.words import Words


async def show(window: Window) -> None:
    """The day so far."""
    _ = window.words.translate
    words, runtime, now = window.words, window.runtime, wall_ms()
    day = runtime.till.reckoning.business_date(now)
    starts = runtime.config.till.business_day_starts
    made = await window.read(lambda: day_report(runtime.store, runtime.terminal, day, window.language))
    rows = await window.read(lambda: hours(runtime.store, window.zone, day))
    line = await window.read(lambda: queue(runtime.store, window.zone, starts, day, now))
    if made is None:
        return
    with el("div", "", "title"):
        el("h1", day_name(words, day))
    facts(figures(window, made))
    el("p", _(PROOFS[made.proof]), "quiet")
    if made.given:
        table(
            _("Rewards given"),
            [(_("Reward"), "text"), (_("Times"), "number"), (_("Points"), "number"), (_("Worth"), "number")],
            [
                (given.name, str(given.count), words.points(given.points), words.money(given.minor, made.currency))
                for given in made.given
            ],
        )
    if made.parked:
        table(
            _("Not booked by head office"),
            [(_("Number"), "number"), (_("Points"), "number"), (_("State"), "text")],
            [(str(item.number), words.signed(item.points), _(STATES[item.state])) for item in made.parked],
        )
    with el("div", "", "charts"):
        for title, svg in (
            (
                _("Points given, by the hour"),
                hours_chart(words, _("Points given, by the hour"), rows or [], spent=False),
            ),
            (
                _("Points redeemed, by the hour"),
                hours_chart(words, _("Points redeemed, by the hour"), rows or [], spent=True),
            ),
            (_("Waiting for head office"), queue_chart(words, _("Waiting for head office"), line or [])),
        ):
            with el("figure"):
                el("figcaption", title)
                drawing(svg)
    el("p", _("Bars: today. Lines: the same weekday, on average over the last four weeks."), "quiet")


def figures(window: Window, made: DayReport) -> list[tuple[str, str]]:
    """The day's figures with their names."""
    _ = window.words.translate
    words = window.words
    return [
        (_("Sales with a card"), words.points(made.sales.count)),
        (_("Members"), words.points(made.members)),
        (_("Paid"), words.money(made.paid_minor, made.currency)),
        (_("Points given"), words.points(made.earned)),
        (_("Points redeemed"), words.points(made.spent)),
        (_("Undone"), words.points(made.voids.count)),
        (_("Returns"), _tally(words, made.returns)),
        (_("Adjustments"), _tally(words, made.adjustments)),
        (_("Not booked by head office"), words.points(len(made.parked))),
        (_("Waiting to be sent"), words.points(made.queued)),
    ]


def _tally(words: Words, tally: Tally) -> str:
    return f"{words.points(tally.count)} ({words.signed(tally.points)})" if tally.count else words.points(0)
