"""A till in a process of its own, as `spaarpunt till` runs it: killed with kill -9 at will, and started again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Self

from tests.support.till import closed_port, config_of, make_runtime

START_S = 60.0
"""The first start loads everything; the later ones are forks of a process that has."""
_BOOKINGS = frozenset({"sale_booked", "return_booked"})

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["pos_client.cli", "pos_client.serve", "pos_client.screen.cashier"])


class MortalTill:
    """A till that knows the usual members, in `folder`; head office is away. Use it in a `with` block.

    It has one address for as long as it lives, through restarts.
    """

    def __init__(self, folder: Path, **changes: Any) -> None:
        make_runtime(folder).store.close()
        self.folder = folder
        self.port = closed_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._changes = {**changes, "screen": {"port": self.port}, "log": {"level": "error"}}
        self._process: ForkServerProcess | None = None
        self._watch: threading.Thread | None = None

    @property
    def token(self) -> str:
        """The till's own, with every scope."""
        return (self.folder / "plugin.token").read_text(encoding="ascii").strip()

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        assert self._process is not None
        assert self._process.pid is not None
        return self._process.pid

    def start(self, *, dies: bool = False) -> None:
        """Start it and wait until it answers. `dies`: kill -9 between its next booking and the answer to that."""
        mine, its = _processes.Pipe(duplex=False)
        self._process = _processes.Process(target=_run, args=(self.folder, self._changes, dies, its), daemon=True)
        self._process.start()
        its.close()
        assert mine.poll(START_S), "expected a till that is ready in time"
        assert mine.recv() == self.address + "/"

    def kill(self) -> None:
        """kill -9: no goodbye."""
        assert self._process is not None
        self._process.kill()
        self._process.join()

    def start_again_when_it_dies(self) -> None:
        """From now on, once: a killed till comes back by itself, as its service does."""
        process = self._process
        assert process is not None

        def watch() -> None:
            process.join()
            self.start()

        self._watch = threading.Thread(target=watch)
        self._watch.start()

    def back(self) -> None:
        """Wait until it has come back."""
        assert self._watch is not None
        self._watch.join(START_S)
        assert not self._watch.is_alive()

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        if self._process is not None:
            self._process.terminate()
            self._process.join(START_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _run(folder: Path, changes: dict[str, Any], dies: bool, told: Connection) -> None:
    from pos_client.events import TillEvent
    from pos_client.logs import set_up_logs
    from pos_client.runtime import Runtime
    from pos_client.serve import serve_till

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    config = config_of(folder, **changes)
    set_up_logs(config.log)

    def die(event: TillEvent) -> None:
        """Told after the booking is on the disk, before anything is answered."""
        if event.kind in _BOOKINGS:
            os.kill(os.getpid(), signal.SIGKILL)

    def ready(address: str, runtime: Runtime) -> None:
        if dies:
            runtime.bus.listen(die)
        told.send(address)

    serve_till(config, ready)
