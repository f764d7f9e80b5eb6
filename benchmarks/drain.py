"""A till that was away for long sends 20 000 entries to a real head office, and sells meanwhile."""

from __future__ import annotations

import itertools
import shutil
import statistics
import tempfile
import threading
import time
from datetime import time as day_time
from pathlib import Path

from benchmarks.checkout import ten_lines
from benchmarks.ingest import MEMBERS, _account, _card, _head_office, _populate, _Till
from benchmarks.result import Result
from pos_client.events import EventBus
from pos_client.till import Till
from sync.agent import Agent
from sync.hq.database import Database
from sync.journal import Draft, Journal
from sync.store import Store
from sync.terminal import load_terminal
from sync.transport import Transport
from tests.support.entries import Chain
from tests.support.till import EAN_FORMAT, card_text
from tests.sync.build import draft, enrolled

ENTRIES = 20_000
PROMISED_S = 5.0
SALES = 400
"""Checkouts measured, with and without a drain: the fourth slowest is the p99."""
PAUSE_S = 0.005
NIGHT = day_time(4, 0)


def measure() -> list[Result]:
    """Seconds for the whole queue, the till's processor time in them, and the p99 of a checkout beside it."""
    folder = Path(tempfile.mkdtemp(prefix="bench-drain-"))
    try:
        store, journal = enrolled(folder / "till" / "till.db")
        terminal = load_terminal(store)
        with Database.open(None, folder / "hq") as database:
            _populate(database, [_Till(terminal.terminal, terminal.private_key, Chain(terminal.terminal))])
            with _head_office(folder / "hq", 1) as (port, _server):
                transport = Transport(f"http://127.0.0.1:{port}", terminal.private_key, terminal.terminal, timeout_s=30)
                agent = Agent(store, terminal, transport, poll_s=3600)
                agent.run_once()
                drained = _drain(agent, journal)
                alone, beside = _beside(agent, store, journal)
                transport.close()
        store.close()
    finally:
        shutil.rmtree(folder)
    wall, processor = drained
    return [
        Result("drain of 20 000 over HTTP", wall, "s", "lower", {}, PROMISED_S),
        Result("drain: the till's processor", processor, "s", "lower", {}, PROMISED_S),
        Result("checkout beside a drain, p99", beside, "ms", "lower", {"without": alone}),
    ]


_members = itertools.count()


def _sale() -> Draft:
    """A sale to the next member."""
    member = next(_members) % MEMBERS
    return draft(card=_card(member), account=_account(member))


def _fill(journal: Journal) -> None:
    for _ in range(ENTRIES // 500):
        journal.append_all([_sale() for _ in range(500)])


def _drain(agent: Agent, journal: Journal) -> tuple[float, float]:
    _fill(journal)
    start, used = time.perf_counter(), time.process_time()
    report = agent.run_once()
    taken = time.perf_counter() - start, time.process_time() - used
    assert report.sent == ENTRIES
    assert journal.head().queued == 0
    return taken


def _beside(agent: Agent, store: Store, journal: Journal) -> tuple[float, float]:
    """The p99 of `Till.commit` without and with a drain, ms."""
    till = Till(
        store,
        load_terminal(store),
        formats=(EAN_FORMAT,),
        bus=EventBus(),
        time_zone="Europe/Amsterdam",
        business_day_starts=NIGHT,
        session_timeout_s=900,
    )
    alone = _checkouts(till, threading.Event())
    _fill(journal)
    done = threading.Event()

    def drain() -> None:
        agent.run_once()
        done.set()

    thread = threading.Thread(target=drain)
    thread.start()
    beside = _checkouts(till, done)
    thread.join()
    return alone, beside


def _checkouts(till: Till, done: threading.Event) -> float:
    taken = []
    for number in range(SALES):
        session = till.open_session().session
        till.set_basket(session, ten_lines())
        till.identify(session, card_text(EAN_FORMAT, number))
        if done.is_set():
            break
        start = time.perf_counter()
        till.bookings.commit(session)
        taken.append(1000 * (time.perf_counter() - start))
        time.sleep(PAUSE_S)
    return statistics.quantiles(taken, n=100)[98]
