"""A snapshot of head office under way."""

from __future__ import annotations

from sqlite_utils import Database

STATEMENTS = (
    # Where a snapshot stands: there is a row while one is being taken, also after a crash in the middle of it.
    """CREATE TABLE snapshot (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        cursor TEXT NOT NULL,
        section TEXT NOT NULL,
        after TEXT NOT NULL
    ) STRICT""",
    # Which set of programmes is here. A snapshot brings another, in which a version may be another document than it
    # was: head office was restored from a backup.
    "ALTER TABLE feed ADD COLUMN programme_set INTEGER NOT NULL DEFAULT 0",
)


def apply(db: Database) -> None:
    """Add a table and a column; nothing that is there changes."""
    for statement in STATEMENTS:
        db.execute(statement)
