"""Head office's night: points that lapse, as bookings of their own, and tiers reviewed at the end of their period."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from loyalty.history import Movement, replay
from loyalty.lots import expire
from loyalty.programme import Programme
from loyalty.programme_members import Expiry, TierPolicy
from loyalty.tiers import Activity, months_later, qualifying, reviewed, upgraded
from sync.hq import vesting
from sync.hq.database import Connection
from sync.hq.programmes import Programmes

CHUNK = 500
"""Accounts in one transaction: checkouts of these wait for well under a second."""


@dataclass(frozen=True, slots=True)
class Night:
    """What a night did: accounts whose points lapsed, the points, tiers changed, accounts with points that vested."""

    lapsed_accounts: int = 0
    lapsed_points: int = 0
    tiers_changed: int = 0
    vested_accounts: int = 0


def run(conn: Connection, programmes: Programmes, today: date) -> Night:
    """Lapse what expired before `today`, and review tiers whose period is over. A second run that day changes nothing.

    Args:
        conn: a pooled connection, outside any transaction.
        today: the date of head office; lots whose last day is before it lapse.
    """
    vested = vesting.release(conn, today)
    programme = programmes.newest(conn)
    if programme is None:
        return Night(vested_accounts=vested)
    lapsed = points = changed = 0
    after = ""
    while accounts := _chunk(conn, after):
        with conn.transaction():
            _lock(conn, accounts)
            for account, gone in _lapsing(conn, programmes, programme, accounts, today):
                _book(conn, account, gone, today)
                lapsed, points = lapsed + 1, points + gone
            changed += review(conn, programme, accounts, today)
        after = accounts[-1]
    return Night(lapsed, points, changed, vested)


def upgrade(conn: Connection, programme: Programme, accounts: Sequence[str], today: date) -> int:
    """Lift accounts to the tier that they reached, at once; how many. Within the caller's transaction."""
    return _retier(conn, programme, accounts, today, period_over=False)


def review(conn: Connection, programme: Programme, accounts: Sequence[str], today: date) -> int:
    """Review the tiers of accounts whose period is over by `today`; how many changed. Within a transaction."""
    return _retier(conn, programme, accounts, today, period_over=True)


def _chunk(conn: Connection, after: str) -> list[str]:
    rows = conn.execute(
        "SELECT account_id FROM account WHERE account_id > %s ORDER BY account_id LIMIT %s", (after, CHUNK)
    )
    return [account for (account,) in rows]


def _lock(conn: Connection, accounts: Sequence[str]) -> None:
    conn.execute("SELECT 1 FROM balance WHERE account_id = ANY(%s) ORDER BY account_id FOR UPDATE", (list(accounts),))


def _lapsing(
    conn: Connection, programmes: Programmes, programme: Programme, accounts: Sequence[str], today: date
) -> list[tuple[str, int]]:
    """The accounts with points that are past their day, and how many points."""

    def expiry_of(version: int | None) -> Expiry:
        made_with = programmes.get(conn, version) if version is not None else None
        return (made_with or programme).expiry

    rows = conn.execute(
        "SELECT account_id, entry_id::text, kind, business_date, points_earned, points_spent, programme_version, "
        "coalesce(reverses, original)::text FROM ledger WHERE account_id = ANY(%s) ORDER BY account_id, position",
        (list(accounts),),
    ).fetchall()
    booked: dict[str, list[Movement]] = {}
    for account, *rest in rows:
        booked.setdefault(account, []).append(Movement(*rest))
    found = []
    for account, movements in booked.items():
        _, gone = expire(replay(movements, expiry_of).lots, today)
        if gone:
            found.append((account, gone))
    return found


def _book(conn: Connection, account: str, points: int, today: date) -> None:
    conn.execute(
        "INSERT INTO ledger (account_id, entry_id, kind, business_date, points, points_earned, points_spent) "
        "VALUES (%s, %s, 'expiry', %s, %s, %s, 0)",
        (account, uuid.uuid4(), today, -points, -points),
    )
    conn.execute("UPDATE balance SET points = points - %s WHERE account_id = %s", (points, account))
    conn.execute("INSERT INTO feed (subject, key) VALUES ('account', %s)", (account,))


def _retier(conn: Connection, programme: Programme, accounts: Sequence[str], today: date, *, period_over: bool) -> int:
    policy = programme.tier_policy
    if policy is None:
        return 0
    changed = 0
    held = conn.execute(
        "SELECT account_id, tier, tier_since FROM account WHERE account_id = ANY(%s) ORDER BY account_id FOR UPDATE",
        (list(accounts),),
    ).fetchall()
    if period_over:
        held = [row for row in held if period_end(policy, row[2]) <= today]
    history = _activities(conn, [account for account, _, _ in held]) if held else {}
    for account, tier, since in held:
        done = history.get(account, [])
        if period_over:
            now = reviewed(programme, tier, qualifying(policy, done, _last_day(policy, since)))
        else:
            now = upgraded(programme, tier, qualifying(policy, done, today))
        if now != tier or period_over:
            conn.execute("UPDATE account SET tier = %s, tier_since = %s WHERE account_id = %s", (now, today, account))
        if now != tier:
            conn.execute("INSERT INTO feed (subject, key) VALUES ('account', %s)", (account,))
            changed += 1
    return changed


def period_end(policy: TierPolicy, since: date) -> date:
    """The first day after the period of a tier held `since`: the next year, or `months` later."""
    return date(since.year + 1, 1, 1) if policy.window == "calendar" else months_later(since, policy.months)


def _last_day(policy: TierPolicy, since: date) -> date:
    return date.fromordinal(period_end(policy, since).toordinal() - 1)


def _activities(conn: Connection, accounts: Sequence[str]) -> dict[str, list[Activity]]:
    rows = conn.execute(
        "SELECT account_id, business_date, sum(points_earned)::bigint, sum(paid_minor)::bigint, "
        "count(*) FILTER (WHERE kind = 'sale') - count(*) FILTER (WHERE kind = 'void') "
        "FROM ledger WHERE account_id = ANY(%s) AND kind IN ('sale', 'void', 'return') GROUP BY 1, 2",
        (list(accounts),),
    )
    found: dict[str, list[Activity]] = {}
    for account, day, points, paid, visits in rows:
        found.setdefault(account, []).append(Activity(day, points, paid, visits))
    return found
