"""Points a basket earns: per rule, and per line so that the lines add up to the total exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from loyalty.basket import Basket, Bought
from loyalty.compiled import Asker, Ready
from loyalty.facts import UNKNOWN, Facts, Known, is_empty
from loyalty.goods import Goods
from loyalty.money import apportion, divide
from loyalty.programme import Programme
from loyalty.programme_rules import PerAmount, PerItem, PerVisit, Stacking

CapName = Literal["rule", "basket", "card_day"]


class Component(BaseModel):
    """What one rule gave: `points`, on a base of minor units (per amount), items, visits, or points (a multiplier)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str
    kind: Literal["base", "bonus"]
    base: StrictInt
    points: StrictInt
    capped_by: CapName | None = Field(default=None, exclude_if=is_empty)
    """Which cap made it fewer points than the rule gives: its own, the basket's or the day's."""


class LinePoints(BaseModel):
    """The share of one line in the points earned."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    line_id: str
    points: StrictInt


class Accrual(BaseModel):
    """The points of one basket; `points` = Σ components = Σ lines."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    points: StrictInt
    components: tuple[Component, ...]
    lines: tuple[LinePoints, ...]


_ADD = Stacking.ADD


@dataclass(slots=True)
class Given:
    """What a rule gives, before it is fixed: over which lines, by which weights."""

    rule: str
    kind: Literal["base", "bonus"]
    base: int
    points: int
    lines: Sequence[int]
    weights: Sequence[int]
    capped_by: CapName | None = None

    def cap(self, most: int, name: CapName) -> None:
        if self.points > most:
            self.points, self.capped_by = most, name

    def spread(self, onto: list[int]) -> None:
        if not self.points:
            return
        if len(self.lines) == 1:
            onto[self.lines[0]] += self.points
        elif len(self.lines) == 2:  # most rules of a category: no third list for two additions
            first, second = apportion(self.points, self.weights)
            onto[self.lines[0]] += first
            onto[self.lines[1]] += second
        else:
            for line, share in zip(self.lines, apportion(self.points, self.weights), strict=True):
                onto[line] += share


def accrue(
    programme: Programme,
    basket: Basket,
    tier: str,
    discounts: Mapping[str, int] | None = None,
    *,
    facts: Facts = UNKNOWN,
    free_items: Mapping[str, int] | None = None,
    gifts: Sequence[tuple[str, int]] = (),
) -> Accrual:
    """Compute what `basket` earns for a member of `tier`.

    Args:
        programme: the version to compute with.
        basket: lines in minor units.
        tier: tier id from the mirror.
        discounts: per line id, the minor units that rewards took off (they earn nothing).
        facts: what is known of member and moment.
        free_items: per line id, the whole items that rewards gave for nothing.
        gifts: (coupon or challenge, points) that come on top when anything eligible is bought.

    A sum of eligible lines that is not positive earns nothing: taking back is the business of returns.

    Order: base rules, bonus rules, multipliers of the base, gifts. Each rule's own cap comes first; the caps of basket
    and card-day then take from the last component backwards, so that the base goes last.
    """
    given, line_points = reckon(
        programme, basket, tier, discounts or {}, facts=facts, free_items=free_items or {}, gifts=gifts
    )
    return _fixed(basket, given, line_points)


def reckon(
    programme: Programme,
    basket: Bought,
    tier: str,
    discounts: Mapping[str, int],
    *,
    facts: Known,
    free_items: Mapping[str, int],
    gifts: Sequence[tuple[str, int]],
) -> tuple[Sequence[Given], Sequence[int]]:
    """The components of what `basket` earns, and the points of each line, in order. Arguments as of `accrue`."""
    goods = Goods(programme.compiled, basket, discounts, free_items)
    asker = programme.compiled.asker(tier, facts)
    if goods.total <= 0:
        return [], [0] * len(basket.lines)
    given = _points_rules(programme.compiled.base, goods, "base", asker)
    base = len(given)
    base_lines = [0] * len(basket.lines)
    for part in given:
        part.spread(base_lines)
    # Most sales meet base rules alone: the rest is asked of programmes that have it.
    if programme.compiled.bonus:
        given += _points_rules(programme.compiled.bonus, goods, "bonus", asker)
    if programme.compiled.multipliers:
        given += _multipliers(programme, goods, given[:base], base_lines, asker)
    if gifts:
        everything, amounts = goods.shelves[0], goods.of(0)
        given += [Given(rule, "bonus", 1, points, everything, amounts) for rule, points in gifts]
    if _cap(programme, given, facts.earned_today) < base:
        base_lines = [0] * len(basket.lines)
        for part in given[:base]:
            part.spread(base_lines)
    for part in given[base:]:
        part.spread(base_lines)
    return given, base_lines


def _points_rules(
    rules: Sequence[Ready[PerAmount | PerItem | PerVisit]],
    goods: Goods,
    kind: Literal["base", "bonus"],
    asker: Asker,
) -> list[Given]:
    found = []
    total = goods.total
    for ready in rules:
        rule, shelf = ready.part, ready.shelf
        lines = goods.shelves[shelf]
        if not lines or total < rule.minimum_basket_minor or not ready.condition.holds(asker):
            continue
        if isinstance(rule, PerItem):
            weights = goods.items(lines)
            base = sum(weights)
        else:
            weights = goods.of(shelf)
            base = goods.sum_of(shelf)
        if base <= 0:
            continue
        part = Given(rule.id, kind, 1 if isinstance(rule, PerVisit) else base, _points(rule, base), lines, weights)
        if rule.cap_points is not None:
            part.cap(rule.cap_points, "rule")
        found.append(part)
    return found


def _points(rule: PerAmount | PerItem | PerVisit, base: int) -> int:
    if isinstance(rule, PerAmount):
        return divide(base * rule.points, rule.per_minor, rule.rounding)
    if isinstance(rule, PerItem):
        return base * rule.points // rule.per_items
    return rule.points


def _multipliers(
    programme: Programme,
    goods: Goods,
    base: Sequence[Given],
    base_lines: Sequence[int],
    asker: Asker,
) -> list[Given]:
    """The bonuses on the base: those that add up, or the one marked max that gives more than they do together."""
    base_total = sum([part.points for part in base])
    if base_total <= 0:
        return []
    by_itself: list[_ByItself] | None = None
    every_line = range(len(base_lines))
    adding: list[Given] = []
    best: Given | None = None
    for ready in programme.compiled.multipliers:
        rule = ready.part
        if goods.total < rule.minimum_basket_minor or not ready.condition.holds(asker):
            continue
        lines: Sequence[int] = every_line
        weights: Sequence[int] = base_lines
        on = base_total
        if ready.shelf:
            lines = goods.shelves[ready.shelf]
            if by_itself is None:
                by_itself = _by_itself(programme, goods, asker)
            on = min(base_total, _base_of(goods, ready.shelf, by_itself))
            if on <= 0:
                continue
            weights = [base_lines[line] for line in lines]
            if sum(weights) <= 0:
                weights = goods.of(ready.shelf) if goods.sum_of(ready.shelf) > 0 else [1] * len(lines)
        part = Given(rule.id, "bonus", on, divide(on * rule.percent, 100, rule.rounding), lines, weights)
        if rule.cap_points is not None:
            part.cap(rule.cap_points, "rule")
        if rule.stacking is _ADD:
            adding.append(part)
        elif best is None or part.points > best.points:
            best = part
    if best is not None and best.points > sum(part.points for part in adding):
        return [best]
    return adding


_ByItself = tuple[PerAmount | PerItem, frozenset[int] | None]
"""A base rule that holds now, and the lines it counts; None for every eligible line."""


def _by_itself(programme: Programme, goods: Goods, asker: Asker) -> list[_ByItself]:
    """The base rules that some of the goods could earn by themselves now: a visit is not theirs."""
    return [
        (ready.part, frozenset(goods.shelves[ready.shelf]) if ready.shelf else None)
        for ready in programme.compiled.base
        if not isinstance(ready.part, PerVisit)
        and goods.total >= ready.part.minimum_basket_minor
        and ready.condition.holds(asker)
    ]


def _base_of(goods: Goods, shelf: int, rules: Sequence[_ByItself]) -> int:
    """The base points that the lines on a shelf would earn by themselves, by amount and by item.

    Not the base points that these lines have: those come from splitting the whole, and may fall by one when another
    line grows, so that buying more would earn less.
    """
    total = 0
    for rule, counted in rules:
        if counted is None and not isinstance(rule, PerItem):
            base = goods.sum_of(shelf)
        else:
            lines = [line for line in goods.shelves[shelf] if counted is None or line in counted]
            base = sum(goods.items(lines) if isinstance(rule, PerItem) else [goods.amounts[line] for line in lines])
        if base > 0:
            points = _points(rule, base)
            total += points if rule.cap_points is None else min(points, rule.cap_points)
    return total


def _cap(programme: Programme, given: Sequence[Given], earned_today: int) -> int:
    """Hold the total to the caps; the number of the first component that lost points."""
    first = len(given)
    caps = programme.caps
    limits: list[tuple[int, CapName]] = []
    if caps.per_basket_points is not None:
        limits.append((caps.per_basket_points, "basket"))
    if caps.per_card_day_points is not None:
        limits.append((max(0, caps.per_card_day_points - earned_today), "card_day"))
    for limit, name in limits:
        excess = sum(part.points for part in given) - limit
        for number in range(len(given) - 1, -1, -1):
            if excess <= 0:
                break
            less = min(excess, given[number].points)
            if less:
                given[number].cap(given[number].points - less, name)
                excess -= less
                first = min(first, number)
    return first


def _fixed(basket: Basket, given: Sequence[Given], line_points: Sequence[int]) -> Accrual:
    # Validated in one go: a model made for each part takes twice as long, and there are eighty of them.
    return Accrual.model_validate(
        {
            "points": sum([part.points for part in given]),
            "components": tuple(
                [
                    {
                        "rule": part.rule,
                        "kind": part.kind,
                        "base": part.base,
                        "points": part.points,
                        "capped_by": part.capped_by,
                    }
                    for part in given
                ]
            ),
            "lines": tuple(
                [
                    {"line_id": line.line_id, "points": points}
                    for line, points in zip(basket.lines, line_points, strict=True)
                ]
            ),
        }
    )
