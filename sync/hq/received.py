"""One entry as it arrived, read as far as it can be, and the reasons for which one is parked. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from uuid import UUID

from loyalty.errors import LoyaltyError
from loyalty.ledger import Entry, EntryKind
from loyalty.resolution import Resolution
from loyalty.settlement import Settlement
from sync.hq.plain import MAX_NAME, MAX_POINTS, PlainSale, read_plain

MAX_TEXT = 300
"""Characters of a reason: two lines on the store manager's screen."""


class Code(StrEnum):
    """Why an entry was parked. Stable."""

    UNREADABLE = "unreadable"
    MISNUMBERED = "misnumbered"
    UNKNOWN_CARD = "unknown_card"
    UNKNOWN_PROGRAMME = "unknown_programme"
    ACCRUAL_DIFFERS = "accrual_differs"
    ID_TWICE = "id_twice"
    VOID_UNKNOWN = "void_unknown"
    VOID_TWICE = "void_twice"
    VOID_RETURNED = "void_returned"
    RETURN_UNKNOWN = "return_unknown"
    RETURN_VOIDED = "return_voided"
    RETURN_REFUSED = "return_refused"
    COUPON_USED = "coupon_used"
    SERVER_FAULT = "server_fault"
    FACTS_IMPOSSIBLE = "facts_impossible"
    RESOLUTION_UNKNOWN = "resolution_unknown"
    RESOLVED_BEFORE = "resolved_before"
    RESOLUTION_REFUSED = "resolution_refused"
    OTHER_STORE = "other_store"
    STREAM_CONFLICT = "stream_conflict"


@dataclass(frozen=True, slots=True)
class Parking:
    """The reason an entry is not booked; `text` is for a person and holds no card number."""

    code: Code
    text: str


@dataclass(slots=True)
class Received:
    """One entry as it arrived: its exact bytes, and what could be read of them. Nobody changes it."""

    seq: int
    raw: bytes = field(repr=False)
    digest: bytes
    business_date: date
    read: Entry | PlainSale | None = None
    """What was read, in one form or the other: both have the same fields as far as a plain sale has them."""
    entry_id: UUID | None = None
    reverses: UUID | None = None
    original: UUID | None = None
    fault: Parking | None = None
    earned: int = 0
    """Points earned as the entry says; negative for a void, 0 when unreadable; as with the points spent."""
    spent: int = 0
    sign: int = 1
    """-1 for a void, whose settlement counts negative."""

    @property
    def entry(self) -> Entry | None:
        """The entry. A plain sale is read anew for it, which is slow: use `read` where that will do."""
        return Entry.decode(self.raw) if isinstance(self.read, PlainSale) else self.read

    @property
    def resolution(self) -> Resolution | None:
        """The decision in a sound resolution; it is carried out, where other entries are judged."""
        return self.read.resolves if isinstance(self.read, Entry) and self.fault is None else None

    @property
    def changes_more(self) -> bool:
        """Whether what follows in the batch has to be judged after it is carried out."""
        return self.resolution is not None or self.joins

    @property
    def joins(self) -> bool:
        """Whether it makes the card's holder a member: that is done when it arrives, before it is judged."""
        return isinstance(self.read, Entry) and self.fault is None and self.read.kind is EntryKind.ENROLMENT


def receive(seq: int, raw: bytes, digest: bytes, *, terminal: str, epoch: int, today: date) -> Received:
    """Read one entry that came as number `seq` of `terminal` in `epoch`.

    Args:
        today: the business date of an entry whose own cannot be read.
    """
    plain = read_plain(raw)
    if plain is not None and (plain.terminal, plain.epoch, plain.seq) == (terminal, epoch, seq):
        settled = plain.settlement
        return Received(
            seq,
            raw,
            digest,
            plain.business_date,
            plain,
            UUID(plain.id),
            earned=settled.points_earned,
            spent=settled.points_spent,
        )
    try:
        entry = Entry.decode(raw)
    except LoyaltyError as error:
        return Received(seq, raw, digest, _date_within(raw, today), fault=park(Code.UNREADABLE, str(error)))
    entry_id, reverses, original = _uuid(entry.id), _uuid(entry.reverses), _uuid(entry.original)
    if wrong := _unsound(entry, entry_id, reverses, original):
        return Received(seq, raw, digest, entry.business_date, fault=park(Code.UNREADABLE, wrong))
    fault = None
    if (entry.terminal, entry.epoch, entry.seq) != (terminal, epoch, seq):
        fault = park(
            Code.MISNUMBERED,
            f"expected terminal {terminal}, epoch {epoch}, number {seq}; "
            f"the entry says {entry.terminal[:MAX_NAME]}, {entry.epoch}, {entry.seq}",
        )
    sign = -1 if entry.kind is EntryKind.VOID else 1
    earned, spent = sign * entry.settlement.points_earned, sign * entry.settlement.points_spent
    return Received(
        seq, raw, digest, entry.business_date, entry, entry_id, reverses, original, fault, earned, spent, sign
    )


def leave_unread(seq: int, raw: bytes, digest: bytes, *, today: date) -> Received:
    """An entry that head office failed on again and again: parked as it is, by nothing that could fail on it."""
    text = "head office failed on this entry, so it was kept as it came: try it again once head office is repaired"
    return Received(seq, raw, digest, _date_within(raw, today), fault=park(Code.SERVER_FAULT, text))


def _unsound(entry: Entry, entry_id: UUID | None, reverses: UUID | None, original: UUID | None) -> str | None:
    """What of an entry cannot be stored or looked up, in words; None for a sound one."""
    if entry_id is None:
        return "id: expected a UUID"
    for name, text, found in (("reverses", entry.reverses, reverses), ("original", entry.original, original)):
        if text is not None and found is None:
            return f"{name}: expected a UUID"
    if not re.fullmatch(r"[0-9a-f]{32}", entry.card):
        return "card: expected a token of 32 hex digits"
    if entry.account is not None and not re.fullmatch(rf"[!-~]{{1,{MAX_NAME}}}", entry.account):
        return f"account: expected 1 to {MAX_NAME} printable characters"
    return _unsound_settlement(entry.settlement)


def _unsound_settlement(settled: Settlement) -> str | None:
    """Amounts and names that the database cannot hold; they stand in kinds of entries that nobody computes again."""
    counts = [counter.count for counter in settled.counters]
    if max(map(abs, (settled.points_earned, settled.points_spent, settled.payable_minor, *counts))) > MAX_POINTS:
        return f"settlement: expected amounts of at most {MAX_POINTS}"
    if not all(counter.counter.isprintable() for counter in settled.counters):
        return "settlement: expected printable names of counters"
    return None


def _uuid(text: str | None) -> UUID | None:
    """The UUID in its one written form (RFC 9562 4), or None."""
    try:
        found = UUID(text)
    except (ValueError, TypeError):
        return None
    return found if text is not None and str(found) == text.lower() else None


def _date_within(raw: bytes, today: date) -> date:
    """The business date that bytes name which are otherwise no entry, so that the day's count still adds up."""
    match = re.search(rb'"business_date"\s*:\s*"([0-9]{4}-[0-9]{2}-[0-9]{2})"', raw)
    try:
        return date.fromisoformat(match[1].decode()) if match else today
    except ValueError:
        return today


def park(code: Code, text: str) -> Parking:
    """A reason, fit to be stored and shown."""
    # Parts of the text come from the till: no control characters, which the database and screens would choke on.
    clean = "".join(char if char.isprintable() else "�" for char in text)
    return Parking(code, clean if len(clean) <= MAX_TEXT else clean[: MAX_TEXT - 1] + "…")
