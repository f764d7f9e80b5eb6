"""A till's store, journal and agent in this process, and a real head office at its side that knows its customers."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.chain import account_of, card_of, head_office, populate, postmaster
from sync.agent import Agent
from sync.hq.database import Connection, Database
from sync.journal import Draft, Journal
from sync.store import Store
from sync.terminal import Terminal, load_terminal
from sync.transport import Transport
from tests.sync.build import draft, enrolled

MEMBERS = 5000
LOWEST = 19
"""Niceness (nice(1)) of what gives way to everything else."""
_DRAFTS = 500
"""Entries appended in one transaction."""


@dataclass(frozen=True, slots=True)
class OneTill:
    """A till that is in step with head office."""

    store: Store
    terminal: Terminal
    journal: Journal
    agent: Agent


@contextlib.contextmanager
def one_till(cards: Sequence[str] = (), *, gives_way: bool = False) -> Iterator[OneTill]:
    """Until the block ends.

    Args:
        cards: tokens of cards that head office gives to its first members beside their own.
        gives_way: head office and its database run only when nothing else wants the processor: they share a machine
            with the till here, and nowhere else.
    """
    folder = Path(tempfile.mkdtemp(prefix="bench-till-"))

    try:
        store, journal = enrolled(folder / "till" / "till.db")
        terminal = load_terminal(store)
        with Database.open(None, folder / "hq") as database:
            with database.connection() as conn:
                populate(conn, MEMBERS, {terminal.terminal: terminal.private_key})
                _give(conn, cards)
                if gives_way:
                    _nice(postmaster(conn))
            with head_office(folder / "hq", 1, LOWEST if gives_way else 0) as (port, _server):
                transport = Transport(f"http://127.0.0.1:{port}", terminal.private_key, terminal.terminal, timeout_s=30)
                agent = Agent(store, terminal, transport, poll_s=3600)
                agent.run_once()
                yield OneTill(store, terminal, journal, agent)
                transport.close()
        store.close()
    finally:
        shutil.rmtree(folder)


def _give(conn: Connection, cards: Sequence[str]) -> None:
    with conn.transaction(), conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO card (token, account_id) VALUES (%s, %s)",
            [(card, account_of(number)) for number, card in enumerate(cards)],
        )


def _nice(process: psutil.Process) -> None:
    for each in (process, *process.children(recursive=True)):
        each.nice(LOWEST)


_members = itertools.count()


def _sale() -> Draft:
    """A sale to the next member."""
    member = next(_members) % MEMBERS
    return draft(card=card_of(member), account=account_of(member))


def fill_journal(journal: Journal, entries: int) -> None:
    """Put sales of all members in the queue.

    Args:
        entries: a multiple of 500.
    """
    for _ in range(entries // _DRAFTS):
        journal.append_all([_sale() for _ in range(_DRAFTS)])
