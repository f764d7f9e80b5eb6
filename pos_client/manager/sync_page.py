"""Head office: how the till stands with it, and an exchange now, with how far it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from nicegui import ui

from pos_client.manager.elements import button, el, facts, table
from pos_client.troubles import Trouble, troubles
from sync.errors import SyncError, code_of
from sync.terminal import wall_ms

if TYPE_CHECKING:
    from pos_client.manager.page import Window

_TELL_S = 0.2
"""Seconds between two looks at how far an exchange is: a bar that moves, and few messages."""


async def show(window: Window) -> None:
    """Where this till stands with head office."""
    _ = window.words.translate
    words, runtime, now = window.words, window.runtime, wall_ms()
    head, contact, state = runtime.journal.head(), runtime.mirror.contact(), runtime.agent.state
    proof = runtime.proofs.latest()

    def said(at_ms: int | None) -> str:
        return words.moment(at_ms, now) if at_ms else _("never")

    def agreed() -> str:
        if proof is None:
            return _("never")
        return f"{proof.business_date:%d-%m-%Y}: " + (_("agrees") if proof.agrees else _("differs"))

    el("h1", _("Head office"))
    facts(
        [
            (_("Line"), _("online") if state.online else _("offline since {time}").format(time=said(state.since_ms))),
            (_("Waiting to be sent"), words.points(head.queued)),
            (_("Last heard of"), said(contact.last_contact_ms)),
            (_("All changes as of"), said(contact.as_of_ms)),
            (_("Members known here"), words.points(runtime.mirror.accounts())),
            (_("Last compared day"), agreed()),
        ]
    )
    if state.code in {"unreachable", "server_fault"} and not state.online:
        el("p", _("The till goes on without head office, and sends everything when the line is back."), "quiet")
    found = await window.read(lambda: troubles(runtime))
    if found:
        table(
            _("What is wrong"),
            [(_("What"), "text"), (_("What to do"), "text")],
            [(trouble.text(window.language), trouble.todo(window.language)) for trouble in found],
        )
    done = [0, 0]

    def tell(so_far: int, total: int) -> None:
        done[:] = so_far, total

    async def exchange() -> None:
        window.say(_("Exchanging with head office…"))
        bar.props["hidden"] = False
        bar.update()

        def look() -> None:
            if done[1]:
                bar.props.update({"max": done[1], "value": done[0]})
                bar.update()

        with bar:
            timer = ui.timer(_TELL_S, look)
        try:
            report = await asyncio.to_thread(runtime.agent.run_once, tell, tell)
        except SyncError as error:
            await window.fill(show)
            why = Trouble(code_of(error))
            window.say(f"{why.text(window.language)}. {why.todo(window.language)}", "warn")
            return
        finally:
            timer.cancel()
        await window.fill(show)
        window.say(
            _("Done: {sent} sent, {changes} changes fetched").format(
                sent=words.points(report.sent), changes=words.points(report.changes)
            ),
            "ok",
        )

    button(_("Exchange now"), exchange, "primary")
    bar = el("progress", "", "exchange", aria_label=_("Exchange with head office"), hidden=True)
