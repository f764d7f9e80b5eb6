"""Devices: what works and what does not, as the till last heard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pos_client.manager.elements import button, el, table
from pos_client.office.saying import DEVICE_STATES
from pos_client.troubles import device_todo

if TYPE_CHECKING:
    from pos_client.manager.page import Window


async def show(window: Window) -> None:
    """Every device of this till."""
    _ = window.words.translate
    board = window.runtime.board
    states = board.states()
    with el("div", "", "title"):
        el("h1", _("Devices"))
        button(_("Look again"), lambda: window.fill(show))
    if not states:
        el("p", _("No device is configured. Readers that type work on every page of the cashier's screen."), "quiet")
    else:
        table(
            _("At this till"),
            [(_("Device"), "text"), (_("State"), "text"), (_("What to do"), "text")],
            [
                (state.name, _(DEVICE_STATES.get(state.status, state.status)), device_todo(window.language, state))
                for state in states
            ],
        )
    refused = window.words.points(board.payment_cards_refused)
    el("p", _("Bank cards turned away since the start: {count}").format(count=refused), "quiet")
