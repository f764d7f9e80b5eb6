"""What a reward costs, what it takes off the basket, and which rewards may be given now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from loyalty.basket import Basket
from loyalty.codes import read_code
from loyalty.compiled import Asker
from loyalty.errors import RewardRefused
from loyalty.facts import UNKNOWN, Facts, counted, is_empty, stock_left
from loyalty.gifts import Taken, take
from loyalty.goods import Goods
from loyalty.offline import Verdict
from loyalty.programme import Programme
from loyalty.programme_rewards import (
    AmountOffGift,
    Benefit,
    CashBackGift,
    Coupon,
    IssueGift,
    PayWithPoints,
    Priced,
    StampCard,
)

TAKEN = "!"
"""Behind a reward's id: the counter of times the member had it, kept when the reward is limited for each member."""


class LineDiscount(BaseModel):
    """Minor units that a reward took off one line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    line_id: str
    discount_minor: StrictInt
    items: StrictInt = Field(default=0, exclude_if=is_empty)
    """Whole items of the line that were given for nothing."""


class Redemption(BaseModel):
    """One reward taken: its cost in points and its value in minor units, spread over the lines exactly."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reward: str
    points: StrictInt
    discount_minor: StrictInt
    lines: tuple[LineDiscount, ...]
    stamps: StrictInt = Field(default=0, exclude_if=is_empty)
    """Stamps that it cost."""
    coupon: str | None = Field(default=None, exclude_if=is_empty)
    """The single-use code that it was given for."""
    bonus_points: StrictInt = Field(default=0, exclude_if=is_empty)
    """Points that it adds to what the basket earns."""
    issued_minor: StrictInt = Field(default=0, exclude_if=is_empty)
    """Value of the voucher or gift card that is printed."""
    cash_minor: StrictInt = Field(default=0, exclude_if=is_empty)
    """Money from the drawer."""


class Choice(BaseModel):
    """A reward asked for: by its id, with the amount to pay with points, or the code of a coupon."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reward: str
    amount_minor: Annotated[StrictInt, Field(gt=0, le=1_000_000_000)] | None = None
    """For points as part payment; one step of the reward when None."""
    code: str | None = None

    @classmethod
    def of(cls, redemption: Redemption) -> Choice:
        """What must have been asked for to get `redemption`."""
        return cls(reward=redemption.reward, amount_minor=redemption.discount_minor or None, code=redemption.coupon)


@dataclass(frozen=True, slots=True)
class RewardOption:
    """A reward as the cashier sees it: what it would cost and take off, and why not when it is not available."""

    reward: Benefit
    available: bool
    code: str | None
    cost_points: int = 0
    value_minor: int = 0
    """Minor units that it is worth now: taken off, printed or paid out; 0 when that cannot be said yet."""
    cost_stamps: int = 0
    short: int = 0
    """Points or stamps that are missing."""


def choices(wanted: Sequence[str | Choice]) -> list[Choice]:
    """Every wish as a choice; a bare id is the reward of that name."""
    return [Choice(reward=wish) if isinstance(wish, str) else wish for wish in wanted]


def discounts_by_line(redemptions: Sequence[Redemption]) -> dict[str, int]:
    """Minor units taken off each line by all `redemptions` together."""
    taken: dict[str, int] = {}
    for redemption in redemptions:
        for line in redemption.lines:
            taken[line.line_id] = taken.get(line.line_id, 0) + line.discount_minor
    return taken


def free_items_by_line(redemptions: Sequence[Redemption]) -> dict[str, int]:
    """Whole items given for nothing on each line by all `redemptions` together."""
    free: dict[str, int] = {}
    for redemption in redemptions:
        for line in redemption.lines:
            if line.items:
                free[line.line_id] = free.get(line.line_id, 0) + line.items
    return free


def coupon_of(programme: Programme, text: str) -> Choice:
    """The choice that a coupon's code stands for.

    Raises:
        RewardRefused: `coupon_invalid` when mistyped, `coupon_unknown` when of no coupon of this programme.
    """
    code = read_code(text)
    for coupon in programme.coupons:
        if coupon.code_prefix and code.startswith(coupon.code_prefix):
            return Choice(reward=coupon.id, code=code)
    raise RewardRefused("coupon_unknown", "this code is of no coupon that is on now")


def redeem(
    programme: Programme,
    basket: Basket,
    wanted: Sequence[str | Choice],
    *,
    tier: str | None = None,
    facts: Facts = UNKNOWN,
) -> tuple[Redemption, ...]:
    """Apply rewards to a basket, in the order given.

    Whether the points are there is not judged here (see `options`): head office uses this to compute again what a
    till did.

    Args:
        tier: of the member; None for the lowest.
        facts: what is known of member and moment; dates, segments and limits go by it.

    Raises:
        RewardRefused: unknown reward, not for this member or moment, over its limit, or the basket is worth less.
    """
    counter = _Counter(programme, basket, programme.compiled.asker(tier or programme.tiers[0].id, facts))
    chosen: list[Redemption] = []
    for choice in choices(wanted):
        benefit = programme.reward(choice.reward)
        if benefit is None:
            raise RewardRefused(
                "unknown_reward", f"no reward '{choice.reward}' in {programme.id} version {programme.version}"
            )
        found = _try(counter, benefit, choice, chosen)
        if isinstance(found, str):
            raise RewardRefused(
                found, f"reward '{choice.reward}' cannot be given on this basket: {found.replace('_', ' ')}"
            )
        chosen.append(found)
    return tuple(chosen)


@dataclass(frozen=True, slots=True)
class _Counter:
    """Where rewards are handed out: by which programme, on which basket, to whom and when."""

    programme: Programme
    basket: Basket
    asker: Asker


def _try(counter: _Counter, benefit: Benefit, choice: Choice, chosen: Sequence[Redemption]) -> Redemption | str:
    """The redemption of one benefit on top of `chosen`, or the code why not."""
    if code := _not_for_now(counter, benefit, choice, chosen):
        return code
    basket, compiled = counter.basket, counter.programme.compiled
    goods = Goods(compiled, basket, discounts_by_line(chosen), free_items_by_line(chosen))
    if goods.plain_total(basket) < benefit.minimum_basket_minor:
        return "basket_too_small"
    payable = basket.gross_minor - sum(redemption.discount_minor for redemption in chosen)
    gift = benefit.gives if isinstance(benefit, Coupon | StampCard) else benefit
    amount = choice.amount_minor
    taken = take(gift, goods, compiled.goods.get(benefit.id, 0), payable=payable, amount_minor=amount)
    if taken is None:
        return "basket_too_small"
    return _redemption(basket, benefit, choice, taken)


def _redemption(basket: Basket, benefit: Benefit, choice: Choice, taken: Taken) -> Redemption:
    points = 0
    if isinstance(benefit, PayWithPoints):
        points = taken.off_minor * benefit.cost_points // benefit.value_minor
    elif isinstance(benefit, Priced):
        points = benefit.cost_points
    return Redemption(
        reward=benefit.id,
        points=points,
        discount_minor=taken.off_minor,
        lines=tuple(
            LineDiscount(line_id=basket.lines[line].line_id, discount_minor=off, items=taken.items.get(line, 0))
            for line, off in taken.lines
            if off
        ),
        stamps=benefit.stamps if isinstance(benefit, StampCard) else 0,
        coupon=choice.code,
        bonus_points=taken.bonus_points,
        issued_minor=taken.issued_minor,
        cash_minor=taken.cash_minor,
    )


def _not_for_now(counter: _Counter, benefit: Benefit, choice: Choice, chosen: Sequence[Redemption]) -> str | None:
    """Why a benefit is not to be had whatever the basket holds, as a code; None when nothing is against it."""
    programme, asker, facts = counter.programme, counter.asker, counter.asker.facts
    times = sum(redemption.reward == benefit.id for redemption in chosen)
    condition = programme.compiled.conditions[benefit.id]
    left = stock_left(facts, benefit.id)
    had = counted(facts, benefit.id + TAKEN) if benefit.limit_per_member is not None else 0
    stamps = times * benefit.stamps + benefit.stamps if isinstance(benefit, StampCard) else 0
    against = (
        (counter.basket.currency != programme.currency, "currency"),
        (times >= benefit.limit_per_basket, "limit_per_basket"),
        (benefit.limit_per_member is not None and had + times >= benefit.limit_per_member, "limit_per_member"),
        (benefit.stock is not None and left is not None and times >= left, "out_of_stock"),
        (not condition.always and not condition.for_member(asker), "not_for_member"),
        (not condition.always and not condition.at(asker.moment), "not_now"),
        (stamps > counted(facts, benefit.id), "stamps_short"),
        (not _code_fits(benefit, choice, chosen), "coupon_needed"),
    )
    return next((code for holds, code in against if holds), None)


def _code_fits(benefit: Benefit, choice: Choice, chosen: Sequence[Redemption]) -> bool:
    """Whether a coupon comes with a code of its own that this receipt does not have yet; others come without one."""
    prefix = benefit.code_prefix if isinstance(benefit, Coupon) else None
    if prefix is None:
        return choice.code is None
    if choice.code is None or any(redemption.coupon == choice.code for redemption in chosen):
        return False
    try:
        return read_code(choice.code) == choice.code and choice.code.startswith(prefix)
    except RewardRefused:
        return False


def options(
    programme: Programme,
    basket: Basket,
    chosen: Sequence[Redemption],
    balance: int,
    verdict: Verdict,
    *,
    tier: str | None = None,
    facts: Facts = UNKNOWN,
) -> tuple[RewardOption, ...]:
    """Every reward, personal offer and stamp card with whether it may be given now on top of `chosen`.

    Coupons with a code are left out (their code brings them), and so is what is not for this member or moment.

    Args:
        balance: points shown for the member before this sale.
        verdict: what the till may redeem now (points already redeemed earlier today included).
    """
    spent = sum(redemption.points for redemption in chosen)
    counter = _Counter(programme, basket, programme.compiled.asker(tier or programme.tiers[0].id, facts))
    result = []
    for benefit in programme.compiled.benefits.values():
        if isinstance(benefit, Coupon) and benefit.code_prefix is not None:
            continue
        amount = benefit.step if isinstance(benefit, PayWithPoints) else None
        choice = Choice(reward=benefit.id, amount_minor=amount)
        cost = benefit.cost_points if isinstance(benefit, Priced) else 0
        if isinstance(benefit, PayWithPoints):
            cost = benefit.step * benefit.cost_points // benefit.value_minor
        found = _try(counter, benefit, choice, chosen)
        if found in {"not_for_member", "not_now"}:
            continue
        code, short = (found, 0) if isinstance(found, str) else (None, 0)
        if cost and spent + cost > balance:
            code, short = "points_short", spent + cost - balance
        elif cost and spent + cost > verdict.limit:
            code = str(verdict.reason)
        elif cost and not programme.credential.allows(facts.credential, spent + cost):
            code = "credential_needed"
        stamps = benefit.stamps if isinstance(benefit, StampCard) else 0
        if code == "stamps_short":
            taken = sum(redemption.stamps for redemption in chosen if redemption.reward == benefit.id)
            short = taken + stamps - counted(facts, benefit.id)
        worth = _value(benefit) if isinstance(found, str) else _worth(found)
        result.append(RewardOption(benefit, code is None, code, cost, worth, stamps, short))
    return tuple(result)


def _worth(redemption: Redemption) -> int:
    return redemption.discount_minor or redemption.issued_minor or redemption.cash_minor


def _value(benefit: Benefit) -> int:
    """What a benefit is worth on any basket, where that is one amount; else 0. Minor units."""
    gift = benefit.gives if isinstance(benefit, Coupon | StampCard) else benefit
    match gift:
        case AmountOffGift():
            return gift.discount_minor
        case PayWithPoints():
            return gift.step
        case IssueGift() | CashBackGift():
            return gift.value_minor
    return 0
