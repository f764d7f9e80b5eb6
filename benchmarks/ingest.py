"""Head office booking what 8 tills send over HTTP, beside COPY of the very same rows into the same schema.

Head office runs as its users run it (`spaarpunt hq serve`, its own PostgreSQL, fsync on) and does all its work: HTTP,
signatures, digest chain, every settlement computed again, balances, change feed. Two paths by COPY stand beside it,
with the rows of `received` and `ledger` that this left, in the order in which they were booked, one transaction a
batch, from a connection for each till, as head office books for as many at once. One believes the batch and leaves what
head office leaves of it: COPY into a temporary table, inserts that a second time change nothing, one update of the
balances. The other brings the rows and nothing else. Same tables, indexes and durability, all begin with empty ones.
Tills prepare and sign their requests before the clock starts; sending them counts, on the same processors, at 2 µs an
entry.
"""

from __future__ import annotations

import http.client
import random
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.chain import DEADLINE_S, account_of, card_of, head_office, populate, postmaster
from benchmarks.result import Result
from loyalty.facts import Facts
from sync.hq.database import Database
from sync.signing import SignedMessage, sign
from sync.wire import PROTOCOL, PROTOCOL_HEADER, Batch, fit_batch
from sync.wire_bodies import compress
from tests.support.entries import Chain

TILLS = 8
ENTRIES = 8000
"""Entries of each till: several seconds of work, so that neither the first plans nor the wait for the last till count
for much."""
MEMBERS = 50_000
"""Of whom few come to two tills within one batch, as in a chain whose night brings millions of entries."""
TARGET = 15_000
"""Entries a second that were promised."""
SHARE_OF_COPY = 0.25
"""The share of the path by COPY that was promised, should that be more."""
WORKERS = (1, 2, 3)
"""Processes of head office, on two processors: while one waits for the database another works."""
ROUNDS = 3
"""Times that a path by COPY is timed, the middle one counts: it takes a second or two."""

_RECEIVED = "terminal_id, epoch, seq, digest, business_date, points_earned, points_spent, account_id, parked"
_LEDGER = (
    "account_id, entry_id, kind, terminal_id, epoch, seq, digest, raw, card, business_date, points, points_earned, "
    "points_spent, programme_version, reverses, original, paid_minor"
)


def measure() -> list[Result]:
    """Entries a second with one worker and with more, each beside both paths."""
    tills = _tills()
    return [result for workers in WORKERS for result in _with_workers(tills, workers)]


def _with_workers(tills: Sequence[_Till], workers: int) -> list[Result]:
    folder = Path(tempfile.mkdtemp(prefix="bench-ingest-"))
    try:
        with Database.open(None, folder) as database:
            with database.connection() as conn:
                populate(conn, MEMBERS, {till.terminal: till.key for till in tills})
            with head_office(folder, workers) as (port, server):
                spent = _booked(tills, port, server, database)
            with database.connection() as conn:
                rows = _booked_rows(conn, tills)
                state = _state(conn)
                bare = _copying(conn, rows, _copy_rows)
                set_based = _copying(conn, rows, _copy_and_book)
                assert _state(conn) == state, "expected the peer to leave what head office left"
    finally:
        shutil.rmtree(folder)
    total = TILLS * ENTRIES
    taken = {"COPY, insert, balances": set_based, "rows by COPY alone": bare}
    peers = {path: total / seconds for path, seconds in taken.items()}
    name = f"ingest, {workers} worker{'s' if workers > 1 else ''}"
    return [
        Result(name, total / spent.wall_s, "entries/s", "higher", peers, TARGET),
        *(
            Result(f"{name}: of a quarter of {path}", s / spent.wall_s / SHARE_OF_COPY, "×", "higher")
            for path, s in taken.items()
        ),
        Result(f"{name}: head office's processor", 1e6 * spent.server_s / total, "µs/entry", "lower"),
        Result(f"{name}: PostgreSQL's processor", 1e6 * spent.postgres_s / total, "µs/entry", "lower"),
    ]  # fmt: skip


@dataclass
class _Till:
    """A till whose journal is written and cut into batches."""

    terminal: str
    key: Ed25519PrivateKey
    chain: Chain
    batches: list[Batch] = field(default_factory=list)

    def requests(self) -> list[tuple[dict[str, str], bytes]]:
        """Headers and body of each batch, signed now."""
        made = []
        for batch in self.batches:
            body = compress(batch.encode())
            headers = {PROTOCOL_HEADER: str(PROTOCOL), "Content-Encoding": "zstd", "Accept-Encoding": "zstd"}
            message = SignedMessage("POST", "http://head-office/v1/entries", headers)
            sign(message, body, self.key, self.terminal, datetime.now(UTC))
            made.append((dict(message.headers), body))
        return made


def _tills() -> list[_Till]:
    """Sales of one to five lines to members in no order, as a till journals them, in batches as an agent cuts them."""
    chance = random.Random(5)
    made = []
    for number in range(TILLS):
        chain = Chain(f"t-bench{number}")
        for _ in range(ENTRIES):
            member = chance.randrange(MEMBERS)
            amounts = [chance.randrange(50, 2500) for _ in range(chance.randrange(1, 6))]
            facts = Facts(at_ms=1_774_900_000_000 + chance.randrange(40_000_000))
            chain.sale(card_of(member), amounts, account=account_of(member), facts=facts)
        till = _Till(chain.terminal, Ed25519PrivateKey.generate(), chain)
        start = 1
        while start <= ENTRIES:
            end = start - 1 + fit_batch(chain.raws[start - 1 :])
            till.batches.append(chain.batch(start, end))
            start = end + 1
        made.append(till)
    return made


@dataclass(frozen=True)
class _Spent:
    """Seconds of clock and of processor."""

    wall_s: float
    server_s: float
    postgres_s: float


def _booked(tills: Sequence[_Till], port: int, server: psutil.Process, database: Database) -> _Spent:
    """Send everything, all tills at once, each batch after the answer to the one before."""
    warm_up, work = [], []
    for till in tills:
        first, *rest = till.requests()
        warm_up.append([first])
        work.append(rest)
    connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S) for _ in tills]
    _all_at_once([lambda c=c, r=r: _send(c, r) for c, r in zip(connections, warm_up, strict=True)])
    before_server, before_postgres = _processor_s(server), _postgres_s(database)
    wall = _all_at_once([lambda c=c, r=r: _send(c, r) for c, r in zip(connections, work, strict=True)])
    spent_server, spent_postgres = _processor_s(server) - before_server, _postgres_s(database) - before_postgres
    for connection in connections:
        connection.close()
    # Per entry of the whole: the first batch of each till was booked outside the clock.
    timed = sum(len(batch.entries) for till in tills for batch in till.batches[1:]) / (TILLS * ENTRIES)
    with database.connection() as conn:
        rows = conn.execute("SELECT count(*) FROM ledger").fetchone()
    assert rows == (TILLS * ENTRIES,), f"expected every entry booked once, found {rows}"
    return _Spent(wall / timed, spent_server / timed, spent_postgres / timed)


def _send(connection: http.client.HTTPConnection, requests: Sequence[tuple[dict[str, str], bytes]]) -> None:
    for headers, body in requests:
        connection.request("POST", "/v1/entries", body, headers)
        response = connection.getresponse()
        answer = response.read()
        assert response.status == 200, answer


def _all_at_once(tasks: Sequence[Callable[[], None]]) -> float:
    """Seconds until the last of them is done."""
    start = threading.Barrier(len(tasks) + 1)

    def run(task: Callable[[], None]) -> None:
        start.wait()
        task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        running = [pool.submit(run, task) for task in tasks]
        start.wait()
        began = time.perf_counter()
        for each in running:
            each.result()
        return time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class _Rows:
    """What one batch left in `received` and in `ledger`, as COPY's binary form."""

    received: bytes
    ledger: bytes


def _booked_rows(conn: psycopg.Connection, tills: Sequence[_Till]) -> list[list[_Rows]]:
    """By till and batch, in the order in which they were booked."""
    return [
        [
            _Rows(
                _copied(conn, _RECEIVED, f"received WHERE {of_batch} ORDER BY seq"),
                _copied(conn, _LEDGER, f"ledger WHERE {of_batch} ORDER BY position"),
            )
            for of_batch in (
                f"terminal_id = '{till.terminal}' AND seq BETWEEN {batch.from_seq} AND {batch.to_seq}"
                for batch in till.batches
            )
        ]
        for till in tills
    ]


def _copied(conn: psycopg.Connection, columns: str, source: str) -> bytes:
    with conn.cursor().copy(f"COPY (SELECT {columns} FROM {source}) TO STDOUT (FORMAT binary)") as copy:
        return b"".join(bytes(part) for part in copy)


def _copy_rows(cursor: psycopg.Cursor, rows: _Rows) -> None:
    """Nothing but the rows: balances stay as they were, and a batch that comes twice is an error."""
    _copy(cursor, f"received ({_RECEIVED})", rows.received)
    _copy(cursor, f"ledger ({_LEDGER})", rows.ledger)


def _copy_and_book(cursor: psycopg.Cursor, rows: _Rows) -> None:
    """Believe the batch and book it: a second time changes nothing, and the balances move with the ledger."""
    _copy(cursor, f"came ({_RECEIVED})", rows.received)
    _copy(cursor, f"booked ({_LEDGER})", rows.ledger)
    cursor.execute(f"INSERT INTO received ({_RECEIVED}) SELECT {_RECEIVED} FROM came ON CONFLICT DO NOTHING")
    cursor.execute(
        f"WITH fresh AS (INSERT INTO ledger ({_LEDGER}) SELECT {_LEDGER} FROM booked ON CONFLICT DO NOTHING "
        "RETURNING account_id, points) INSERT INTO balance (account_id, points) "
        "SELECT account_id, sum(points) FROM fresh GROUP BY account_id ORDER BY account_id "
        "ON CONFLICT (account_id) DO UPDATE SET points = balance.points + excluded.points"
    )


def _copy(cursor: psycopg.Cursor, target: str, data: bytes) -> None:
    with cursor.copy(f"COPY {target} FROM STDIN (FORMAT binary)") as sink:
        sink.write(data)


def _copying(
    conn: psycopg.Connection, rows: Sequence[Sequence[_Rows]], book: Callable[[psycopg.Cursor, _Rows], None]
) -> float:
    """Seconds to bring the rows of every batch into emptied tables, a transaction each, a connection for each till."""
    links = [psycopg.connect(conn.info.dsn, autocommit=True) for _ in rows]
    for link in links:
        for name, columns, table in (("came", _RECEIVED, "received"), ("booked", _LEDGER, "ledger")):
            link.execute(
                f"CREATE TEMP TABLE {name} ON COMMIT DELETE ROWS AS SELECT {columns} FROM {table} WITH NO DATA"
            )

    def send(link: psycopg.Connection, batches: Sequence[_Rows]) -> None:
        for batch in batches:
            with link.transaction(), link.cursor() as cursor:
                book(cursor, batch)

    spent = []
    for _ in range(ROUNDS):
        conn.execute("TRUNCATE received, ledger, balance")
        conn.execute("CHECKPOINT")
        spent.append(_all_at_once([lambda k=k, b=b: send(k, b) for k, b in zip(links, rows, strict=True)]))
    for link in links:
        link.close()
    return statistics.median(spent)


def _state(conn: psycopg.Connection) -> tuple[object, ...] | None:
    """What was booked, in a few sums: entries received, entries and points of the ledger, accounts and their points."""
    return conn.execute(
        "SELECT (SELECT count(*) FROM received), (SELECT (count(*), sum(points)) FROM ledger), "
        "(SELECT (count(*), sum(points), sum(points * hashtext(account_id))) FROM balance)"
    ).fetchone()


def _processor_s(process: psutil.Process) -> float:
    """Processor time of a process and those it started."""
    return sum(sum(each.cpu_times()[:2]) for each in (process, *process.children(recursive=True)))


def _postgres_s(database: Database) -> float:
    """Processor time of the server and everything it runs; ended connections are counted with their parent."""
    with database.connection() as conn:
        server = postmaster(conn)
    return _processor_s(server) + sum(server.cpu_times()[2:4])
