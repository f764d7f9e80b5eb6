"""How often a program may call: a bucket of calls for each, filled steadily."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls at once, and so many a second from then on."""

    burst: int
    per_s: float


PROGRAMS = Rate(burst=2000, per_s=1000)
"""For each program with a token. A busy lane makes some ten calls a second: past this something is looping."""
STRANGERS = Rate(burst=100, per_s=20)
"""For all callers without a token together: they ask who is there, and pair."""


class Buckets:
    """One bucket for each name; names come from tokens, of which there are few. For one thread."""

    def __init__(self, programs: Rate, strangers: Rate, steady_s: Callable[[], float] = time.monotonic) -> None:
        self._programs = programs
        self._strangers = strangers
        self._steady_s = steady_s
        self._levels: dict[str | None, tuple[float, float]] = {}  # calls left, and when that was so

    def wait_s(self, name: str | None) -> float:
        """Take one call of `name` (None: a stranger): 0 when it may go on, else the seconds until one may."""
        rate = self._strangers if name is None else self._programs
        now = self._steady_s()
        left, since = self._levels.get(name, (float(rate.burst), now))
        left = min(float(rate.burst), left + (now - since) * rate.per_s)
        if left < 1:
            self._levels[name] = (left, now)
            return (1 - left) / rate.per_s
        self._levels[name] = (left - 1, now)
        return 0.0
