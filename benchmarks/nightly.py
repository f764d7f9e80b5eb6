"""Head office's night over a chain of a million members: an ordinary night, and the first of all.

The database is made here, in PostgreSQL itself: three years of sales, a tenth of the members in a higher tier, every
fourth sale spending points. Sales are booked in the order of their days, but for one member in twenty, whose sales came
late from tills without a line: what is left of those has to be followed from the first. The first night goes through
everybody, as does the first after the programme changed.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import psutil

from benchmarks.result import Result
from loyalty.programme import Programme
from sync.hq.database import Connection, Database
from sync.hq.nightly import run
from sync.hq.programmes import publish
from tests.support.entries import PROGRAMME_TOML

MEMBERS = 1_000_000
SALES = 5
"""Sales of each member, over three years."""
TODAY = date(2026, 11, 21)
MIB = 2**20

RULES = Programme.from_toml(
    PROGRAMME_TOML.replace(
        'name = { nl = "Goud", en = "Gold" }', 'name = { nl = "Goud", en = "Gold" }\nthreshold = 100'
    )
    + """
[tier_policy]
by = "points"
window = "rolling"
months = 12

[expiry]
after_months = 24
"""
)


def measure(members: int = MEMBERS) -> list[Result]:
    """Minutes of the first night and of an ordinary one, and the memory that Python took for it."""
    folder = Path(tempfile.mkdtemp(prefix="bench-nightly-"))
    try:
        with Database.open(None, folder) as database, database.connection() as conn:
            publish(conn, RULES)
            populate(conn, members)
            with _memory() as most:
                first = _minutes(database, conn, TODAY)
                nightly = _minutes(database, conn, TODAY + timedelta(days=1))
    finally:
        shutil.rmtree(folder)
    name = f"night, {members:,} members"
    return [
        Result(f"{name}: the first", first, "min", "lower"),
        Result(name, nightly, "min", "lower", {"everybody gone through": first}),
        Result(f"{name}: memory", max(most) / MIB, "MiB", "lower"),
    ]


def populate(conn: Connection, members: int) -> None:
    """A chain of `members`, each with `SALES` sales spread over the three years before `TODAY`."""
    days = 3 * 365
    with conn.transaction():
        conn.execute(
            "INSERT INTO account (account_id, tier, tier_since) SELECT 'm' || lpad(to_hex(n), 16, '0'), "
            "CASE WHEN n %% 10 = 0 THEN 'gold' ELSE 'basic' END, %s::date - (n %% 400)::int "
            "FROM generate_series(1, %s) n",
            (TODAY, members),
        )
        # No bytes: the night does not look at them.
        conn.execute(
            "INSERT INTO ledger (account_id, entry_id, kind, terminal_id, epoch, seq, raw, business_date, points, "
            "points_earned, points_spent, programme_version, paid_minor, booked_at) "
            "SELECT 'm' || lpad(to_hex(n), 16, '0'), gen_random_uuid(), 'sale', 't-1', 1, n, '', day, "
            "earned - spent, earned, spent, 1, 2000, day "
            "FROM generate_series(1, %(members)s) n, generate_series(1, %(sales)s) sale, "
            "LATERAL (SELECT %(today)s::date - ((n::bigint * 7919 + sale * 104729) %% %(days)s)::int AS day, "
            "20 + n %% 30 AS earned, CASE WHEN (n + sale) %% 4 = 0 THEN 15 ELSE 0 END AS spent) d "
            "ORDER BY n %% 20 = 0, CASE WHEN n %% 20 = 0 THEN sale END, day, n",
            {"today": TODAY, "days": days, "members": members, "sales": SALES},
        )
        conn.execute("INSERT INTO balance SELECT account_id, sum(points)::bigint FROM ledger GROUP BY 1")
    conn.execute("ANALYZE")


def _minutes(database: Database, conn: Connection, today: date) -> float:
    start = time.perf_counter()
    run(conn, database.programmes, today)
    return (time.perf_counter() - start) / 60


@contextmanager
def _memory() -> Iterator[list[int]]:
    """What this process holds, in bytes, looked at ten times a second."""
    process, seen, over = psutil.Process(), [0], threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            seen.append(process.memory_info().rss)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
