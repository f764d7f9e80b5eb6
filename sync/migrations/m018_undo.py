"""The inbox knows decisions that are taken back: the order of what was decided here, and what was known of it then."""

from __future__ import annotations

from sqlite_utils import Database

STATEMENTS = (
    # In the order in which it was decided.
    "ALTER TABLE resolution ADD COLUMN number INTEGER NOT NULL DEFAULT 0",
    # When head office had last heard a decision about the entry as this till knew it: while that stays, this one is on
    # its way.
    "ALTER TABLE resolution ADD COLUMN heard_ms INTEGER",
    """UPDATE resolution AS r SET heard_ms = (SELECT p.decided_ms FROM parked p
        WHERE (r.terminal, r.epoch, r.seq, r.digest) = (p.terminal, p.epoch, p.seq, p.digest)
        AND p.state = 'open' AND p.code = r.code)""",
    "DROP VIEW inbox",
    # As before, and `asked` may be the taking back of a decision, which head office has heard or not.
    """CREATE VIEW inbox AS SELECT number, terminal, till, epoch, seq, digest, code, text, state, entry_kind, card,
        points, business_date, parked_ms, approver, reason, decided_ms,
        (SELECT r.action FROM resolution r
         WHERE (r.terminal, r.epoch, r.seq, r.digest) = (p.terminal, p.epoch, p.seq, p.digest)
           AND (p.state = 'open' OR r.action = 'undo') AND r.code = p.code AND r.heard_ms IS p.decided_ms
           AND NOT EXISTS (SELECT 1 FROM parked own WHERE own.digest = r.by_digest)
         ORDER BY r.number DESC LIMIT 1) AS asked
        FROM parked p""",
)


def apply(db: Database) -> None:
    """Add columns; what is there stays."""
    for statement in STATEMENTS:
        db.execute(statement)
