"""Stamps, challenges and badges: what a sale adds to a member's counters, and which goals it reaches. Pure state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from loyalty.basket import Bought
from loyalty.facts import Facts, Known, counted, is_empty
from loyalty.goods import Goods
from loyalty.money import apportion
from loyalty.programme import Programme
from loyalty.programme_members import Badge, Challenge
from loyalty.redemption import TAKEN, Redemption, discounts_by_line, free_items_by_line

REACHED = "#"
"""Behind a goal's counter: the counter of times it was reached, so that a return and a new purchase pay once."""


class LineCount(BaseModel):
    """The share of one line in a counter's change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    line_id: str
    count: StrictInt


class Progress(BaseModel):
    """How a sale changes one counter; with lines, so that a return can take back its part. A visit is of no line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    counter: str
    count: StrictInt
    lines: tuple[LineCount, ...] = Field(default=(), exclude_if=is_empty)


@dataclass(frozen=True, slots=True)
class Tally:
    """What a sale counts: the changes, the bonus points of challenges it completes, and the goals it reaches."""

    progress: tuple[Progress, ...]
    gifts: tuple[tuple[str, int], ...]
    reached: tuple[str, ...]


_NOTHING = Tally((), (), ())


def tally(programme: Programme, basket: Bought, tier: str, redemptions: Sequence[Redemption], facts: Known) -> Tally:
    """Count a sale: stamps earned and spent, and how much nearer it brings the member to each goal.

    A goal pays once in each of its periods, in the sale whose count reaches it.
    """
    compiled = programme.compiled
    progress = [*_spent(redemptions), *_had(programme, redemptions)] if redemptions else []
    if not compiled.stamp_cards and not compiled.goals:
        return Tally(tuple(progress), (), ()) if progress else _NOTHING
    goods = Goods(compiled, basket, discounts_by_line(redemptions), free_items_by_line(redemptions))
    asker = compiled.asker(tier, facts)
    for ready in compiled.stamp_cards:
        if ready.condition.holds(asker):
            progress += _progress(basket, goods, ready.part.id, ready.shelf, ready.part.counts)
    gifts: list[tuple[str, int]] = []
    reached: list[str] = []
    for goal in compiled.goals:
        if not goal.condition.holds(asker):
            continue
        counter = counter_of(goal.part, asker.moment.day)
        found = _progress(basket, goods, counter, goal.shelf, goal.part.counts)
        progress += found
        now = counted(facts, counter) + sum(part.count for part in found)
        if found and now >= goal.part.goal and not counted(facts, counter + REACHED):
            progress.append(Progress(counter=counter + REACHED, count=1))
            reached.append(goal.part.id)
            if isinstance(goal.part, Challenge):
                gifts.append((goal.part.id, goal.part.points))
    return Tally(tuple(progress), tuple(gifts), tuple(reached))


def counters_on(programme: Programme, at_ms: int) -> frozenset[str]:
    """The counters that this version looks at on the day of `at_ms` (Unix milliseconds UTC)."""
    compiled = programme.compiled
    day = compiled.asker("", Facts(at_ms=at_ms)).moment.day
    goals = [counter_of(goal.part, day) for goal in compiled.goals]
    return frozenset(
        [card.part.id for card in compiled.stamp_cards]
        + [reward + TAKEN for reward in compiled.limited]
        + goals
        + [goal + REACHED for goal in goals]
    )


def counter_of(goal: Challenge | Badge, day: date) -> str:
    """The name of a goal's counter on `day`: its id, with the month or ISO 8601 week when it starts again each."""
    if goal.every == "month":
        return f"{goal.id}/{day.year}-{day.month:02d}"
    if goal.every == "week":
        year, week, _ = day.isocalendar()
        return f"{goal.id}/{year}-w{week:02d}"
    return goal.id


def _progress(
    basket: Bought, goods: Goods, counter: str, shelf: int, counts: Literal["items", "visits", "spend"]
) -> list[Progress]:
    lines = goods.shelves[shelf]
    if counts == "visits":
        return [Progress(counter=counter, count=1)] if goods.sum_of(shelf) > 0 else []
    shares = goods.items(lines) if counts == "items" else goods.of(shelf)
    return _over_lines(basket, counter, lines, shares)


def _over_lines(basket: Bought, counter: str, lines: Sequence[int], shares: Sequence[int]) -> list[Progress]:
    if not any(shares):
        return []
    return [
        Progress(
            counter=counter,
            count=sum(shares),
            lines=tuple(
                LineCount(line_id=basket.lines[line].line_id, count=share)
                for line, share in zip(lines, shares, strict=True)
                if share
            ),
        )
    ]


def _had(programme: Programme, redemptions: Sequence[Redemption]) -> list[Progress]:
    """Rewards taken of which each member may have so many."""
    limited = [
        redemption.reward
        for redemption in redemptions
        if (benefit := programme.reward(redemption.reward)) and benefit.limit_per_member is not None
    ]
    return [Progress(counter=reward + TAKEN, count=limited.count(reward)) for reward in dict.fromkeys(limited)]


def _spent(redemptions: Sequence[Redemption]) -> list[Progress]:
    """Stamps that rewards cost, on the lines that the rewards went to."""
    found = []
    for redemption in redemptions:
        if redemption.stamps:
            shares = apportion(redemption.stamps, [line.discount_minor for line in redemption.lines] or [1])
            lines = tuple(
                LineCount(line_id=line.line_id, count=-share)
                for line, share in zip(redemption.lines, shares, strict=bool(redemption.lines))
                if share
            )
            found.append(Progress(counter=redemption.reward, count=-redemption.stamps, lines=lines))
    return found
