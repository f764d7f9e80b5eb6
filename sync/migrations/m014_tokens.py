"""The tokens of programs that sell through this till."""

from __future__ import annotations

from sqlite_utils import Database

STATEMENTS = (
    # `hash` is of the token, which is nowhere; `scopes` with spaces between.
    """CREATE TABLE token (
        id TEXT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        hash BLOB NOT NULL UNIQUE,
        scopes TEXT NOT NULL,
        origin TEXT,
        made_ms INTEGER NOT NULL,
        revoked_ms INTEGER
    ) STRICT""",
)


def apply(db: Database) -> None:
    """Add a table; nothing that is there changes."""
    for statement in STATEMENTS:
        db.execute(statement)
