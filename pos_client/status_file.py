"""The till's status in a file of its data folder, written while it runs: for monitoring, and for when it is down."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from sync.errors import SyncError

STATUS_NAME = "status.json"
WRITE_EVERY_S = 30
"""Seconds between two writes: of a till that was killed it says to half a minute since when."""

log = structlog.get_logger("spaarpunt.app")


class StatusFile:
    """Writes what `read` gives, at once, every `WRITE_EVERY_S` seconds and at the end, in a thread of its own."""

    def __init__(self, folder: Path, read: Callable[[], dict[str, Any]]) -> None:
        self._path = folder / STATUS_NAME
        self._read = read
        self._stop = threading.Event()
        self._failed = False
        self._thread = threading.Thread(target=self._run, name="status-file", daemon=True)

    def start(self) -> None:
        """Start writing."""
        self._thread.start()

    def stop(self) -> None:
        """Write once more, as stopped, and end."""
        self._stop.set()
        self._thread.join()
        self._write(stopped=True)

    def _run(self) -> None:
        self._write()
        while not self._stop.wait(WRITE_EVERY_S):
            self._write()

    def _write(self, *, stopped: bool = False) -> None:
        """A disk that takes no status is logged once: the till sells on."""
        draft = self._path.with_suffix(".part")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump({**self._read(), "stopped": stopped}, file, ensure_ascii=False)
            draft.replace(self._path)
            self._failed = False
        except (OSError, SyncError) as error:
            if not self._failed:
                self._failed = True
                log.warning("the status could not be written", path=str(self._path), problem=str(error))


def last_status(folder: Path) -> dict[str, Any] | None:
    """What a till last wrote of itself; None when there is no such file, or nothing that can be read."""
    try:
        found = json.loads((folder / STATUS_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
