"""What head office's operator looks at: terminals, totals, and what is parked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sync.hq.database import Connection
from sync.hq.spending import debt_totals

MAX_PARKED = 1000
"""Parked entries listed at once: more than anybody reads; the count says how many there are."""


@dataclass(frozen=True, slots=True)
class TerminalRow:
    """One terminal. `durable_to` is its watermark; `parked` counts entries that wait for a person. Times in UTC."""

    terminal: str
    name: str
    store: str
    epoch: int
    durable_to: int
    parked: int
    conflicts: int
    """Batches kept as evidence of a cloned or restored till."""
    last_contact: datetime
    revoked: bool


@dataclass(frozen=True, slots=True)
class Status:
    """Everything at a glance. `points` is what members hold together; `ledger_points` must equal it."""

    terminals: tuple[TerminalRow, ...]
    accounts: int
    cards: int
    entries: int
    parked: int
    points: int
    ledger_points: int
    programme_version: int | None
    debts: int
    """Sales that spent points which were not there, and their points together."""
    debt_points: int

    @property
    def agrees(self) -> bool:
        """Whether the ledger adds up to the balances."""
        return self.points == self.ledger_points


@dataclass(frozen=True, slots=True)
class ParkedRow:
    """An entry that was not booked. Times in UTC."""

    terminal: str
    epoch: int
    seq: int
    code: str
    text: str
    account: str | None
    parked_at: datetime
    store: str
    kind: str | None
    points: int
    state: str
    """`open`, or `referred` when its store handed it to head office."""
    reason: str | None
    """Of the last decision, with who made it: why the store handed it over."""
    approver: str | None


def status(conn: Connection) -> Status:
    """Read the overview as of one moment."""
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        terminals = conn.execute(
            "SELECT t.terminal_id, t.name, t.store_id, s.epoch, s.durable_to, "
            "(SELECT count(*) FROM parked p WHERE p.terminal_id = t.terminal_id AND p.resolved_at IS NULL), "
            "(SELECT count(*) FROM evidence e WHERE e.terminal_id = t.terminal_id), "
            "t.last_contact_at, t.revoked_at IS NOT NULL "
            "FROM terminal t JOIN stream s USING (terminal_id) ORDER BY t.store_id, t.name, t.terminal_id"
        ).fetchall()
        totals = conn.execute(
            "SELECT (SELECT count(*) FROM account), (SELECT count(*) FROM card), (SELECT count(*) FROM received), "
            "(SELECT count(*) FROM parked WHERE resolved_at IS NULL), "
            "(SELECT coalesce(sum(points), 0)::bigint FROM balance), "
            "(SELECT coalesce(sum(points), 0)::bigint FROM ledger), (SELECT max(version) FROM programme)"
        ).fetchone()
        owed = debt_totals(conn)
    assert totals is not None
    rows = tuple(TerminalRow(*row) for row in terminals)
    counts: tuple[Any, ...] = (*totals, *owed)
    return Status(rows, *counts)


def parked(conn: Connection) -> tuple[ParkedRow, ...]:
    """What waits for a person, oldest first, at most `MAX_PARKED`."""
    rows = conn.execute(
        "SELECT p.terminal_id, p.epoch, p.seq, p.code, p.text, p.account_id, p.parked_at, t.store_id, p.kind, "
        "p.points, p.state, r.reason, r.approver FROM parked p JOIN terminal t USING (terminal_id) LEFT JOIN LATERAL "
        "(SELECT reason, approver FROM resolution r WHERE (r.terminal_id, r.epoch, r.seq, r.digest) = "
        "(p.terminal_id, p.epoch, p.seq, p.digest) ORDER BY number DESC LIMIT 1) r ON true "
        "WHERE p.resolved_at IS NULL ORDER BY p.parked_at, p.terminal_id, p.epoch, p.seq LIMIT %s",
        (MAX_PARKED,),
    )
    return tuple(ParkedRow(*row) for row in rows)
