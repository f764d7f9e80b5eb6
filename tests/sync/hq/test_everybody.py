"""The night after the programme changed: every account once, and on from where it was stopped."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from loyalty.programme import Programme
from sync.hq import everybody
from sync.hq.database import Connection, Database
from sync.hq.nightly import Progress, run
from sync.hq.programmes import publish
from tests.support.entries import PROGRAMME_TOML

RULES = Programme.from_toml(PROGRAMME_TOML.replace("version = 1", "version = 2") + "\n[expiry]\nafter_months = 12\n")
LATER = Programme.from_toml(PROGRAMME_TOML.replace("version = 1", "version = 3") + "\n[expiry]\nafter_months = 12\n")
TODAY = date(2026, 11, 21)
MEMBERS = 2 * everybody.CHUNK + 500


class Stopped(Exception):
    """The night is ended from outside."""


@pytest.fixture
def chain(conn: Connection) -> Connection:
    """Members with 10 points of two years ago and 20 of half a year ago."""
    publish(conn, RULES)
    for number, (days, points) in enumerate(((700, 10), (180, 20))):
        conn.execute(
            "INSERT INTO ledger (account_id, entry_id, kind, terminal_id, epoch, seq, raw, business_date, points, "
            "points_earned, points_spent, programme_version) SELECT 'm' || lpad(n::text, 9, '0'), gen_random_uuid(), "
            "'sale', 't-1', 1, n + %s, '', %s, %s, %s, 0, 2 FROM generate_series(1, %s) n",
            (number * MEMBERS, TODAY - timedelta(days=days), points, points, MEMBERS),
        )
    conn.execute("INSERT INTO balance SELECT account_id, sum(points)::bigint FROM ledger GROUP BY 1")
    return conn


def lapsed(conn: Connection) -> tuple[int, int]:
    """Lapses booked, and accounts of which is known what lapses next."""
    row = conn.execute("SELECT (SELECT count(*) FROM ledger WHERE kind = 'expiry'), count(*) FROM expiring").fetchone()
    assert row is not None
    return row[0], row[1]


def stop_after(chunks: int) -> tuple[Progress, list[int]]:
    """A look on progress that ends the night after so many chunks."""
    seen: list[int] = []

    def progress(_what: str, done: int, _of: int) -> None:
        seen.append(done)
        if len(seen) == chunks:
            raise Stopped

    return progress, seen


def test_a_stopped_night_goes_on_where_it_was(chain: Connection, database: Database) -> None:
    first, _ = stop_after(1)
    with pytest.raises(Stopped):
        run(chain, database.programmes, TODAY, first)
    assert lapsed(chain) == (everybody.CHUNK, everybody.CHUNK)
    # The next day: whoever is done already meanwhile spent, and that is looked at too.
    chain.execute("UPDATE balance SET points = points - 5 WHERE account_id = 'm000000001'")
    chain.execute(
        "INSERT INTO ledger (account_id, entry_id, kind, terminal_id, epoch, seq, raw, business_date, points, "
        "points_earned, points_spent, programme_version) "
        "VALUES ('m000000001', gen_random_uuid(), 'sale', 't-1', 1, 0, '', %s, -5, 0, 5, 2)",
        (TODAY,),
    )
    then, seen = stop_after(0)
    night = run(chain, database.programmes, TODAY + timedelta(days=1), then)
    assert seen[:2] == [2 * everybody.CHUNK, MEMBERS]
    assert night.lapsed_accounts == MEMBERS - everybody.CHUNK
    assert lapsed(chain) == (MEMBERS, MEMBERS)
    points = chain.execute("SELECT points FROM expiring WHERE account_id = 'm000000001'").fetchone()
    assert points == (15,)
    assert chain.execute("SELECT count(*) FROM night_pass").fetchone() == (0,)
    assert chain.execute("SELECT sum(points) FROM balance").fetchone() == (20 * MEMBERS - 5,)


def test_another_programme_begins_anew(chain: Connection, database: Database) -> None:
    first, _ = stop_after(1)
    with pytest.raises(Stopped):
        run(chain, database.programmes, TODAY, first)
    publish(chain, LATER)
    then, seen = stop_after(0)
    run(chain, database.programmes, TODAY, then)
    assert seen[0] == everybody.CHUNK
    assert lapsed(chain) == (MEMBERS, MEMBERS)
    # The same programme in the next night: nobody who did nothing is gone through.
    conn = chain
    conn.execute("UPDATE ledger SET booked_at = booked_at - interval '1 day'")
    conn.execute("UPDATE night SET began_at = began_at - interval '1 hour'")
    again, seen = stop_after(0)
    run(conn, database.programmes, TODAY + timedelta(days=1), again)
    assert seen == []
