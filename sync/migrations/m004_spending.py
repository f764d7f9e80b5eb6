"""Points set aside that this till may spend, and what it spent on its own word."""

from __future__ import annotations

from sqlite_utils import Database

STATEMENTS = (
    # What head office leased to this till. `spent` is counted here, in the transaction of each entry; a lease that is
    # closed is spent from no more, and head office hears after which entry. Unconfirmed ones wait for its word.
    """CREATE TABLE lease (
        lease TEXT PRIMARY KEY,
        account TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        points INTEGER NOT NULL,
        spent INTEGER NOT NULL CHECK (spent <= points),
        expires_ms INTEGER NOT NULL,
        closed_seq INTEGER,
        confirmed INTEGER NOT NULL DEFAULT 1
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX lease_account ON lease (account)",
    "CREATE INDEX lease_expiry ON lease (expires_ms)",
    # Holds of sales under way, from before they are asked for; those that are free wait until head office hears of it.
    "CREATE TABLE hold (hold TEXT PRIMARY KEY, free INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID",
    # What was redeemed on this till's own word, for the caps of a day; a void gives back.
    """CREATE TABLE own_word (
        entry TEXT PRIMARY KEY,
        business_date TEXT NOT NULL,
        card TEXT NOT NULL,
        points INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX own_word_day ON own_word (business_date, card, points)",
    # Until now everything was on this till's own word.
    """INSERT INTO own_word SELECT id, business_date, card, spent FROM journal
       WHERE spent <> 0 AND kind IN ('sale', 'void')""",
)


def apply(db: Database) -> None:
    """Add tables; nothing that is there changes."""
    for statement in STATEMENTS:
        db.execute(statement)
