"""The inbox: what head office did not book, why, and what the manager does about it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import uuid6

from loyalty.resolution import Action
from pos_client.i18n import mark
from pos_client.inbox import Item, item_of
from pos_client.manager.elements import Form, button, choice, el, facts, field, form, table
from pos_client.manager.words import ACTIONS, KINDS, moment
from pos_client.office.saying import STATES
from sync.inbox import Parked
from sync.terminal import wall_ms

_UNREADABLE = mark("cannot be read")

if TYPE_CHECKING:
    from pos_client.manager.page import Window


async def show(window: Window) -> None:
    """What waits, oldest first."""
    _ = window.words.translate
    words, now = window.words, wall_ms()
    entries = await window.read(lambda: Parked(window.runtime.store).entries())
    items = [item_of(entry, window.language) for entry in entries or []]
    el("h1", _("Inbox"))
    if not items:
        el("p", _("Nothing waits: head office booked everything."), "quiet")
        return

    def act(item: Item) -> None:
        if item.actions:
            button(_("Decide"), lambda: window.fill(lambda at: decide(at, item)))
        else:
            el("span", _stands(window, item))

    table(
        _("What head office did not book"),
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
    words, entry = window.words, item.entry
    asked = str(uuid6.uuid7())
    el("h1", _("Entry {number}").format(number=entry.number))
    el("p", item.reason)
    said, exactly = moment(words, window.zone, entry.parked_ms, wall_ms())
    facts(
        [
            (_("What"), _(KINDS.get(entry.entry_kind or "", _UNREADABLE))),
            (_("Points"), words.signed(entry.points)),
            (_("Till"), entry.till),
            (_("Since"), said or exactly),
        ]
    )

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


def _stands(window: Window, item: Item) -> str:
    _ = window.words.translate
    if item.entry.asked is not None:
        return _("decided; on its way to head office")
    return _(STATES[item.entry.state.value])
