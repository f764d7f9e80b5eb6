"""Receipts that were printed, so that one which was not is known after a restart too."""

from __future__ import annotations

from sqlite_utils import Database


def apply(db: Database) -> None:
    """Add the table; nothing that is there changes."""
    # An entry of the journal, and when its receipt was on paper, Unix ms UTC of this till's clock.
    db.execute("CREATE TABLE receipt_print (entry TEXT PRIMARY KEY, printed_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID")
