"""A till that was away for long sends 20 000 entries to a real head office."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from pathlib import Path

from benchmarks.ingest import MEMBERS, _account, _card, _head_office, _populate, _Till
from benchmarks.result import Result
from sync.agent import Agent
from sync.hq.database import Database
from sync.journal import Draft, Journal
from sync.terminal import load_terminal
from sync.transport import Transport
from tests.support.entries import Chain
from tests.sync.build import draft, enrolled

ENTRIES = 20_000
PROMISED_S = 5.0


def measure() -> list[Result]:
    """Seconds for the whole queue, and the till's processor time in them."""
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
                transport.close()
        store.close()
    finally:
        shutil.rmtree(folder)
    wall, processor = drained
    return [
        Result("drain of 20 000 over HTTP", wall, "s", "lower", {}, PROMISED_S),
        Result("drain: the till's processor", processor, "s", "lower", {}, PROMISED_S),
    ]


_members = itertools.count()


def _sale() -> Draft:
    """A sale to the next member."""
    member = next(_members) % MEMBERS
    return draft(card=_card(member), account=_account(member))


def fill_journal(journal: Journal, entries: int) -> None:
    """Put sales of all members in the queue.

    Args:
        entries: a multiple of 500.
    """
    for _ in range(entries // 500):
        journal.append_all([_sale() for _ in range(500)])


def _drain(agent: Agent, journal: Journal) -> tuple[float, float]:
    fill_journal(journal, ENTRIES)
    start, used = time.perf_counter(), time.process_time()
    report = agent.run_once()
    taken = time.perf_counter() - start, time.process_time() - used
    assert report.sent == ENTRIES
    assert journal.head().queued == 0
    return taken
