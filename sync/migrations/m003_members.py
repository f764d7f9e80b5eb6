"""What a till knows of members beside name, tier and points, and what it has to remember for them itself."""

from __future__ import annotations

from sqlite_utils import Database

STATEMENTS = (
    # Mirror: written by sync alone.
    "ALTER TABLE account ADD COLUMN pending INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE account ADD COLUMN birthday TEXT",
    "ALTER TABLE account ADD COLUMN segments TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE account ADD COLUMN pin_hash TEXT",
    """CREATE TABLE stock (
        reward TEXT PRIMARY KEY,
        given INTEGER NOT NULL,
        includes_epoch INTEGER NOT NULL,
        includes_seq INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
    # Rewards with a stock that this till's own entries gave (a void: -1), until head office states them.
    """CREATE TABLE reward_given (
        reward TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (reward, epoch, seq)
    ) STRICT, WITHOUT ROWID""",
    # Wrong PINs of a member: guessing must not start anew with the program.
    """CREATE TABLE pin_try (
        account TEXT PRIMARY KEY,
        wrong INTEGER NOT NULL,
        locked_until_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
    # Rotating credentials that were used, by member: a code must not count twice because the till was started again.
    """CREATE TABLE credential_use (
        member TEXT NOT NULL,
        step INTEGER NOT NULL,
        PRIMARY KEY (member, step)
    ) STRICT, WITHOUT ROWID""",
)


def apply(db: Database) -> None:
    """Add columns and tables; nothing that is there changes."""
    for statement in STATEMENTS:
        db.execute(statement)
