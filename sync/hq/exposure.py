"""The worst joint overspend that the offline policy in force allows, for the chain and for each account."""

from __future__ import annotations

from datetime import datetime, timedelta

from loyalty.programme import OfflineMode, OfflinePolicy
from sync.hq.available import HELD, LEASED
from sync.hq.database import Connection
from sync.wire_spending import MAX_EXPOSED, AccountExposure, Exposure

SHORTEST_DAY_S = 82_800
"""The day on which clocks go forward: most business dates fall into a time when days are short."""


def days_alone(policy: OfflinePolicy) -> int:
    """Business dates on which one till may spend on its own word before its mirror is too old: a time of that length
    contains ⌈length / day⌉ midnights at most, and one date more."""
    if policy.redeem is not OfflineMode.CAPPED:
        return 0
    return -(-policy.mirror_max_age_s // SHORTEST_DAY_S) + 1


def exposure(conn: Connection, policy: OfflinePolicy, now: datetime) -> Exposure:
    """The worst case, as of now; see docs/operations.md for the formula.

    `never` and `lease` expose nothing: what tills can spend alone is nothing, or was taken from the account before.
    """
    days = days_alone(policy)
    card_days, till_days = policy.per_card_day_points * days, policy.per_till_day_points * days
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = conn.execute(
            "SELECT (SELECT count(*) FROM terminal WHERE revoked_at IS NULL), "
            "coalesce((SELECT sum(points - spent) FROM lease WHERE state = 'active'), 0)::bigint, "
            "coalesce((SELECT sum(points) FROM hold WHERE state IN ('active', 'captured') AND expires_at > %s), 0)"
            "::bigint",
            (now,),
        ).fetchone()
        assert row is not None
        tills, leased, held = row
        found: list[tuple[str, int, int, int]] = []
        if days and till_days and card_days:
            found = conn.execute(
                _EXPOSED,
                {
                    "now": now,
                    "since": now - timedelta(seconds=policy.mirror_max_age_s),
                    "card_days": card_days,
                    "till_days": till_days,
                    "tills": tills,
                    "most": MAX_EXPOSED,
                },
            ).fetchall()
    return Exposure(
        policy=policy.redeem.value,
        tills=tills,
        days=days,
        chain_points=min(found[0][2], tills * till_days) if found else 0,
        accounts_exposed=found[0][3] if found else 0,
        accounts=tuple(AccountExposure(account=account, points=points) for account, points, _, _ in found),
        leased_points=leased,
        held_points=held,
        as_of_ms=int(now.timestamp() * 1000),
    )


# What a till may believe an account has: its balance now, and whatever was taken from it since the oldest mirror that
# may still be used.
_EXPOSED = f"""
SELECT account_id, points::bigint, sum(points) OVER ()::bigint, count(*) OVER () FROM (
    SELECT account_id, %(tills)s * least(believed, cards * %(card_days)s, %(till_days)s) - greatest(0, free) AS points
    FROM (
        SELECT b.account_id, b.points - {HELD} - {LEASED} AS free,
            greatest(0, b.points + coalesce((SELECT sum(-l.points) FROM ledger l
                WHERE l.account_id = b.account_id AND l.points < 0 AND l.booked_at >= %(since)s), 0)) AS believed,
            (SELECT count(*) FROM card c WHERE c.account_id = b.account_id) AS cards
        FROM balance b
    ) known
) worst WHERE points > 0 ORDER BY points DESC, account_id LIMIT %(most)s"""
