"""Points that wait until they can be spent: noted with the sale, cancelled by its return, released at night."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from uuid import UUID

from loyalty.ledger import EntryKind
from sync.hq.database import Connection
from sync.hq.programmes import Programmes
from sync.hq.received import Received

CHUNK = 5000
"""Accounts released in one transaction: well under a second."""


def note(conn: Connection, programmes: Programmes, booked: Iterable[tuple[Received, str]]) -> None:
    """Note what booked entries earned that has to wait, and take off what a return or void cancels."""
    waiting: list[tuple[str, UUID, date, int]] = []
    cancelled: list[tuple[int, str, UUID]] = []
    days_of: dict[int, int] = {}
    for received, account in booked:
        entry = received.read
        assert entry is not None
        assert received.entry_id is not None
        if received.earned > 0 and entry.kind == EntryKind.SALE:
            version = entry.programme_version
            if version not in days_of:
                programme = programmes.get(conn, version)
                days_of[version] = programme.expiry.vesting_days if programme else 0
            if days_of[version]:
                on = entry.business_date + timedelta(days=days_of[version])
                waiting.append((account, received.entry_id, on, received.earned))
        elif received.earned < 0 and (sale := received.reverses or received.original):
            cancelled.append((received.earned, account, sale))
    if waiting:
        conn.cursor().executemany(
            "INSERT INTO vesting (account_id, entry_id, vests_on, points) VALUES (%s, %s, %s, %s)", waiting
        )
    if cancelled:
        conn.cursor().executemany(
            "UPDATE vesting SET points = points + %s WHERE account_id = %s AND entry_id = %s", cancelled
        )


def release(conn: Connection, today: date) -> int:
    """Let go of points that can be spent from `today` on, and tell tills; how many accounts. Safe to run again.

    Args:
        conn: a pooled connection, outside any transaction.
    """
    released = 0
    while True:
        row = conn.execute(
            "WITH due AS (SELECT account_id FROM vesting WHERE vests_on <= %s "
            "GROUP BY account_id ORDER BY account_id LIMIT %s), "
            "gone AS (DELETE FROM vesting v USING due WHERE v.account_id = due.account_id AND v.vests_on <= %s), "
            "told AS (INSERT INTO feed (subject, key) SELECT 'account', account_id FROM due RETURNING 1) "
            "SELECT count(*) FROM told",
            (today, CHUNK, today),
        ).fetchone()
        assert row is not None
        if not row[0]:
            return released
        released += row[0]
