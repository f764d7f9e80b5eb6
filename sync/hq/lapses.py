"""Points that lapse: which accounts have lots past their day, found in one go, and booked in short transactions."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from loyalty.programme_members import Expiry
from sync.hq.available import available
from sync.hq.database import Connection
from sync.hq.programmes import Programmes
from sync.hq.standing import Standing, standings

CHUNK = 500
"""Accounts in one transaction: checkouts of these wait for well under a second."""

OPEN_FOR = timedelta(hours=1)
"""Longer than any transaction that books: what was booked in one that ended after the last night began is looked at."""

# Which lots lapse: as `loyalty.lots.lot_of` reckons their day, over the whole ledger at once. Months are added as
# there: a day that a month does not have becomes its last. Where points were set aside until after the night before,
# lots of any day may have waited for them.
_CANDIDATES = """
    SELECT account_id, count(*) OVER () FROM (
        SELECT DISTINCT account_id FROM (
            SELECT l.account_id, l.booked_at, l.points_earned, l.points_spent,
                CASE WHEN r.end_of_year THEN make_date(extract(year FROM later)::int, 12, 31) ELSE later END AS last
            FROM ledger l
            LEFT JOIN unnest(%(versions)s::int[], %(months)s::int[], %(ends)s::bool[])
                AS r (version, months, end_of_year) ON r.version = coalesce(l.programme_version, 0)
            CROSS JOIN LATERAL (SELECT (l.business_date + make_interval(months => r.months))::date AS later) d
            WHERE l.points_earned > 0 OR l.points_spent < 0
        ) lots
        WHERE (points_spent < 0 AND booked_at >= %(since)s)
            OR (points_earned > 0 AND last < %(today)s AND (last >= %(from)s OR booked_at >= %(since)s
                OR EXISTS (SELECT FROM lease a WHERE a.account_id = lots.account_id AND a.ended_at >= %(since)s)
                OR EXISTS (SELECT FROM hold h WHERE h.account_id = lots.account_id AND h.expires_at >= %(since)s)))
    ) found ORDER BY account_id"""


@dataclass(frozen=True, slots=True)
class Since:
    """The night before: lots that lapsed before its day are done with, but for what was booked after it began."""

    day: date
    began_at: datetime


def lapse(
    conn: Connection, expiries: Mapping[int, Expiry], today: date, since: Since, progress: Callable[[int, int], None]
) -> tuple[int, int]:
    """Lapse what expired before `today`; how many accounts, and points. Safe to run again.

    Points brought along lapse by the newest programme, all others by the version that they were earned under; by none
    while that version cannot be read here: what lapsed cannot be brought back. Points that are set aside, in a lease or
    for a sale under way, stay: a till may spend them without asking. They lapse in the night after that is over.

    Args:
        conn: a pooled connection, outside any transaction.
        expiries: as `expiries_of`.
        progress: told how many accounts are done, and of how many.
    """
    dying = {version: expiry for version, expiry in expiries.items() if expiry.after_months is not None}
    if not dying:
        return 0, 0
    wanted = {
        "versions": list(dying),
        "months": [expiry.after_months for expiry in dying.values()],
        "ends": [expiry.end_of_year for expiry in dying.values()],
        "today": today,
        "from": since.day,
        "since": since.began_at - OPEN_FOR,
    }
    accounts = points = done = 0
    # Held beyond a transaction that only reads: one that writes for as long as this takes would hold the feed up.
    with conn.cursor(name="lapsing", withhold=True) as cursor:
        with conn.transaction():
            conn.execute("SET TRANSACTION READ ONLY")
            cursor.execute(_CANDIDATES.encode(), wanted)
        while rows := cursor.fetchmany(CHUNK):
            with conn.transaction():
                chunk = [account for account, _ in rows]
                conn.execute(
                    "SELECT 1 FROM balance WHERE account_id = ANY(%s) ORDER BY account_id FOR UPDATE", (chunk,)
                )
                gone = lapse_past(conn, standings(conn, chunk, expiries, today), today)
            accounts, points, done = accounts + len(gone), points + sum(gone.values()), done + len(rows)
            progress(done, rows[0][1])
    return accounts, points


def expiries_of(conn: Connection, programmes: Programmes) -> dict[int, Expiry]:
    """By version, what it says of expiry; 0 stands for bookings of head office's own, which go by the newest."""
    versions = [version for (version,) in conn.execute("SELECT version FROM programme ORDER BY version")]
    readable = {version: programmes.get(conn, version) for version in versions}
    found = {version: programme.expiry for version, programme in readable.items() if programme is not None}
    if (newest := programmes.newest(conn)) is not None:
        found[0] = newest.expiry
    return found


def lapse_past(conn: Connection, standing: Mapping[str, Standing], today: date) -> dict[str, int]:
    """Book the lapse of what is past its day and not set aside; the points by account. The accounts are locked."""
    past = {account: each.past for account, each in standing.items() if each.past}
    if not past:
        return {}
    free = available(conn, list(past), datetime.now(UTC))
    gone = {account: most for account, whole in past.items() if (most := min(whole, free[account])) > 0}
    _book(conn, gone, today)
    return gone


def _book(conn: Connection, gone: dict[str, int], today: date) -> None:
    if not gone:
        return
    accounts, points = list(gone), list(gone.values())
    conn.execute(
        "INSERT INTO ledger (account_id, entry_id, kind, business_date, points, points_earned, points_spent) "
        "SELECT account_id, entry_id, 'expiry', %s, -points, -points, 0 "
        "FROM unnest(%s::text[], %s::uuid[], %s::bigint[]) AS gone (account_id, entry_id, points)",
        (today, accounts, [uuid.uuid4() for _ in accounts], points),
    )
    conn.execute(
        "UPDATE balance b SET points = b.points - gone.points "
        "FROM unnest(%s::text[], %s::bigint[]) AS gone (account_id, points) WHERE b.account_id = gone.account_id",
        (accounts, points),
    )
    conn.execute("INSERT INTO feed (subject, key) SELECT 'account', unnest(%s::text[])", (accounts,))
