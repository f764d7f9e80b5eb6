"""Which of a member's points lapse next, and when: reckoned at night from their lots, kept for tills to tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime

from loyalty.lots import TOLD_AHEAD_DAYS
from loyalty.programme_members import Expiry
from sync.hq.database import Connection
from sync.hq.packing import Bigints, Texts
from sync.hq.received import Received
from sync.hq.standing import Standing, standings

CHUNK = 2000
"""Accounts in one transaction: checkouts of these wait for well under a second."""

SPREAD_DAYS = 32
"""Before the last moment to tell tills of an account: it is told on a day of its own, or a programme whose points all
lapse on 31 December would put every member into the feed of one night."""

_TOLD_ON = f"expires_on - {TOLD_AHEAD_DAYS} - (hashtext(account_id) & {SPREAD_DAYS - 1})"


def reckon(
    conn: Connection,
    expiries: Mapping[int, Expiry],
    today: date,
    since: datetime,
    progress: Callable[[int, int], None],
) -> None:
    """Reckon anew whose bookings came after `since`, and tell tills what they are to tell from `today` on.

    What is far off reaches tills when the account is told of for another reason; near its day it is told by itself.

    Args:
        conn: a pooled connection, outside any transaction.
    """
    with conn.cursor(name="expiring", withhold=True) as cursor:
        with conn.transaction():
            conn.execute("SET TRANSACTION READ ONLY")
            cursor.execute(
                "SELECT account_id, count(*) OVER () FROM "
                "(SELECT DISTINCT account_id FROM ledger WHERE booked_at >= %s) found ORDER BY account_id",
                (since,),
            )
        done = 0
        while rows := cursor.fetchmany(CHUNK):
            with conn.transaction():
                accounts = [account for account, _ in rows]
                conn.execute(
                    "SELECT 1 FROM balance WHERE account_id = ANY(%b) ORDER BY account_id FOR UPDATE",
                    (Texts(accounts),),
                )
                note(conn, standings(conn, accounts, expiries, today), today)
            done += len(rows)
            progress(done, rows[0][1])


def tell(conn: Connection, day_before: date, today: date) -> None:
    """Put into the feed whose points begin, after `day_before`, to be of interest."""
    conn.execute(
        f"INSERT INTO feed (subject, key) SELECT 'account', account_id FROM expiring "
        f"WHERE points > 0 AND {_TOLD_ON} > %s AND {_TOLD_ON} <= %s",
        (day_before, today),
    )


def forget(conn: Connection) -> None:
    """No version of the programme lets points lapse any more."""
    conn.execute(
        "WITH gone AS (DELETE FROM expiring RETURNING account_id) "
        "INSERT INTO feed (subject, key) SELECT 'account', account_id FROM gone"
    )


def spend(conn: Connection, booked: Iterable[tuple[Received, str]]) -> None:
    """Take off what sales spent, since what lapses first is spent first; the night makes it exact."""
    spent: dict[str, int] = {}
    for received, account in booked:
        if received.spent > 0:
            spent[account] = spent.get(account, 0) + received.spent
    if spent:
        accounts = sorted(spent)
        conn.execute(
            "UPDATE expiring x SET points = greatest(0, x.points - s.points) "
            "FROM unnest(%s::text[], %s::bigint[]) AS s (account_id, points) WHERE x.account_id = s.account_id",
            (accounts, [spent[account] for account in accounts]),
        )


def note(conn: Connection, standing: Mapping[str, Standing], today: date) -> None:
    """Keep what lapses next of these accounts, and tell tills what they are to tell from `today` on.

    Within a transaction that locked their balances. A booking does that first: it waits, and then takes off what it
    spends.
    """
    found = [(account, each.on, each.points) for account, each in standing.items() if each.on is not None]
    names, days, points = (list(column) for column in zip(*found, strict=True)) if found else ([], [], [])
    conn.execute(
        "DELETE FROM expiring WHERE account_id = ANY(%b) AND NOT account_id = ANY(%b)",
        (Texts(list(standing)), Texts(names)),
    )
    if found:
        conn.execute(
            "WITH moved AS (INSERT INTO expiring AS x (account_id, expires_on, points) "
            "SELECT * FROM unnest(%b::text[], %s::date[], %b::bigint[]) "
            "ON CONFLICT (account_id) DO UPDATE SET expires_on = excluded.expires_on, points = excluded.points "
            "WHERE (x.expires_on, x.points) <> (excluded.expires_on, excluded.points) "
            "RETURNING account_id, expires_on) "
            f"INSERT INTO feed (subject, key) SELECT 'account', account_id FROM moved WHERE {_TOLD_ON} <= %s",
            (Texts(names), days, Bigints(points), today),
        )
