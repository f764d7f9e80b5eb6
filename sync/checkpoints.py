"""Folds the write-ahead log back into the till's file beside the sales, instead of within one of them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import sqlcipher3.dbapi2 as sqlcipher
import structlog

from sync.errors import SyncError

COMMITS = 128
"""Commits between two checkpoints: of some 10 pages each, so that the log stays at some 5 MiB, and in its place."""
PATIENT_PAGES = 2048
"""Up to so much in the log (8 MiB) a checkpoint that a checkout came in the way of is left for the next time."""
LAST_RESORT_PAGES = 8192
"""With so much in the log (32 MiB, half of what the file is cut back to) a commit checkpoints itself, as a thread that
never finds the log at rest would let it grow without end."""

_CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"  # waits for no reader: what one holds up is done the next time

log = structlog.get_logger("spaarpunt.store")


class Checkpoints:
    """Checkpoints in a thread of their own, on a connection of their own, that starts with the first that is due.

    Args:
        aside: held by whoever writes beside the sales, for as long as that is under way.
        lock: held by whoever writes.
    """

    def __init__(
        self, connect: Callable[[], Any], aside: AbstractContextManager[Any], lock: AbstractContextManager[Any]
    ) -> None:
        self._connect = connect
        self._aside = aside
        self._lock = lock
        self._commits = 0
        self._due = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def committed(self) -> None:
        """A transaction was committed; called under the store's lock."""
        self._commits += 1
        if self._commits < COMMITS:
            return
        self._commits = 0
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="store-checkpoints", daemon=True)
            self._thread.start()
        self._due.set()

    def stop(self) -> None:
        """End the thread, after the checkpoint under way. Not to be called under the lock."""
        self._stop.set()
        self._due.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            with contextlib.closing(self._connect()) as connection:
                while True:
                    self._due.wait()
                    self._due.clear()
                    if self._stop.is_set():
                        return
                    # Only a log that was folded in to its end is written over from its start, and needs no more room.
                    # What is written aside waits meanwhile. A checkout does not, unless they keep coming in between.
                    with self._aside:
                        _, pages, folded = connection.execute(_CHECKPOINT).fetchone()
                        if folded < pages and pages > PATIENT_PAGES:
                            with self._lock:
                                connection.execute(_CHECKPOINT).fetchone()
        except (sqlcipher.DatabaseError, SyncError) as error:
            # The journal is whole without it: a commit checkpoints at its last resort, and tells what fails then.
            log.warning("checkpoints stopped: commits do them from here on", problem=str(error))
