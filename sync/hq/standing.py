"""Where the lots of many accounts stand, reckoned in the database at once; those for which that would not be exact.

`loyalty.history.replay` alone says what is left of a member's lots. Of nearly every account it comes to something that
needs no replay: lots that lapse in the order in which they were earned are also used up in that order, so what was
taken is taken off the oldest. A test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from loyalty.history import Movement, replay
from loyalty.lots import expire, next_to_lapse
from loyalty.programme_members import Expiry
from sync.hq.database import Connection
from sync.hq.packing import Texts


@dataclass(frozen=True, slots=True)
class Standing:
    """Points past their day, and those that lapse next with their last day; 0 and None where none ever do."""

    past: int
    on: date | None
    points: int


# An account is odd, and replayed, when taking off the oldest may not be what happens to its lots:
# - something came back (a void, a return, points taken away): that has a lot of its own to go to;
# - a lot lapses before one that was earned earlier, or was spent from on a day before it was there;
# - points that wait were there while some were spent;
# - points lapsed that do not go by a version of their own: they may have gone by another than now.
_STANDING = """
    WITH booked AS (
        SELECT l.account_id, l.position, l.kind, l.business_date AS day, l.points_earned AS earned,
            l.points_spent AS spent, l.programme_version IS NULL OR r.version IS NULL AS unversioned,
            l.kind = 'sale' AND r.vesting > 0 AS waits,
            coalesce(CASE WHEN r.end_of_year THEN make_date(extract(year FROM later)::int, 12, 31) ELSE later END,
                'infinity') AS last
        FROM ledger l
        LEFT JOIN unnest(%(versions)s::int[], %(months)s::int[], %(ends)s::bool[], %(vesting)s::int[])
            AS r (version, months, end_of_year, vesting) ON r.version = coalesce(l.programme_version, 0)
        CROSS JOIN LATERAL (SELECT (l.business_date + make_interval(months => r.months))::date AS later) d
        WHERE l.account_id = ANY(%(accounts)b)
    ), followed AS (
        SELECT account_id, kind, earned, spent, last, unversioned, waits,
            sum(earned) FILTER (WHERE earned > 0) OVER before_and_this AS earned_so_far,
            sum(CASE WHEN kind = 'expiry' THEN -earned ELSE 0 END + greatest(spent, 0)) OVER whole AS gone,
            spent < 0 OR (earned < 0 AND kind <> 'expiry')
                OR (earned > 0 AND last < max(last) FILTER (WHERE earned > 0) OVER before)
                OR (spent > 0 AND day < max(day) FILTER (WHERE earned > 0) OVER before) AS odd
        FROM booked
        WINDOW whole AS (PARTITION BY account_id), ordered AS (PARTITION BY account_id ORDER BY position),
            before AS (ordered ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
            before_and_this AS (ordered ROWS UNBOUNDED PRECEDING)
    ), days AS (
        SELECT account_id, last, bool_or(coalesce(odd, false)) AS odd, bool_or(kind = 'expiry') AS lapsed,
            bool_or(earned > 0 AND unversioned) AS unversioned,
            bool_or(earned > 0 AND waits) AS waits, bool_or(spent > 0) AS spends,
            coalesce(sum(least(earned, greatest(0, earned_so_far - gone))) FILTER (WHERE earned > 0), 0)::bigint AS rest
        FROM followed GROUP BY account_id, last
    ), named AS (
        SELECT *, min(last) FILTER (WHERE rest > 0 AND last >= %(today)s AND last < 'infinity')
            OVER (PARTITION BY account_id) AS next
        FROM days
    )
    SELECT account_id,
        bool_or(odd) OR (bool_or(lapsed) AND bool_or(unversioned)) OR (bool_or(waits) AND bool_or(spends)),
        coalesce(sum(rest) FILTER (WHERE last < %(today)s), 0)::bigint,
        min(next),
        coalesce(sum(rest) FILTER (WHERE last = next), 0)::bigint
    FROM named GROUP BY account_id"""


def standings(
    conn: Connection, accounts: Sequence[str], expiries: Mapping[int, Expiry], today: date
) -> dict[str, Standing]:
    """Where the lots of these accounts stand on `today`; those without bookings are left out.

    Args:
        expiries: by programme version, 0 for what head office booked itself; as `sync.hq.lapses.expiries_of`.
    """
    found, odd = reckoned(conn, accounts, expiries, today)
    return {**found, **replayed(conn, odd, expiries, today)} if odd else found


def reckoned(
    conn: Connection, accounts: Sequence[str], expiries: Mapping[int, Expiry], today: date
) -> tuple[dict[str, Standing], list[str]]:
    """Where the lots of nearly all of these accounts stand, and the accounts that have to be replayed."""
    wanted = {
        "accounts": Texts(accounts),
        "versions": list(expiries),
        "months": [expiry.after_months for expiry in expiries.values()],
        "ends": [expiry.end_of_year for expiry in expiries.values()],
        "vesting": [expiry.vesting_days for expiry in expiries.values()],
        "today": today,
    }
    found, odd = {}, []
    for account, replay_it, past, on, points in conn.execute(_STANDING.encode(), wanted).fetchall():
        if replay_it:
            odd.append(account)
        else:
            found[account] = Standing(past, on, points)
    return found, odd


def replayed(
    conn: Connection, accounts: Sequence[str], expiries: Mapping[int, Expiry], today: date
) -> dict[str, Standing]:
    """Where the lots stand, each account followed from its first booking: exact for all, and slow."""
    found = {}
    for account, movements in _movements(conn, accounts).items():
        lots = replay(movements, lambda version: expiries.get(version or 0, Expiry())).lots
        coming = next_to_lapse(lots, today)
        past = expire(lots, today)[1]
        found[account] = Standing(past, coming.on, coming.points) if coming else Standing(past, None, 0)
    return found


def _movements(conn: Connection, accounts: Sequence[str]) -> dict[str, list[Movement]]:
    """What was booked to each account that is here, oldest first."""
    rows = conn.execute(
        "SELECT account_id, entry_id::text, kind, business_date, points_earned, points_spent, programme_version, "
        "coalesce(reverses, original)::text FROM ledger WHERE account_id = ANY(%s) ORDER BY account_id, position",
        (list(accounts),),
    ).fetchall()
    booked: dict[str, list[Movement]] = {}
    for account, *rest in rows:
        booked.setdefault(account, []).append(Movement(*rest))
    return booked
