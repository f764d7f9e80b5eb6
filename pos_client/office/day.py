"""The report of a business date at this till: sales, points, rewards, what was parked, and the proof."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from loyalty.ledger import Entry, EntryKind
from pos_client.office.story import Versions
from sync.inbox import Parked
from sync.journal import Journal
from sync.mirror import Mirror
from sync.store import Store
from sync.terminal import Terminal
from sync.wire_mirror import ParkedState


class ProofState(StrEnum):
    """What the comparison with head office said of a day."""

    AGREES = "agrees"
    DIFFERS = "differs"
    OPEN = "open"  # not compared yet, or entries came since


@dataclass(frozen=True, slots=True)
class Given:
    """A reward as given on a day: how often, for how many points, worth how many minor units. Voids are taken off."""

    reward: str
    name: str
    count: int
    points: int
    minor: int


@dataclass(frozen=True, slots=True)
class Tally:
    """Entries of one kind: how many, and the points they moved."""

    count: int = 0
    points: int = 0


@dataclass(frozen=True, slots=True)
class ParkedLine:
    """An entry of this till's day that head office did not book when it came; `state` says what became of it."""

    number: int
    code: str
    points: int
    state: str


_BOOKED = (ParkedState.LINKED.value, ParkedState.APPROVED.value)


@dataclass(frozen=True, slots=True)
class DayReport:
    """One till's day. Points and minor units; `earned` and `spent` are the figures that the proof compares."""

    store_name: str
    terminal: str
    day: date
    currency: str
    sales: Tally
    paid_minor: int
    members: int
    earned: int
    spent: int
    voids: Tally
    returns: Tally
    adjustments: Tally
    given: tuple[Given, ...]
    parked: tuple[ParkedLine, ...]
    proof: ProofState
    proof_checked_ms: int | None
    entries: int
    queued: int
    """Of the whole till, now."""

    @property
    def unbooked(self) -> int:
        """How many of the day's entries are not booked as of now; a decision books some of those that were parked."""
        return sum(line.state not in _BOOKED for line in self.parked)


def day_report(store: Store, terminal: Terminal, day: date, language: str) -> DayReport:
    """Read the report of `day`.

    Raises:
        StoreError: the database could not be read.
    """
    rows = store.rows(
        "SELECT raw, epoch, seq, digest FROM journal WHERE business_date = ? ORDER BY epoch, seq", (day.isoformat(),)
    )
    entries = [Entry.decode(row[0]) for row in rows]
    tallies = {kind: _tally(entries, kind) for kind in EntryKind}
    programme = Mirror(store).programme()
    paid = sum(_sign(entry) * entry.settlement.payable_minor for entry in entries if _is_sale(entry))
    digests = {row[3] for row in rows}
    state, checked_ms = _proof(store, terminal, day, {row[1] for row in rows})
    return DayReport(
        store_name=terminal.store_name,
        terminal=terminal.terminal,
        day=day,
        currency=programme.currency if programme else "EUR",
        sales=tallies[EntryKind.SALE],
        paid_minor=paid,
        members=len({entry.account or entry.card for entry in entries if entry.kind is EntryKind.SALE}),
        earned=sum(_sign(entry) * entry.settlement.points_earned for entry in entries),
        spent=sum(_sign(entry) * entry.settlement.points_spent for entry in entries),
        voids=tallies[EntryKind.VOID],
        returns=tallies[EntryKind.RETURN],
        adjustments=tallies[EntryKind.ADJUSTMENT],
        given=_given(store, entries, language),
        parked=tuple(
            ParkedLine(item.number, item.code, item.points, item.state.value)
            for item in Parked(store).entries(everything=True)
            if item.digest in digests
        ),
        proof=state,
        proof_checked_ms=checked_ms,
        entries=len(entries),
        queued=Journal(store, terminal).head().queued,
    )


def _tally(entries: list[Entry], kind: EntryKind) -> Tally:
    found = [entry.points for entry in entries if entry.kind is kind]
    return Tally(len(found), sum(found))


def _sign(entry: Entry) -> int:
    return -1 if entry.kind is EntryKind.VOID else 1


def _is_sale(entry: Entry) -> bool:
    return entry.kind in {EntryKind.SALE, EntryKind.VOID}


def _given(store: Store, entries: list[Entry], language: str) -> tuple[Given, ...]:
    count: Counter[str] = Counter()
    points: Counter[str] = Counter()
    minor: Counter[str] = Counter()
    names: dict[str, str] = {}
    versions = Versions(store)
    for entry in entries:
        for taken in entry.settlement.redemptions if _is_sale(entry) else ():
            sign = _sign(entry)
            programme = versions.of(entry)
            names[taken.reward] = programme.name_of(taken.reward, language) if programme else taken.reward
            count[taken.reward] += sign
            points[taken.reward] += sign * taken.points
            minor[taken.reward] += sign * (taken.discount_minor or taken.issued_minor or taken.cash_minor)
    return tuple(
        Given(reward, names[reward], number, points[reward], minor[reward])
        for reward, number in sorted(count.items(), key=lambda item: (-item[1], item[0]))
        if number or points[reward]
    )


def _proof(store: Store, terminal: Terminal, day: date, epochs: set[int]) -> tuple[ProofState, int | None]:
    """Where the day's comparisons stand, over all epochs that have entries of it, and the last one's time."""
    journal = Journal(store, terminal)
    known = {
        epoch: (agrees, ours, checked_ms)
        for epoch, agrees, ours, checked_ms in store.rows(
            "SELECT epoch, agrees, ours, checked_ms FROM day_proof WHERE business_date = ?", (day.isoformat(),)
        )
    }
    checked = max((checked_ms for _, _, checked_ms in known.values()), default=None)
    if any(not agrees for agrees, _, _ in known.values()):
        return ProofState.DIFFERS, checked
    last = store.row("SELECT max(seq) FROM journal WHERE business_date = ?", (day.isoformat(),))
    head = journal.head()
    waits = last is not None and last[0] is not None and head.epoch in epochs and last[0] > head.acked_seq
    proven = all(epoch in known and known[epoch][1] == journal.proof(day, epoch).model_dump_json() for epoch in epochs)
    return (ProofState.AGREES if epochs and proven and not waits else ProofState.OPEN), checked
