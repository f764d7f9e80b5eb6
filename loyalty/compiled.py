"""A programme made ready for quick quotes: conditions as sets, and lines put with the rules they count for at once.

A quote asks fifty rules about forty lines. Asking each rule about each line takes longer than a customer's patience
allows in Python, so lines are sorted by category and article first: one look-up a line, whatever the number of rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

from loyalty.basket import BoughtLine
from loyalty.facts import Known
from loyalty.programme_members import Badge, Challenge, Counted
from loyalty.programme_parts import Goods, Weekday, When, Who, minutes
from loyalty.programme_rewards import Benefit, Coupon, Giving, StampCard
from loyalty.programme_rules import Earning, EarnRule, Multiplier

MAX_PLACED = 50_000
"""Category and article pairs remembered: more than a supermarket sells; past it the memory starts anew."""

MAX_MOMENTS = 3_000
"""Minutes remembered: two days, which is more than a batch of sales was made in; past it the memory starts anew."""

EVERYTHING = Goods()
_WEEKDAYS = tuple(Weekday)


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment on the shop's clock: its date, weekday (0 is Monday) and minute of the day."""

    day: date
    weekday: int
    minute: int


@dataclass(slots=True)
class Asker:
    """The member and the moment that conditions ask about. Nobody changes it; frozen it would take thrice as long."""

    tier: str
    facts: Known
    moment: Moment


class Condition:
    """When and for whom something holds, ready to be asked often."""

    __slots__ = ("_birthday", "_first", "_hours", "_segments", "_tiers", "_until", "_valid", "_weekdays", "always")

    def __init__(self, part: Earning | Giving | Counted) -> None:
        self._tiers = frozenset(part.tiers)
        self._segments = frozenset(part.segments)
        self._valid = part.valid_from or date.min
        self._until = part.valid_until or date.max
        self._weekdays = frozenset(_WEEKDAYS.index(day) for day in part.weekdays)
        self._hours = tuple(minutes(hours) for hours in part.hours)
        self._birthday = part.birthday if isinstance(part, Earning) else None
        self._first = part.first_purchase if isinstance(part, Earning) else False
        self.always = not (
            any(getattr(part, name) for kind in (Who, When) for name in kind.model_fields)
            or self._birthday
            or self._first
        )
        """True when nothing is asked at all."""

    def for_member(self, asker: Asker) -> bool:
        """Whether the member is one of those it is for."""
        return (
            (not self._tiers or asker.tier in self._tiers)
            and (not self._segments or not self._segments.isdisjoint(asker.facts.segments))
            and (self._birthday is None or self._birthday in asker.facts.birthday)
            and (not self._first or asker.facts.first_purchase)
        )

    def at(self, moment: Moment) -> bool:
        """Whether the moment is within its dates, weekdays and hours."""
        return (
            self._valid <= moment.day <= self._until
            and (not self._weekdays or moment.weekday in self._weekdays)
            and (not self._hours or any(start <= moment.minute < end for start, end in self._hours))
        )

    def holds(self, asker: Asker) -> bool:
        """Whether it holds for this member at this moment."""
        return self.always or (self.for_member(asker) and self.at(asker.moment))


PartKind = TypeVar("PartKind")


@dataclass(frozen=True, slots=True)
class Ready(Generic[PartKind]):
    """A part of the programme with its condition and the number of the shelf its goods are on."""

    part: PartKind
    condition: Condition
    shelf: int


class Compiled:
    """One programme version, ready. Made by `Programme.compiled`."""

    def __init__(
        self,
        earn: Sequence[EarnRule],
        benefits: Iterable[Benefit],
        goals: Iterable[Challenge | Badge],
        *,
        excluded: Goods,
        time_zone: str,
    ) -> None:
        self._zone = ZoneInfo(time_zone)
        self._excluded = excluded
        self._shelves: list[Goods] = [EVERYTHING]
        self._moments: dict[int, Moment] = {}
        self._placed: dict[tuple[str, str], tuple[int, ...] | None] = {}
        points = [self._ready(rule) for rule in earn if not isinstance(rule, Multiplier)]
        self.base = tuple(ready for ready in points if not ready.part.bonus)
        self.bonus = tuple(ready for ready in points if ready.part.bonus)
        self.multipliers = tuple(self._ready(rule) for rule in earn if isinstance(rule, Multiplier))
        self.benefits = {benefit.id: benefit for benefit in benefits}
        self.conditions = {benefit.id: Condition(benefit) for benefit in self.benefits.values()}
        self.goods = {
            benefit.id: self._shelf(goods) for benefit in self.benefits.values() if (goods := _goods_of(benefit))
        }
        """Number of the shelf that a benefit takes off from, by the benefit's id."""
        self.stamp_cards = tuple(
            self._ready(benefit) for benefit in self.benefits.values() if isinstance(benefit, StampCard)
        )
        self.goals = tuple(self._ready(goal) for goal in goals)
        self.limited = tuple(benefit.id for benefit in self.benefits.values() if benefit.limit_per_member is not None)
        """Benefits of which each member may have so many."""
        self.first_purchase = any(rule.first_purchase for rule in earn)
        """Whether any rule asks if it is the member's first."""
        self.birthday = any(rule.birthday for rule in earn)
        """Whether any rule asks for the member's birthday."""
        asking = (*earn, *self.benefits.values(), *(goal.part for goal in self.goals))
        self.segments = frozenset(name for part in asking for name in part.segments)
        """Every segment that this version asks for."""
        self.stocks = {benefit.id: benefit.stock for benefit in self.benefits.values() if benefit.stock is not None}
        """How many there are in the chain of each benefit of which there are so many, by its id."""

    def asker(self, tier: str, facts: Known) -> Asker:
        """A member of `tier` with `facts`, their moment read off the shop's clock."""
        minute = facts.at_ms // 60_000
        try:
            return Asker(tier, facts, self._moments[minute])
        except KeyError:
            local = datetime.fromtimestamp(minute * 60, UTC).astimezone(self._zone)
        if len(self._moments) >= MAX_MOMENTS:
            self._moments.clear()
        moment = self._moments[minute] = Moment(local.date(), local.weekday(), local.hour * 60 + local.minute)
        return Asker(tier, facts, moment)

    def shelves(self, lines: Sequence[BoughtLine]) -> list[list[int]]:
        """For each shelf, the numbers of the eligible lines on it, in order. Shelf 0 has every eligible line."""
        found: list[list[int]] = [[] for _ in self._shelves]
        everything = found[0]
        placed = self._placed
        for number, line in enumerate(lines):
            if not line.eligible:
                continue
            key = (line.category, line.sku)
            try:
                places = placed[key]
            except KeyError:
                places = self._place(key)
            if places is None:
                continue
            everything.append(number)
            for shelf in places:
                found[shelf].append(number)
        return found

    def _place(self, key: tuple[str, str]) -> tuple[int, ...] | None:
        """The shelves besides 0 that an article is on; None for what the programme excludes."""
        if len(self._placed) >= MAX_PLACED:
            self._placed.clear()
        places = None
        if self._excluded.include(*key):
            places = tuple(number for number, goods in enumerate(self._shelves) if number and goods.include(*key))
        self._placed[key] = places
        return places

    def _ready(self, part: PartKind) -> Ready[PartKind]:
        assert isinstance(part, Earning | Giving | Counted)
        return Ready(part, Condition(part), self._shelf(part) if isinstance(part, Goods) else 0)

    def _shelf(self, goods: Goods) -> int:
        wanted = Goods(**{name: getattr(goods, name) for name in Goods.model_fields})
        if wanted not in self._shelves:
            self._shelves.append(wanted)
        return self._shelves.index(wanted)


def _goods_of(benefit: Benefit) -> Goods | None:
    """The goods that a benefit takes off from; None when it takes nothing off."""
    gift = benefit.gives if isinstance(benefit, Coupon | StampCard) else benefit
    return gift if isinstance(gift, Goods) else None
