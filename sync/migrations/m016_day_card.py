"""One index where there were two: a sale writes one page of the file less."""

from __future__ import annotations

from sqlite_utils import Database

STATEMENTS = (
    # By day for proofs and pruning, and within a day by card, for what a card earned on it. A day's sales share its
    # pages, where an index by card has another page for each.
    "CREATE INDEX journal_day_card ON journal (epoch, business_date, card, earned)",
    "DROP INDEX journal_day",
    "DROP INDEX journal_card_day",
)


def apply(db: Database) -> None:
    """Replace the two; no row changes."""
    for statement in STATEMENTS:
        db.execute(statement)
