"""One sale settled: rewards taken off, points earned on what is left. Tills and head office run this same function."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, StrictInt

from loyalty.accrual import Accrual, accrue
from loyalty.basket import Basket
from loyalty.errors import BasketError
from loyalty.programme import Programme
from loyalty.redemption import Redemption, discounts_by_line, redeem


class Settlement(BaseModel):
    """What a sale comes to. `points_delta` = earned − spent; `payable_minor` in minor units."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    redemptions: tuple[Redemption, ...]
    accrual: Accrual
    points_earned: StrictInt
    points_spent: StrictInt
    payable_minor: StrictInt

    @property
    def points_delta(self) -> int:
        return self.points_earned - self.points_spent


def settle(programme: Programme, basket: Basket, tier: str, reward_ids: Sequence[str] = ()) -> Settlement:
    """Settle `basket` for a member of `tier` who takes `reward_ids`.

    Raises:
        BasketError: the basket's currency is not the programme's.
        RewardRefused: a reward cannot be given on this basket.
    """
    if basket.currency != programme.currency:
        raise BasketError(f"expected a basket in {programme.currency}, got {basket.currency}")
    redemptions = redeem(programme, basket, reward_ids)
    accrual = accrue(programme, basket, tier, discounts_by_line(redemptions))
    return Settlement(
        redemptions=redemptions,
        accrual=accrual,
        points_earned=accrual.points,
        points_spent=sum(redemption.points for redemption in redemptions),
        payable_minor=basket.gross_minor - sum(redemption.discount_minor for redemption in redemptions),
    )
