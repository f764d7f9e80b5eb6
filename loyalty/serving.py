"""How a customer was served, as far as the till's software says: by whom, paid how, and whether the card came late."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool

Cashier = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,40}$")]
"""The till software's own number or short name of a cashier; never a person's full name."""


class Tender(StrEnum):
    """What the customer pays with."""

    CASH = "cash"
    CARD = "card"
    VOUCHER = "voucher"
    OTHER = "other"


class Serving(BaseModel):
    """Facts for the store manager. They change no points, so head office takes them as stated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cashier: Cashier | None = None
    tender: Tender | None = None
    """What the customer began to pay with."""
    card_after_tender: StrictBool = False
    """The card that earned was put on the sale, or another took its place, after the customer had begun to pay."""

    late_attach: StrictBool = False
    """The sale was paid before this till heard of it: the card was attached to its receipt afterwards."""

    def __bool__(self) -> bool:
        return self != UNSAID


UNSAID = Serving()
"""Nothing was said."""
