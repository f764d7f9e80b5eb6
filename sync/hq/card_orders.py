"""Orders of store managers about cards, carried out when their entry is booked."""

from __future__ import annotations

from collections.abc import Iterable

from loyalty.card_orders import CardAction
from loyalty.ledger import Entry
from sync.hq.database import Connection
from sync.hq.received import Received


def carry_out(conn: Connection, booked: Iterable[tuple[Received, str]]) -> None:
    """Block, let in or replace the cards that booked entries order it of. Within the caller's transaction.

    Only cards of the entry's own account; a new card that somebody has meanwhile stays theirs, and tills hear so.
    """
    for received, account in booked:
        entry = received.read
        if not isinstance(entry, Entry) or entry.order is None:
            continue
        order = entry.order
        conn.execute(
            "UPDATE card SET blocked = %s WHERE token = %s AND account_id = %s",
            (order.action is not CardAction.UNBLOCK, entry.card, account),
        )
        told = [entry.card]
        if order.new_card is not None:
            conn.execute(
                "INSERT INTO card (token, account_id) VALUES (%s, %s) ON CONFLICT (token) DO NOTHING",
                (order.new_card, account),
            )
            told.append(order.new_card)
        conn.execute("INSERT INTO feed (subject, key) SELECT 'card', unnest(%s::text[])", (told,))
