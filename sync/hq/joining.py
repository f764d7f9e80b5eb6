"""A customer who became a member at a till: their account and card, made when the entry arrives."""

from __future__ import annotations

from sync.hq.database import Connection
from sync.hq.inbox import lock_cards, settle_cards
from sync.hq.programmes import Programmes
from sync.hq.received import Received


def join(conn: Connection, programmes: Programmes, received: Received) -> list[str]:
    """Give the card of an enrolment an account, and judge again what was parked for it; the accounts booked to.

    What the customer agreed to stands in the entry, which is booked to the account: terms by programme version and
    language, when, and at which till. Nothing personal comes with it: name and contact are the member's own to add.
    A card that belongs to somebody already, at another till meanwhile say, stays theirs. Terms of a version that was
    never published here count for nothing: the entry is then judged like any other of a card that nobody has.
    """
    entry = received.entry
    assert entry is not None
    programme = programmes.get(conn, entry.programme_version)
    if programme is None or programme.id != entry.programme or programme.texts.terms is None:
        return []
    lock_cards(conn)
    if conn.execute("SELECT 1 FROM card WHERE token = %s", (entry.card,)).fetchone() is not None:
        return []
    account = f"till-{received.entry_id}"
    conn.execute(
        "INSERT INTO account (account_id, first_name, tier) VALUES (%s, NULL, %s)", (account, programme.tiers[0].id)
    )
    conn.execute("INSERT INTO card (token, account_id) VALUES (%s, %s)", (entry.card, account))
    conn.execute("INSERT INTO feed (subject, key) VALUES ('account', %s), ('card', %s)", (account, entry.card))
    return settle_cards(conn, programmes, [entry.card])
