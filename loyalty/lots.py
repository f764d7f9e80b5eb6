"""Points by the day they lapse: spent nearest expiry first, restored with their original expiry, pending until vested.

A member's points are lots, and a debt when more was spent or taken back than there was. Balance = Σ lots − debt. All
functions are pure: they return new lots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from loyalty.programme_members import Expiry
from loyalty.tiers import months_later


@dataclass(frozen=True, slots=True)
class Lot:
    """Points of one accrual that are left. The last day on which they can be spent is `expires_on`; None for ever."""

    id: str
    """Id of the entry that brought them."""
    points: int
    vests_on: date
    """The first day on which they can be spent."""
    expires_on: date | None
    filled: int = 0
    """Points of the accrual that went into a debt at once: a return puts them back into it."""


TOLD_AHEAD_DAYS = 60
"""How long before points lapse a member is told: time for another visit or two."""


@dataclass(frozen=True, slots=True)
class Expiring:
    """The points that lapse next, and the last day on which they can be spent."""

    points: int
    on: date

    def soon(self, today: date) -> bool:
        """Whether to tell the member now."""
        return self.points > 0 and today <= self.on <= today + timedelta(days=TOLD_AHEAD_DAYS)


@dataclass(frozen=True, slots=True)
class Draw:
    """Points taken from a lot, with the lot as it was, so that they can go back; `lot` is None for debt."""

    lot: Lot | None
    points: int


@dataclass(frozen=True, slots=True)
class Lots:
    """A member's points: lots in the order in which they are spent, and what is owed."""

    lots: tuple[Lot, ...] = ()
    debt: int = 0

    @property
    def balance(self) -> int:
        """All points, pending ones included; negative when more is owed than there is."""
        return sum(lot.points for lot in self.lots) - self.debt

    def pending(self, today: date) -> int:
        """Points that are not vested yet."""
        return sum(lot.points for lot in self.lots if lot.vests_on > today)

    def spendable(self, today: date) -> int:
        """Points that can be spent today; never negative."""
        return max(0, sum(lot.points for lot in self.lots if _open(lot, today)) - self.debt)


def lot_of(entry_id: str, points: int, earned_on: date, expiry: Expiry) -> Lot:
    """The lot of an accrual, with its dates by the programme."""
    expires_on = None
    if expiry.after_months is not None:
        expires_on = months_later(earned_on, expiry.after_months)
        if expiry.end_of_year:
            expires_on = date(expires_on.year, 12, 31)
    return Lot(entry_id, points, earned_on + timedelta(days=expiry.vesting_days), expires_on)


def earn(have: Lots, lot: Lot) -> Lots:
    """Add a lot. What is owed is paid from it first."""
    filled = min(have.debt, lot.points)
    return _with(have.lots, have.debt - filled, replace(lot, points=lot.points - filled, filled=filled))


def spend(have: Lots, points: int, today: date) -> tuple[Lots, tuple[Draw, ...]]:
    """Spend points from the vested lot that expires first, then the next; what is missing becomes debt.

    A lot past its day that is still here goes first: until a night lapses it, it may be set aside at a till.

    Raises:
        ValueError: `points` is negative.
    """
    if points < 0:
        raise ValueError(f"expected points to spend, got {points}")
    return _draw(have, [lot for lot in have.lots if lot.vests_on <= today], points)


def take_back(have: Lots, lot_id: str, points: int) -> tuple[Lots, tuple[Draw, ...]]:
    """Take back points of the accrual `lot_id`: from its own lot, pending or not; then from what expires first."""
    own = next((lot for lot in have.lots if lot.id == lot_id), None)
    if own is None:
        return _draw(have, have.lots, points)
    here = min(points, own.points)
    owed = min(points - here, own.filled)
    rest = tuple(lot for lot in have.lots if lot.id != lot_id)
    left = replace(own, points=own.points - here, filled=own.filled - owed)
    now = _with(rest, have.debt + owed, left)
    draws = (Draw(own, here),) if here else ()
    more, others = _draw(now, now.lots, points - here - owed)
    return more, (*draws, *others)


def give_back(have: Lots, draws: Sequence[Draw], points: int) -> tuple[Lots, tuple[Draw, ...]]:
    """Give back `points` of what was drawn, the last drawn first, each to its lot with the original expiry.

    Returns:
        The lots, and the draws that are still out.

    Raises:
        ValueError: more than was drawn.
    """
    if points > sum(draw.points for draw in draws):
        raise ValueError(f"expected at most what was drawn, got {points}")
    out = list(draws)
    while points:
        draw = out.pop()
        part = min(points, draw.points)
        points -= part
        if part < draw.points:
            out.append(Draw(draw.lot, draw.points - part))
        if draw.lot is None:
            have = _repay(have, part)
        else:
            there = next((lot for lot in have.lots if lot.id == draw.lot.id), replace(draw.lot, points=0))
            rest = tuple(lot for lot in have.lots if lot.id != draw.lot.id)
            have = _with(rest, have.debt, replace(there, points=there.points + part))
    return have, tuple(out)


def expire(have: Lots, today: date, most: int | None = None) -> tuple[Lots, int]:
    """Empty the lots whose last day is past, the oldest first; also how many points that takes.

    Args:
        most: points that may go; the rest is set aside at a till and lapses later. None for all.

    What such a lot paid of a debt stays known: if the debt's cause is voided, these points come back to the lot.
    """
    left = []
    gone = 0
    for lot in have.lots:
        part = lot.points if lot.expires_on is not None and lot.expires_on < today else 0
        if most is not None:
            part = min(part, most - gone)
        left.append(replace(lot, points=lot.points - part))
        gone += part
    return _with(left, have.debt), gone


def next_to_lapse(have: Lots, today: date) -> Expiring | None:
    """The points of the first day, from `today` on, after which some are gone; None where none ever lapse."""
    days = [lot.expires_on for lot in have.lots if lot.points and lot.expires_on]
    on = min((day for day in days if day >= today), default=None)
    return None if on is None else Expiring(sum(lot.points for lot in have.lots if lot.expires_on == on), on)


def _repay(have: Lots, points: int) -> Lots:
    """Points that come back from a debt: less of it, and what was paid off meanwhile goes to who paid."""
    less = min(points, have.debt)
    have = Lots(have.lots, have.debt - less)
    points -= less
    for lot in reversed(have.lots):
        part = min(points, lot.filled)
        if part:
            rest = tuple(other for other in have.lots if other.id != lot.id)
            have = _with(rest, have.debt, replace(lot, points=lot.points + part, filled=lot.filled - part))
            points -= part
    return have


def _draw(have: Lots, order: Sequence[Lot], points: int) -> tuple[Lots, tuple[Draw, ...]]:
    draws: list[Draw] = []
    left = {lot.id: lot for lot in have.lots}
    for lot in order:
        part = min(points, lot.points)
        if part:
            draws.append(Draw(lot, part))
            left[lot.id] = replace(lot, points=lot.points - part)
            points -= part
    if points:
        draws.append(Draw(None, points))
    return _with(tuple(left.values()), have.debt + points), tuple(draws)


def _open(lot: Lot, today: date) -> bool:
    return lot.vests_on <= today and (lot.expires_on is None or today <= lot.expires_on)


def _with(lots: Sequence[Lot], debt: int, *more: Lot) -> Lots:
    kept = [lot for lot in (*lots, *more) if lot.points or lot.filled]
    kept.sort(key=lambda lot: (lot.expires_on or date.max, lot.vests_on, lot.id))
    return Lots(tuple(kept), debt)
