"""First schema: journal, terminal, mirror of head office, proofs."""

from __future__ import annotations

from sqlite_utils import Database

STATEMENTS = (
    # Who this till is. One row, written by enrolment.
    """CREATE TABLE terminal (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        terminal TEXT NOT NULL,
        store TEXT NOT NULL,
        store_name TEXT NOT NULL,
        private_key BLOB NOT NULL,
        hq_public_key BLOB NOT NULL,
        card_key BLOB NOT NULL
    ) STRICT""",
    # The key pair of an enrolment under way: kept before it is sent, so that a lost answer can be asked for again.
    "CREATE TABLE enrolment (one INTEGER PRIMARY KEY CHECK (one = 1), private_key BLOB NOT NULL) STRICT",
    # Where the journal stands. One row, written with every entry; the queue is what lies above acked_seq.
    """CREATE TABLE head (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        epoch INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        digest BLOB NOT NULL,
        acked_seq INTEGER NOT NULL CHECK (acked_seq <= seq)
    ) STRICT""",
    """CREATE TABLE journal (
        epoch INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        id TEXT NOT NULL,
        session TEXT NOT NULL,
        kind TEXT NOT NULL,
        business_date TEXT NOT NULL,
        card TEXT NOT NULL,
        account TEXT,
        points INTEGER NOT NULL,
        earned INTEGER NOT NULL,
        spent INTEGER NOT NULL,
        raw BLOB NOT NULL,
        digest BLOB NOT NULL,
        PRIMARY KEY (epoch, seq)
    ) STRICT""",
    "CREATE UNIQUE INDEX journal_id ON journal (id)",
    "CREATE UNIQUE INDEX journal_session ON journal (session, kind)",
    "CREATE INDEX journal_account ON journal (account, epoch, seq, points)",
    # The days there are, and the entries of one, for the proof.
    "CREATE INDEX journal_day ON journal (epoch, business_date)",
    # The daily caps of a card and of the whole till. Few sales spend points, so a checkout reads few rows however busy
    # the day is.
    "CREATE INDEX journal_spent ON journal (business_date, card, spent) WHERE spent <> 0",
    # The entries of a card that had no account.
    "CREATE INDEX journal_orphans ON journal (card, epoch, seq, points) WHERE account IS NULL",
    # Mirror: written by sync alone.
    """CREATE TABLE account (
        account TEXT PRIMARY KEY,
        first_name TEXT,
        tier TEXT NOT NULL,
        points INTEGER NOT NULL,
        includes_epoch INTEGER NOT NULL,
        includes_seq INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE card (token TEXT PRIMARY KEY, account TEXT NOT NULL, blocked INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE programme (version INTEGER PRIMARY KEY, document TEXT NOT NULL) STRICT",
    """CREATE TABLE feed (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        cursor TEXT NOT NULL,
        as_of_ms INTEGER,
        clock_offset_ms INTEGER,
        last_contact_ms INTEGER
    ) STRICT""",
    "INSERT INTO feed (one, cursor) VALUES (1, '')",
    # One row for each business date that was compared with head office.
    """CREATE TABLE proof (
        business_date TEXT PRIMARY KEY,
        agrees INTEGER NOT NULL,
        ours TEXT NOT NULL,
        theirs TEXT NOT NULL,
        parked INTEGER NOT NULL,
        checked_ms INTEGER NOT NULL
    ) STRICT""",
)


def apply(db: Database) -> None:
    """Create everything."""
    for statement in STATEMENTS:
        db.execute(statement)
