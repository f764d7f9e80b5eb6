"""nexo Sale-to-POI loyalty messages as JSON, as far as they are read and written here.

Source: nexo Retailer Protocol 3.0, Loyalty request and response, in the JSON of the Adyen Terminal API
(docs.adyen.com/api-explorer/terminal-api, "Loyalty"). Amounts of money are decimal numbers in the currency's unit.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from loyalty.basket import MAX_LINES, MAX_MINOR

Name = Annotated[str, Field(min_length=1, max_length=128)]
Amount = Annotated[Decimal, Field(ge=0, le=MAX_MINOR)]


class LoyaltyType(StrEnum):
    """What is asked: points for what was bought, a rebate that costs none, points spent; and each of them back."""

    AWARD = "Award"
    AWARD_REFUND = "AwardRefund"
    REBATE = "Rebate"
    REBATE_REFUND = "RebateRefund"
    REDEMPTION = "Redemption"
    REDEMPTION_REFUND = "RedemptionRefund"


class ErrorCondition(StrEnum):
    """Why not, as far as this till says it."""

    MESSAGE_FORMAT = "MessageFormat"
    NOT_FOUND = "NotFound"
    NOT_ALLOWED = "NotAllowed"
    REFUSAL = "Refusal"
    INVALID_CARD = "InvalidCard"
    UNAVAILABLE_SERVICE = "UnavailableService"


class _Read(BaseModel):
    """What came, under the protocol's own names: it has more fields than are read here."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class TransactionId(_Read):
    """A name and a moment, which together are never used twice."""

    name: Annotated[Name, Field(alias="TransactionID")]
    moment: Annotated[AwareDatetime, Field(alias="TimeStamp")]


class Header(_Read):
    """Who asks whom."""

    version: Annotated[str | None, Field(alias="ProtocolVersion", max_length=16)] = None
    message_class: Annotated[Literal["Service"], Field(alias="MessageClass")]
    category: Annotated[str, Field(alias="MessageCategory", max_length=40)]
    type: Annotated[Literal["Request"], Field(alias="MessageType")]
    sale: Annotated[Name, Field(alias="SaleID")]
    service: Annotated[str | None, Field(alias="ServiceID", max_length=64)] = None
    poi: Annotated[Name, Field(alias="POIID")]


class SaleData(_Read):
    """The selling till's ticket."""

    ticket: Annotated[TransactionId, Field(alias="SaleTransactionID")]


class Original(_Read):
    """What a refund takes back: the POITransactionID that its answer carried."""

    transaction: Annotated[TransactionId, Field(alias="POITransactionID")]


class Item(_Read):
    """A line of the ticket; the amount is for the whole quantity."""

    number: Annotated[int, Field(alias="ItemID", ge=0)]
    product: Annotated[str, Field(alias="ProductCode", min_length=1, max_length=64, coerce_numbers_to_str=True)]
    gtin: Annotated[str | None, Field(alias="EanUpc", max_length=14, coerce_numbers_to_str=True)] = None
    quantity: Annotated[Decimal, Field(alias="Quantity", ge=0, le=1_000_000)] = Decimal(1)
    amount: Annotated[Amount, Field(alias="ItemAmount")]
    label: Annotated[str | None, Field(alias="ProductLabel", max_length=500)] = None


class Transaction(_Read):
    """What is asked."""

    type: Annotated[LoyaltyType, Field(alias="LoyaltyTransactionType")]
    currency: Annotated[str | None, Field(alias="Currency", pattern=r"^[A-Z]{3}$")] = None
    total: Annotated[Amount | None, Field(alias="TotalAmount")] = None
    original: Annotated[Original | None, Field(alias="OriginalPOITransaction")] = None
    items: Annotated[tuple[Item, ...] | None, Field(alias="SaleItem", max_length=MAX_LINES)] = None


class AccountId(_Read):
    """The card."""

    entry: Annotated[tuple[str, ...], Field(alias="EntryMode", max_length=4)] = ("Scanned",)
    kind: Annotated[str, Field(alias="IdentificationType", max_length=40)] = "BarCode"
    number: Annotated[str, Field(alias="LoyaltyID", min_length=1, max_length=256, repr=False)]


class Quantity(_Read):
    """What to spend: points, or money's worth of them."""

    unit: Annotated[Literal["Point", "Monetary"], Field(alias="LoyaltyUnit")] = "Point"
    currency: Annotated[str | None, Field(alias="Currency", pattern=r"^[A-Z]{3}$")] = None
    value: Annotated[Amount, Field(alias="AmountValue")]


class Data(_Read):
    """Whose points, and how many."""

    account: Annotated[AccountId, Field(alias="LoyaltyAccountID")]
    amount: Annotated[Quantity | None, Field(alias="LoyaltyAmount")] = None


class Loyalty(_Read):
    """A LoyaltyRequest about one account: this programme is the only one here."""

    sale: Annotated[SaleData, Field(alias="SaleData")]
    transaction: Annotated[Transaction, Field(alias="LoyaltyTransaction")]
    data: Annotated[tuple[Data, ...], Field(alias="LoyaltyData", min_length=1, max_length=1)]

    @field_validator("data", mode="before")
    @classmethod
    def _one_alone(cls, value: Any) -> Any:
        """The protocol has a list; the JSON schemas about have one alone as well."""
        return [value] if isinstance(value, dict) else value


class Asked(_Read):
    """A SaleToPOIRequest."""

    header: Annotated[Header, Field(alias="MessageHeader")]
    loyalty: Annotated[Loyalty | None, Field(alias="LoyaltyRequest")] = None


class Envelope(_Read):
    """The request's body."""

    asked: Annotated[Asked, Field(alias="SaleToPOIRequest")]
