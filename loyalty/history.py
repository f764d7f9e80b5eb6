"""A member's lots, worked out anew from what was booked, in the order in which it was booked. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from loyalty.lots import Draw, Lots, earn, expire, give_back, lot_of, spend, take_back
from loyalty.programme_members import Expiry

Kind = Literal["opening", "sale", "void", "return", "adjustment", "expiry"]


@dataclass(frozen=True, slots=True)
class Movement:
    """One booking of an account. Points as booked: a void or return of what was earned is negative."""

    id: str
    kind: Kind
    day: date
    earned: int
    spent: int
    version: int | None = None
    """Programme version; None for what head office booked itself."""
    of: str | None = None
    """The sale that a void or return belongs to."""


@dataclass(slots=True)
class History:
    """Where an account stands after some movements."""

    lots: Lots = field(default_factory=Lots)
    drawn: dict[str, tuple[Draw, ...]] = field(default_factory=dict)
    """By sale: what it spent and what of that is still out."""


def replay(movements: Iterable[Movement], expiry_of: Callable[[int | None], Expiry]) -> History:
    """Follow an account's bookings, oldest first.

    Args:
        expiry_of: the expiry and vesting of a programme version (of the newest for None).
    """
    history = History()
    for movement in movements:
        _follow(history, movement, expiry_of(movement.version))
    return history


def _follow(history: History, movement: Movement, expiry: Expiry) -> None:
    if movement.kind == "expiry":
        history.lots, _ = expire(history.lots, movement.day, -movement.earned)
        return
    sale = movement.of or movement.id
    if movement.earned < 0:
        history.lots, _ = take_back(history.lots, sale, -movement.earned)
    if movement.spent > 0:
        history.lots, history.drawn[movement.id] = spend(history.lots, movement.spent, movement.day)
    elif movement.spent < 0:
        out = history.drawn.get(sale, ())
        placed = min(-movement.spent, sum(draw.points for draw in out))
        history.lots, history.drawn[sale] = give_back(history.lots, out, placed)
        if homeless := -movement.spent - placed:
            # A manager approved more than the sale is known to have spent: points without a lot to go back to.
            history.lots = earn(history.lots, lot_of(movement.id, homeless, movement.day, expiry))
    if movement.earned > 0:
        if movement.kind != "sale":  # points on a person's word, or brought along, have nothing to wait for
            expiry = expiry.model_copy(update={"vesting_days": 0})
        history.lots = earn(history.lots, lot_of(movement.id, movement.earned, movement.day, expiry))
