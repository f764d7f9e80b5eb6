"""The network between tills and head office: latency, outages, and a head office that can do so much at a time."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from pos_client.simulation.scenario import TIMEOUT_S, Scenario
from sync.errors import Unreachable

A = TypeVar("A")

CORES = 2
REQUEST_S = 0.005
"""What a request costs one core of head office: signature, HTTP, a short transaction. As measured on such a core."""
ENTRY_S = 0.0005
"""What one entry costs it besides, when it comes with few others."""
SLOT_S = 0.1
"""The grain of head office's work: which of two requests within it comes first makes no difference worth knowing."""
MEDIAN_LATENCY_S = 0.02
"""One way, of a shop's line; now and then ten times as much."""


class HeadOfficeTime:
    """The work of head office's cores, laid out over simulated time. Requests may be put in out of order."""

    def __init__(self) -> None:
        self._used: dict[int, float] = {}

    def work(self, from_s: float, seconds: float) -> float:
        """Find room for `seconds` of one core's work from `from_s` on; when it is done."""
        place = int(from_s / SLOT_S)
        left = seconds
        while True:
            free = CORES * SLOT_S - self._used.get(place, 0.0)
            taken = min(free, left)
            if taken > 0:
                self._used[place] = self._used.get(place, 0.0) + taken
                left -= taken
            if left <= 1e-9:
                return max(from_s + seconds, place * SLOT_S)
            place += 1


@dataclass
class Traffic:
    """What went over the network."""

    requests: Counter[str] = field(default_factory=Counter)
    by_second: Counter[int] = field(default_factory=Counter)
    refused: int = 0
    """Tries that found no line, or no head office."""
    timed_out: int = 0
    """Requests that head office did, too late for the till that waited."""
    cut: int = 0
    """Requests under way when head office went down."""
    longest_wait_s: float = 0.0


class Network:
    """Carries requests. Chance is seeded: the same requests at the same times fare the same."""

    def __init__(self, scenario: Scenario) -> None:
        self.traffic = Traffic()
        self._scenario = scenario
        self._chance = random.Random(f"network {scenario.seed}")
        self._office = HeadOfficeTime()

    def is_down(self, region: int, at_s: float) -> bool:
        """Whether a till of `region` finds no line, or no head office."""
        outage, restart = self._scenario.outage_s, self._scenario.restart_s
        return (region == 0 and outage[0] <= at_s < outage[1]) or restart[0] <= at_s < restart[1]

    def carry(self, kind: str, sent_s: float, region: int, entries: int, do: Callable[[float], A]) -> tuple[A, float]:
        """Have `do` done at head office, told when it is; its answer, and when that has arrived.

        Raises:
            Lost: no answer; head office may have done it nevertheless.
        """
        if self.is_down(region, sent_s):
            self.traffic.refused += 1
            raise Lost(sent_s + self._latency())
        arrives = sent_s + self._latency()
        self.traffic.requests[kind] += 1
        self.traffic.by_second[int(arrives)] += 1
        done = self._office.work(arrives, REQUEST_S + entries * ENTRY_S)
        self.traffic.longest_wait_s = max(self.traffic.longest_wait_s, done - arrives)
        down, _ = self._scenario.restart_s
        if arrives < down <= done:
            self.traffic.cut += 1
            if self._chance.random() < 0.5:
                do(done)  # committed, and the answer was lost
            raise Lost(down)
        answer = do(done)
        back = done + self._latency()
        if back - sent_s > TIMEOUT_S:
            self.traffic.timed_out += 1
            raise Lost(sent_s + TIMEOUT_S)
        return answer, back

    def _latency(self) -> float:
        return MEDIAN_LATENCY_S * math.exp(self._chance.gauss(0, 0.8))


class Lost(Unreachable):
    """No answer; `at_s` is when the till gives up, in simulated seconds."""

    def __init__(self, at_s: float) -> None:
        self.at_s = at_s
        super().__init__("head office: no answer")
