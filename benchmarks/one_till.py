"""A till's store, journal and agent in this process, and a real head office at its side that knows its customers."""

from __future__ import annotations

import contextlib
import itertools
import os
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
from sync.store import Store, connect
from sync.terminal import Terminal, load_terminal
from sync.transport import Transport
from tests.sync.build import draft, enrolled

MEMBERS = 5000
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
        gives_way: head office and its database keep their files in memory, and run only when nothing else wants the
            processor (SCHED_IDLE, sched(7)): they share a machine with the till here, and nowhere else. By niceness
            alone they keep it for some 3 ms when a checkout wakes from the disk.
    """
    folder = Path(tempfile.mkdtemp(prefix="bench-till-"))
    office = Path(tempfile.mkdtemp(prefix="bench-hq-", dir="/dev/shm" if gives_way else None))
    try:
        store, journal = enrolled(folder / "till" / "till.db")
        terminal = load_terminal(store)
        with Database.open(None, office) as database:
            with database.connection() as conn:
                populate(conn, MEMBERS, {terminal.terminal: terminal.private_key})
                _give(conn, cards)
                if gives_way:
                    _only_idle(postmaster(conn))
            with head_office(office, 1, only_idle=gives_way) as (port, _server):
                transport = Transport(f"http://127.0.0.1:{port}", terminal.private_key, terminal.terminal, timeout_s=30)
                agent = Agent(store, terminal, transport, poll_s=3600)
                agent.run_once()
                yield OneTill(store, terminal, journal, agent)
                transport.close()
        store.close()
    finally:
        shutil.rmtree(folder)
        shutil.rmtree(office)


def _give(conn: Connection, cards: Sequence[str]) -> None:
    with conn.transaction(), conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO card (token, account_id) VALUES (%s, %s)",
            [(card, account_of(number)) for number, card in enumerate(cards)],
        )


def _only_idle(process: psutil.Process) -> None:
    for each in (process, *process.children(recursive=True)):
        os.sched_setscheduler(each.pid, os.SCHED_IDLE, os.sched_param(0))


_members = itertools.count()


def _sale() -> Draft:
    """A sale to the next member."""
    member = next(_members) % MEMBERS
    return draft(card=card_of(member), account=account_of(member))


def fill_journal(made: OneTill, entries: int) -> None:
    """Put sales of all members in the queue, and in the till's file: as after days of selling, the log is folded in.

    Args:
        entries: a multiple of 500.
    """
    for _ in range(entries // _DRAFTS):
        made.journal.append_all([_sale() for _ in range(_DRAFTS)])
    with contextlib.closing(connect(made.store.path, made.store.key)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
