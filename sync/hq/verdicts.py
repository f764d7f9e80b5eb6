"""What head office thinks of one received entry: booked, or parked with a code and a reason. Pure."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from uuid import UUID

from loyalty.errors import LoyaltyError
from loyalty.ledger import Entry, EntryKind
from loyalty.programme import Programme
from loyalty.redemption import Choice
from loyalty.resolution import Resolution
from loyalty.returns import quantities, take_back
from loyalty.settlement import Settlement, holds, settle
from sync.hq.claims import Record, impossible
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

    @property
    def entry(self) -> Entry | None:
        """The entry. A plain sale is read anew for it, which is slow: use `read` where that will do."""
        return Entry.decode(self.raw) if isinstance(self.read, PlainSale) else self.read

    @property
    def sign(self) -> int:
        """-1 for a void, whose settlement counts negative."""
        return -1 if self.read is not None and self.read.kind == EntryKind.VOID else 1

    @property
    def resolution(self) -> Resolution | None:
        """The decision in a sound resolution; it is carried out, where other entries are judged."""
        return self.read.resolves if isinstance(self.read, Entry) and self.fault is None else None

    @property
    def joins(self) -> bool:
        """Whether it makes the card's holder a member: that is done when it arrives, before it is judged."""
        return isinstance(self.read, Entry) and self.fault is None and self.read.kind is EntryKind.ENROLMENT

    @property
    def earned(self) -> int:
        """Points earned as the entry says; negative for a void, 0 when unreadable."""
        return self.sign * self.read.settlement.points_earned if self.read else 0

    @property
    def spent(self) -> int:
        """Points spent as the entry says; negative for a void, 0 when unreadable."""
        return self.sign * self.read.settlement.points_spent if self.read else 0


@dataclass(slots=True)
class Booking:
    """A booked entry, as far as a void, a return or a repeat of it must know. Nobody changes it."""

    kind: str
    earned: int
    spent: int
    terminal: str | None
    """Terminal, epoch and number, for the reader of a reason; None for what head office booked itself."""
    epoch: int | None
    seq: int | None
    raw: bytes | None = field(default=None, repr=False)
    """The bytes of a sale that a return of the batch may belong to."""

    @property
    def where(self) -> str:
        return f"terminal {self.terminal}, epoch {self.epoch}, number {self.seq}"


@dataclass(slots=True)
class Knowledge:
    """What the database knows of the accounts, cards and programmes that a batch names. Grows as entries are booked."""

    cards: Mapping[str, str]
    """Card token → account."""
    accounts: frozenset[str]
    programmes: Mapping[int, Programme]
    booked: dict[tuple[str, UUID], Booking]
    """By account and entry id."""
    voided: set[tuple[str, UUID]]
    """Account and id of entries that were taken back."""
    returned: dict[tuple[str, UUID], list[Entry]] = field(default_factory=dict)
    """By account and id of the sale: its booked returns."""
    coupons: dict[str, UUID] = field(default_factory=dict)
    """Single-use codes of the batch that were used before, with the id of the sale."""
    records: dict[str, Record] = field(default_factory=dict)
    """By account: what the facts that sales of the batch state are held against."""

    def account_of(self, entry: Entry | PlainSale) -> str | None:
        """The account to book to: the one the card points to now, else the one the till named, if there is such."""
        linked = self.cards.get(entry.card)
        if linked is not None:
            return linked
        return entry.account if entry.account in self.accounts else None


def receive(seq: int, raw: bytes, digest: bytes, *, terminal: str, epoch: int, today: date) -> Received:
    """Read one entry that came as number `seq` of `terminal` in `epoch`.

    Args:
        today: the business date of an entry whose own cannot be read.
    """
    plain = read_plain(raw)
    if plain is not None and (plain.terminal, plain.epoch, plain.seq) == (terminal, epoch, seq):
        return Received(seq, raw, digest, plain.business_date, plain, UUID(plain.id))
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
    return Received(seq, raw, digest, entry.business_date, entry, entry_id, reverses, original, fault)


def leave_unread(seq: int, raw: bytes, digest: bytes, *, today: date) -> Received:
    """An entry that head office failed on again and again: parked as it is, by nothing that could fail on it."""
    text = "head office failed on this entry, so it was kept as it came: try it again once head office is repaired"
    return Received(seq, raw, digest, _date_within(raw, today), fault=park(Code.SERVER_FAULT, text))


def judge(received: Received, known: Knowledge) -> tuple[str | None, Parking | None]:
    """The account the entry belongs to, if any, and why it is parked, or None to book it."""
    entry = received.read
    if entry is None or received.entry_id is None:
        return None, received.fault
    account = known.account_of(entry)
    if received.fault is not None:
        return account, received.fault
    if account is None:
        return None, park(Code.UNKNOWN_CARD, "the card belongs to no member here: link it to one")
    if before := known.booked.get((account, received.entry_id)):
        return account, park(Code.ID_TWICE, f"an entry with this id is booked already, as {before.where}")
    parking = _judge(received, entry, account, known)
    if parking is None:
        _remember(received, account, known)
    if (record := known.records.get(account)) is not None:
        record.follow(entry, booked=parking is None)
    return account, parking


def _judge(received: Received, entry: Entry | PlainSale, account: str, known: Knowledge) -> Parking | None:
    if isinstance(entry, PlainSale):
        return _judge_plain(received, entry, account, known)
    match entry.kind:
        case EntryKind.SALE:
            return _judge_sale(entry, account, known)
        case EntryKind.VOID:
            return _judge_void(received, account, known)
        case EntryKind.RETURN:
            return _judge_return(received, entry, account, known)
        case EntryKind.ADJUSTMENT | EntryKind.ENROLMENT | EntryKind.ANSWER:
            return None  # a manager's word, by name, or the customer's own: there is nothing to compute it from
        case EntryKind.RESOLUTION:
            return park(Code.RESOLUTION_REFUSED, "a decision is carried out when it arrives, and not judged again")


def _remember(received: Received, account: str, known: Knowledge) -> None:
    """Let the entries that follow in the batch know of one that is booked."""
    entry, entry_id = received.read, received.entry_id
    assert entry is not None
    assert entry_id is not None
    known.booked[account, entry_id] = Booking(
        entry.kind, received.earned, received.spent, entry.terminal, entry.epoch, entry.seq, received.raw
    )
    if isinstance(entry, PlainSale):
        return
    known.coupons.update((code, entry_id) for code in coupons_of(entry))
    if received.reverses is not None:
        known.voided.add((account, received.reverses))
        freed = [code for code, sale in known.coupons.items() if sale == received.reverses]
        for code in freed:
            del known.coupons[code]
    if received.original is not None:
        known.returned.setdefault((account, received.original), []).append(entry)


def coupons_of(entry: Entry) -> list[str]:
    """The single-use codes that a sale used; of another kind of entry none."""
    if entry.kind is not EntryKind.SALE:
        return []
    return [redemption.coupon for redemption in entry.settlement.redemptions if redemption.coupon is not None]


def _judge_plain(received: Received, sale: PlainSale, account: str, known: Knowledge) -> Parking | None:
    programme = known.programmes.get(sale.programme_version)
    record = known.records.get(account)
    if programme is not None and programme.id == sale.programme:
        with contextlib.suppress(ValueError, OverflowError):  # put in words below
            if (record is None or impossible(sale, programme, record) is None) and holds(
                programme, sale.basket, sale.tier, sale.known_facts, sale.settlement
            ):
                return None
    entry = received.entry
    assert entry is not None, "what reads as a plain sale is an entry"
    return _judge_sale(entry, account, known)


def _judge_sale(entry: Entry, account: str, known: Knowledge) -> Parking | None:
    programme = known.programmes.get(entry.programme_version)
    if programme is None or programme.id != entry.programme:
        return park(
            Code.UNKNOWN_PROGRAMME,
            f"programme '{entry.programme}' version {entry.programme_version} was never published here",
        )
    for code in coupons_of(entry):
        if code in known.coupons:
            return park(Code.COUPON_USED, f"the coupon …{code[-4:]} was used before, on sale {known.coupons[code]}")
    if said := impossible(entry, programme, known.records.get(account) or Record()):
        return park(Code.FACTS_IMPOSSIBLE, said)
    wanted = [Choice.of(redemption) for redemption in entry.settlement.redemptions]
    try:
        expected = settle(programme, entry.basket, entry.tier, wanted, entry.known_facts)
    except (ValueError, OverflowError) as error:  # every domain error; amounts that cannot be split; no moment in time
        return park(Code.ACCRUAL_DIFFERS, f"cannot be computed again: {error}")
    return _compare(expected, entry.settlement)


def _compare(ours: Settlement, theirs: Settlement) -> Parking | None:
    if ours == theirs:
        return None
    return park(
        Code.ACCRUAL_DIFFERS,
        f"expected {ours.points_earned} points earned and {ours.points_spent} spent, "
        f"got {theirs.points_earned} and {theirs.points_spent}"
        + (", on other rules or lines" if ours.points_delta == theirs.points_delta else ""),
    )


def _judge_return(received: Received, entry: Entry, account: str, known: Knowledge) -> Parking | None:
    assert received.original is not None
    key = (account, received.original)
    sale = known.booked.get(key)
    if sale is None or sale.kind != EntryKind.SALE or sale.raw is None:
        return park(Code.RETURN_UNKNOWN, f"the sale it returns from, {received.original}, is not booked to this member")
    if key in known.voided:
        return park(Code.RETURN_VOIDED, f"the sale {received.original} was taken back whole")
    back = quantities([entry])
    try:
        expected = take_back(Entry.decode(sale.raw), quantities(known.returned.get(key, ())), back)
    except ValueError as error:
        return park(Code.RETURN_REFUSED, str(error))
    if expected.basket != entry.basket:
        return park(Code.ACCRUAL_DIFFERS, "the lines are not those of the sale, or were paid differently")
    return _compare(expected.settlement, entry.settlement)


def _judge_void(received: Received, account: str, known: Knowledge) -> Parking | None:
    assert received.reverses is not None
    sale = known.booked.get((account, received.reverses))
    if sale is None or sale.kind != EntryKind.SALE:
        return park(Code.VOID_UNKNOWN, f"the sale that it takes back, {received.reverses}, is not booked here")
    if (account, received.reverses) in known.voided:
        return park(Code.VOID_TWICE, f"the sale {received.reverses} was taken back before")
    if known.returned.get((account, received.reverses)):
        return park(Code.VOID_RETURNED, f"goods of the sale {received.reverses} came back before: return the rest")
    if (received.earned, received.spent) != (-sale.earned, -sale.spent):
        return park(
            Code.ACCRUAL_DIFFERS,
            f"the sale earned {sale.earned} and spent {sale.spent}; "
            f"this takes back {-received.earned} and {-received.spent}",
        )
    return None


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
