"""The messages of Toast's Loyalty Integration API 1.1.0, as far as they are read and written here.

Source: doc.toasttab.com/openapi/loyalty ("Data definitions"). Amounts are decimal numbers in the currency's unit.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from loyalty.basket import MAX_LINES, MAX_MINOR

MAX_REDEMPTIONS = 20
"""Rewards in one message: as many as one reward may be given on a basket."""
Amount = Annotated[Decimal, Field(ge=-MAX_MINOR, le=MAX_MINOR)]
Identifier = Annotated[str, Field(min_length=1, max_length=256, repr=False)]
"""A card as scanned or typed, or what a search answered."""


class TransactionType(StrEnum):
    """What the restaurant's till asks."""

    SEARCH = "LOYALTY_SEARCH"
    INQUIRE = "LOYALTY_INQUIRE"
    REDEEM = "LOYALTY_REDEEM"
    ACCRUE = "LOYALTY_ACCRUE"
    REVERSE = "LOYALTY_REVERSE"


class Status(StrEnum):
    """`transactionStatus`: what came of it."""

    ACCEPT = "ACCEPT"
    TYPE = "ERROR_INVALID_TOAST_TRANSACTION_TYPE"
    ACCOUNT = "ERROR_ACCOUNT_INVALID"
    INPUT = "ERROR_INVALID_INPUT_PROPERTIES"
    UNKNOWN = "ERROR_TRANSACTION_DOES_NOT_EXIST"
    REVERSAL = "ERROR_TRANSACTION_CANNOT_BE_REVERSED"
    TOKEN = "ERROR_INVALID_TOKEN"  # noqa: S105 - a status
    FAULT = "ERROR"


class _Read(BaseModel):
    """What came. Toast sends more than is read here, and may add to it."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Reference(_Read):
    """One of Toast's things by its GUID."""

    guid: Annotated[str, Field(min_length=1, max_length=64)]


class Selection(_Read):
    """A line of the check. `price` is after discounts, `pre_discount` before; both for the whole quantity."""

    guid: Annotated[str, Field(min_length=1, max_length=64)]
    item: Reference | None = None
    group: Annotated[Reference | None, Field(alias="itemGroup")] = None
    text: Annotated[str | None, Field(alias="displayName", max_length=500)] = None
    quantity: Annotated[Decimal, Field(ge=-1_000_000, le=1_000_000)] = Decimal(1)
    price: Amount = Decimal(0)
    pre_discount: Annotated[Amount | None, Field(alias="preDiscountPrice")] = None
    voided: bool | None = False
    deferred: bool | None = False
    """Paid now and had later, such as a gift card: earns nothing."""


class Check(_Read):
    """The check."""

    guid: UUID
    selections: Annotated[tuple[Selection, ...], Field(max_length=MAX_LINES)] = ()


class Redemption(BaseModel):
    """An offer taken on the check. What is not read here is given back as it came."""

    model_config = ConfigDict(frozen=True, extra="allow")

    identifier: Annotated[str, Field(max_length=64)]


class CheckInformation(_Read):
    """Of an inquire, redeem or accrue transaction."""

    member: Annotated[Identifier, Field(alias="loyaltyIdentifier")]
    check: Check
    redemptions: Annotated[tuple[Redemption, ...] | None, Field(max_length=MAX_REDEMPTIONS)] = None


class Criteria(_Read):
    """Whom to look for. Names are not kept on a till, so only these two lead to anybody."""

    phone: Annotated[str | None, Field(max_length=64, repr=False)] = None
    email: Annotated[str | None, Field(max_length=254, repr=False)] = None


class SearchInformation(_Read):
    """Of a search transaction."""

    criteria: Annotated[Criteria, Field(alias="searchCriteria")]


class ReverseInformation(_Read):
    """Of a reverse transaction: the GUID of an earlier redeem or accrue, and which of its rewards (all, when None)."""

    member: Annotated[Identifier, Field(alias="loyaltyIdentifier")]
    transaction: Annotated[UUID, Field(alias="transactionId")]
    redemptions: Annotated[tuple[Redemption, ...] | None, Field(max_length=MAX_REDEMPTIONS)] = None


class Transaction(_Read):
    """A request's body: the part that its type names is there."""

    type: Annotated[TransactionType, Field(alias="toastTransactionType")]
    search: Annotated[SearchInformation | None, Field(alias="searchTransactionInformation")] = None
    about: Annotated[CheckInformation | None, Field(alias="checkTransactionInformation")] = None
    reverse: Annotated[ReverseInformation | None, Field(alias="reverseTransactionInformation")] = None

    @model_validator(mode="after")
    def _has_its_part(self) -> Transaction:
        part = {TransactionType.SEARCH: self.search, TransactionType.REVERSE: self.reverse}.get(self.type, self.about)
        if part is None:
            raise ValueError(f"expected the information of a {self.type} transaction")
        return self


class Account(BaseModel):
    """A member. Their phone and address are not told: this till has only hashes of them."""

    identifier: str
    firstName: str | None  # noqa: N815 - Toast's own name
    pointsBalance: str  # noqa: N815


class Offer(BaseModel):
    """A reward, and whether it can be had on this check now."""

    identifier: str
    name: str
    applicable: bool
    selectionType: Literal["CHECK"] = "CHECK"  # noqa: N815
    quantity: int = 1
    amount: float


class Rejected(BaseModel):
    """A reward that cannot be given."""

    redemption: Redemption
    message: str


class CheckResponse(BaseModel):
    """What a check comes to for this member."""

    accountInfo: Account  # noqa: N815
    offers: tuple[Offer, ...] = ()
    appliedRedemptions: tuple[Redemption, ...] = ()  # noqa: N815
    rejectedRedemptions: tuple[Rejected, ...] = ()  # noqa: N815
    userMessage: str  # noqa: N815


class SearchResponse(BaseModel):
    """Whom a search found."""

    accounts: tuple[Account, ...]


class Response(BaseModel):
    """The answer."""

    transactionStatus: Status  # noqa: N815
    message: str | None = None
    """With `ERROR`: for the log of whoever runs the restaurant's till."""
    checkResponse: CheckResponse | None = None  # noqa: N815
    searchResponse: SearchResponse | None = None  # noqa: N815
