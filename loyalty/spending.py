"""What redeemed points were spent on: points that head office held or leased out, or the till's own allowance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictInt, model_validator

from loyalty.facts import is_empty

MAX_AUTHORITIES = 64
"""Holds and leases that one sale may name: a basket has some twenty rewards, each with a hold of its own at most."""


class AuthorityKind(StrEnum):
    """On whose word points were spent."""

    HOLD = "hold"  # head office set them aside for this sale
    LEASE = "lease"  # head office set them aside for this card at this till
    FLOOR = "floor"  # nobody did: the offline policy allowed it on the till's own word


class Authority(BaseModel):
    """Some of the points that a sale spent, and what they were spent on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: AuthorityKind
    id: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(default=None, exclude_if=is_empty)
    """Of the hold or lease; none for the till's own allowance."""
    points: Annotated[StrictInt, Field(gt=0)]

    @model_validator(mode="after")
    def _named(self) -> Authority:
        if (self.id is None) != (self.kind is AuthorityKind.FLOOR):
            raise ValueError("expected the id of the hold or lease, and none for the till's own allowance")
        return self


@dataclass(frozen=True, slots=True)
class SetAside:
    """Points that head office set aside and that are not spent yet: a hold or a lease."""

    kind: AuthorityKind
    id: str
    points: int


def cover(points: int, set_aside: Iterable[SetAside]) -> tuple[Authority, ...]:
    """What `points` are spent on: what is set aside first, in the order given; the till's own allowance for the rest.

    The points of the answer add up to `points`; nothing is taken from one hold or lease beyond what it has.
    """
    found: list[Authority] = []
    for source in set_aside:
        if points > 0 and source.points > 0:
            taken = min(points, source.points)
            found.append(Authority(kind=source.kind, id=source.id, points=taken))
            points -= taken
    if points > 0:
        found.append(Authority(kind=AuthorityKind.FLOOR, points=points))
    return tuple(found)


def floor_of(authority: Iterable[Authority]) -> int:
    """The points that were spent on the till's own allowance."""
    return sum(part.points for part in authority if part.kind is AuthorityKind.FLOOR)
