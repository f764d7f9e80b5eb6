"""What is known of a member and a moment beside the basket: what rules may ask for. Stored with the entry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Protocol

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from loyalty.programme_members import Credential
from loyalty.programme_rules import Birthday

MAX_COUNTERS = 200
"""Counters of one member: stamp cards, challenges and badges of a programme, and some of a version before."""


def is_empty(value: object) -> bool:
    """True for what an entry leaves out of its bytes: nothing, no, none."""
    return not value


class Count(BaseModel):
    """How far a member is with something counted; as a change, how much further a sale brings them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    counter: Annotated[str, Field(min_length=1, max_length=60)]
    count: StrictInt


class KnownCount(Protocol):
    """A counter and how far it is, as rules read it; `Count` says what each field means."""

    @property
    def counter(self) -> str: ...
    @property
    def count(self) -> int: ...


class Known(Protocol):
    """Facts as rules read them: `Facts`, or another holder of the same that was checked as strictly."""

    @property
    def at_ms(self) -> int: ...
    @property
    def birthday(self) -> Sequence[Birthday]: ...
    @property
    def first_purchase(self) -> bool: ...
    @property
    def earned_today(self) -> int: ...
    @property
    def segments(self) -> Sequence[str]: ...
    @property
    def counters(self) -> Sequence[KnownCount]: ...
    @property
    def stock(self) -> Sequence[KnownCount]: ...
    @property
    def credential(self) -> Credential: ...


class Facts(BaseModel):
    """What holds for one sale. The defaults stand for "not known": no rule that asks for it then applies.

    Head office computes with the same facts again; what it knows better itself (birthday, counters, limits) it can
    check on its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_ms: StrictInt = 0
    """The moment that windows go by, Unix milliseconds UTC: when the basket was last put."""
    birthday: Annotated[tuple[Birthday, ...], Field(max_length=3)] = Field(default=(), exclude_if=is_empty)
    """Which birthday windows the moment is in (see `birthday_windows`); the date itself is never stored."""
    first_purchase: StrictBool = Field(default=False, exclude_if=is_empty)
    earned_today: Annotated[StrictInt, Field(ge=0)] = Field(default=0, exclude_if=is_empty)
    """Points the card earned on this business day before."""
    segments: Annotated[tuple[str, ...], Field(max_length=100)] = Field(default=(), exclude_if=is_empty)
    counters: Annotated[tuple[Count, ...], Field(max_length=MAX_COUNTERS)] = Field(default=(), exclude_if=is_empty)
    """How far the member is with stamp cards, challenges, badges, and rewards that are limited for each member."""
    stock: Annotated[tuple[Count, ...], Field(max_length=MAX_COUNTERS)] = Field(default=(), exclude_if=is_empty)
    """What is left of a reward with a stock, by its id, as head office last said; unknown is enough."""
    credential: Credential = Field(default=Credential.STATIC, exclude_if=lambda value: value is Credential.STATIC)


UNKNOWN = Facts()
"""Nothing known: only rules without conditions of moment or member apply."""


def counted(facts: Known, counter: str) -> int:
    """How far the member is with `counter`."""
    return next((known.count for known in facts.counters if known.counter == counter), 0)


def stock_left(facts: Known, reward: str) -> int | None:
    """How many of `reward` are left, or None when nobody said."""
    return next((known.count for known in facts.stock if known.counter == reward), None)


def birthday_windows(month: int, day: int, today: date) -> tuple[Birthday, ...]:
    """The birthday windows that `today` is in, for a member born on `day` of `month`.

    Somebody born on 29 February has their birthday on the 28th in other years. The week is three days to either side.

    Raises:
        ValueError: there is no such day in any year.
    """
    date(2000, month, day)  # a leap year: refuses what is no day
    found: list[Birthday] = []
    days = [_birthday(year, month, day) for year in (today.year - 1, today.year, today.year + 1)]
    if today in days:
        found.append(Birthday.DAY)
    if any(abs(today - near) <= timedelta(days=3) for near in days):
        found.append(Birthday.WEEK)
    if today.month == month:
        found.append(Birthday.MONTH)
    return tuple(found)


def _birthday(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        return date(year, month, 28)
