"""What a reward costs, what it takes off the basket, and which rewards may be given now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, StrictInt

from loyalty.basket import Basket
from loyalty.errors import RewardRefused
from loyalty.money import apportion
from loyalty.offline import Verdict
from loyalty.programme import AmountOff, Programme


class LineDiscount(BaseModel):
    """Minor units that a reward took off one line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    line_id: str
    discount_minor: StrictInt


class Redemption(BaseModel):
    """One reward taken: its cost in points and its value in minor units, spread over the lines exactly."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reward: str
    points: StrictInt
    discount_minor: StrictInt
    lines: tuple[LineDiscount, ...]


@dataclass(frozen=True, slots=True)
class RewardOption:
    """A reward as the cashier sees it: available, or not with the reason's code."""

    reward: AmountOff
    available: bool
    code: str | None


def discounts_by_line(redemptions: Sequence[Redemption]) -> dict[str, int]:
    """Minor units taken off each line by all `redemptions` together."""
    taken: dict[str, int] = {}
    for redemption in redemptions:
        for line in redemption.lines:
            taken[line.line_id] = taken.get(line.line_id, 0) + line.discount_minor
    return taken


def _room(basket: Basket, redemptions: Sequence[Redemption]) -> list[int]:
    """What is left to pay on each eligible line, in minor units; discounts never make a line negative."""
    taken = discounts_by_line(redemptions)
    return [max(0, line.gross_minor - taken.get(line.line_id, 0)) if line.eligible else 0 for line in basket.lines]


def _refusal(programme: Programme, reward: AmountOff, basket: Basket, chosen: Sequence[Redemption]) -> str | None:
    if sum(redemption.reward == reward.id for redemption in chosen) >= reward.limit_per_basket:
        return "limit_per_basket"
    if basket.currency != programme.currency:
        return "currency"
    payable = basket.gross_minor - sum(redemption.discount_minor for redemption in chosen)
    if min(sum(_room(basket, chosen)), payable) < reward.discount_minor:
        return "basket_too_small"
    return None


def redeem(programme: Programme, basket: Basket, reward_ids: Sequence[str]) -> tuple[Redemption, ...]:
    """Apply rewards to a basket, in the order given.

    Whether the points are there is not judged here (see `options`): head office uses this to compute again what a
    till did.

    Raises:
        RewardRefused: unknown reward, over its limit, or the basket is worth less than the reward.
    """
    chosen: list[Redemption] = []
    for reward_id in reward_ids:
        reward = programme.reward(reward_id)
        if reward is None:
            raise RewardRefused(
                "unknown_reward", f"no reward '{reward_id}' in {programme.id} version {programme.version}"
            )
        if code := _refusal(programme, reward, basket, chosen):
            raise RewardRefused(code, f"reward '{reward_id}' cannot be given on this basket: {code.replace('_', ' ')}")
        shares = apportion(reward.discount_minor, _room(basket, chosen))
        chosen.append(
            Redemption(
                reward=reward.id,
                points=reward.cost_points,
                discount_minor=reward.discount_minor,
                lines=tuple(
                    LineDiscount(line_id=line.line_id, discount_minor=share)
                    for line, share in zip(basket.lines, shares, strict=True)
                    if share
                ),
            )
        )
    return tuple(chosen)


def options(
    programme: Programme, basket: Basket, chosen: Sequence[Redemption], balance: int, verdict: Verdict
) -> tuple[RewardOption, ...]:
    """Every reward of the programme with whether it may be given now on top of `chosen`.

    Args:
        balance: points shown for the member before this sale.
        verdict: what the till may redeem now (points already redeemed earlier today included).
    """
    spent = sum(redemption.points for redemption in chosen)
    result = []
    for reward in programme.rewards:
        code: str | None = None
        if spent + reward.cost_points > balance:
            code = "points_short"
        elif spent + reward.cost_points > verdict.limit:
            code = str(verdict.reason)
        else:
            code = _refusal(programme, reward, basket, chosen)
        result.append(RewardOption(reward, code is None, code))
    return tuple(result)
