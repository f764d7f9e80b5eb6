"""An index that sales with a reward paid for and no look-up needs any more."""

from __future__ import annotations

from sqlite_utils import Database


def apply(db: Database) -> None:
    """Drop it: what was spent on this till's own word has a table of its own. No row changes."""
    db.execute("DROP INDEX journal_spent")
