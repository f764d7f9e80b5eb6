"""Durable appends: the till's journal beside queues of others with the same promise, and beside a bare table.

An append alone, and an entry's whole way: in, read, and acknowledged. Others write once more for each message that is
taken or done; the journal moves one number for a batch.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import litequeue
from huey.storage import SqliteStorage
from persistqueue import SQLiteAckQueue, SQLiteQueue

from benchmarks.result import Result
from sync.journal import Journal
from sync.store import Store, connect
from tests.sync.build import KEY, draft, enrolled

ROUNDS = 45
"""Rounds of each, in turn, so that a slow moment of the disk falls on all; the median round counts."""
APPENDS = 20
LINES = tuple(90 + 35 * number for number in range(10))
"""A basket of ten lines, in minor units."""
QUEUES = (10, 1_000_000)
"""Entries that wait for head office, for the cost of one more."""

_INSERT = "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def measure() -> list[Result]:
    """Appends a second beside each peer; what acknowledging costs; what an append costs over a long queue."""
    with tempfile.TemporaryDirectory(prefix="bench-journal-") as name:
        folder = Path(name)
        store, journal = enrolled(folder / "till.db")
        raw = journal.append(draft(*LINES)).encode()
        works: dict[str, Callable[[], None]] = {
            "journal": _ours(journal),
            "persist-queue, not encrypted": _persist_queue(folder, raw),
            "litequeue, FULL, not encrypted": _litequeue(folder, raw),
            "huey, fsync, not encrypted": _huey(folder, raw),
            "a bare table, encrypted": _bare(folder, raw),
            **{f"{name}'s schema, encrypted": _encrypted(folder, name, raw) for name in _SCHEMAS},
        }
        taken = {one: _rate(seconds) for one, seconds in _in_turn(works).items()}
        ours, floor = taken.pop("journal"), taken["a bare table, encrypted"]
        results = [Result("journal append", ours, "appends/s", "higher", taken, floor), _acknowledging(journal)]
        results.append(_whole_way(folder, journal, raw))
        store.close()
        return results + _queued(folder)


def _rate(seconds: float) -> float:
    return APPENDS / seconds


def _in_turn(works: dict[str, Callable[[], None]]) -> dict[str, float]:
    """The median seconds of a round of each."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(ROUNDS + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if number:  # the first commits grow the files
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def _ours(journal: Journal) -> Callable[[], None]:
    # A sale is settled before it is booked: making the drafts is not the journal's work.
    drafts = iter([draft(*LINES) for _ in range((ROUNDS + 1) * APPENDS)])

    def work() -> None:
        for _ in range(APPENDS):
            journal.append(next(drafts))

    return work


def _persist_queue(folder: Path, raw: bytes) -> Callable[[], None]:
    queue = SQLiteQueue(str(folder / "persist"), auto_commit=True)
    return lambda: [queue.put(raw) for _ in range(APPENDS)] and None


def _litequeue(folder: Path, raw: bytes) -> Callable[[], None]:
    queue = litequeue.LiteQueue(folder / "lite.db")
    queue.conn.execute("PRAGMA synchronous = FULL")  # its own choice loses commits at a power cut
    text = raw.decode()
    return lambda: [queue.put(text) for _ in range(APPENDS)] and None


def _huey(folder: Path, raw: bytes) -> Callable[[], None]:
    storage = SqliteStorage("bench", str(folder / "huey.db"), fsync=True)
    return lambda: [storage.enqueue(raw) for _ in range(APPENDS)] and None


def _bare(folder: Path, raw: bytes) -> Callable[[], None]:
    connection = connect(folder / "bare.db", KEY)
    connection.execute("CREATE TABLE entry (seq INTEGER PRIMARY KEY, raw BLOB NOT NULL) STRICT")

    def work() -> None:
        for _ in range(APPENDS):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO entry (raw) VALUES (?)", (raw,))
            connection.execute("COMMIT")

    return work


_SCHEMAS = {
    "persist-queue": (
        ("CREATE TABLE queue (_id INTEGER PRIMARY KEY AUTOINCREMENT, data BLOB, timestamp FLOAT)",),
        "INSERT INTO queue (data, timestamp) VALUES (?, unixepoch('subsec'))",
    ),
    "litequeue": (
        (
            "CREATE TABLE q (data TEXT NOT NULL, message_id TEXT NOT NULL, status INTEGER NOT NULL, "
            "in_time INTEGER NOT NULL, lock_time INTEGER, done_time INTEGER)",
            "CREATE INDEX TIdx ON q (message_id)",
            "CREATE INDEX SIdx ON q (status)",
        ),
        "INSERT INTO q VALUES (?, hex(randomblob(16)), 0, unixepoch(), NULL, NULL)",
    ),
    "huey": (
        (
            "CREATE TABLE task (id INTEGER NOT NULL PRIMARY KEY, queue TEXT NOT NULL, data BLOB NOT NULL, "
            "priority REAL NOT NULL DEFAULT 0.0)",
            "CREATE INDEX task_queue_priority_id ON task (queue, priority DESC, id)",
        ),
        "INSERT INTO task (queue, data) VALUES ('bench', ?)",
    ),
}
"""What the peers write for one message, as of the versions in the lock file: what is left between them and the journal
once both are encrypted is what the journal keeps besides the bytes."""


def _encrypted(folder: Path, name: str, raw: bytes) -> Callable[[], None]:
    """A peer's tables and indexes in an encrypted file, with the settings of the till's store."""
    connection = connect(folder / f"{name}-encrypted.db", KEY)
    tables, insert = _SCHEMAS[name]
    for table in tables:
        connection.execute(table)

    def work() -> None:
        for _ in range(APPENDS):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(insert, (raw,))
            connection.execute("COMMIT")

    return work


def _acknowledging(journal: Journal) -> Result:
    seqs = itertools.count(1)

    def work() -> None:
        for _ in range(APPENDS):
            journal.acknowledge(1, next(seqs))

    seconds = _in_turn({"ours": work})["ours"]
    return Result("acknowledging a batch", 1e6 * seconds / APPENDS, "µs", "lower")


def _whole_way(folder: Path, journal: Journal, raw: bytes) -> Result:
    """Entries a second that go in, are read, and are acknowledged."""
    head = journal.head()
    journal.acknowledge(head.epoch, head.seq)
    taken = _in_turn(
        {
            "ours": _ours_and_back(journal),
            "persist-queue, not encrypted": _persist_queue_and_back(folder, raw),
            "litequeue, FULL, not encrypted": _litequeue_and_back(folder, raw),
            "huey, fsync, not encrypted, deletes before the work": _huey_and_back(folder, raw),
        }
    )
    rates = {name: _rate(seconds) for name, seconds in taken.items()}
    return Result("in, read and acknowledged", rates.pop("ours"), "entries/s", "higher", rates)


def _ours_and_back(journal: Journal) -> Callable[[], None]:
    append = _ours(journal)

    def work() -> None:
        append()
        tail = journal.tail()
        assert tail is not None
        assert len(tail.raws) == APPENDS
        journal.acknowledge(tail.epoch, tail.from_seq + APPENDS - 1)

    return work


def _persist_queue_and_back(folder: Path, raw: bytes) -> Callable[[], None]:
    queue = SQLiteAckQueue(str(folder / "persist-and-back"), auto_commit=True)

    def work() -> None:
        for _ in range(APPENDS):
            queue.put(raw)
        for _ in range(APPENDS):
            message = queue.get(block=False, raw=True)
            queue.ack(id=message["pqid"])

    return work


def _litequeue_and_back(folder: Path, raw: bytes) -> Callable[[], None]:
    queue = litequeue.LiteQueue(folder / "lite-and-back.db")
    queue.conn.execute("PRAGMA synchronous = FULL")
    text = raw.decode()

    def work() -> None:
        for _ in range(APPENDS):
            queue.put(text)
        for _ in range(APPENDS):
            message = queue.pop()
            assert message is not None
            queue.done(message.message_id)

    return work


def _huey_and_back(folder: Path, raw: bytes) -> Callable[[], None]:
    storage = SqliteStorage("bench", str(folder / "huey-and-back.db"), fsync=True)

    def work() -> None:
        for _ in range(APPENDS):
            storage.enqueue(raw)
        for _ in range(APPENDS):
            assert storage.dequeue() == raw

    return work


def _queued(folder: Path) -> list[Result]:
    """One append when few entries wait, and when a million do."""
    stores = []
    works = {}
    for queued in QUEUES:
        store, journal = enrolled(folder / f"queued-{queued}.db")
        _fill(store, journal.append(draft(*LINES)).seq, queued)
        stores.append(store)
        works[str(queued)] = _ours(journal)
    taken = _in_turn(works)
    for store in stores:
        store.close()
    few, many = (1e6 * taken[str(queued)] / APPENDS for queued in QUEUES)
    return [Result("append, 1 000 000 queued", many, "µs", "lower", {"10 queued": few})]


def _fill(store: Store, last: int, queued: int) -> None:
    """Rows as the journal writes them, with short bytes: a million whole ones would fill a small disk."""
    sample = store.row("SELECT * FROM journal")
    assert sample is not None
    with store.transaction() as connection:
        rows = (
            (1, seq, f"id-{seq}", f"s-fill-{seq}", *sample[4:11], b"{}", *sample[12:14])
            for seq in range(last + 1, queued + 1)
        )
        connection.executemany(_INSERT, rows)
        connection.execute("UPDATE head SET seq = ?", (queued,))
