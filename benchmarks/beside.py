"""A checkout with nothing beside it, beside a long drain, and beside a snapshot: one till, one head office, in turn."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from datetime import time as day_time

from benchmarks.checkout import ten_lines
from benchmarks.one_till import OneTill, fill_journal, one_till
from benchmarks.result import Result
from loyalty.cards import CardNumber
from pos_client.events import EventBus
from pos_client.till import Till
from sync.mirror import Mirror
from sync.turns import step_back
from tests.support.till import EAN_FORMAT, card_text

ROUNDS = 2
"""Of each, in turn, so that a slow moment of the machine falls on all."""
ENTRIES = 10_000
"""In the queue of each round's drain: 20 000 in all."""
SNAPSHOTS = 3
"""In a row in each round, 10 000 rows each: as many checkouts beside them as beside the drain."""
MOST = 1000
"""Checkouts of a round."""
PAUSE_S = 0.005
CUSTOMERS = 1000
CARDS = [CardNumber.parse(card_text(EAN_FORMAT, number), (EAN_FORMAT,)).token(bytes(32)) for number in range(CUSTOMERS)]
NIGHT = day_time(4, 0)


def measure() -> list[Result]:
    """The median and the p99 of `Till.commit` in milliseconds, beside each kind of work and alone."""
    with one_till(CARDS, gives_way=True) as made:
        taken = _rounds(made)
    alone = taken.pop("alone")
    results = []
    for name, figure in (("p50", statistics.median), ("p99", _p99)):
        results += [
            Result(f"checkout beside {work}, {name}", figure(beside), "ms", "lower", {"alone": figure(alone)})
            for work, beside in taken.items()
        ]
    return results


def _rounds(made: OneTill) -> dict[str, list[float]]:
    till = Till(
        made.store,
        made.terminal,
        formats=(EAN_FORMAT,),
        bus=EventBus(),
        time_zone="Europe/Amsterdam",
        business_day_starts=NIGHT,
        session_timeout_s=900,
    )
    numbers = itertools.cycle(range(CUSTOMERS))

    def drained() -> None:
        made.agent.run_once()

    def mirrored() -> None:
        for _ in range(SNAPSHOTS):
            Mirror(made.store).start_over()
            made.agent.run_once()

    taken: dict[str, list[float]] = {"alone": [], "a drain": [], "a snapshot": []}
    for _ in range(ROUNDS):
        taken["alone"] += _checkouts(till, numbers, lambda: False)
        fill_journal(made, ENTRIES)
        taken["a drain"] += _while(drained, till, numbers)
        taken["a snapshot"] += _while(mirrored, till, numbers)
    return taken


def _while(work: Callable[[], None], till: Till, numbers: Iterator[int]) -> list[float]:
    def beside() -> None:
        step_back()  # as the agent's own thread does
        work()

    thread = threading.Thread(target=beside)
    thread.start()
    taken = _checkouts(till, numbers, lambda: not thread.is_alive())
    thread.join()
    return taken


def _checkouts(till: Till, numbers: Iterator[int], done: Callable[[], bool]) -> list[float]:
    taken: list[float] = []
    for _ in range(MOST):
        session = till.open_session().session
        till.set_basket(session, ten_lines())
        till.identify(session, card_text(EAN_FORMAT, next(numbers)))
        if done():
            break
        start = time.perf_counter()
        till.bookings.commit(session)
        taken.append(1000 * (time.perf_counter() - start))
        time.sleep(PAUSE_S)
    return taken


def _p99(taken: list[float]) -> float:
    return statistics.quantiles(taken, n=100)[98]
