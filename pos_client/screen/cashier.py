"""The cashier's screen at `/`: till events in, one view per language to every window, keys back to the till."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable

import structlog
from fastapi import FastAPI, Request
from nicegui import app as nicegui_app
from nicegui import ui

from loyalty.errors import BasketError, RewardRefused
from pos_client.events import TillEvent
from pos_client.i18n import LANGUAGES
from pos_client.reckoning import TillError, card_patterns
from pos_client.runtime import Runtime
from pos_client.screen.facts import read_facts
from pos_client.screen.memory import UNDO_MS, Memory, Tone, after
from pos_client.screen.page import MARK, CashierPage
from pos_client.screen.view import MAX_REWARDS, View, build_view
from pos_client.screen.wedge import read_keys
from pos_client.session import SessionState
from sync.errors import StoreError, StoreFull
from sync.terminal import wall_ms

log = structlog.get_logger("spaarpunt.screen")


def mount(app: FastAPI, runtime: Runtime) -> None:
    """Put the cashier's screen of `runtime` at `/` of `app`; `?lang=nl|en` picks a language for one window.

    Once per process: NiceGUI keeps its pages in the process.
    """
    screen = CashierScreen(runtime)

    @ui.page("/", title=f"{runtime.terminal.store_name} · {runtime.config.till.name}", favicon=MARK)
    def cashier(request: Request) -> None:
        asked = request.query_params.get("lang", "")
        screen.open_window(asked if asked in LANGUAGES else runtime.config.till.language)

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


DOUBLE_TAP_S = 0.5
"""A second tap on a reward within this is the same tap; later it gives the reward back."""


class CashierScreen:
    """All open windows of one till. Everything but `on_event` runs on the server's loop."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._till = runtime.till
        self._patterns = card_patterns(runtime.config.card_formats)
        self._memory = Memory()
        self._pages: list[CashierPage] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end_listening: Callable[[], None] = lambda: None
        self._minute: asyncio.TimerHandle | None = None
        self._busy = False
        self._taken_at = 0.0
        # Babel reads a language's formats on first use, a tenth of a second that belongs to the start.
        facts = read_facts(runtime)
        for language in LANGUAGES:
            build_view(facts, self._memory, language)

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
        view = build_view(read_facts(self._runtime), self._memory, language)
        page = CashierPage(language, view, self.press, self.typed)
        self._pages.append(page)
        ui.context.client.on_delete(lambda: self._pages.remove(page))

    def on_event(self, event: TillEvent) -> None:
        """Take an event on the till's thread over to the loop."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._handle, event)

    def _handle(self, event: TillEvent) -> None:
        before = self._memory
        self._memory, tone = after(before, event, wall_ms())
        self._refresh(tone)
        if self._memory.last is not before.last and self._loop is not None:
            self._loop.call_later(UNDO_MS / 1000, self._refresh)

    def _refresh(self, tone: Tone | None = None) -> None:
        facts = read_facts(self._runtime)
        views: dict[str, View] = {}
        for page in self._pages:
            if page.language not in views:
                views[page.language] = build_view(facts, self._memory, page.language)
            page.apply(views[page.language], tone)

    def _each_minute(self) -> None:
        """The clock, and whatever else time alone changes."""
        self._refresh()
        assert self._loop is not None
        self._minute = self._loop.call_later(60 - wall_ms() / 1000 % 60, self._each_minute)

    # -- keys -----------------------------------------------------------------------------------------------------

    async def press(self, key: str) -> None:
        """Do what a key (of `page.KEYS`) stands for."""
        match key:
            case "F12":
                await self._finish()
            case "Ctrl+Z":
                await self._undo()
            case "Escape":
                await self._cancel()
            case _:
                await self._take_reward(int(key.removeprefix("F")) - 2)

    async def typed(self, keys: object) -> None:
        """Take what a reader typed into the page, as if a driver had read it."""
        screen = self._runtime.config.screen
        event = read_keys(keys, screen.layout, self._patterns, time.monotonic_ns())
        if event is not None:
            await asyncio.to_thread(self._runtime.board.on_event, event)

    async def _take_reward(self, number: int) -> None:
        """Take the reward in row `number`, from 0, or give a chosen one back; says why when it cannot be had."""
        facts = read_facts(self._runtime)
        quote = facts.quote
        if number >= min(len(facts.rewards), MAX_REWARDS):
            return
        option = facts.rewards[number]
        reward = option.reward.id
        if quote is None:
            self._refuse(option.code or "no_session", reward)
        elif option.code is None:
            await self._do(lambda: self._till.redeem(quote.session, reward), reward)
            self._taken_at = asyncio.get_running_loop().time()
        elif reward in [taken.reward for taken in quote.settlement.redemptions]:
            if asyncio.get_running_loop().time() - self._taken_at < DOUBLE_TAP_S:
                return
            await self._do(lambda: self._till.unredeem(quote.session, reward), reward)
        else:
            self._refuse(option.code, reward)

    async def _finish(self) -> None:
        """Book the sale on the screen."""
        facts = read_facts(self._runtime)
        quote = facts.quote
        if quote is None or quote.state is not SessionState.OPEN:
            return
        if quote.holder is None:
            self._refuse("no_card")
            return
        await self._do(lambda: self._till.commit(quote.session))

    async def _undo(self) -> None:
        """Take the last booking back while that is still offered."""
        last = self._memory.last
        if last is None or self._memory.undo_left_ms(wall_ms()) == 0:
            self._refuse("too_late")
            return
        await self._do(lambda: self._till.void(last.session))

    async def _cancel(self) -> None:
        """Wave the message and the last result away, drop the receipt, or drop the card that waits."""
        facts = read_facts(self._runtime)
        quote = facts.quote
        if quote is not None and quote.state is not SessionState.OPEN:
            self._memory = self._memory.dismiss(quote.session)
            self._refresh()
            return
        self._memory = self._memory.dismiss(None)
        if quote is not None:
            await self._do(lambda: self._till.void(quote.session))
        elif facts.holder is not None:
            await self._do(self._till.forget_card)
        else:
            self._refresh()

    async def _do(self, command: Callable[[], object], reward: str | None = None) -> None:
        """Run a use case beside the loop: the disk may be slow, the screen may not. A second tap meanwhile is none."""
        if self._busy:
            return
        self._busy = True
        try:
            await asyncio.to_thread(command)
        except (TillError, RewardRefused) as error:
            self._refuse(error.code, reward)
        except BasketError as error:
            log.warning("refused", error=str(error))
            self._refuse("basket")
        except StoreFull as error:
            log.exception("store", error=str(error))
            self._refuse("store_full")
        except StoreError as error:
            log.exception("store", error=str(error))
            self._refuse("store_error")
        finally:
            self._busy = False
        self._refresh()

    def _refuse(self, code: str, reward: str | None = None) -> None:
        self._memory = self._memory.refused(code, reward)
        self._refresh("low")
