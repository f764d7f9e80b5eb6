"""Plain sales, read quickly: nearly all that arrives are sales without rewards.

The same fields and limits as `loyalty.ledger.Entry`, for msgspec instead of pydantic. Whatever these do not take, right
or wrong, goes to `Entry.decode`, which alone says what an entry is; a test holds them against each other.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal

from msgspec import DecodeError, Meta, Struct
from msgspec.json import Decoder

from loyalty.basket import MAX_LINES, MAX_MINOR
from loyalty.facts import MAX_COUNTERS, Known
from loyalty.programme_members import Credential
from loyalty.programme_rules import Birthday
from loyalty.serving import Tender

MAX_POINTS = 10**12
"""Points in one entry: a hundred times the dearest basket at a hundred points a cent; more is not a sale."""

MAX_NAME = 64
"""Characters of an account id, as far as one is looked up."""

_Text = Annotated[str, Meta(min_length=1, max_length=64)]
_From1 = Annotated[int, Meta(ge=1)]
_Points = Annotated[int, Meta(ge=-MAX_POINTS, le=MAX_POINTS)]
_Minor = Annotated[int, Meta(ge=-MAX_MINOR, le=MAX_MINOR)]
_Quantity = Annotated[int, Meta(ge=-1_000_000_000, le=1_000_000_000)]
# \Z and not $, which in Python also stands before a line's end.
_Gtin = Annotated[str, Meta(pattern=r"^[0-9]{8,14}\Z")]
_Account = Annotated[str, Meta(min_length=1)]

_NAMES = re.compile(
    # Card, id, currency and account of a sale, in one look: each pattern of its own costs as much as all the rest.
    rf"[0-9a-f]{{32}} [0-9a-fA-F]{{8}}(?:-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}} [A-Z]{{3}} [!-~]{{0,{MAX_NAME}}}"
)


# gc=False: none of these can be part of a cycle, and the collector need not look at fifty objects for each entry.
class _Line(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    line_id: _Text
    sku: _Text
    gross_minor: _Minor
    gtin: _Gtin | None = None
    category: Annotated[str, Meta(max_length=64)] = ""
    text: Annotated[str, Meta(max_length=80)] = ""
    quantity: _Quantity = 1000
    eligible: bool = True


class _Basket(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    currency: str = "EUR"
    lines: Annotated[tuple[_Line, ...], Meta(max_length=MAX_LINES)] = ()


class _Component(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    rule: str
    kind: Literal["base", "bonus"]
    base: int
    points: int
    capped_by: Literal["rule", "basket", "card_day"] | None = None


class _LinePoints(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    line_id: str
    points: int


class _Accrual(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    points: int
    components: tuple[_Component, ...]
    lines: tuple[_LinePoints, ...]


class _LineCount(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    line_id: str
    count: int


class _Progress(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    counter: str
    count: int
    lines: tuple[_LineCount, ...] = ()


class _Settlement(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    redemptions: Annotated[tuple[None, ...], Meta(max_length=0)]
    accrual: _Accrual
    points_earned: _Points
    points_spent: _Points
    payable_minor: _Points
    counters: tuple[_Progress, ...] = ()


class _Clock(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    wall_ms: int
    monotonic_ms: int
    boot_id: str
    offset_ms: int | None


class _Count(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    counter: Annotated[str, Meta(min_length=1, max_length=60)]
    count: int


_Counts = Annotated[tuple[_Count, ...], Meta(max_length=MAX_COUNTERS)]


class _Facts(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    at_ms: int = 0
    birthday: Annotated[tuple[Birthday, ...], Meta(max_length=3)] = ()
    first_purchase: bool = False
    earned_today: Annotated[int, Meta(ge=0)] = 0
    segments: Annotated[tuple[str, ...], Meta(max_length=100)] = ()
    counters: _Counts = ()
    stock: _Counts = ()
    credential: Credential = Credential.STATIC


class _Serving(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    cashier: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,40}\Z")] | None = None
    tender: Tender | None = None
    card_after_tender: bool = False
    late_attach: bool = False


class PlainSale(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A sale without rewards; fields as in `loyalty.ledger.Entry`."""

    terminal: str
    epoch: _From1
    seq: _From1
    id: str
    kind: Literal["sale"]
    session: str
    clock: _Clock
    business_date: date
    card: str
    account: _Account | None
    programme: str
    programme_version: _From1
    tier: str
    basket: _Basket
    settlement: _Settlement
    points: int
    schema_version: Literal[1] = 1
    reverses: None = None
    facts: _Facts | None = None
    serving: _Serving | None = None

    @property
    def known_facts(self) -> Known:
        """As of `loyalty.ledger.Entry`."""
        return self.facts or _Facts(at_ms=self.clock.wall_ms)


def read_plain(raw: bytes) -> PlainSale | None:
    """The sale in `raw`, or None for everything that `Entry.decode` has to look at: other kinds, rewards, faults."""
    try:
        sale = _SALE.decode(raw)
    except (DecodeError, UnicodeDecodeError):
        return None
    settlement = sale.settlement
    lines = sale.basket.lines
    if sale.points != settlement.points_earned - settlement.points_spent:
        return None
    if len({line.line_id for line in lines}) != len(lines):
        return None
    if not _NAMES.fullmatch(f"{sale.card} {sale.id} {sale.basket.currency} {sale.account or ''}"):
        return None
    return sale


_SALE = Decoder(PlainSale)
