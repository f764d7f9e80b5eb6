"""Answers that the till's software was given, so that the same request again is not carried out again."""

from __future__ import annotations

from sqlite_utils import Database

STATEMENTS = (
    # `request` is a digest of method, path and body; `body` is what was answered, compressed.
    """CREATE TABLE answered (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        caller TEXT NOT NULL,
        key TEXT NOT NULL,
        request BLOB NOT NULL,
        status INTEGER NOT NULL,
        body BLOB NOT NULL,
        at_ms INTEGER NOT NULL,
        UNIQUE (caller, key)
    ) STRICT""",
)


def apply(db: Database) -> None:
    """Add a table; nothing that is there changes."""
    for statement in STATEMENTS:
        db.execute(statement)
