"""GET /v1/events: what happens at the till, as server-sent events (HTML Living Standard, 9.2).

Each listener has a queue of its own. One that falls a whole queue behind is dropped: its stream ends at once, and it
may come back with `Last-Event-ID`, to be told what it missed or that it missed too much.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from pos_client.events import KEPT_EVENTS, EventBus, TillEvent
from pos_client.plugin.gate import caller_of
from pos_client.plugin.problems import respond

MAX_LISTENERS = 16
"""Streams at once: a till has a handful of programs that listen; more is a client that opens and never closes."""
QUEUED_EVENTS = 2 * KEPT_EVENTS
"""Events that wait for one listener: all that are kept, and as many again while it reads those."""
TOO_MANY = f"expected at most {MAX_LISTENERS} event streams at once: close one first"
EVENTS_MISSED = "events_missed"
"""The event that tells a returning listener that events were lost: it should ask for status and quote again."""


class TooManyListeners(Exception):
    """Every place for a listener is taken."""


class Listener:
    """One stream: a bounded queue between the threads that publish and the event loop that sends."""

    def __init__(self, loop: asyncio.AbstractEventLoop, after: int | None, missed: bool, caller: str = "") -> None:
        self.caller = caller
        self._loop = loop
        self._queue: asyncio.Queue[TillEvent | None] = asyncio.Queue(QUEUED_EVENTS + 1)
        self._last = after
        self._missed = missed
        self.dropped = False

    def offer(self, event: TillEvent) -> None:
        """Take one event, on any thread."""
        try:
            self._loop.call_soon_threadsafe(self._put, event)
        except RuntimeError:
            self.dropped = True  # the server has stopped, and with it the stream; the sale that told us goes on

    def _put(self, event: TillEvent) -> None:
        if self.dropped:
            return
        if self._queue.qsize() < QUEUED_EVENTS:
            self._queue.put_nowait(event)
            return
        self.end()

    def end_soon(self) -> None:
        """As `end`, on any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and every stream with it
            self._loop.call_soon_threadsafe(self.end)

    def end(self) -> None:
        """End the stream at once, whatever still waits in it. On the event loop only."""
        self.dropped = True
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    async def events(self) -> AsyncIterator[TillEvent | None]:
        """Every event in order; None where some are missing. Ends when the listener is dropped."""
        if self._missed:
            yield None
        while (event := await self._queue.get()) is not None:
            if self._last is not None and event.number != self._last + 1 and not self._missed:
                yield None
            self._missed = False
            self._last = event.number
            yield event


class Hub:
    """The listeners of one till process."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        # Event numbers start again with every process, so an id also names the process.
        self._run = secrets.token_hex(4)
        self._ends: dict[Listener, Callable[[], None]] = {}

    def id_of(self, event: TillEvent) -> str:
        """The event's id on the stream."""
        return f"{self._run}-{event.number}"

    def join(self, loop: asyncio.AbstractEventLoop, last_event_id: str | None, caller: str = "") -> Listener:
        """Start listening; with the id of the last event it had, first the kept events after that one.

        Args:
            caller: the program that listens, for `end_of`.

        Raises:
            TooManyListeners: `MAX_LISTENERS` are here.
        """
        if sum(not listener.dropped for listener in self._ends) >= MAX_LISTENERS:
            raise TooManyListeners
        after: int | None = None
        missed = False
        if last_event_id:
            found = re.fullmatch(rf"{self._run}-([0-9]{{1,15}})", last_event_id)
            after = int(found[1]) if found else 0
            missed = found is None
        listener = Listener(loop, after, missed, caller)
        self._ends[listener] = self._bus.listen(listener.offer, after)
        return listener

    def leave(self, listener: Listener) -> None:
        """Stop listening."""
        self._ends.pop(listener)()

    def end_of(self, caller: str) -> None:
        """End the streams of a program that may not listen any more; on any thread."""
        for listener in list(self._ends):
            if listener.caller == caller:
                listener.end_soon()

    def end_all(self) -> None:
        """End every stream, so that a server that stops need not wait for them. On the event loop only."""
        for listener in self._ends:
            listener.end()


async def _joined(
    request: Request, last_event_id: Annotated[str | None, Header(max_length=64)] = None
) -> AsyncIterator[Listener]:
    """Joins before the response starts: a client that has its headers misses nothing from then on."""
    hub = cast(Hub, request.app.state.hub)
    listener = hub.join(asyncio.get_running_loop(), last_event_id, caller_of(request.scope).id)
    try:
        yield listener
    finally:
        hub.leave(listener)


async def on_too_many(_: Request, _error: Exception) -> Response:
    """The answer to one listener too many."""
    return respond("too_many_listeners", TOO_MANY)


router = APIRouter(prefix="/v1", tags=["till"])


@router.get("/events", response_class=EventSourceResponse)
async def events(request: Request, listener: Annotated[Listener, Depends(_joined)]) -> AsyncIterator[ServerSentEvent]:
    """Stream what happens at the till. A comment every 15 seconds of silence keeps the connection alive.

    After a pause, send the last id as `Last-Event-ID`: kept events after it come first. An `events_missed` event says
    that some were lost (too many, or the till was restarted): ask for status and quote again.
    """
    hub = cast(Hub, request.app.state.hub)
    async for event in listener.events():
        if event is None:
            yield ServerSentEvent(event=EVENTS_MISSED, data={})
        else:
            yield ServerSentEvent(id=hub.id_of(event), event=event.kind, data=event.data)
