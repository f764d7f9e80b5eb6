"""Head office's night: points that vest and lapse, tiers reviewed, each in transactions that hold nobody up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from loyalty.programme_members import Expiry
from sync.hq import expiring, vesting
from sync.hq.database import Connection
from sync.hq.inbox import settle_returns
from sync.hq.lapses import OPEN_FOR, Since, expiries_of, lapse
from sync.hq.programmes import Programmes
from sync.hq.tiering import review

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many accounts are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Night:
    """What a night did: accounts whose points lapsed, the points, tiers changed, accounts with points that vested."""

    lapsed_accounts: int = 0
    lapsed_points: int = 0
    tiers_changed: int = 0
    vested_accounts: int = 0
    unreadable: int | None = None
    """The newest programme version, when this software cannot read it: its tiers and expiry were left alone."""


def _quiet(_what: str, _done: int, _of: int) -> None:
    """Nobody looks on."""


def run(conn: Connection, programmes: Programmes, today: date, progress: Progress = _quiet) -> Night:
    """Lapse what expired before `today`, and review tiers whose period is over. A second run that day changes nothing.

    Lots that a night before went through are not gone through again, but for what was booked since: the work of a night
    goes by what happened, not by the number of members.

    Args:
        conn: a pooled connection, outside any transaction.
        today: the date of head office; lots whose last day is before it lapse.
    """
    vested = vesting.release(conn, today)
    with conn.transaction():
        settle_returns(conn, programmes)
    newest = conn.execute("SELECT max(version)::bigint FROM programme").fetchone()
    assert newest is not None
    version: int | None = newest[0]
    programme = programmes.newest(conn)
    began = conn.execute("SELECT now()").fetchone()
    before = conn.execute("SELECT day, began_at, version FROM night").fetchone()
    assert began is not None
    # A new version may shorten the life of points brought along: then all are gone through.
    since = Since(before[0], before[1]) if before is not None and before[2] == version else Since()
    accounts, points = lapse(conn, programmes, today, since, lambda done, of: progress("points", done, of))
    _expiring(conn, programmes, today, since, lambda done, of: progress("expiring", done, of))
    changed = 0
    if programme is not None:
        changed = review(conn, programme, today, lambda done, of: progress("tiers", done, of))
        conn.execute(
            "INSERT INTO night (day, began_at, version) VALUES (%s, %s, %s) ON CONFLICT (only_row) "
            "DO UPDATE SET day = excluded.day, began_at = excluded.began_at, version = excluded.version",
            (today, began[0], version),
        )
    return Night(accounts, points, changed, vested, version if programme is None else None)


def _expiring(
    conn: Connection, programmes: Programmes, today: date, since: Since, progress: Callable[[int, int], None]
) -> None:
    """What lapses next, after this night's lapses."""
    expiries = expiries_of(conn, programmes)
    if all(expiry.after_months is None for expiry in expiries.values()):
        expiring.forget(conn)
        return
    began = datetime.min.replace(tzinfo=UTC) if since.began_at is None else since.began_at - OPEN_FOR
    expiring.reckon(conn, lambda version: expiries.get(version or 0, Expiry()), today, began, progress)
    expiring.tell(conn, since.day, today)
