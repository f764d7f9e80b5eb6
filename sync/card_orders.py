"""Orders about cards on the till: at once in the mirror, and kept there until head office has heard of them."""

from __future__ import annotations

from typing import Any

from loyalty.card_orders import CardAction
from loyalty.ledger import Entry


class CardTaken(Exception):
    """A card that was to replace another belongs to somebody already."""


def carry_out(connection: Any, entry: Entry) -> None:
    """Do what an adjustment orders about its card, within the transaction that journals it.

    Raises:
        CardTaken: the new card is known here as somebody else's.
    """
    if entry.order is None:
        return
    if entry.order.new_card is not None:
        owner = connection.execute("SELECT account FROM card WHERE token = ?", (entry.order.new_card,)).fetchone()
        if owner is not None and owner != (entry.account,):
            raise CardTaken("the new card belongs to another member already: take a card that nobody has")
    _put(connection, entry)


def keep(connection: Any, epoch: int, includes_seq: int) -> None:
    """Do again what was ordered here after `includes_seq`: head office stated cards without having heard of it."""
    rows = connection.execute(
        "SELECT raw FROM journal WHERE (epoch, seq) > (?, ?) AND kind = 'adjustment' AND points = 0 "
        "ORDER BY epoch, seq",
        (epoch, includes_seq),
    ).fetchall()
    for (raw,) in rows:
        _put(connection, Entry.decode(raw))


def _put(connection: Any, entry: Entry) -> None:
    if entry.order is None or entry.account is None:
        return
    blocked = int(entry.order.action is not CardAction.UNBLOCK)
    connection.execute("UPDATE card SET blocked = ? WHERE token = ?", (blocked, entry.card))
    if entry.order.new_card is not None:
        connection.execute(
            "INSERT INTO card VALUES (?, ?, 0) ON CONFLICT (token) DO NOTHING", (entry.order.new_card, entry.account)
        )
