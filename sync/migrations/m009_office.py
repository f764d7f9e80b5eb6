"""What the store manager's pages look up: members by phone and e-mail, their cards, when the queue went down."""

from __future__ import annotations

from sqlite_utils import Database

STATEMENTS = (
    # Mirror: keyed hashes, as head office states them.
    "ALTER TABLE account ADD COLUMN phone_hash TEXT",
    "ALTER TABLE account ADD COLUMN email_hash TEXT",
    "CREATE INDEX account_phone ON account (phone_hash) WHERE phone_hash IS NOT NULL",
    "CREATE INDEX account_email ON account (email_hash) WHERE email_hash IS NOT NULL",
    "CREATE INDEX card_account ON card (account)",
    # When head office took entries, by its clock: how long the queue was at any time of the last days.
    """CREATE TABLE sent (
        at_ms INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (epoch, seq)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX sent_at ON sent (at_ms)",
)


def apply(db: Database) -> None:
    """Add columns, indexes and a table; nothing that is there changes."""
    for statement in STATEMENTS:
        db.execute(statement)
