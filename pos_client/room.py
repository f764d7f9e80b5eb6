"""How much room a till has left, on its disk and in its queue to head office: short of it, it gives no points alone."""

from __future__ import annotations

import shutil
from pathlib import Path

from sync.journal import Journal

LITTLE_SPACE_BYTES = 500 * 1024 * 1024
"""Below this the manager is told: a year of journal and a week of backups of an ordinary till."""
NO_SPACE_BYTES = 50 * 1024 * 1024
"""Below this somebody has to act at once: rewards end here, so that some 40 000 sales still fit before booking does."""

MOST_QUEUED = 1_000_000
"""Entries that may wait for head office before rewards end: a year alone of a till that books a card every 20 seconds,
fifteen hours a day; benchmarks/journal.py appends to as many. Selling and earning go on past it: they have no limit."""
MANY_QUEUED = MOST_QUEUED // 10
"""From here on the manager is told: more than a month of such a till, and a year and more of an ordinary one."""


class Room:
    """What is left at one till; reading it takes microseconds and never waits for head office."""

    def __init__(self, folder: Path, journal: Journal) -> None:
        """`folder`: on the disk that the journal is on."""
        self._folder = folder
        self._journal = journal

    def free_bytes(self) -> int | None:
        """Free space on the disk; None where the machine does not say."""
        try:
            return shutil.disk_usage(self._folder).free
        except OSError:
            return None

    def queued(self) -> int:
        """Entries that wait for head office.

        Raises:
            StoreError: the till's database could not be read.
        """
        return self._journal.head().queued

    def short(self) -> bool:
        """Whether disk or queue come near their limit: then points are given on head office's word alone.

        Raises:
            StoreError: the till's database could not be read.
        """
        free = self.free_bytes()
        return (free is not None and free < NO_SPACE_BYTES) or self.queued() >= MOST_QUEUED
