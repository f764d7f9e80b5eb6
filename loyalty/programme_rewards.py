"""What members get: rewards for points, coupons and personal offers, stamp cards. One set of gifts under all three."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictInt, model_validator

from loyalty.codes import ALPHABET, MAX_PREFIX
from loyalty.money import Rounding
from loyalty.programme_parts import AtLeastNone, Goods, Identifier, Part, Positive, Texts, When, Who


class Giving(Who, When):
    """What every reward, coupon and stamp card can be limited by."""

    id: Identifier
    name: Texts
    limit_per_basket: Annotated[StrictInt, Field(ge=1, le=20)] = 1
    limit_per_member: Positive | None = None
    """Times that one member can have it, ever; counted by head office."""
    stock: Positive | None = None
    """How many there are in the whole chain; counted by head office."""
    minimum_basket_minor: AtLeastNone = 0
    """Eligible amount of the basket, in minor units before rewards, from which it is given."""


class AmountOffGift(Goods):
    """`discount_minor` off the goods named, spread over them pro rata."""

    kind: Literal["amount_off"]
    discount_minor: Positive


class PercentOffGift(Goods):
    """`percent` off the goods named, at most `max_minor`."""

    kind: Literal["percent_off"]
    percent: Annotated[StrictInt, Field(gt=0, le=100)]
    max_minor: Positive | None = None
    rounding: Rounding = Rounding.FLOOR


class FreeItemGift(Goods):
    """One whole item of the goods named for nothing: the cheapest on the receipt, up to `max_minor` of its price."""

    kind: Literal["free_item"]
    max_minor: Positive | None = None


class PointsGift(Part):
    """`points` on top, once something eligible is bought."""

    kind: Literal["points"]
    points: Positive


class IssueGift(Part):
    """Something printed that is worth `value_minor` later, for `valid_days` after today."""

    kind: Literal["voucher", "gift_card"]
    value_minor: Positive
    valid_days: Annotated[StrictInt, Field(ge=1, le=3660)] = 365


class CashBackGift(Part):
    """`value_minor` from the drawer."""

    kind: Literal["cash_back"]
    value_minor: Positive


class Priced(Giving):
    """A reward that costs points."""

    cost_points: Positive


class AmountOff(Priced, AmountOffGift):
    """A reward: `discount_minor` off the basket for `cost_points`."""


class PercentOff(Priced, PercentOffGift):
    """A reward: `percent` off for `cost_points`."""


class FreeItem(Priced, FreeItemGift):
    """A reward: an item free for `cost_points`."""


class PayWithPoints(Priced, Goods):
    """A reward: points as part payment of the goods named. `cost_points` are worth `value_minor`.

    The customer chooses the amount, in steps of `step_minor`.
    """

    kind: Literal["pay_with_points"]
    value_minor: Positive
    step_minor: Positive | None = None
    """`value_minor` when left out. Each step has to cost whole points."""
    limit_per_basket: Annotated[StrictInt, Field(ge=1, le=20)] = 20

    @model_validator(mode="after")
    def _whole_points(self) -> PayWithPoints:
        if self.step * self.cost_points % self.value_minor:
            raise ValueError(
                f"expected a step that costs whole points, got step_minor {self.step} at {self.cost_points} points "
                f"for {self.value_minor}: leave step_minor out, or take a multiple that divides"
            )
        return self

    @property
    def step(self) -> int:
        """The smallest amount that can be paid, in minor units."""
        return self.step_minor or self.value_minor


class Issue(Priced, IssueGift):
    """A reward: a voucher or gift card, printed, for `cost_points`."""


class CashBack(Priced, CashBackGift):
    """A reward: money from the drawer for `cost_points`."""


Reward = Annotated[AmountOff | PercentOff | FreeItem | PayWithPoints | Issue | CashBack, Field(discriminator="kind")]
Gift = Annotated[AmountOffGift | PercentOffGift | FreeItemGift | PointsGift, Field(discriminator="kind")]


class Coupon(Giving):
    """A gift for a single-use code, or, with no `code_prefix`, a personal offer to members of segments or tiers."""

    code_prefix: Annotated[str, Field(pattern=rf"^[{ALPHABET}]{{2,{MAX_PREFIX}}}$")] | None = None
    """The first characters of every code of this coupon."""
    gives: Gift

    @model_validator(mode="after")
    def _not_for_everybody(self) -> Coupon:
        if self.code_prefix is None and not self.segments and not self.tiers and self.limit_per_member is None:
            raise ValueError(
                "expected a code_prefix, segments, tiers or a limit_per_member: "
                "without one of them every customer gets this on every receipt"
            )
        return self


class StampCard(Giving, Goods):
    """A stamp for every whole item (or visit) with the goods named; `stamps` of them buy what it `gives`."""

    counts: Literal["items", "visits"] = "items"
    stamps: Annotated[StrictInt, Field(ge=1, le=1000)]
    gives: Gift


Benefit = Reward | Coupon | StampCard
"""Anything that can be asked for by its id on a sale."""


def kind_of(benefit: Benefit) -> str:
    """The kind of gift that a reward is, or that a coupon or stamp card gives."""
    return benefit.gives.kind if isinstance(benefit, Coupon | StampCard) else benefit.kind
