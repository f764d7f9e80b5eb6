"""Head office's word for this till's key; and when the points of a member lapse next."""

from __future__ import annotations

from sqlite_utils import Database

STATEMENTS = (
    "CREATE TABLE certificate (epoch INTEGER PRIMARY KEY, public_key BLOB NOT NULL, signature BLOB NOT NULL) STRICT",
    # Mirror: the last day of the points that lapse first, and how many they are; nothing where none lapse.
    "ALTER TABLE account ADD COLUMN expires_on TEXT",
    "ALTER TABLE account ADD COLUMN expiring INTEGER NOT NULL DEFAULT 0",
)


def apply(db: Database) -> None:
    """Add a table and two columns; nothing that is there changes."""
    for statement in STATEMENTS:
        db.execute(statement)
