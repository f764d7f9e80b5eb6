"""Parked entries of this store as the till knows them, and what was decided about them here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from loyalty.ledger import Entry
from loyalty.resolution import Action
from sync.store import Store
from sync.wire_mirror import ParkedChange, ParkedState

KEPT_MS = 90 * 86_400_000
"""How long an entry that was decided about stays to be looked at: a quarter's questions."""

MAX_SHOWN = 1000
"""Entries listed at once: more than anybody reads."""


_DECIDED = {
    ParkedState.LINKED: Action.LINK,
    ParkedState.APPROVED: Action.APPROVE,
    ParkedState.REVERSED: Action.REVERSE,
}
"""What was decided about an entry in this state, unless it came there by itself."""


class DecidedBefore(Exception):
    """A parked entry that waits for nobody here any more, or nothing to take back; the text says what was decided."""


@dataclass(frozen=True, slots=True)
class ParkedEntry:
    """One parked entry. Fields as in `sync.wire.ParkedChange`; `number` is this till's own name for it."""

    number: int
    terminal: str
    till: str
    epoch: int
    seq: int
    digest: bytes
    code: str
    text: str
    state: ParkedState
    entry_kind: str | None
    card: str | None
    points: int
    business_date: date
    parked_ms: int
    approver: str | None
    reason: str | None
    decided_ms: int | None
    asked: str | None
    """The action that was decided here last and that head office has not confirmed yet."""

    @property
    def waits(self) -> bool:
        """Whether a manager of this store can still decide about it."""
        return self.state is ParkedState.OPEN and self.asked is None

    @property
    def undoes(self) -> Action | None:
        """The decision that a manager of this store can try to take back, or None: nobody decided, or head office does.

        What was decided here and is on its way first; head office may say that it is too late.
        """
        if self.asked is not None:
            return None if self.asked == Action.UNDO else Action(self.asked)
        return _DECIDED.get(self.state) if self.approver is not None else None


@dataclass(frozen=True, slots=True)
class Said:
    """One decision that was made at this till. `at_ms`: its clock, Unix ms UTC."""

    action: Action
    approver: str
    reason: str
    at_ms: int


class Parked:
    """Look-ups of the inbox."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def entries(self, *, everything: bool = False) -> list[ParkedEntry]:
        """What waits for a person, oldest first; with `everything` also what was decided about lately."""
        rows = self._store.rows(
            "SELECT * FROM inbox WHERE ? OR state IN ('open', 'referred') ORDER BY parked_ms, number LIMIT ?",
            (everything, MAX_SHOWN),
        )
        return [_entry(row) for row in rows]

    def find(self, number: int) -> ParkedEntry | None:
        """The entry that this till calls `number`, or None."""
        row = self._store.row("SELECT * FROM inbox WHERE number = ?", (number,))
        return None if row is None else _entry(row)

    def said(self, entry: ParkedEntry) -> list[Said]:
        """What was decided about `entry` at this till, oldest first: as long as its journal has it."""
        rows = self._store.rows(
            "SELECT j.raw FROM resolution r JOIN journal j ON j.digest = r.by_digest "
            "WHERE (r.terminal, r.epoch, r.seq, r.digest) = (?, ?, ?, ?) ORDER BY r.number, j.epoch, j.seq",
            (entry.terminal, entry.epoch, entry.seq, entry.digest),
        )
        found = [Entry.decode(raw) for (raw,) in rows]
        return [
            Said(made.resolves.action, made.approver or "", made.reason or "", made.clock.wall_ms)
            for made in found
            if made.resolves is not None
        ]


def _entry(row: tuple[Any, ...]) -> ParkedEntry:
    named = dict(zip((place.name for place in fields(ParkedEntry)), row, strict=True))
    day = date.fromisoformat(named["business_date"])
    return ParkedEntry(**{**named, "state": ParkedState(named["state"]), "business_date": day})


def take_over(connection: Any, change: ParkedChange, now_ms: int) -> None:
    """Write a parked entry as head office states it, within the mirror's transaction."""
    connection.execute(
        "INSERT INTO parked VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (terminal, epoch, seq, digest) DO UPDATE SET till = excluded.till, code = excluded.code, "
        "text = excluded.text, state = excluded.state, approver = excluded.approver, reason = excluded.reason, "
        "decided_ms = excluded.decided_ms",
        (
            change.terminal,
            change.till,
            change.epoch,
            change.seq,
            bytes.fromhex(change.digest),
            change.code,
            change.text,
            change.state.value,
            change.entry_kind,
            change.card,
            change.points,
            change.business_date.isoformat(),
            change.parked_ms,
            change.approver,
            change.reason,
            change.decided_ms,
        ),
    )
    connection.execute(
        "DELETE FROM parked WHERE state IN ('linked', 'approved', 'reversed') AND decided_ms < ?", (now_ms - KEPT_MS,)
    )


def take_over_all(connection: Any, changes: Iterable[ParkedChange], now_ms: int) -> None:
    """Make `changes` all that is known of parked entries; those that were known keep their numbers."""
    stated = {(change.terminal, change.epoch, change.seq, bytes.fromhex(change.digest)): change for change in changes}
    known = set(connection.execute("SELECT terminal, epoch, seq, digest FROM parked"))
    connection.executemany(
        "DELETE FROM parked WHERE terminal = ? AND epoch = ? AND seq = ? AND digest = ?", list(known - stated.keys())
    )
    for change in stated.values():
        take_over(connection, change, now_ms)


def note_decision(connection: Any, entry: Entry, digest: bytes) -> None:
    """Note a resolution that is being journalled, within its transaction.

    Raises:
        DecidedBefore: it was decided here, or head office says that it waits no more; for an undo: what it takes back
            is not the last decision, or nobody's of this store.
    """
    what = entry.resolves
    assert what is not None
    key = (what.terminal, what.epoch, what.seq, bytes.fromhex(what.digest))
    row = connection.execute(
        "SELECT * FROM inbox WHERE terminal = ? AND epoch = ? AND seq = ? AND digest = ?", key
    ).fetchone()
    if row is None:
        raise DecidedBefore("this entry is not in the inbox any more: look at the list again")
    found = _entry(row)
    if found.asked == Action.UNDO:
        raise DecidedBefore("what was decided about this entry is being taken back: wait until head office has heard")
    if found.state is ParkedState.REFERRED:
        raise DecidedBefore("this entry was handed to head office, which decides: nothing was done")
    if what.action is Action.UNDO:
        _expect_undoable(connection, found, key, what.undoes)
    elif found.state is not ParkedState.OPEN:
        raise DecidedBefore(f"this entry was {found.state} before: nothing was done again")
    elif found.asked is not None:
        raise DecidedBefore(f"{found.asked} was decided here before, and is on its way to head office")
    connection.execute(
        "INSERT INTO resolution (terminal, epoch, seq, digest, code, action, by_digest, number, heard_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(number), 0) + 1 FROM resolution), ?)",
        (*key, found.code, what.action.value, digest, found.decided_ms),
    )


def _expect_undoable(connection: Any, found: ParkedEntry, key: tuple[object, ...], undoes: Action | None) -> None:
    if found.undoes is None:
        raise DecidedBefore("nothing was decided about this entry that could be taken back: nothing was done")
    if found.undoes is not undoes:
        raise DecidedBefore(f"the last decision about this entry is {found.undoes}: look at the list again")
    if found.asked is None and found.state is ParkedState.REVERSED:
        last = connection.execute(
            "SELECT action FROM resolution WHERE terminal = ? AND epoch = ? AND seq = ? AND digest = ? "
            "ORDER BY number DESC LIMIT 1",
            key,
        ).fetchone()
        if last == (Action.UNDO,):
            raise DecidedBefore("this entry was booked and taken back: give the points by hand (spaarpunt adjust)")
