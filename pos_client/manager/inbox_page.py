"""The inbox: what head office did not book, why, and what the manager does about it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import uuid6

from loyalty.resolution import Action
from pos_client.i18n import mark
from pos_client.inbox import Item, item_of
from pos_client.manager.elements import Form, button, choice, el, facts, field, form, table
from pos_client.manager.words import ACTIONS, KINDS, moment
from pos_client.office.saying import STATES
from sync.inbox import Parked, Said
from sync.terminal import wall_ms
from sync.wire_mirror import ParkedState

MAX_DECIDED = 20
"""Decided entries shown: what somebody may still remember; `spaarpunt inbox list --all` has the rest."""

_UNREADABLE = mark("cannot be read")

if TYPE_CHECKING:
    from pos_client.manager.page import Window


async def show(window: Window) -> None:
    """What waits, oldest first; under it what was decided lately, which may be taken back."""
    _ = window.words.translate
    entries = await window.read(lambda: Parked(window.runtime.store).entries(everything=True))
    items = [item_of(entry, window.language) for entry in entries or []]
    waiting = [item for item in items if item.entry.state in {ParkedState.OPEN, ParkedState.REFERRED}]
    decided = [item for item in items if item.entry.state not in {ParkedState.OPEN, ParkedState.REFERRED}]
    decided.sort(key=lambda item: item.entry.decided_ms or item.entry.parked_ms, reverse=True)
    el("h1", _("Inbox"))
    if waiting:
        _table(window, _("What head office did not book"), waiting)
    else:
        el("p", _("Nothing waits: head office booked everything."), "quiet")
    if decided:
        _table(window, _("Decided in the last 90 days"), decided[:MAX_DECIDED])


def _table(window: Window, caption: str, items: Sequence[Item]) -> None:
    _ = window.words.translate
    words, now = window.words, wall_ms()

    def act(item: Item) -> None:
        if not item.entry.waits:
            el("span", _stands(window, item), "stands")
        if item.entry.waits:
            button(_("Decide"), lambda: window.fill(lambda at: decide(at, item)))
        elif item.actions:
            button(_("Undo"), lambda: window.fill(lambda at: take_back(at, item)))

    table(
        caption,
        [
            (_("Number"), "number"),
            (_("When"), "text"),
            (_("Till"), "text"),
            (_("Points"), "number"),
            (_("Why"), "text"),
            ("", "text"),
        ],
        [
            (
                str(item.entry.number),
                moment(words, window.zone, item.entry.parked_ms, now),
                item.entry.till,
                words.signed(item.entry.points),
                item.reason,
                partial(act, item),
            )
            for item in items
        ],
    )


async def decide(window: Window, item: Item) -> None:
    """One entry whole, with its decision."""
    _ = window.words.translate
    entry = item.entry
    asked = str(uuid6.uuid7())
    _whole(window, item)

    async def send(sent: Form) -> None:
        action, reason = sent.get("action", ""), sent.get("reason", "").strip()
        card = sent.get("card", "").strip() or None
        if action not in item.actions or not reason or (action == Action.LINK and card is None):
            window.say(_("A decision needs a reason, and a link needs a card"), "warn")
            return
        inbox, number = window.runtime.inbox, entry.number
        wanted = Action(action)
        done = _("Decided: it goes to head office with the next exchange")
        if await window.do(
            lambda name: inbox.decide(asked, number, wanted, reason=reason, approver=name, card_text=card), done
        ):
            await window.fill(show)

    with form(send, "stacked"):
        choice(_("What to do"), "action", [(action.value, _(ACTIONS[action])) for action in item.actions])
        if Action.LINK in item.actions:
            field(_("A card of the member, for a link"), "card", autocomplete="off")
        field(_("Reason"), "reason", required=True, maxlength=200, autocomplete="off")
        with el("div", "", "buttons"):
            el("button", _("Decide"), "primary", type="submit")
            button(_("Back"), lambda: window.fill(show))


async def take_back(window: Window, item: Item) -> None:
    """One entry that was decided about, with what was said, and the decision that it was wrong."""
    _ = window.words.translate
    entry = item.entry
    asked = str(uuid6.uuid7())
    said = await window.read(lambda: Parked(window.runtime.store).said(entry))
    _whole(window, item)
    table(
        _("What was decided"),
        [(_("When"), "text"), (_("What"), "text"), (_("Reason"), "text"), (_("Who"), "text")],
        _decisions(window, item, said or []),
    )

    async def send(sent: Form) -> None:
        reason = sent.get("reason", "").strip()
        if not reason:
            window.say(_("Undoing a decision needs a reason"), "warn")
            return
        inbox, number = window.runtime.inbox, entry.number
        done = _("Undone: it goes to head office with the next exchange, which may say that it is too late")
        if await window.do(lambda name: inbox.decide(asked, number, Action.UNDO, reason=reason, approver=name), done):
            await window.fill(show)

    el("p", _("Points that were booked go off again. Points that were spent since cannot be taken back."), "quiet")
    with form(send, "stacked"):
        field(_("Reason"), "reason", required=True, maxlength=200, autocomplete="off")
        with el("div", "", "buttons"):
            el("button", _("Undo the decision"), "primary", type="submit")
            button(_("Back"), lambda: window.fill(show))


def _whole(window: Window, item: Item) -> None:
    """What is known of an entry."""
    _ = window.words.translate
    entry = item.entry
    el("h1", _("Entry {number}").format(number=entry.number))
    el("p", item.reason)
    said, exactly = moment(window.words, window.zone, entry.parked_ms, wall_ms())
    facts(
        [
            (_("What"), _(KINDS.get(entry.entry_kind or "", _UNREADABLE))),
            (_("Points"), window.words.signed(entry.points)),
            (_("Till"), entry.till),
            (_("Since"), said or exactly),
        ]
    )


def _decisions(window: Window, item: Item, said: Sequence[Said]) -> list[tuple[object, ...]]:
    """What was decided here; of a decision at another till the last word, as head office tells it."""
    _ = window.words.translate
    words, zone, entry, now = window.words, window.zone, item.entry, wall_ms()
    rows: list[tuple[object, ...]] = [
        (moment(words, zone, one.at_ms, now), _(ACTIONS[one.action]), one.reason, one.approver) for one in said
    ]
    if entry.decided_ms is not None and not any(
        (one.approver, one.reason) == (entry.approver, entry.reason) for one in said
    ):
        when = moment(words, zone, entry.decided_ms, now)
        rows.append((when, _(STATES[entry.state.value]), entry.reason or "", entry.approver or ""))
    return rows


def _stands(window: Window, item: Item) -> str:
    _ = window.words.translate
    if item.entry.asked == Action.UNDO:
        return _("undone; on its way to head office")
    if item.entry.asked is not None:
        return _("decided; on its way to head office")
    return _(STATES[item.entry.state.value])
