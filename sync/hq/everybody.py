"""The night after the programme changed: every account is gone through, in chunks, and on from where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from loyalty.programme_members import Expiry
from sync.hq import expiring
from sync.hq.database import Connection
from sync.hq.lapses import Since, lapse_past
from sync.hq.standing import standings

CHUNK = 2000
"""Accounts in one transaction: a tenth of a second, for which checkouts of these wait."""


@dataclass(frozen=True, slots=True)
class Gone:
    """What a night through everybody came to: accounts whose points lapsed, and the points."""

    accounts: int
    points: int
    began: Since
    """The night in which it began; what was booked after that is still to be looked at."""
    resumed: bool
    """It began in a run that was stopped: accounts done then may have changed since."""


def go_through(
    conn: Connection,
    expiries: Mapping[int, Expiry],
    version: int,
    today: date,
    progress: Callable[[int, int], None],
) -> Gone:
    """Lapse what is past its day and reckon what lapses next, of every account. Stopped, the next run goes on.

    Args:
        conn: a pooled connection, outside any transaction.
        version: the programme version for which this is done: begun for another, it begins anew.
        progress: told how many accounts are done, and of how many.
    """
    before = conn.execute("SELECT version, day, began_at, after FROM night_pass").fetchone()
    day, began_at, after = before[1:] if before is not None and before[0] == version else _begin(conn, version, today)
    counted = conn.execute(
        "SELECT count(*) FILTER (WHERE account_id <= %s), count(*) FROM balance", (after,)
    ).fetchone()
    assert counted is not None
    done, of = counted
    resumed, accounts, points = after != "", 0, 0
    while True:
        with conn.transaction():
            rows = conn.execute(
                "SELECT account_id FROM balance WHERE account_id > %s ORDER BY account_id LIMIT %s FOR UPDATE",
                (after, CHUNK),
            ).fetchall()
            if not rows:
                return Gone(accounts, points, Since(day, began_at), resumed)
            standing = standings(conn, [account for (account,) in rows], expiries, today)
            lapsed = lapse_past(conn, standing, today)
            expiring.note(conn, standing, today)
            after = rows[-1][0]
            conn.execute("UPDATE night_pass SET after = %s", (after,))
        accounts, points, done = accounts + len(lapsed), points + sum(lapsed.values()), done + len(rows)
        progress(done, max(done, of))


def _begin(conn: Connection, version: int, today: date) -> tuple[date, datetime, str]:
    row = conn.execute(
        "INSERT INTO night_pass (version, day, began_at, after) VALUES (%s, %s, now(), '') ON CONFLICT (only_row) "
        "DO UPDATE SET version = excluded.version, day = excluded.day, began_at = excluded.began_at, after = '' "
        "RETURNING day, began_at, after",
        (version, today),
    ).fetchone()
    assert row is not None
    return row[0], row[1], row[2]
