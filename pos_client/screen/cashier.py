"""The cashier's screen at `/`: till events in, one view per language to every window, keys back to the till."""

from __future__ import annotations

import asyncio
import base64
import gc
from collections.abc import Callable
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from nicegui import app as nicegui_app
from nicegui import ui

from pos_client.events import EventKind, TillEvent
from pos_client.i18n import LANGUAGES
from pos_client.runtime import Runtime
from pos_client.screen.away import say_when_away
from pos_client.screen.facts import read_facts
from pos_client.screen.hand import Hand
from pos_client.screen.memory import UNDO_MS, Memory, Tone, after
from pos_client.screen.page import MARK, CashierPage
from pos_client.screen.shown import LOGO_PATH, View
from pos_client.screen.view import build_view
from sync.terminal import wall_ms


def mount(app: FastAPI, runtime: Runtime) -> None:
    """Put the cashier's screen of `runtime` at `/` of `app`; `?lang=nl|en` picks a language for one window.

    Once per process: NiceGUI keeps its pages in the process.
    """
    screen = CashierScreen(runtime)

    @ui.page("/", title=f"{runtime.terminal.store_name} · {runtime.config.till.name}", favicon=MARK)
    def cashier(request: Request) -> None:
        asked = request.query_params.get("lang", "")
        screen.open_window(asked if asked in LANGUAGES else runtime.config.till.language)

    @app.get(LOGO_PATH, include_in_schema=False)
    def logo() -> Response:
        programme = runtime.mirror.programme()
        picture = programme.branding.logo_png if programme else None
        if picture is None:
            return Response(status_code=HTTPStatus.NOT_FOUND)
        headers = {"Cache-Control": "max-age=31536000, immutable"}  # another version has another address
        return Response(base64.b64decode(picture), media_type="image/png", headers=headers)

    nicegui_app.on_startup(screen.start)
    nicegui_app.on_shutdown(screen.stop)
    ui.run_with(
        app,
        dark=None,
        language="nl" if runtime.config.till.language == "nl" else "en-GB",
        binding_refresh_interval=None,
        tailwind=False,
        show_welcome_message=False,
    )


class CashierScreen:
    """All open windows of one till. Everything but `on_event` runs on the server's loop."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._hand = Hand(runtime, self._refresh)
        self._pages: list[CashierPage] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end_listening: Callable[[], None] = lambda: None
        self._minute: asyncio.TimerHandle | None = None
        # Babel reads a language's formats on first use, a tenth of a second that belongs to the start.
        facts = read_facts(runtime)
        for language in LANGUAGES:
            build_view(facts, Memory(), language)

    def start(self) -> None:
        """Listen to the till; called on the loop when the server starts."""
        self._loop = asyncio.get_running_loop()
        # What start-up made stays for good: looked through at each collection, it would hold a scan up for nothing.
        gc.collect()
        gc.freeze()
        self._end_listening = self._runtime.bus.listen(self.on_event)
        self._each_minute()

    def stop(self) -> None:
        """Stop listening."""
        self._end_listening()
        if self._minute is not None:
            self._minute.cancel()

    def open_window(self, language: str) -> None:
        """Build the page for one browser window."""
        view = build_view(read_facts(self._runtime), self._hand.memory, language)
        say_when_away(language)
        page = CashierPage(language, view, self._hand)
        self._pages.append(page)
        ui.context.client.on_delete(lambda: self._pages.remove(page))

    def on_event(self, event: TillEvent) -> None:
        """Take an event on the till's thread over to the loop."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._handle, event)

    def _handle(self, event: TillEvent) -> None:
        before = self._hand.memory
        self._hand.memory, tone = after(before, event, wall_ms())
        if event.kind is EventKind.LABEL_SCANNED:
            self._hand.label(str(event.data["text"]))
        self._refresh(tone)
        if self._hand.memory.last is not before.last and self._loop is not None:
            self._loop.call_later(UNDO_MS / 1000, self._refresh)

    def _refresh(self, tone: Tone | None = None) -> None:
        if not self._pages:  # a till whose own software has the screen
            return
        facts = read_facts(self._runtime)
        views: dict[str, View] = {}
        for page in self._pages:
            if page.language not in views:
                views[page.language] = build_view(facts, self._hand.memory, page.language)
            page.apply(views[page.language], tone)

    def _each_minute(self) -> None:
        """The clock, and whatever else time alone changes."""
        self._refresh()
        assert self._loop is not None
        self._minute = self._loop.call_later(60 - wall_ms() / 1000 % 60, self._each_minute)
