"""What backups, epochs, pruning and the night need on the till."""

from __future__ import annotations

from sqlite_utils import Database

STATEMENTS = (
    # Epochs this till has left, each with where it ended; what lies above acked_seq is sent before the present one's.
    # `diverged`: head office has other entries of it than this journal, so its days are compared no more.
    """CREATE TABLE closed_epoch (
        epoch INTEGER PRIMARY KEY,
        seq INTEGER NOT NULL,
        digest BLOB NOT NULL,
        acked_seq INTEGER NOT NULL CHECK (acked_seq <= seq),
        diverged INTEGER NOT NULL DEFAULT 0
    ) STRICT""",
    # The key of an epoch that head office has not opened yet: kept before it is sent.
    "CREATE TABLE next_key (one INTEGER PRIMARY KEY CHECK (one = 1), private_key BLOB NOT NULL) STRICT",
    # Where the file lies, so that a copy of it is noticed; why it is in doubt; the last night that was worked through.
    """CREATE TABLE origin (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        place TEXT,
        backup_ms INTEGER,
        doubt TEXT,
        night TEXT
    ) STRICT""",
    "INSERT INTO origin (one) VALUES (1)",
    # The highest sequence acknowledged by the end of each day (UTC, head office's clock): what may be pruned.
    """CREATE TABLE acked_day (
        epoch INTEGER NOT NULL,
        day TEXT NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (epoch, day)
    ) STRICT, WITHOUT ROWID""",
    # Up to where the journal was pruned, with the digest that the next entry follows.
    "CREATE TABLE pruned (epoch INTEGER PRIMARY KEY, seq INTEGER NOT NULL, digest BLOB NOT NULL) STRICT",
    # Days compared with head office, by epoch. `closed` days have lost entries to pruning and are compared no more.
    """CREATE TABLE day_proof (
        epoch INTEGER NOT NULL,
        business_date TEXT NOT NULL,
        agrees INTEGER NOT NULL,
        closed INTEGER NOT NULL DEFAULT 0,
        ours TEXT NOT NULL,
        theirs TEXT NOT NULL,
        parked INTEGER NOT NULL,
        checked_ms INTEGER NOT NULL,
        PRIMARY KEY (epoch, business_date)
    ) STRICT, WITHOUT ROWID""",
    """INSERT INTO day_proof (epoch, business_date, agrees, ours, theirs, parked, checked_ms)
       SELECT json_extract(ours, '$.epoch'), business_date, agrees, ours, theirs, parked, checked_ms FROM proof""",
    # What the manager must hear of, and keeps until the next night's report has told it.
    """CREATE TABLE notice (
        number INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        code TEXT NOT NULL,
        text TEXT NOT NULL,
        reported INTEGER NOT NULL DEFAULT 0
    ) STRICT""",
)


def apply(db: Database) -> None:
    """Add tables; days compared so far are carried over."""
    for statement in STATEMENTS:
        db.execute(statement)
