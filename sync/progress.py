"""How far an exchange with head office is, for whoever watches."""

from __future__ import annotations

from collections.abc import Callable

import structlog

Progress = Callable[[int, int], None]
"""Told how much is done, and of how much."""

PROGRESS_EVERY_S = 10
"""A queue that takes longer to send says in the log how far it is."""

log = structlog.get_logger("spaarpunt.sync")


def silent(_done: int, _total: int) -> None:
    """Nobody watches."""


class Logged:
    """How far a long queue is, for the log of a till that nobody watches.

    Args:
        steady_s: seconds that only go forward, from anywhere.
    """

    def __init__(self, steady_s: Callable[[], float]) -> None:
        self._steady_s = steady_s
        self._last = steady_s()

    def __call__(self, done: int, total: int) -> None:
        """So many entries are sent, of so many; a line in the log when the last is long ago."""
        now = self._steady_s()
        if now - self._last >= PROGRESS_EVERY_S:
            self._last = now
            log.info("sending a long queue", sent=done, of=total)
