"""Answers that are too large to be made whole: a line of JSON at a time, compressed as they go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator

import zstandard
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from sync.wire import PROTOCOL, PROTOCOL_HEADER, Record
from sync.wire_bodies import ZSTD_LEVEL

log = logging.getLogger(__name__)

MAX_STREAM_S = 300
"""A stream that takes longer is cut: a till that stands still must not hold its place; it goes on where it was."""


class Stream(StreamingResponse):
    """One message a line (NDJSON). Cut when a message cannot be made or the time is over; the other side sees that."""

    def __init__(self, messages: Iterable[Record], compressed: bool, on_end: Callable[[], None]) -> None:
        """Stream `messages`, with zstd if `compressed`; `on_end` is called once, whatever the end."""
        headers = {PROTOCOL_HEADER: str(PROTOCOL), "Vary": "Accept-Encoding"}
        if compressed:
            headers["Content-Encoding"] = "zstd"
        super().__init__(_lines(messages, compressed), headers=headers, media_type="application/x-ndjson")
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            async with asyncio.timeout(MAX_STREAM_S):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            log.warning("%s was cut after %d s: whoever asked goes on later", scope.get("path"), MAX_STREAM_S)
        finally:
            self._on_end()


def _lines(messages: Iterable[Record], compressed: bool) -> Iterator[bytes]:
    if not compressed:
        for message in messages:
            yield message.encode() + b"\n"
        return
    engine = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compressobj()
    for message in messages:
        # Flushed, so that the other side can use each message while the next is made.
        yield engine.compress(message.encode() + b"\n") + engine.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    yield engine.flush()
