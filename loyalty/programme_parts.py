"""The small parts that every rule and reward of a programme is made of: names, goods, moments, members."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, field_validator

MAX_NAMES = 200
"""Categories, articles or tiers listed in one rule: a longer list wants a category."""

Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Positive = Annotated[StrictInt, Field(gt=0, le=1_000_000_000)]
AtLeastNone = Annotated[StrictInt, Field(ge=0, le=1_000_000_000)]
Names = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=64)], ...], Field(max_length=MAX_NAMES)]
"""Categories or article numbers exactly as the till's software sends them."""


def _a_date(value: Any) -> Any:
    # pydantic would take the number 20260401 for seconds since 1970.
    if isinstance(value, int):
        raise ValueError("expected a date such as 2026-04-01, got a number")  # noqa: TRY004 - pydantic collects it
    return value


Day = Annotated[date, BeforeValidator(_a_date)]
"""A date in the shop's time zone; in TOML 2026-04-01, in JSON "2026-04-01"."""


class Part(BaseModel):
    """Base of every part of a programme: frozen, and an unknown field is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Texts(Part):
    """A name in each language the screens speak."""

    nl: Annotated[str, Field(min_length=1, max_length=60)]
    en: Annotated[str, Field(min_length=1, max_length=60)]

    def get(self, language: str) -> str:
        """The text in `language` ("nl" or "en"); English for any other."""
        return self.nl if language == "nl" else self.en


class LongTexts(Part):
    """A sentence or two in each language, as printed on a receipt."""

    nl: Annotated[str, Field(min_length=1, max_length=400)]
    en: Annotated[str, Field(min_length=1, max_length=400)]

    def get(self, language: str) -> str:
        """The text in `language` ("nl" or "en"); English for any other."""
        return self.nl if language == "nl" else self.en


class Goods(Part):
    """Which lines count: those of `categories` or `skus` (every line when both are empty), less the excluded."""

    categories: Names = ()
    skus: Names = ()
    excluded_categories: Names = ()
    excluded_skus: Names = ()

    def include(self, category: str, sku: str) -> bool:
        """Whether a line of `category` and `sku` counts."""
        if category in self.excluded_categories or sku in self.excluded_skus:
            return False
        if not self.categories and not self.skus:
            return True
        return category in self.categories or sku in self.skus


class Weekday(StrEnum):
    """Days as programmes name them."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


_DAY = r"([01][0-9]|2[0-3]):[0-5][0-9]"
Hours = Annotated[str, Field(pattern=rf"^{_DAY}-({_DAY}|24:00)$")]
"""From (included) to (excluded) on one day, "09:00-11:00"."""


def minutes(hours: str) -> tuple[int, int]:
    """ "09:00-11:00" as minutes of the day, (540, 660)."""
    start, end = (int(text[:2]) * 60 + int(text[3:]) for text in hours.split("-"))
    return start, end


class When(Part):
    """When a rule holds: dates (both included), weekdays and hours, all in the programme's time zone."""

    valid_from: Day | None = None
    valid_until: Day | None = None
    weekdays: Annotated[tuple[Weekday, ...], Field(max_length=7)] = ()
    hours: Annotated[tuple[Hours, ...], Field(max_length=12)] = ()

    @field_validator("valid_until")
    @classmethod
    def _after_from(cls, value: date | None, info: Any) -> date | None:
        start = info.data.get("valid_from")
        if value is not None and start is not None and value < start:
            raise ValueError(f"expected a date not before valid_from ({start}), got {value}")
        return value

    @field_validator("hours")
    @classmethod
    def _forwards(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for hours in value:
            start, end = minutes(hours)
            if start >= end:
                raise ValueError(f"expected hours within one day, got '{hours}': past midnight takes two")
        return value


class Who(Part):
    """Whom a rule is for: members of `tiers` and in one of `segments`; everybody when a list is empty."""

    tiers: Annotated[tuple[Identifier, ...], Field(max_length=20)] = ()
    segments: Annotated[tuple[Identifier, ...], Field(max_length=50)] = ()
    """Named by head office; a till knows only which of them a member is in."""
