"""The shop's line to head office, as a TCP relay that can be cut and mended."""

from __future__ import annotations

import asyncio
import contextlib
import threading

CHUNK_BYTES = 65_536


class Line:
    """Relays a loopback port to head office's. Runs in a thread of its own; `cut` breaks every connection at once."""

    def __init__(self, target_port: int) -> None:
        self._target = target_port
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = True
        self._server = self._loop.run_until_complete(asyncio.start_server(self._relay, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, name="line", daemon=True)
        self._thread.start()

    @property
    def is_open(self) -> bool:
        """Whether anything gets through."""
        return self._open

    def cut(self) -> None:
        """Break every connection, and every new one, until `mend`."""
        self._open = False
        self._loop.call_soon_threadsafe(self._break_all)

    def mend(self) -> None:
        """Let connections through again."""
        self._open = True

    def close(self) -> None:
        """End the relay."""

        def end() -> None:
            self._server.close()
            self._break_all()
            self._loop.call_soon(self._loop.stop)

        self._loop.call_soon_threadsafe(end)
        self._thread.join()
        self._loop.close()

    def _break_all(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if not self._open:
                return
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(_pump(reader, back))
                    group.create_task(_pump(there, writer))
            finally:
                back.close()
        except* (OSError, asyncio.CancelledError):
            pass  # a broken line is what this class is for
        finally:
            self._tasks.discard(task)
            writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(CHUNK_BYTES):
            sink.write(data)
            await sink.drain()
        sink.close()
