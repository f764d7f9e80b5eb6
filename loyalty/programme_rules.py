"""How points are earned: the kinds of earn rule, each with when, for whom, on which goods and up to what cap."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt

from loyalty.money import Rounding
from loyalty.programme_parts import AtLeastNone, Goods, Identifier, Part, Positive, Texts, When, Who


class Birthday(StrEnum):
    """How near a member's birthday a sale has to be: on the day, within 3 days, or in its calendar month."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Stacking(StrEnum):
    """How a multiplier stands beside others: added to them, or the one that gives most instead of them."""

    ADD = "add"
    MAX = "max"


class Earning(Who, When, Goods):
    """What every earn rule can be limited by."""

    id: Identifier
    name: Texts
    minimum_basket_minor: AtLeastNone = 0
    """The rule holds from this eligible amount of the whole basket, in minor units, after rewards."""
    birthday: Birthday | None = None
    first_purchase: StrictBool = False
    cap_points: Positive | None = None
    """Most points this rule gives on one basket."""


class PointsRule(Earning):
    """A rule that gives points of its own, which multipliers multiply unless it is a bonus."""

    bonus: StrictBool = False
    """True: extra points, kept apart from the base; no multiplier takes them into account."""


class PerAmount(PointsRule):
    """`points` for every `per_minor` of eligible amount, once per basket."""

    kind: Literal["per_amount"]
    points: Positive
    per_minor: Positive
    rounding: Rounding = Rounding.FLOOR


class PerItem(PointsRule):
    """`points` for every `per_items` whole items bought; 0.347 kg is no whole item, nor is one given for free."""

    kind: Literal["per_item"]
    points: Positive
    per_items: Positive = 1


class PerVisit(PointsRule):
    """`points` for a basket with anything eligible in it, whatever the amount."""

    kind: Literal["per_visit"]
    points: Positive


class Multiplier(Earning):
    """A bonus of `percent` of the base points: 50 is half as much again, 100 is double.

    With goods named, of the base points that these goods would earn by themselves (by amount and by item).
    """

    kind: Literal["multiplier"]
    percent: Annotated[StrictInt, Field(gt=0, le=1000)]
    stacking: Stacking = Stacking.ADD
    rounding: Rounding = Rounding.FLOOR


EarnRule = Annotated[PerAmount | PerItem | PerVisit | Multiplier, Field(discriminator="kind")]


class Caps(Part):
    """Most points that all rules together give on one basket, and to one card on one business day."""

    per_basket_points: Positive | None = None
    per_card_day_points: Positive | None = None
