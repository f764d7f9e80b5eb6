"""Simulated time: what happens when, one thing after the other."""

from __future__ import annotations

import heapq
from collections.abc import Callable

Action = Callable[[], None]


class Schedule:
    """Things to be done, by simulated time in seconds since the start; at the same time in the order they were put."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._number = 0
        self._heap: list[tuple[float, int, Action]] = []

    def at(self, when_s: float, action: Action) -> None:
        """Do `action` at `when_s`; one that would lie in the past is done next."""
        self._number += 1
        heapq.heappush(self._heap, (max(when_s, self.now_s), self._number, action))

    def step(self, until_s: float) -> bool:
        """Do what comes next, unless it comes after `until_s`; False when nothing was left to do."""
        if not self._heap or self._heap[0][0] > until_s:
            self.now_s = max(self.now_s, until_s)
            return False
        self.now_s, _, action = heapq.heappop(self._heap)
        action()
        return True
