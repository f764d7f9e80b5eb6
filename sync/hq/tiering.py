"""Tiers at head office: up at once with the sale that reaches one, reviewed at the end of their period."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from loyalty.programme import Programme
from loyalty.programme_members import TierPolicy
from loyalty.tiers import Activity, months_later, qualifying, reviewed, upgraded, window
from sync.hq.database import Connection
from sync.hq.profiles import remember, tell

CHUNK = 1000
"""Accounts in one transaction: checkouts of these wait for well under a second."""

_Held = tuple[str, str, date]
"""An account, its tier, and the date from which the tier's period counts."""

_OVER = {
    "calendar": "tier_since < date_trunc('year', %(today)s::date)",
    "rolling": "(tier_since + make_interval(months => %(months)s))::date <= %(today)s",
}
"""Whether the period of a tier is over: as `period_end` says."""


def upgrade(conn: Connection, programme: Programme, accounts: Sequence[str], today: date) -> int:
    """Lift accounts to the tier that they reached, at once; how many. Within the caller's transaction."""
    policy = programme.tier_policy
    if policy is None:
        return 0
    held = _locked(conn, accounts)
    done = _activities(conn, policy, {account: today for account, _, _ in held})
    return _change(
        conn,
        [
            (account, tier, now)
            for account, tier, _ in held
            if (now := upgraded(programme, tier, qualifying(policy, done.get(account, ()), today))) != tier
        ],
        today,
    )


def review(conn: Connection, programme: Programme, today: date, progress: Callable[[int, int], None]) -> int:
    """Review the tiers of accounts whose period is over by `today`; how many changed. Safe to run again.

    Args:
        conn: a pooled connection, outside any transaction.
        progress: told how many accounts are done, and of how many.
    """
    policy = programme.tier_policy
    if policy is None:
        return 0
    wanted = {"today": today, "months": policy.months}
    over = _OVER[policy.window]
    row = conn.execute(f"SELECT count(*) FROM account WHERE {over}", wanted).fetchone()
    assert row is not None
    changed, after, seen = 0, "", 0
    while True:
        rows = conn.execute(
            f"SELECT account_id FROM account WHERE account_id > %(after)s AND {over} ORDER BY account_id LIMIT {CHUNK}",
            {**wanted, "after": after},
        ).fetchall()
        if not rows:
            return changed
        with conn.transaction():
            changed += _review(conn, programme, policy, [account for (account,) in rows], today)
        after, seen = rows[-1][0], seen + len(rows)
        progress(min(seen, row[0]), row[0])


def _review(conn: Connection, programme: Programme, policy: TierPolicy, accounts: Sequence[str], today: date) -> int:
    held = [row for row in _locked(conn, accounts) if period_end(policy, row[2]) <= today]
    days = {account: _last_day(policy, since) for account, _, since in held}
    done = _activities(conn, policy, days)
    moves = [
        (account, tier, reviewed(programme, tier, qualifying(policy, done.get(account, ()), days[account])))
        for account, tier, _ in held
    ]
    return _change(conn, moves, today)


def period_end(policy: TierPolicy, since: date) -> date:
    """The first day after the period of a tier held `since`: the next year, or `months` later."""
    return date(since.year + 1, 1, 1) if policy.window == "calendar" else months_later(since, policy.months)


def _last_day(policy: TierPolicy, since: date) -> date:
    return date.fromordinal(period_end(policy, since).toordinal() - 1)


def _locked(conn: Connection, accounts: Sequence[str]) -> list[_Held]:
    return conn.execute(
        "SELECT account_id, tier, tier_since FROM account WHERE account_id = ANY(%s) ORDER BY account_id FOR UPDATE",
        (list(accounts),),
    ).fetchall()


def _change(conn: Connection, moves: Sequence[tuple[str, str, str]], today: date) -> int:
    """Begin a new period for each account, with the tier of now; how many tiers changed."""
    if not moves:
        return 0
    other = [account for account, before, now in moves if now != before]
    remember(conn, other, "tier")
    conn.execute(
        "UPDATE account a SET tier = moved.tier, tier_since = %s "
        "FROM unnest(%s::text[], %s::text[]) AS moved (account_id, tier) WHERE a.account_id = moved.account_id",
        (today, [account for account, _, _ in moves], [now for _, _, now in moves]),
    )
    tell(conn, other)
    return len(other)


def _activities(conn: Connection, policy: TierPolicy, days: dict[str, date]) -> dict[str, list[Activity]]:
    """By account, what it did within the window that ends on its day, added up."""
    windows = [window(policy, day) for day in days.values()]
    rows = conn.execute(
        "SELECT w.account_id, w.until, sum(points_earned)::bigint, sum(paid_minor)::bigint, "
        "count(*) FILTER (WHERE kind = 'sale') - count(*) FILTER (WHERE kind = 'void') "
        "FROM unnest(%s::text[], %s::date[], %s::date[]) AS w (account_id, start, until) JOIN ledger l "
        "ON l.account_id = w.account_id AND l.business_date BETWEEN w.start AND w.until "
        "AND l.kind IN ('sale', 'void', 'return') GROUP BY 1, 2",
        (list(days), [start for start, _ in windows], [end for _, end in windows]),
    )
    return {account: [Activity(until, points, paid, visits)] for account, until, points, paid, visits in rows}
