"""What head office thinks of one received entry: booked, or parked with a code and a reason. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from loyalty.basket import Basket
from loyalty.ledger import Entry, EntryKind
from loyalty.programme import Programme
from loyalty.redemption import Choice
from loyalty.returns import Sold, quantities, take_back
from loyalty.settlement import Settlement, holds, settle
from sync.hq.claims import Record, impossible
from sync.hq.plain import PlainSale
from sync.hq.received import Code, Parking, Received, park


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

    @classmethod
    def of(cls, received: Received) -> Booking:
        """The booking that an entry of the batch became."""
        entry = received.read
        assert entry is not None
        return cls(entry.kind, received.earned, received.spent, entry.terminal, entry.epoch, entry.seq, received.raw)

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
    here: dict[tuple[str, int], Received] = field(default_factory=dict)
    """By account and entry id, as a number (hashing a UUID takes a microsecond): what of the batch itself is booked."""

    def booking(self, account: str, entry_id: UUID) -> Booking | None:
        """What is booked to the account under the id."""
        found = self.here.get((account, entry_id.int))
        if found is not None:
            return Booking.of(found)
        return self.booked.get((account, entry_id)) if self.booked else None

    def account_of(self, entry: Entry | PlainSale) -> str | None:
        """The account to book to: the one the card points to now, else the one the till named, if there is such."""
        linked = self.cards.get(entry.card)
        if linked is not None:
            return linked
        return entry.account if entry.account in self.accounts else None


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
    if before := known.booking(account, received.entry_id):
        return account, park(Code.ID_TWICE, f"an entry with this id is booked already, as {before.where}")
    if isinstance(entry, PlainSale):
        parking = _judge_plain(received, entry, account, known)
    else:
        parking = _judge(received, entry, account, known)
        if parking is None:
            _remember(received, entry, account, known)
    if parking is None:
        known.here[account, received.entry_id.int] = received
    if (record := known.records.get(account)) is not None:
        record.follow(entry, booked=parking is None)
    return account, parking


def _judge(received: Received, entry: Entry, account: str, known: Knowledge) -> Parking | None:
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


def _remember(received: Received, entry: Entry, account: str, known: Knowledge) -> None:
    """Let the entries that follow in the batch know what one that is booked used, took back or returned."""
    entry_id = received.entry_id
    assert entry_id is not None
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
        try:
            sound = (record is None or impossible(sale, programme, record) is None) and holds(
                programme, sale.basket, sale.tier, sale.known_facts, sale.settlement
            )
        except (ValueError, OverflowError):
            sound = False  # put in words below
        if sound:
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
    sale = known.booking(*key)
    if sale is None or sale.kind != EntryKind.SALE or sale.raw is None:
        return park(Code.RETURN_UNKNOWN, f"the sale it returns from, {received.original}, is not booked to this member")
    if key in known.voided:
        return park(Code.RETURN_VOIDED, f"the sale {received.original} was taken back whole")
    back = quantities([entry])
    try:
        expected = take_back(Sold.of(Entry.decode(sale.raw)), quantities(known.returned.get(key, ())), back)
    except ValueError as error:
        return park(Code.RETURN_REFUSED, str(error))
    if _goods(expected.basket) != _goods(entry.basket):
        return park(Code.ACCRUAL_DIFFERS, "the lines are not those of the sale, or were paid differently")
    return _compare(expected.settlement, entry.settlement)


def _goods(basket: Basket) -> tuple[object, ...]:
    """What of a return's basket has to be the sale's: a till that sold elsewhere knows no texts and categories."""
    return basket.currency, *((line.line_id, line.sku, line.quantity, line.gross_minor) for line in basket.lines)


def _judge_void(received: Received, account: str, known: Knowledge) -> Parking | None:
    assert received.reverses is not None
    sale = known.booking(account, received.reverses)
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
