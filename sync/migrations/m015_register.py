"""Who has which card and which phone number, in a table of its own that a snapshot need not keep in order."""

from __future__ import annotations

from sqlite_utils import Database

_KEPT = (
    ("card", "card", "account", "token"),
    ("phone", "account", "phone_hash", "account"),
    ("email", "account", "email_hash", "account"),
)
"""Kind of key, table that it is of, column of the key, column of what is found by it."""

_TABLES = (
    "CREATE TABLE register (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, "
    "PRIMARY KEY (kind, key, value)) STRICT, WITHOUT ROWID",
    # There is a row while the register has to be gone through, with the last that is right again.
    """CREATE TABLE register_due (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL
    ) STRICT""",
    "INSERT INTO register_due VALUES (1, 'card', '', '')",
    # Each row of a snapshot lies at another place of such an index: a page of the file for each, and most of the time
    # that a snapshot took.
    "DROP INDEX card_account",
    "DROP INDEX account_phone",
    "DROP INDEX account_email",
    # A snapshot looks at the orders about cards with each of its ranges; there are hardly any.
    "CREATE INDEX journal_orders ON journal (epoch, seq) WHERE kind = 'adjustment' AND points = 0",
)


def apply(db: Database) -> None:
    """Add the register and what keeps it up to date, as an index is kept; the till's agent fills it."""
    for statement in _TABLES:
        db.execute(statement)
    for kind, table, key, value in _KEPT:
        for name, event, when, forget, put in (
            ("new", "INSERT", f"new.{key} IS NOT NULL", False, True),
            ("gone", "DELETE", f"old.{key} IS NOT NULL", True, False),
            ("other", f"UPDATE OF {key}", f"new.{key} IS NOT old.{key}", True, True),
        ):
            forgets = f"DELETE FROM register WHERE (kind, key, value) = ('{kind}', old.{key}, old.{value});"  # noqa: S608
            puts = f"INSERT OR IGNORE INTO register SELECT '{kind}', new.{key}, new.{value} "
            puts += f"WHERE new.{key} IS NOT NULL;"
            # Not within a snapshot: the whole register is gone through after it.
            db.execute(
                f"CREATE TRIGGER register_{kind}_{name} AFTER {event} ON {table} "  # noqa: S608
                f"WHEN {when} AND NOT EXISTS (SELECT 1 FROM snapshot) "
                f"BEGIN {forgets if forget else ''} {puts if put else ''} END"
            )
