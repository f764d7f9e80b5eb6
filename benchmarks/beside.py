"""A checkout with nothing beside it, beside a long drain, and beside a snapshot: one till, one head office, in turn."""

from __future__ import annotations

import itertools
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import time as day_time
from pathlib import Path

from benchmarks.checkout import ten_lines
from benchmarks.drain import fill_journal
from benchmarks.ingest import _head_office, _populate, _Till
from benchmarks.result import Result
from pos_client.events import EventBus
from pos_client.till import Till
from sync.agent import Agent
from sync.hq.database import Database
from sync.journal import Journal
from sync.mirror import Mirror
from sync.store import Store
from sync.terminal import load_terminal
from sync.transport import Transport
from tests.support.entries import Chain
from tests.support.till import EAN_FORMAT, card_text
from tests.sync.build import enrolled

ROUNDS = 2
"""Of each, in turn, so that a slow moment of the machine falls on all."""
ENTRIES = 10_000
"""In the queue of each round's drain: 20 000 in all."""
SNAPSHOTS = 3
"""In a row in each round, 10 000 rows each: as many checkouts beside them as beside the drain."""
MOST = 400
"""Checkouts of a round."""
PAUSE_S = 0.005
NIGHT = day_time(4, 0)


def measure() -> list[Result]:
    """The median and the p99 of `Till.commit` in milliseconds, beside each kind of work and alone."""
    folder = Path(tempfile.mkdtemp(prefix="bench-beside-"))
    try:
        store, journal = enrolled(folder / "till" / "till.db")
        terminal = load_terminal(store)
        with Database.open(None, folder / "hq") as database:
            _populate(database, [_Till(terminal.terminal, terminal.private_key, Chain(terminal.terminal))])
            with _head_office(folder / "hq", 1) as (port, _server):
                transport = Transport(f"http://127.0.0.1:{port}", terminal.private_key, terminal.terminal, timeout_s=30)
                agent = Agent(store, terminal, transport, poll_s=3600)
                agent.run_once()
                taken = _rounds(agent, store, journal)
                transport.close()
        store.close()
    finally:
        shutil.rmtree(folder)
    alone = taken.pop("alone")
    results = []
    for name, figure in (("p50", statistics.median), ("p99", _p99)):
        results += [
            Result(f"checkout beside {work}, {name}", figure(beside), "ms", "lower", {"alone": figure(alone)})
            for work, beside in taken.items()
        ]
    return results


def _rounds(agent: Agent, store: Store, journal: Journal) -> dict[str, list[float]]:
    till = Till(
        store,
        load_terminal(store),
        formats=(EAN_FORMAT,),
        bus=EventBus(),
        time_zone="Europe/Amsterdam",
        business_day_starts=NIGHT,
        session_timeout_s=900,
    )
    numbers = itertools.count()

    def drained() -> None:
        agent.run_once()

    def mirrored() -> None:
        for _ in range(SNAPSHOTS):
            Mirror(store).start_over()
            agent.run_once()

    taken: dict[str, list[float]] = {"alone": [], "a drain": [], "a snapshot": []}
    for _ in range(ROUNDS):
        taken["alone"] += _checkouts(till, numbers, lambda: False)
        fill_journal(journal, ENTRIES)
        taken["a drain"] += _while(drained, till, numbers)
        taken["a snapshot"] += _while(mirrored, till, numbers)
    return taken


def _while(work: Callable[[], None], till: Till, numbers: itertools.count[int]) -> list[float]:
    thread = threading.Thread(target=work)
    thread.start()
    taken = _checkouts(till, numbers, lambda: not thread.is_alive())
    thread.join()
    return taken


def _checkouts(till: Till, numbers: itertools.count[int], done: Callable[[], bool]) -> list[float]:
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
