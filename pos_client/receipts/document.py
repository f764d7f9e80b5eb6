"""What a receipt says: a booked entry in the words of its programme, as values. Pure; how it looks is `layout`'s."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from loyalty.codes import ALPHABET, make_code
from loyalty.ledger import Entry, EntryKind
from loyalty.lots import Expiring, lot_of
from loyalty.programme import Programme
from loyalty.programme_rewards import Issue
from loyalty.redemption import Redemption, discounts_by_line
from sync.mirror import Holder

VOUCHER_LENGTH = 12
"""Characters of a voucher's number: eleven drawn from a digest, and the check character."""


@dataclass(frozen=True, slots=True)
class Shop:
    """Where a receipt is from."""

    name: str
    till: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Line:
    """Goods: quantity in thousandths, amounts in minor units."""

    text: str
    quantity: int
    gross_minor: int
    discount_minor: int


@dataclass(frozen=True, slots=True)
class Earned:
    """The points of one rule."""

    name: str
    points: int


@dataclass(frozen=True, slots=True)
class Used:
    """A reward that was taken: what it cost in points and stamps, what it took off in minor units."""

    name: str
    points: int
    stamps: int
    value_minor: int


@dataclass(frozen=True, slots=True)
class Voucher:
    """A voucher or gift card to cut off: its number, its worth in minor units, its last day."""

    name: str
    code: str
    value_minor: int
    valid_until: date | None


@dataclass(frozen=True, slots=True)
class Balance:
    """The member's points, and as of when: Unix ms UTC of head office's last word, None for never.

    `confirmed` is head office's, `queued` what this till added since, `pending` cannot be spent yet.
    """

    confirmed: int
    queued: int
    pending: int
    as_of_ms: int | None
    expiring: Expiring | None = None
    """What lapses soon, where the programme's receipts say so."""

    @property
    def points(self) -> int:
        return self.confirmed + self.queued


@dataclass(frozen=True, slots=True)
class Receipt:
    """One receipt. Amounts in minor units of `currency`, points as they are added to the balance."""

    kind: EntryKind
    receipt: str
    """The session that the entry closes: what returns and look-ups name."""
    shop: Shop
    at: datetime
    currency: str
    programme: str
    logo: bytes | None
    """The programme's, a PNG."""
    header: str
    footer: str
    first_name: str | None
    tier: str
    lines: tuple[Line, ...]
    total_minor: int
    payable_minor: int
    earned: tuple[Earned, ...]
    earned_points: int
    used: tuple[Used, ...]
    spent_points: int
    balance: Balance | None
    """None for a card that head office has not linked to a member yet."""
    known: bool
    valid_until: date | None
    """The last day on which the points earned here can be spent."""
    vouchers: tuple[Voucher, ...]
    return_code: str | None = None
    """The signed text by which another till may take goods back."""
    copy: bool = False
    training: bool = False


def write(
    entry: Entry,
    programme: Programme,
    holder: Holder,
    shop: Shop,
    *,
    language: str,
    as_of_ms: int | None,
    show_first_name: bool = True,
    return_code: str | None = None,
    copy: bool = False,
    training: bool = False,
) -> Receipt:
    """Say what the receipt of `entry` says.

    Args:
        programme: the version that the entry was made with.
        holder: the member as this till knows them now; `as_of_ms` is when head office last stated that.
        language: "nl" or "en".
    """
    settled, look = entry.settlement, programme.receipt
    off = discounts_by_line(settled.redemptions)
    sign = -1 if entry.kind is EntryKind.VOID else 1
    sold = entry.kind is EntryKind.SALE
    at = datetime.fromtimestamp(entry.clock.wall_ms / 1000, UTC).astimezone(ZoneInfo(shop.time_zone))
    until = lot_of(entry.id, entry.points, entry.business_date, programme.expiry).expires_on
    return Receipt(
        kind=entry.kind,
        receipt=entry.session,
        shop=shop,
        at=at,
        currency=entry.basket.currency,
        programme=(programme.branding.name or programme.name).get(language),
        logo=base64.b64decode(programme.branding.logo_png) if programme.branding.logo_png else None,
        header=look.header.get(language) if look.header else "",
        footer=(programme.texts.receipt.get(language) if programme.texts.receipt else ""),
        first_name=holder.first_name if show_first_name else None,
        tier=programme.tier(entry.tier).name.get(language) if holder.known else "",
        lines=tuple(
            Line(line.text or line.sku, sign * line.quantity, sign * line.gross_minor, sign * off.get(line.line_id, 0))
            for line in entry.basket.lines
        )
        if "lines" in look.show
        else (),
        total_minor=sign * entry.basket.gross_minor,
        payable_minor=sign * settled.payable_minor,
        earned=tuple(
            Earned(programme.name_of(part.rule, language), sign * part.points)
            for part in settled.accrual.components
            if sold and part.points
        )
        if "rules" in look.show
        else (),
        earned_points=sign * settled.points_earned,
        used=tuple(_used(programme, taken, language, sign) for taken in settled.redemptions),
        spent_points=sign * settled.points_spent,
        balance=_balance(holder, as_of_ms, at.date() if "expiry" in look.show else None)
        if "balance" in look.show
        else None,
        known=holder.known,
        valid_until=until if "expiry" in look.show and sold and settled.points_earned > 0 else None,
        vouchers=tuple(
            _voucher(programme, entry, number, taken, language)
            for number, taken in enumerate(settled.redemptions)
            if sold and taken.issued_minor
        ),
        return_code=return_code,
        copy=copy,
        training=training,
    )


def _balance(holder: Holder, as_of_ms: int | None, today: date | None) -> Balance:
    """The balance; with what lapses soon, seen from `today`, unless that is None."""
    soon = holder.expiring if today and holder.expiring and holder.expiring.soon(today) else None
    return Balance(holder.confirmed, holder.queued, holder.pending, as_of_ms, soon)


def voucher_code(entry_id: str, number: int) -> str:
    """The number of the voucher that the reward at place `number` of a sale gave: the same whenever it is printed."""
    digest = hashlib.sha256(f"{entry_id}/{number}".encode()).digest()
    return make_code("", int.from_bytes(digest[:8], "big") % len(ALPHABET) ** (VOUCHER_LENGTH - 1), VOUCHER_LENGTH)


def _used(programme: Programme, taken: Redemption, language: str, sign: int) -> Used:
    value = taken.discount_minor + taken.cash_minor
    return Used(programme.name_of(taken.reward, language), sign * taken.points, sign * taken.stamps, sign * value)


def _voucher(programme: Programme, entry: Entry, number: int, taken: Redemption, language: str) -> Voucher:
    reward = programme.reward(taken.reward)
    days = reward.valid_days if isinstance(reward, Issue) else None
    return Voucher(
        programme.name_of(taken.reward, language),
        voucher_code(entry.id, number),
        taken.issued_minor,
        entry.business_date + timedelta(days=days) if days is not None else None,
    )
