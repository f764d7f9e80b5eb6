"""Today: the report of the day, its hours, the queue; as PDF and CSV too."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nicegui import ui

from pos_client.manager import lookup_page
from pos_client.manager.charts import hours_chart, queue_chart
from pos_client.manager.elements import button, drawing, el, facts, table
from pos_client.manager.words import moment
from pos_client.office.day import DayReport, day_report
from pos_client.office.files import report_csv
from pos_client.office.hints import Hint, hints
from pos_client.office.lookup import Lookup
from pos_client.office.saying import PROOFS, STATES, day_name, figures, say_hint
from pos_client.office.series import hours, queue
from pos_client.office.story import Stories
from pos_client.troubles import device_todo
from sync.terminal import wall_ms

if TYPE_CHECKING:
    from pos_client.manager.page import Window


async def show(window: Window) -> None:
    """The day so far."""
    _ = window.words.translate
    words, runtime, now = window.words, window.runtime, wall_ms()
    day = runtime.till.reckoning.business_date(now)
    starts = runtime.config.till.business_day_starts
    made = await window.read(lambda: day_report(runtime.store, runtime.terminal, day, window.language))
    rows = await window.read(lambda: hours(runtime.store, window.zone, day))
    line = await window.read(lambda: queue(runtime.store, window.zone, starts, day, now))
    noticed = await window.read(lambda: hints(runtime.store, day))
    if made is None or noticed is None:
        return
    with el("div", "", "title"):
        el("h1", day_name(words, day))
        _files(window, made, noticed)
    facts(figures(words, made))
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
    _noticed(window, noticed)
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


def _files(window: Window, made: DayReport, noticed: list[Hint]) -> None:
    """The report as it is now, to take away."""
    _ = window.words.translate
    language = window.language
    devices = [(state.name, state.status, device_todo(language, state)) for state in window.runtime.board.states()]
    name = f"spaarpunt-{made.terminal}-{made.day.isoformat()}"

    async def pdf() -> None:
        from pos_client.office.paper import report_pdf  # half a second that no start of a till waits for

        till = window.runtime.config.till.name
        content = await window.read(lambda: report_pdf(window.words, till, made, noticed, devices))
        if content is not None:
            ui.download.content(content, f"{name}.pdf", "application/pdf")

    async def spreadsheet() -> None:
        ui.download.content(report_csv(made, noticed, devices), f"{name}.csv", "text/csv")

    with el("div", "", "buttons"):
        button("PDF", pdf)
        button("CSV", spreadsheet)


def _noticed(window: Window, noticed: list[Hint]) -> None:
    """What is worth a look, each with a way to the entries behind it."""
    _ = window.words.translate
    if not noticed:
        return

    def open_(hint: Hint) -> None:
        button(_("See"), lambda: window.fill(lambda at: behind(at, hint)))

    table(
        _("Worth a look"),
        [(_("What"), "text"), (_("Points"), "number"), ("", "text")],
        [(say_hint(window.words, hint), window.words.signed(hint.points), partial(open_, hint)) for hint in noticed],
    )


async def behind(window: Window, hint: Hint) -> None:
    """The entries behind a hint."""
    _ = window.words.translate
    words, runtime, now = window.words, window.runtime, wall_ms()
    stories = Stories(runtime.store, window.language)
    entries = [runtime.journal.find(entry) for entry in hint.entries]
    lines = [stories.entry(entry) for entry in entries if entry is not None]
    el("h1", say_hint(words, hint))
    with el("div", "", "buttons"):
        if hint.card is not None:
            lookup = Lookup(runtime.store, runtime.terminal.card_key, runtime.config.card_formats)
            person = lookup.person(hint.card)
            button(_("To the member"), lambda: window.fill(lambda at: lookup_page.account(at, person)))
        button(_("Back"), lambda: window.fill(show))
    table(
        _("The entries behind it"),
        [(_("When"), "text"), (_("Receipt"), "text"), (_("Points"), "number"), (_("How"), "text")],
        [
            (
                moment(words, window.zone, line.entry.clock.wall_ms, now),
                line.entry.session,
                words.signed(line.entry.points),
                line.said,
            )
            for line in lines
        ],
    )
