"""One sale settled: rewards taken off, points earned on what is left. Tills and head office run this same function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from loyalty.accrual import Accrual, accrue, reckon
from loyalty.basket import Basket, Bought
from loyalty.counting import Progress, tally
from loyalty.errors import BasketError
from loyalty.facts import UNKNOWN, Facts, Known, is_empty
from loyalty.programme import Programme
from loyalty.redemption import Choice, Redemption, discounts_by_line, free_items_by_line, redeem


class Settlement(BaseModel):
    """What a sale comes to. `points_delta` = earned − spent; `payable_minor` in minor units.

    Of a return everything is negative: what it takes back, what it gives back, what the customer is paid.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    redemptions: tuple[Redemption, ...]
    accrual: Accrual
    points_earned: StrictInt
    points_spent: StrictInt
    payable_minor: StrictInt
    counters: tuple[Progress, ...] = Field(default=(), exclude_if=is_empty)
    """What stamp cards, challenges and badges count."""

    @property
    def points_delta(self) -> int:
        return self.points_earned - self.points_spent


def settle(
    programme: Programme,
    basket: Basket,
    tier: str,
    rewards: Sequence[str | Choice] = (),
    facts: Facts = UNKNOWN,
) -> Settlement:
    """Settle `basket` for a member of `tier` who takes `rewards`.

    Args:
        facts: what is known of member and moment; without them only rules apply that ask for nothing.

    Raises:
        BasketError: the basket's currency is not the programme's.
        RewardRefused: a reward cannot be given on this basket.
    """
    if basket.currency != programme.currency:
        raise BasketError(f"expected a basket in {programme.currency}, got {basket.currency}")
    redemptions = redeem(programme, basket, rewards, tier=tier, facts=facts) if rewards else ()
    counted = tally(programme, basket, tier, redemptions, facts)
    accrual = accrue(
        programme,
        basket,
        tier,
        discounts_by_line(redemptions),
        facts=facts,
        free_items=free_items_by_line(redemptions),
        gifts=[
            *((redemption.reward, redemption.bonus_points) for redemption in redemptions if redemption.bonus_points),
            *counted.gifts,
        ],
    )
    return Settlement(
        redemptions=redemptions,
        accrual=accrual,
        points_earned=accrual.points,
        points_spent=sum(redemption.points for redemption in redemptions),
        payable_minor=basket.gross_minor
        - sum(redemption.discount_minor + redemption.cash_minor for redemption in redemptions),
        counters=counted.progress,
    )


class _Component(Protocol):
    @property
    def rule(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def base(self) -> int: ...
    @property
    def points(self) -> int: ...
    @property
    def capped_by(self) -> str | None: ...


class _LinePoints(Protocol):
    @property
    def line_id(self) -> str: ...
    @property
    def points(self) -> int: ...


class _Accrual(Protocol):
    @property
    def points(self) -> int: ...
    @property
    def components(self) -> Sequence[_Component]: ...
    @property
    def lines(self) -> Sequence[_LinePoints]: ...


class _LineCount(Protocol):
    @property
    def line_id(self) -> str: ...
    @property
    def count(self) -> int: ...


class _Progress(Protocol):
    @property
    def counter(self) -> str: ...
    @property
    def count(self) -> int: ...
    @property
    def lines(self) -> Sequence[_LineCount]: ...


class Claim(Protocol):
    """A settlement that somebody says a sale without rewards comes to: a `Settlement`, or another holder of the same.

    It claims that no reward was taken.
    """

    @property
    def accrual(self) -> _Accrual: ...
    @property
    def points_earned(self) -> int: ...
    @property
    def points_spent(self) -> int: ...
    @property
    def payable_minor(self) -> int: ...
    @property
    def counters(self) -> Sequence[_Progress]: ...


def holds(programme: Programme, basket: Bought, tier: str, facts: Known, claim: Claim) -> bool:
    """Whether `claim` is just what `settle` gives for a sale without rewards.

    The same rules, compared part by part without making a settlement, which takes most of the time of `settle`.
    """
    if basket.currency != programme.currency:
        return False
    counted = tally(programme, basket, tier, (), facts)
    given, line_points = reckon(programme, basket, tier, {}, facts=facts, free_items={}, gifts=counted.gifts)
    accrual = claim.accrual
    components, lines = accrual.components, accrual.lines
    if len(components) != len(given) or len(lines) != len(basket.lines):
        return False
    # Loops, since head office asks this of every sale: lists made to be compared take twice as long.
    points = 0
    for part, said in zip(given, components, strict=True):
        points += part.points
        if part.points != said.points or part.base != said.base or part.rule != said.rule:
            return False
        if part.kind != said.kind or part.capped_by != said.capped_by:
            return False
    payable = 0
    for line, share, own in zip(basket.lines, line_points, lines, strict=True):
        payable += line.gross_minor
        if share != own.points or line.line_id != own.line_id:
            return False
    return (
        claim.points_earned == accrual.points == points
        and claim.points_spent == 0
        and claim.payable_minor == payable
        and ((not counted.progress and not claim.counters) or _counts(counted.progress) == _counts(claim.counters))
    )


def _counts(counters: Sequence[_Progress]) -> list[tuple[str, int, list[tuple[str, int]]]]:
    return [(part.counter, part.count, [(line.line_id, line.count) for line in part.lines]) for part in counters]
