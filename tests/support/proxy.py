"""A TCP proxy between a till and head office that fails in every way a network does, on order or by a seed."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from enum import StrEnum
from typing import Any

MOST_BYTES = 4 * 1024 * 1024
"""No request or answer of the protocol comes near this."""
LONGEST_DELAY_S = 0.02
JOIN_S = 20


class Fault(StrEnum):
    """What happens to one request and its answer."""

    NONE = "none"
    DELAY = "delay"
    REFUSE = "refuse"  # the connection is closed before anything passes
    CUT_REQUEST = "cut request"  # the line breaks in the middle of the request
    CUT_ANSWER = "cut answer"  # the line breaks in the middle of the answer
    LOSE_ANSWER = "lose answer"  # head office has done its work, the till never hears of it
    DUPLICATE = "duplicate"  # the request comes twice, at the same time
    LATE = "late"  # the request seems lost, and comes after the next one
    HALF_OPEN = "half open"  # the line looks open and nothing passes
    SILENCE = "silence"  # head office has done its work, the answer never comes, the line stays open


class Proxy:
    """Relays to a loopback port, one request at a time on each connection. Runs in a thread of its own.

    Args:
        chance: where delays and cuts fall; the same seed, the same places.
        choose: the fault of a request that none was ordered for.
    """

    def __init__(
        self, port: int, chance: random.Random | None = None, choose: Callable[[], Fault] = lambda: Fault.NONE
    ) -> None:
        self.target = port
        """Where new requests go; another one once this is set."""
        self.allow: int | None = None
        """How many more bytes of answers pass before the line breaks in their middle; None: all of them."""
        self._chance = chance or random.Random(0)
        self._choose = choose
        self._ordered: deque[Fault] = deque()
        self._late: list[bytes] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._passes = True
        self.done: list[Fault] = []
        """The fault of each request so far."""
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()

    def order(self, *faults: Fault) -> None:
        """These faults for the next requests, one each."""
        self._ordered.extend(faults)

    def cut(self) -> None:
        """Break every connection, and every new one, until `join` or `mend`."""
        self._passes = False
        self.sever()

    def join(self) -> None:
        """Let connections through again, with the faults that they meet."""
        self._passes = True

    def mend(self) -> None:
        """Let everything through from now on: no fault that was ordered or would be chosen."""
        self._ordered.clear()
        self._choose = lambda: Fault.NONE
        self._passes = True

    def sever(self) -> None:
        """Break every connection there is."""
        self._run(self._break_all())

    def close(self) -> None:
        """End the proxy; nothing of it goes on."""

        async def end() -> None:
            self._server.close()
            await self._break_all()

        self._run(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(JOIN_S)
        assert not self._thread.is_alive()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(JOIN_S)

    async def _break_all(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while self._passes and (request := await _message(reader)):
                fault = self._ordered.popleft() if self._ordered else self._choose()
                self.done.append(fault)
                answer = await self._pass_on(fault, request)
                part = self._allowed(answer)
                writer.write(part)
                await writer.drain()
                if fault in _ENDS or len(part) < len(answer):
                    break
        except (OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass  # a broken line is what this class is for
        finally:
            self._tasks.discard(task)
            writer.close()

    def _allowed(self, answer: bytes) -> bytes:
        if self.allow is None:
            return answer
        part = answer[: self.allow]
        self.allow -= len(part)
        return part

    async def _pass_on(self, fault: Fault, request: bytes) -> bytes:
        """Let a fault happen to `request`; the bytes that the till gets back before the connection ends, if it does."""
        if fault in _NEVER_ARRIVES:
            return await self._lose(fault, request)
        if fault is Fault.DELAY:
            await asyncio.sleep(self._chance.random() * LONGEST_DELAY_S)
        times = 2 if fault is Fault.DUPLICATE else 1
        answer = self._chance.choice(await asyncio.gather(*(self._ask(request) for _ in range(times))))
        while self._late:
            await self._ask(self._late.pop(0))
        if fault is Fault.SILENCE:
            await asyncio.Event().wait()
        if fault is Fault.CUT_ANSWER:
            return answer[: self._chance.randint(1, len(answer) - 1)]
        return b"" if fault is Fault.LOSE_ANSWER else answer

    async def _lose(self, fault: Fault, request: bytes) -> bytes:
        if fault is Fault.LATE:
            self._late.append(request)
        if fault is Fault.CUT_REQUEST:
            await self._send(request[: self._chance.randint(1, len(request) - 1)])
        if fault is Fault.HALF_OPEN:
            await asyncio.Event().wait()
        return b""

    async def _ask(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            writer.write(request)
            await writer.drain()
            return await _message(reader)
        finally:
            writer.close()

    async def _send(self, part: bytes) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", self.target)
        writer.write(part)
        await writer.drain()
        writer.close()


_NEVER_ARRIVES = frozenset({Fault.REFUSE, Fault.LATE, Fault.CUT_REQUEST, Fault.HALF_OPEN})
_ENDS = frozenset({Fault.REFUSE, Fault.LATE, Fault.CUT_REQUEST, Fault.CUT_ANSWER, Fault.LOSE_ANSWER})


async def _message(reader: asyncio.StreamReader) -> bytes:
    """One whole request or answer; empty when the other side closed between two."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return b""
    if re.search(rb"^transfer-encoding: *chunked", head, re.IGNORECASE | re.MULTILINE):
        return head + await _chunks(reader)
    length = re.search(rb"^content-length: *(\d+)", head, re.IGNORECASE | re.MULTILINE)
    size = int(length[1]) if length else 0
    assert size <= MOST_BYTES, "no message of the protocol is that large"
    return head + await reader.readexactly(size)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    """A body of unknown length, up to its last chunk (RFC 9112 7.1)."""
    body = bytearray()
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        body += line + await reader.readexactly(size + 2)
        assert len(body) <= MOST_BYTES, "no answer of a test is that large"
        if size == 0:
            return bytes(body)


@contextlib.contextmanager
def proxy(port: int, **options: Any) -> Iterator[Proxy]:
    """A `Proxy` that is closed at the end."""
    made = Proxy(port, **options)
    try:
        yield made
    finally:
        made.close()
