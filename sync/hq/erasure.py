"""A member erased: the person goes, here and from every mirror; the bookings stay as figures of nobody."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date

from sync.hq.database import Connection
from sync.hq.errors import HqError
from sync.hq.leases import tell

_PERSONAL = ("balance", "counter", "expiring", "formerly", "hold", "segment_member", "vesting")
"""What else is known of a member. Not among them: where an entry was received and which codes were used, by an
account's id that names nobody any more; and what is parked, which waits for a person as it came."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure took: the points that lapsed with it, and the cards that belong to nobody now."""

    account: str
    points: int
    cards: int


def erase(conn: Connection, account: str, today: date) -> Erased:
    """Erase the member of `account`: name, tier, cards, counters, balance. Tills hear of it in the feed.

    The ledger keeps dates and points, which the books of the shop need, without card and without what was bought. What
    the member still had lapses today, so that the ledger adds up. Entries that tills send later are parked.

    Raises:
        HqError: no such account.
    """
    with conn.transaction():
        # First what bookings lock first: whoever books to this account now is waited for.
        row = conn.execute("SELECT points FROM balance WHERE account_id = %s FOR UPDATE", (account,)).fetchone()
        points = 0 if row is None else int(row[0])
        if conn.execute("DELETE FROM account WHERE account_id = %s", (account,)).rowcount == 0:
            raise HqError(
                f"no member has the account '{account[:40]}': give a card number or an account of this database"
            )
        if points:
            conn.execute(
                "INSERT INTO ledger (account_id, entry_id, kind, business_date, points, points_earned, points_spent) "
                "VALUES (%s, %s, 'expiry', %s, %s, %s, 0)",
                (account, uuid.uuid4(), today, -points, -points),
            )
        conn.execute("UPDATE ledger SET card = NULL, raw = '' WHERE account_id = %s AND raw IS NOT NULL", (account,))
        for table in _PERSONAL:
            conn.execute(f"DELETE FROM {table} WHERE account_id = %s".encode(), (account,))
        leases = conn.execute(
            "UPDATE lease SET state = 'revoked', ended_at = now(), ended_by = 'erasure' "
            "WHERE account_id = %s AND state = 'active' RETURNING lease_id::text, terminal_id",
            (account,),
        ).fetchall()
        tell(conn, leases)
        tokens = conn.execute("DELETE FROM card WHERE account_id = %s RETURNING token", (account,)).fetchall()
        conn.execute("INSERT INTO feed (subject, key) VALUES ('account', %s)", (account,))
        for (token,) in tokens:
            conn.execute("INSERT INTO feed (subject, key) VALUES ('card', %s)", (token,))
    return Erased(account, points, len(tokens))
