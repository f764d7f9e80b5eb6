"""Points a basket earns: per rule, and per line so that the lines add up to the total exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, StrictInt

from loyalty.basket import Basket
from loyalty.money import apportion, divide
from loyalty.programme import Multiplier, PerAmount, Programme


class Component(BaseModel):
    """What one rule gave: `points`, on a base of `base` (minor units for a base rule, points for a bonus)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str
    kind: Literal["base", "bonus"]
    base: StrictInt
    points: StrictInt


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


def accrue(programme: Programme, basket: Basket, tier: str, discounts: Mapping[str, int] | None = None) -> Accrual:
    """Compute what `basket` earns for a member of `tier`.

    Args:
        programme: the version to compute with.
        basket: lines in minor units.
        tier: tier id from the mirror.
        discounts: per line id, the minor units that rewards took off (they earn nothing).

    A sum of eligible lines that is not positive earns nothing: taking back is the business of returns.
    """
    taken = discounts or {}
    base_lines = [0] * len(basket.lines)
    components: list[Component] = []
    base_total = 0
    for rule in programme.earn:
        if not isinstance(rule, PerAmount):
            continue
        weights = [
            line.gross_minor - taken.get(line.line_id, 0)
            if line.eligible and line.category not in rule.excluded_categories
            else 0
            for line in basket.lines
        ]
        amount = sum(weights)
        if amount <= 0:
            continue
        points = divide(amount * rule.points, rule.per_minor, rule.rounding)
        components.append(Component(rule=rule.id, kind="base", base=amount, points=points))
        base_lines = [have + more for have, more in zip(base_lines, apportion(points, weights), strict=True)]
        base_total += points
    line_points = list(base_lines)
    for rule in programme.earn:
        if not isinstance(rule, Multiplier) or (rule.tiers and tier not in rule.tiers) or base_total <= 0:
            continue
        points = divide(base_total * rule.percent, 100, rule.rounding)
        components.append(Component(rule=rule.id, kind="bonus", base=base_total, points=points))
        line_points = [have + more for have, more in zip(line_points, apportion(points, base_lines), strict=True)]
    return Accrual(
        points=sum(component.points for component in components),
        components=tuple(components),
        lines=tuple(
            LinePoints(line_id=line.line_id, points=points)
            for line, points in zip(basket.lines, line_points, strict=True)
        ),
    )
