"""The sales that were open when a till was stopped."""

from __future__ import annotations

from sqlite_utils import Database


def apply(db: Database) -> None:
    """One row, written when the till is told to stop and taken away when it starts again."""
    db.execute("CREATE TABLE open_sales (one INTEGER PRIMARY KEY CHECK (one = 1), document TEXT NOT NULL)")
