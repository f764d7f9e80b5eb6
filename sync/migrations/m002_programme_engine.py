"""What returns, coupons, daily caps and counters need on the till."""

from __future__ import annotations

from sqlite_utils import Database

STATEMENTS = (
    # The sale that a return takes goods back from.
    "ALTER TABLE journal ADD COLUMN original TEXT",
    "CREATE INDEX journal_original ON journal (original) WHERE original IS NOT NULL",
    # What a card earned on one day, for the daily cap.
    "CREATE INDEX journal_card_day ON journal (card, business_date, earned)",
    # Single-use codes that were used here, by the sale.
    "CREATE TABLE coupon_use (code TEXT PRIMARY KEY, sale TEXT NOT NULL) STRICT, WITHOUT ROWID",
    # Stamp cards, challenges and limits as head office counts them: a JSON object of name to count.
    "ALTER TABLE account ADD COLUMN counters TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE account ADD COLUMN first_purchase INTEGER NOT NULL DEFAULT 0",
)


def apply(db: Database) -> None:
    """Add columns, indexes and a table; nothing that is there changes."""
    for statement in STATEMENTS:
        db.execute(statement)
