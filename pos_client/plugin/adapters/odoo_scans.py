"""The scans of a till on their way to Odoo: its page asks for the next one and waits."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque

from pos_client.events import EventBus, EventKind, TillEvent

HOLD_S = 30.0
"""How long a call waits for a scan. Odoo asks again at once: answered sooner, it asked 13 000 times a minute."""
FRESH_S = 5.0
"""A scan that nobody asked for within this is not Odoo's any more: Odoo's own proxy drops it then, too."""
MAX_WAITING = 16
"""Scans that wait for Odoo to ask again, which takes it milliseconds."""


class Scans:
    """Scans of articles. Cards of members are not among them: those are for this till's own screen.

    Its methods are for the event loop; scans come from any thread.
    """

    def __init__(self, bus: EventBus, hold_s: float = HOLD_S) -> None:
        self._hold_s = hold_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._fresh: deque[tuple[float, str]] = deque(maxlen=MAX_WAITING)
        self._asked: asyncio.Future[str] | None = None
        self._end = bus.listen(self._offer)

    def open(self) -> None:
        """Take scans from now on."""
        self._loop = asyncio.get_running_loop()

    async def next(self) -> str:
        """The next label; "" when none came in time, or another call asked after this one."""
        if self._loop is None:
            return ""
        while self._fresh:
            at, label = self._fresh.popleft()
            if time.monotonic() - at <= FRESH_S:
                return label
        self._answer("")  # a page that was loaded anew left its old call behind, which must not eat the next scan
        asked = self._asked = asyncio.get_running_loop().create_future()
        try:
            return await asyncio.wait_for(asked, self._hold_s)
        except TimeoutError:
            return ""
        finally:
            if self._asked is asked:
                self._asked = None

    def close(self) -> None:
        """Take no more, and answer whoever waits: a server that stops need not wait for them."""
        self._end()
        self._loop = None
        self._answer("")

    def _offer(self, event: TillEvent) -> None:
        loop = self._loop
        if event.kind is EventKind.LABEL_SCANNED and loop is not None:
            with contextlib.suppress(RuntimeError):  # the server has stopped, and Odoo's call with it
                loop.call_soon_threadsafe(self._take, str(event.data["text"]))

    def _take(self, label: str) -> None:
        if not self._answer(label):
            self._fresh.append((time.monotonic(), label))

    def _answer(self, label: str) -> bool:
        asked, self._asked = self._asked, None
        if asked is None or asked.done():
            return False
        asked.set_result(label)
        return True
