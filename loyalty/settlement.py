"""One sale settled: rewards taken off, points earned on what is left. Tills and head office run this same function."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from loyalty.accrual import Accrual, accrue
from loyalty.basket import Basket
from loyalty.counting import Progress, tally
from loyalty.errors import BasketError
from loyalty.facts import UNKNOWN, Facts, is_empty
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
