"""The basket as the till's software sends it: lines with exact quantities and amounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Protocol

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, field_validator

MAX_LINES = 500
"""A shop's largest real baskets have some 200 lines; past 500 something is looping."""

MAX_MINOR = 100_000_000
"""One million euros on a line or a basket: past that the amount is in the wrong unit."""

Minor = Annotated[StrictInt, Field(ge=-MAX_MINOR, le=MAX_MINOR)]
ShortText = Annotated[str, Field(min_length=1, max_length=64)]


class BoughtLine(Protocol):
    """A line as rules read it; `Line` says what each field means."""

    @property
    def line_id(self) -> str: ...
    @property
    def sku(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def quantity(self) -> int: ...
    @property
    def gross_minor(self) -> int: ...
    @property
    def eligible(self) -> bool: ...


class Bought(Protocol):
    """A basket as rules read it: a `Basket`, or another holder of the same that was checked as strictly."""

    @property
    def currency(self) -> str: ...
    @property
    def lines(self) -> Sequence[BoughtLine]: ...


class Line(BaseModel):
    """One line of a basket, after the till's own line discounts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    line_id: ShortText
    sku: ShortText
    gtin: Annotated[str, Field(pattern=r"^[0-9]{8,14}$")] | None = None
    category: Annotated[str, Field(max_length=64)] = ""
    text: Annotated[str, Field(max_length=80)] = ""
    quantity: Annotated[StrictInt, Field(ge=-1_000_000_000, le=1_000_000_000)] = 1000
    """Thousandths: 3 pieces are 3000, 0.347 kg is 347."""
    gross_minor: Minor
    """Minor units, VAT included; negative for goods taken back within the sale."""
    eligible: StrictBool = True
    """False for what never earns: gift cards and vouchers bought, deposits."""


def distinct_ids(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """The lines, when no two have the same id.

    Raises:
        ValueError: two have.
    """
    seen: set[str] = set()
    for line in lines:
        if line.line_id in seen:
            raise ValueError(f"expected distinct line ids, got '{line.line_id}' twice")
        seen.add(line.line_id)
    return lines


class Basket(BaseModel):
    """A whole basket; lines have distinct ids."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    """ISO 4217."""
    lines: Annotated[tuple[Line, ...], Field(max_length=MAX_LINES)] = ()

    _distinct_ids = field_validator("lines")(distinct_ids)

    @property
    def gross_minor(self) -> int:
        """What the customer would pay without rewards, in minor units."""
        return sum(line.gross_minor for line in self.lines)

    @property
    def quantity_pieces(self) -> int:
        """Number of lines, for a glance at the screen."""
        return len(self.lines)
