"""Head office's night: points that vest and lapse, tiers reviewed, each in transactions that hold nobody up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from loyalty.programme_members import Expiry
from sync.hq import everybody, expiring, vesting
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
    tonight = _tonight(conn, today, programmes)
    programme = programmes.newest(conn)
    accounts, points, began_at = _lots(conn, expiries_of(conn, programmes), tonight, progress)
    changed = 0
    if programme is not None:
        changed = review(conn, programme, today, lambda done, of: progress("tiers", done, of))
        with conn.transaction():
            conn.execute(
                "INSERT INTO night (day, began_at, version) VALUES (%s, %s, %s) ON CONFLICT (only_row) "
                "DO UPDATE SET day = excluded.day, began_at = excluded.began_at, version = excluded.version",
                (today, began_at, tonight.version),
            )
            conn.execute("DELETE FROM night_pass")
    return Night(accounts, points, changed, vested, tonight.version if programme is None else None)


@dataclass(frozen=True, slots=True)
class _Tonight:
    """This night and the last whole one."""

    today: date
    now: datetime
    """When it began."""
    version: int | None
    """The newest programme version."""
    readable: bool
    """Whether this software can read that version."""
    before: Since | None
    """The night before, if the programme is still the same."""
    told_to: date
    """The last night in which tills were told what lapses soon."""


def _tonight(conn: Connection, today: date, programmes: Programmes) -> _Tonight:
    newest = conn.execute("SELECT max(version)::bigint, now() FROM programme").fetchone()
    assert newest is not None
    version, now = newest
    row = conn.execute("SELECT day, began_at, version FROM night").fetchone()
    before = Since(row[0], row[1]) if row is not None and row[2] == version else None
    told_to = today if row is None else row[0]
    return _Tonight(today, now, version, programmes.newest(conn) is not None, before, told_to)


def _lots(
    conn: Connection, expiries: Mapping[int, Expiry], tonight: _Tonight, progress: Progress
) -> tuple[int, int, datetime]:
    """Lapse what is past its day, and reckon what lapses next; how many accounts, points, and when that began.

    A new version may shorten the life of points brought along: then all are gone through.
    """
    today, since, told_to, began_at = tonight.today, tonight.before, tonight.told_to, tonight.now
    if all(expiry.after_months is None for expiry in expiries.values()):
        expiring.forget(conn)
        return 0, 0, began_at
    accounts = points = 0
    if since is None:
        # What was done while the newest version could not be read is done again once it can.
        number = tonight.version if tonight.readable and tonight.version is not None else 0
        gone = everybody.go_through(conn, expiries, number, today, lambda done, of: progress("points", done, of))
        accounts, points, since = gone.accounts, gone.points, gone.began
        began_at, told_to = since.began_at, min(told_to, since.day)
        if not gone.resumed:
            expiring.tell(conn, told_to, today)
            return accounts, points, began_at
    lapsed = lapse(conn, expiries, today, since, lambda done, of: progress("points", done, of))
    after = since.began_at - OPEN_FOR
    expiring.reckon(conn, expiries, today, after, lambda done, of: progress("expiring", done, of))
    expiring.tell(conn, told_to, today)
    return accounts + lapsed[0], points + lapsed[1], began_at
