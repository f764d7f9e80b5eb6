"""A million accounts to a new till: the real head office and till as processes, checkouts beside, memory and time."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import tenacity

from benchmarks.result import Result
from loyalty.basket import Basket
from pos_client.demo.world import free_port
from pos_client.plugin.client import PluginProblem, TillClient
from sync.hq.database import Connection, Database
from sync.hq.enrolment import new_code
from sync.hq.programmes import publish
from sync.hq.restored import begin_anew
from sync.store import Store, connect, read_key
from tests.support.entries import programme

T = TypeVar("T")

ACCOUNTS = 1_000_000
ALONE = 100
"""Checkouts once the snapshot is in, to compare with."""
PAUSE_S = 0.05
"""Between two checkouts: more than ten a second, which no cashier does, and not a till that does nothing else."""
START_S = 60
LIMIT_S = 600
"""A snapshot that takes longer is broken, not slow."""

GOODS = Basket.model_validate({"lines": [{"line_id": "1", "sku": "BREAD", "gross_minor": 1000}]})


@dataclass(frozen=True, slots=True)
class Taken:
    """What was seen of one snapshot: seconds, the till's highest resident memory in MB, seconds of each checkout."""

    seconds: float
    memory_mb: float
    beside: list[float]
    alone: list[float]


def measure() -> list[Result]:
    """One snapshot of `ACCOUNTS` accounts with a card each, from the first part asked for to the last on the disk.

    The floor is the same rows through one COPY and one SQLite transaction in one process: no parts, no wire, no crash
    to come back from.
    """
    # A short name of its own: PostgreSQL runs as another user, and a socket's path may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with Database.open(None, folder / "hq") as database:
            taken = _take(folder, database)
            floor = _bare(folder / "bare.db", database)
    return [
        Result("snapshot of 1 000 000 accounts", taken.seconds, "s", "lower", floor=floor),
        Result("snapshot: the till's memory", taken.memory_mb, "MB", "lower"),
        Result(
            "snapshot: checkout beside it, p99",
            _p99(taken.beside),
            "ms",
            "lower",
            peers={"the same, alone": _p99(taken.alone)},
        ),
    ]


def fill(conn: Connection, count: int) -> None:
    """A chain's members, made where they stay: a card, an opening balance and, one in four, stamps."""
    publish(conn, programme())
    with conn.transaction():
        conn.execute("SET LOCAL synchronous_commit = off")
        for statement in (
            "INSERT INTO account (account_id, first_name, tier) "
            "SELECT 'm' || lpad(to_hex(n), 16, '0'), 'Sanne', 'basic' FROM generate_series(1, %s) n",
            "INSERT INTO card (token, account_id) SELECT md5(n::text), 'm' || lpad(to_hex(n), 16, '0') "
            "FROM generate_series(1, %s) n ORDER BY 1",
            "INSERT INTO balance (account_id, points) "
            "SELECT 'm' || lpad(to_hex(n), 16, '0'), n %% 5000 FROM generate_series(1, %s) n",
            "INSERT INTO ledger (account_id, entry_id, kind, business_date, points, points_earned, points_spent) "
            "SELECT 'm' || lpad(to_hex(n), 16, '0'), md5(n::text)::uuid, 'opening', current_date, n %% 5000, "
            "n %% 5000, 0 FROM generate_series(1, %s) n",
            "INSERT INTO counter (account_id, name, count) "
            "SELECT 'm' || lpad(to_hex(n * 4), 16, '0'), 'stamps', n %% 9 + 1 FROM generate_series(1, %s / 4) n",
        ):
            conn.execute(statement.encode(), (count,))
    conn.execute("ANALYZE")


def _bare(path: Path, database: Database) -> float:
    """Seconds for the same rows with nothing around them."""
    Store.open(path, bytes(32)).close()
    with database.connection() as conn, contextlib.closing(connect(path, bytes(32))) as target:
        start = time.perf_counter()
        target.execute("BEGIN IMMEDIATE")
        accounts = (
            "COPY (SELECT account_id, first_name, tier, points FROM account JOIN balance USING (account_id) "
            'ORDER BY account_id COLLATE "C") TO STDOUT'
        )
        with conn.cursor().copy(accounts.encode()) as copy:
            target.executemany(
                "INSERT INTO account (account, first_name, tier, points, includes_epoch, includes_seq) "
                "VALUES (?, ?, ?, ?, 1, 0)",
                copy.rows(),
            )
        with conn.cursor().copy(
            b'COPY (SELECT token, account_id FROM card ORDER BY token COLLATE "C") TO STDOUT'
        ) as copy:
            target.executemany("INSERT INTO card VALUES (?, ?, 0)", copy.rows())
        target.execute("COMMIT")
        return time.perf_counter() - start


def _take(folder: Path, database: Database) -> Taken:
    hq_port, till_port = free_port(), free_port()
    config = folder / "spaarpunt.toml"
    config.write_text(
        f'[till]\nname = "kassa 1"\ndata_dir = "{folder / "till"}"\nhead_office_url = "http://127.0.0.1:{hq_port}"\n'
        f'[screen]\nport = {till_port}\n[hq]\ndata_dir = "{folder / "hq"}"\nport = {hq_port}\n'
        '[[card_formats]]\nname = "card"\nprefix = "2910"\nlength = 13\ncheck = "none"\n',
        encoding="utf-8",
    )
    with _process(config, "hq", "serve"):
        with database.connection() as conn:
            code = new_code(conn, "s01", "Dorpsstraat", datetime.now(UTC))[0]
            _eventually(lambda: _run(config, "enrol", code))
            # The till knows nobody yet; its cursor is no good any more, as after a restore.
            fill(conn, ACCOUNTS)
            begin_anew(conn)
        store = Store.look(folder / "till" / "store.db", read_key(folder / "till" / "store.key", create=False))
        known = store.rows("SELECT cursor FROM feed")
        with contextlib.closing(store), _process(config, "till") as till:
            # The till asks for its snapshot as it starts, before its API answers.
            begun = _eventually(lambda: _begun(store, known))
            with _eventually(lambda: _client(folder, till_port)) as client:
                beside = []
                while not _finished(store):
                    beside.append(_checkout(client))
                    if time.perf_counter() - begun > LIMIT_S:
                        raise RuntimeError(f"no snapshot within {LIMIT_S} s")
                seconds = time.perf_counter() - begun
                alone = [_checkout(client) for _ in range(ALONE)]
            assert store.rows("SELECT count(*) FROM account") == [(ACCOUNTS,)]
            return Taken(seconds, _peak_mb(till.pid), beside, alone)


def _begun(store: Store, known: list[tuple[str]]) -> float:
    """The moment at which the till gave up its cursor."""
    if store.rows("SELECT cursor FROM feed") == known:
        raise OSError("the till has not asked yet")
    return time.perf_counter()


def _finished(store: Store) -> bool:
    """Everything is in, and found by phone number as well as by card."""
    return bool(store.rows("SELECT cursor FROM feed")[0][0]) and not store.rows("SELECT 1 FROM register_due")


def _checkout(client: TillClient) -> float:
    """Seconds to book one sale through the till's API, prepared before the clock starts."""
    session = client.open_session().session
    client.set_basket(session, GOODS, 0)
    client.identify(session, "2910000000001")
    start = time.perf_counter()
    client.commit(session)
    taken = time.perf_counter() - start
    time.sleep(PAUSE_S)
    return taken


def _client(folder: Path, port: int) -> TillClient:
    token = (folder / "till" / "plugin.token").read_text(encoding="ascii").strip()
    client = TillClient(f"http://127.0.0.1:{port}", token)
    client.status()
    return client


def _peak_mb(pid: int) -> float:
    """The highest resident memory a process ever had (proc(5), VmHWM), in MB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not say how much memory a process had")


@contextlib.contextmanager
def _process(config: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with (config.parent / f"{arguments[0]}.log").open("ab") as log:
        process = subprocess.Popen(_command(config, *arguments), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(START_S)


def _run(config: Path, *arguments: str) -> None:
    subprocess.run(_command(config, *arguments), check=True, capture_output=True, timeout=START_S)


def _command(config: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "pos_client", "--config", str(config), *arguments]


def _eventually(attempt: Callable[[], T]) -> T:
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_delay(START_S),
        wait=tenacity.wait_fixed(0.1),
        retry=tenacity.retry_if_exception_type((OSError, PluginProblem, subprocess.CalledProcessError)),
        reraise=True,
    )
    return retrying(attempt)


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.99)] * 1000
