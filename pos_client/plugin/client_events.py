"""The till's event stream as both clients read it: blocking, and for asyncio."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Self

import httpx

from pos_client.plugin.client_wire import EventLines, unreachable
from pos_client.plugin.messages_till import EventAnswer


class EventStream:
    """The events of the till, one by one, from the moment this was made. Close it, or use it in a `with` block.

    Iterating ends when the till ends the stream (it stopped, or this client fell too far behind): come back with
    `last_id`. It raises `PluginProblem` (`till_unreachable`) when the connection breaks.
    """

    def __init__(self, response: httpx.Response, last_id: str | None) -> None:
        self._response = response
        self._lines = response.iter_lines()
        self._events = EventLines(last_id)
        self._closed = False

    @property
    def last_id(self) -> str | None:
        """The id of the newest event."""
        return self._events.last_id

    def __iter__(self) -> Iterator[EventAnswer]:
        return self

    def __next__(self) -> EventAnswer:
        try:
            for line in self._lines:
                if event := self._events.take(line):
                    return event
        except (httpx.HTTPError, httpx.StreamError) as error:
            if not self._closed:
                raise unreachable(error) from error
        raise StopIteration

    def close(self) -> None:
        """End the stream; on any thread, also while another waits in it for the next event."""
        self._closed = True
        network = self._response.extensions.get("network_stream")
        if network is not None and not self._response.is_closed:
            # Closing a socket wakes nobody who reads from it; shutting it down does.
            with contextlib.suppress(OSError):
                network.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self._response.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncEventStream:
    """The events of the till, one by one, from the moment this was made. Close it, or use it in `async with`.

    Iterating ends when the till ends the stream (it stopped, or this client fell too far behind): come back with
    `last_id`. It raises `PluginProblem` (`till_unreachable`) when the connection breaks.
    """

    def __init__(self, response: httpx.Response, last_id: str | None) -> None:
        self._response = response
        self._lines = response.aiter_lines()
        self._events = EventLines(last_id)

    @property
    def last_id(self) -> str | None:
        """The id of the newest event."""
        return self._events.last_id

    def __aiter__(self) -> AsyncIterator[EventAnswer]:
        return self

    async def __anext__(self) -> EventAnswer:
        try:
            async for line in self._lines:
                if event := self._events.take(line):
                    return event
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise unreachable(error) from error
        raise StopAsyncIteration

    async def close(self) -> None:
        """End the stream. A task that waits in it is ended by cancelling it."""
        await self._response.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
