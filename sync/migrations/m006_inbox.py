"""The inbox: parked entries of the store, what was decided here, and the managers who may decide."""

from __future__ import annotations

from sqlite_utils import Database

STATEMENTS = (
    # Mirror: what head office did not book of any till of this store, as it stands now. `number` is the till's own name
    # for it, never used again.
    """CREATE TABLE parked (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        terminal TEXT NOT NULL,
        till TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        digest BLOB NOT NULL,
        code TEXT NOT NULL,
        text TEXT NOT NULL,
        state TEXT NOT NULL,
        entry_kind TEXT,
        card TEXT,
        points INTEGER NOT NULL,
        business_date TEXT NOT NULL,
        parked_ms INTEGER NOT NULL,
        approver TEXT,
        reason TEXT,
        decided_ms INTEGER,
        UNIQUE (terminal, epoch, seq, digest)
    ) STRICT""",
    "CREATE INDEX parked_digest ON parked (digest, state)",
    # What was decided here, with the reason for parking as it was then: a link may bring another reason to light, which
    # is decided about anew.
    """CREATE TABLE resolution (
        terminal TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        digest BLOB NOT NULL,
        code TEXT NOT NULL,
        action TEXT NOT NULL,
        by_digest BLOB NOT NULL PRIMARY KEY
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX resolution_of ON resolution (terminal, epoch, seq, digest)",
    # The inbox as it is shown. `asked` is a decision of this till that is on its way: not one that was parked in
    # its turn, nor about an earlier reason.
    """CREATE VIEW inbox AS SELECT number, terminal, till, epoch, seq, digest, code, text, state, entry_kind, card,
        points, business_date, parked_ms, approver, reason, decided_ms,
        (SELECT r.action FROM resolution r
         WHERE (r.terminal, r.epoch, r.seq, r.digest) = (p.terminal, p.epoch, p.seq, p.digest)
           AND p.state = 'open' AND r.code = p.code
           AND NOT EXISTS (SELECT 1 FROM parked own WHERE own.digest = r.by_digest)) AS asked
        FROM parked p""",
    # Own entries that head office parked are not the member's points, unless they are booked after all.
    """CREATE VIEW counting AS
        SELECT account, card, epoch, seq, id, session, kind, points, earned, original, raw FROM journal j
        WHERE NOT EXISTS (SELECT 1 FROM parked p WHERE p.digest = j.digest
        AND p.state IN ('open', 'referred', 'reversed'))""",
    # Those of a card that is unknown here stay promised until somebody decides that nothing is booked.
    """CREATE VIEW promised AS SELECT card, points FROM journal j WHERE account IS NULL AND NOT EXISTS (
        SELECT 1 FROM parked p WHERE p.digest = j.digest AND p.state = 'reversed')""",
    # Managers, by the name that goes with what they decide; a PIN is known by its hash alone (argon2id).
    """CREATE TABLE manager (
        name TEXT PRIMARY KEY,
        pin_hash TEXT NOT NULL,
        wrong INTEGER NOT NULL DEFAULT 0,
        locked_until_ms INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID""",
)


def apply(db: Database) -> None:
    """Add tables; nothing that is there changes."""
    for statement in STATEMENTS:
        db.execute(statement)
