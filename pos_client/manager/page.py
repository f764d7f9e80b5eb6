"""One open window of the manager's pages: PIN, rail, search box, and the page in the middle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import structlog
from nicegui import ui

from loyalty.errors import CardFormatError, LoyaltyError
from pos_client.manager import devices_page, inbox_page, lookup_page, sync_page, today_page
from pos_client.manager.elements import Form, button, choice, el, field, focus, form
from pos_client.manager.words import OTHER_REFUSAL, REFUSALS
from pos_client.reckoning import TillError
from pos_client.runtime import Runtime
from pos_client.screen.away import say_when_away
from pos_client.screen.words import Words
from sync.errors import StoreError

log = structlog.get_logger("spaarpunt.manager")

IDLE_S = 300
"""Seconds without a press after which the PIN is asked again: a manager called away, the till unguarded."""
LOOK_S = 5
"""Seconds between two looks at whether that time has come."""

_CSS = "".join(
    files(package).joinpath(name).read_text(encoding="utf-8")
    for package, name in (("pos_client.screen", "cashier.css"), (__package__, "manager.css"))
)

T = TypeVar("T")


class Window:
    """One window. Built inside a NiceGUI page function; used on the server's loop only."""

    def __init__(self, runtime: Runtime, language: str) -> None:
        self.runtime = runtime
        self.language = language
        self.zone = ZoneInfo(runtime.config.till.time_zone)
        self.words = Words(language, self.zone)
        self._ = self.words.translate
        self.manager: str | None = None
        self._touched = 0.0
        self._pages: dict[str, tuple[str, Callable[[Window], Awaitable[None]]]] = {
            "lookup": (self._("Look up"), lookup_page.show),
            "today": (self._("Today"), today_page.show),
            "inbox": (self._("Inbox"), inbox_page.show),
            "devices": (self._("Devices"), devices_page.show),
            "sync": (self._("Head office"), sync_page.show),
        }
        say_when_away(language)
        ui.add_head_html(f"<style>{_CSS}</style><script>document.documentElement.lang = '{language}'</script>")
        self._root = el("div", "", "till office")
        ui.timer(LOOK_S, self._look_idle)
        self._ask_pin()

    # -- the PIN --------------------------------------------------------------------------------------------------

    def _ask_pin(self, text: str = "") -> None:
        _ = self._
        self._root.clear()
        names = self.runtime.approvals.names()
        with self._root, el("main", "", "gate"):
            el("h1", _("Store manager"))
            el("p", f"{self.runtime.terminal.store_name} · {self.runtime.config.till.name}", "quiet")
            if not names:
                el("p", self._refusal(TillError("no_manager", "")), "note", role="alert")
                return
            with form(self._enter):
                choice(_("Name"), "name", [(name, name) for name in names])
                focus(field(_("PIN"), "pin", type="password", inputmode="numeric", autocomplete="off"))
                el("p", text, "note", role="alert")
                el("button", _("Enter"), "primary", type="submit")

    async def _enter(self, sent: Form) -> None:
        try:
            name = await asyncio.to_thread(self.runtime.approvals.approve, sent.get("name", ""), sent.get("pin", ""))
        except (TillError, StoreError) as error:
            self._ask_pin(self._refusal(error))
            return
        self.manager = name
        self._touched = time.monotonic()
        self._build()
        await self.go("lookup")

    async def _look_idle(self) -> None:
        if self.manager is not None and time.monotonic() - self._touched > IDLE_S:
            await self._leave()

    async def _leave(self) -> None:
        self.manager = None
        self._ask_pin()

    # -- the frame ------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        _ = self._
        self._root.clear()
        with self._root:
            with el("header"):
                with form(self._search, "search", empties=True, role="search"):
                    focus(field(_("Card, phone, e-mail or receipt"), "text", type="search", autocomplete="off"))
                    el("button", _("Look up"), "primary", type="submit")
                el("span", self.manager or "", "manager")
                button(_("Leave"), self._leave)
            with el("nav", "", "rail", aria_label=_("Pages")):
                self._links = {
                    name: button(title, lambda name=name: self.go(name))  # type: ignore[misc]
                    for name, (title, _show) in self._pages.items()
                }
            self._status = el("p", "", "status", role="status")
            self._main = el("main", "", "page")

    async def go(self, name: str) -> None:
        """Show a page of the rail."""
        self._touched = time.monotonic()
        for other, link in self._links.items():
            link.props.update({"aria-current": "page" if other == name else "false"})
            link.update()
        self.say("")
        await self.fill(self._pages[name][1])

    async def fill(self, show: Callable[[Window], Awaitable[None]]) -> None:
        """Put a page in the middle."""
        if self.manager is None:
            return
        self._main.clear()
        with self._main:
            await show(self)

    async def _search(self, sent: Form) -> None:
        await self.go("lookup")
        await self.fill(lambda window: lookup_page.found(window, sent.get("text", "")))

    # -- for the pages --------------------------------------------------------------------------------------------

    def say(self, text: str, mood: str = "") -> None:
        """Say how something went, above the page; read out."""
        self._status.props["data-mood"] = mood
        self._status.text = text  # type: ignore[attr-defined]
        self._status.update()

    async def read(self, question: Callable[[], T]) -> T | None:
        """Ask the till's database beside the loop; a refusal is said, and the answer then None."""
        return await self._ask(question)

    async def do(self, command: Callable[[str], Any], done: str) -> bool:
        """Do what the manager decided, under their name; says `done`, or why not. The PIN was given at the door."""
        name = self.manager
        if name is None:
            return False
        if await self._ask(lambda: (command(name),)) is None:
            return False
        self.say(done, "ok")
        return True

    async def _ask(self, question: Callable[[], T]) -> T | None:
        self._touched = time.monotonic()
        try:
            return await asyncio.to_thread(question)
        except (LoyaltyError, StoreError) as error:
            self.say(self._refusal(error), "warn")
            return None

    def _refusal(self, error: Exception) -> str:
        code = error.code if isinstance(error, TillError) else "not_found" if isinstance(error, CardFormatError) else ""
        log.info("refused", code=code, error=str(error))
        return self._(REFUSALS.get(code, OTHER_REFUSAL))
