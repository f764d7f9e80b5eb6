"""What of an account's points nobody has set aside: the balance less holds and leases. The caller holds the lock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sync.hq.database import Connection

HELD = (
    "coalesce((SELECT sum(h.points) FROM hold h WHERE h.account_id = b.account_id "
    "AND h.state IN ('active', 'captured') AND h.expires_at > %(now)s), 0)"
)
"""Points of a balance `b` held for sales under way at the moment `now`."""

LEASED = (
    "coalesce((SELECT sum(l.points - l.spent) FROM lease l WHERE l.account_id = b.account_id "
    "AND l.state = 'active'), 0)"
)
"""Points of a balance `b` set aside at tills: also those whose time is over, until they are reclaimed."""

PENDING = "coalesce((SELECT sum(greatest(0, v.points)) FROM vesting v WHERE v.account_id = b.account_id), 0)"
"""Points of a balance `b` that cannot be spent yet."""


def lock_accounts(conn: Connection, accounts: Sequence[str]) -> None:
    """Lock the balances of `accounts`, in account order: whoever sets points aside or spends them waits here."""
    conn.execute(
        "SELECT 1 FROM balance WHERE account_id = ANY(%s) ORDER BY account_id FOR UPDATE", (sorted(set(accounts)),)
    )


def available(conn: Connection, accounts: Sequence[str], now: datetime) -> dict[str, int]:
    """The points of each account that nobody has set aside; below zero when more is gone than there was.

    Within a transaction that locked the accounts. An account without bookings has none.
    """
    return _less(conn, accounts, now, f"{HELD} - {LEASED}")


def spendable(conn: Connection, accounts: Sequence[str], now: datetime) -> dict[str, int]:
    """The points of each account that may be set aside now: what is available, less what is pending."""
    return _less(conn, accounts, now, f"{HELD} - {LEASED} - {PENDING}")


def _less(conn: Connection, accounts: Sequence[str], now: datetime, taken: str) -> dict[str, int]:
    rows = conn.execute(
        f"SELECT b.account_id, (b.points - {taken})::bigint FROM balance b WHERE b.account_id = ANY(%(accounts)s)",
        {"now": now, "accounts": sorted(set(accounts))},
    )
    return {**dict.fromkeys(accounts, 0), **dict(rows.fetchall())}
