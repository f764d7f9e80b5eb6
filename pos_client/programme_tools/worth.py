"""What points are worth in money: the best a member can do with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from loyalty.money import Rounding, divide
from loyalty.programme_rewards import AmountOff, CashBack, FreeItem, Issue, PayWithPoints, PercentOff, Reward

ItemPrice = Callable[[FreeItem], int | None]
"""What the article that a reward gives costs, in minor units; None when nobody knows."""


@dataclass(frozen=True, slots=True)
class PointValue:
    """`points` points are worth `value_minor` minor units, with the reward named."""

    reward: str
    points: int
    value_minor: int

    def of(self, points: int) -> int:
        """The worth of `points`, in whole minor units, halves up."""
        return divide(points * self.value_minor, self.points, Rounding.HALF_UP)


def _nobody_knows(_reward: FreeItem) -> int | None:
    return None


def reward_value(reward: Reward, item_price: ItemPrice = _nobody_knows) -> int | None:
    """The most a reward is worth, in minor units; None when the document sets no bound."""
    match reward:
        case AmountOff():
            return reward.discount_minor
        case PayWithPoints() | Issue() | CashBack():
            return reward.value_minor
        case PercentOff():
            return reward.max_minor
        case FreeItem():
            price = item_price(reward)
            return min((value for value in (reward.max_minor, price) if value is not None), default=None)


def best_value(rewards: Iterable[Reward], item_price: ItemPrice = _nobody_knows) -> PointValue | None:
    """The reward that gives most for a point; None when no reward has a value that is known. The first of equals."""
    best: PointValue | None = None
    for reward in rewards:
        value = reward_value(reward, item_price)
        if value is None:
            continue
        if best is None or value * best.points > best.value_minor * reward.cost_points:
            best = PointValue(reward.id, reward.cost_points, value)
    return best
