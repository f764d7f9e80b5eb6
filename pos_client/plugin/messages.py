"""What the API takes and answers, as pydantic models. Points and minor units are integers, times ISO 8601 in UTC."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, StrictInt, field_validator

from loyalty.basket import MAX_LINES, MAX_MINOR, Line, distinct_ids
from loyalty.serving import Cashier, Tender
from pos_client.session import SessionState

SessionId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
"""Chosen by the till's software (a receipt number, a UUID) or made by the till."""

ReceiptName = Annotated[str, Field(pattern=r"^([A-Za-z0-9._:-]{1,64}|R1:[0-9A-Z $%*+./:-]{1,1987})$")]
"""A session, or the signed code that a receipt carries (`pos_client.receipts.code`)."""


RewardId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
"""As in the programme."""


class Asked(BaseModel):
    """Base of every request body: an unknown field is refused, so that a typo is no silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Answer(BaseModel):
    """Base of every answer: later versions may add fields, and a client ignores those it does not know."""

    model_config = ConfigDict(frozen=True)


class OpenSession(Asked):
    """POST /v1/sessions. With an id of its own the till's software can ask again after any fault."""

    id: SessionId | None = None
    cashier: Cashier | None = None
    """Who serves, by your software's own number."""


class Pay(Asked):
    """POST /v1/sessions/{id}/tender."""

    kind: Tender


class PutBasket(Asked):
    """PUT /v1/sessions/{id}/basket: the whole basket, as `loyalty.basket.Basket`, and what it takes the place of."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    lines: Annotated[tuple[Line, ...], Field(max_length=MAX_LINES)] = ()
    version: Annotated[StrictInt, Field(ge=0, le=2**31 - 1)]
    """The `basket_version` this basket is made from: 0 for the first."""

    _distinct_ids = field_validator("lines")(distinct_ids)


class Identify(Asked):
    """POST /v1/sessions/{id}/identify."""

    card: Annotated[str, Field(min_length=1, max_length=256, repr=False)]
    """The number as typed or scanned. 256 takes in every track of a bank card (ISO/IEC 7813), to refuse it by name."""


class EnterPin(Asked):
    """POST /v1/sessions/{id}/pin."""

    pin: Annotated[SecretStr, Field(min_length=1, max_length=16)]


class ReturnLine(Asked):
    """Goods of one line that come back: its id as on the receipt, and how much, in thousandths."""

    line_id: Annotated[str, Field(min_length=1, max_length=64)]
    quantity: Annotated[StrictInt, Field(gt=0, le=1_000_000_000)]


class ReturnGoods(Asked):
    """POST /v1/returns."""

    id: SessionId
    """Chosen by the till's software: the same id again is the same return."""
    sale: ReceiptName
    """The session of the sale, as on its receipt, or the code on that: with the code, of any till of the chain."""
    lines: Annotated[tuple[ReturnLine, ...], Field(min_length=1, max_length=500)]


class AttachLate(Asked):
    """POST /v1/late."""

    receipt: SessionId
    """Your own number of the sale that was paid: the same again is the same sale."""
    card: Annotated[str, Field(min_length=1, max_length=256, repr=False)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    lines: Annotated[tuple[Line, ...], Field(max_length=MAX_LINES)]
    cashier: Cashier | None = None
    tender: Tender | None = None

    _distinct_ids = field_validator("lines")(distinct_ids)


class Exchange(Asked):
    """POST /v1/exchanges."""

    session: SessionId
    """The open session with what the customer takes instead; the same session again is the same exchange."""
    sale: SessionId
    """The session of the sale that goods come back from, as on its receipt."""
    lines: Annotated[tuple[ReturnLine, ...], Field(min_length=1, max_length=500)]


class Redeem(Asked):
    """POST /v1/sessions/{id}/redeem."""

    reward: RewardId
    amount_minor: Annotated[StrictInt, Field(gt=0, le=MAX_MINOR)] | None = None
    """For points as part payment: what the customer pays with them, in minor units; one step when left out."""


class UseCoupon(Asked):
    """POST /v1/sessions/{id}/coupons."""

    code: Annotated[str, Field(min_length=1, max_length=64)]
    """As printed or scanned; spaces, dashes and small letters do no harm."""


class Offline(Answer):
    """How far the answer is confirmed by head office. In points and entries."""

    online: bool
    """Whether the last exchange with head office went well."""
    confirmed_as_of: AwareDatetime | None
    """When this till last had every change from head office; null for never."""
    queued_points: int
    """This member's points that were booked here and are not confirmed yet; may be negative."""
    queue_length: int
    """Entries of the whole till that head office does not have yet."""


class Named(Answer):
    """An id, and its name in the till's language."""

    id: str
    name: str


class Expiring(Answer):
    """Points, and the last day on which they can be spent."""

    points: int
    on: date


class Balance(Answer):
    """Points: what head office stated, what this till added since, and the sum, which is what to show."""

    confirmed: int
    queued: int
    total: int
    pending: int
    """Of the total, points that wait before they can be spent."""
    expiring: Expiring | None = None
    """What lapses next; null where nothing does, or head office has not reckoned it yet."""


class Member(Answer):
    """Who holds the card. Not known here is not invalid: such a card earns, and head office settles it."""

    known: bool
    first_name: str | None
    """Null when the shop shows no names (till.show_first_name), or the card is not known here."""
    tier: Named
    balance: Balance


class Component(Answer):
    """What one rule gave, on a base of minor units (base rules) or of points (bonus rules)."""

    rule: str
    name: str
    kind: Literal["base", "bonus"]
    base: int
    points: int


class LineResult(Answer):
    """One line's share: points earned, and minor units that rewards took off. The lines add up to the totals."""

    line_id: str
    points: int
    discount_minor: int


class Redeemed(Answer):
    """A reward taken on this sale."""

    reward: str
    name: str
    points: int
    discount_minor: int


class Settlement(Answer):
    """What the sale comes to."""

    currency: str
    gross_minor: int
    payable_minor: int
    points_earned: int
    points_spent: int
    components: tuple[Component, ...]
    lines: tuple[LineResult, ...]
    redemptions: tuple[Redeemed, ...]


class Reward(Answer):
    """A reward of the programme; when it cannot be given now, `code` says why."""

    id: str
    name: str
    kind: str
    """amount_off, percent_off, free_item, points, pay_with_points, voucher, gift_card or cash_back."""
    cost_points: int
    cost_stamps: int
    """Stamps of the stamp card that it costs; 0 for what costs points or nothing."""
    discount_minor: int
    """What it is worth on this basket in minor units; 0 when that cannot be said yet."""
    available: bool
    code: str | None


class Redeemable(Answer):
    """How many points may be redeemed for this card now, and what sets that limit."""

    limit_points: int
    reason: str
    mode: str = "online"
    """On whose word: `online` (head office sets the points aside first), `lease`, `capped` or `never`."""


class QuoteAnswer(Answer):
    """A session as it stands."""

    session: str
    state: SessionState
    basket_version: int
    """Rises with each basket that is put; 0 before the first."""
    programme: str
    programme_version: int
    member: Member | None
    settlement: Settlement
    rewards: tuple[Reward, ...]
    redeemable: Redeemable | None
    dropped_rewards: tuple[str, ...]
    """Rewards that the last basket made impossible, and that were taken off."""
    balance_after: int | None
    """What the member would have after this sale."""
    offline: Offline


class BalanceAnswer(Answer):
    """GET /v1/members/{card}/balance."""

    member: Member
    blocked: bool
    offline: Offline


class EntryAnswer(Answer):
    """A journal entry: it is on the disk. `points` is what it adds to the balance."""

    id: str
    seq: int
    kind: Literal["sale", "void", "return", "adjustment", "resolution", "enrolment", "answer"]
    points: int
    business_date: date
    reverses: str | None


class BookedAnswer(Answer):
    """A sale that is booked, or undone. `entry` is null when an open session was dropped: nothing was booked."""

    session: str
    state: SessionState
    entry: EntryAnswer | None
    member: Member | None
    settlement: Settlement | None
    offline: Offline


class ExchangedAnswer(Answer):
    """Goods that came back and the sale of others, booked in one: both are on the disk, or neither."""

    returned: BookedAnswer
    sale: BookedAnswer


class ReceiptAnswer(Answer):
    """GET /v1/receipts/{receipt} as JSON: its text, as the printer's columns have it."""

    receipt: str
    entry: str
    kind: str
    text: str
    confirmed: bool
    """Whether head office has the entry."""
    offline: Offline


class PrintedAnswer(Answer):
    """POST /v1/receipts/{receipt}/print: what is on paper now."""

    receipt: str
    entry: str
    kind: str
    is_copy: bool
    """It was printed before, and is marked as a copy."""


class InvalidPart(Answer):
    """One part of a request that is not as expected; what came is never repeated, since it may be a card number."""

    path: str
    expected: str


class CurrentBasket(Answer):
    """The basket of a session as it is now."""

    version: int
    currency: str
    lines: tuple[Line, ...]


class Problem(Answer):
    """RFC 9457 problem details, as application/problem+json. Programs go by `code`."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    errors: tuple[InvalidPart, ...] = ()
    current: CurrentBasket | None = Field(default=None, exclude_if=lambda current: current is None)
    """With `basket_stale`: the basket to go on from."""
