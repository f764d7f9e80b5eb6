"""Programmes that could pay out without limit are found, and the basket that is named really shows it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from loyalty.basket import Basket
from pos_client.programme_tools.checking import PayoutWarning, warnings
from pos_client.programme_tools.trying import Member, Trial, moment_ms, try_basket
from tests.pos_client.programme_tools.build import BAKERY, part, programme

TODAY = date(2026, 11, 21)
SILVER = BAKERY["earn"][1]


def found(**replaced: Any) -> PayoutWarning:
    """The one warning, its basket run again as `programme try` would."""
    checked = programme(**replaced)
    (warning,) = warnings(checked, TODAY)
    assert again(warning, **replaced).settlement.points_earned == warning.points
    return warning


def again(warning: PayoutWarning, **replaced: Any) -> Trial:
    checked = programme(**replaced)
    told = json.loads(json.dumps(warning.to_json()))
    at_ms = moment_ms(datetime.fromisoformat(told["at"]), checked, datetime.now(UTC))
    return try_basket(checked, Basket.model_validate(told["basket"]), Member.model_validate(told["member"]), at_ms)


def test_a_reward_worth_more_than_it_costs_to_earn() -> None:
    changed = {"rewards": [part("amount_off", "cheap", cost_points=100, discount_minor=15_000)]}
    warning = found(**changed)
    assert (warning.code, warning.path) == ("pays_for_itself", "rewards.0")
    trial = again(warning, **changed)
    # The worst is a silver member, with 150 points for € 100; 150 points are worth € 225 there.
    assert trial.tier == "zilver"
    assert trial.settlement.points_earned * 15_000 >= trial.settlement.payable_minor * 100
    assert "Raise its cost_points" in warning.text


def test_just_under_the_line_nothing_is_said() -> None:
    # Silver gets 15 points for € 10; 15 points worth € 9.99 stay below, worth € 10.00 they do not.
    for off, expected in ((999, 0), (1000, 1)):
        changed = programme(rewards=[part("amount_off", "edge", cost_points=15, discount_minor=off)])
        assert len(warnings(changed, TODAY)) == expected


def test_a_limited_reward_is_no_endless_one() -> None:
    reward = part("amount_off", "once", cost_points=1, discount_minor=15_000, limit_per_member=1)
    assert warnings(programme(rewards=[reward]), TODAY) == ()


def test_a_limit_that_nobody_meets_holds_nothing() -> None:
    def about(limit: int) -> int:
        reward = part("amount_off", "many", cost_points=1, discount_minor=15_000, limit_per_member=limit)
        return len(warnings(programme(rewards=[reward]), TODAY))

    assert (about(100), about(101)) == (0, 1)


def test_a_free_one_of_the_very_article_is_worth_one_of_so_many() -> None:
    """Six fondues bring one free: whatever a fondue costs, the card costs six times that."""

    def about(*skus: str, counts: str = "items") -> int:
        gift = {"kind": "free_item", "skus": ["FONDUE"], "max_minor": 1200}
        card = part(None, "card", skus=list(skus), counts=counts, stamps=6, gives=gift)
        return len(warnings(programme(stamp_cards=[card]), TODAY))

    assert (about("FONDUE"), about("FONDUE", "OLIVES"), about("FONDUE", counts="visits")) == (0, 1, 1)


def test_visits_that_pay_for_themselves() -> None:
    warning = found(earn=[part("per_visit", "visit", points=200)])
    assert warning.code == "pays_for_itself"
    assert warning.basket["lines"][0]["gross_minor"] == 100


def test_bonuses_of_one_hour_in_one_week_are_found() -> None:
    hour = {"percent": 5000 // 10, "weekdays": ["thu"], "hours": ["21:00-21:30"], "valid_from": "2027-02-01"}
    earn = [*BAKERY["earn"], part("multiplier", "a", **hour), part("multiplier", "b", **hour)]
    warning = found(earn=earn)
    assert warning.code == "stacking_without_cap"
    assert warning.at == "2027-02-04T21:00:00+01:00"
    assert warning.points == 100 + 50 + 500 + 500


def test_bonuses_of_the_past_are_no_danger() -> None:
    old = {"percent": 900, "valid_until": "2026-11-20"}
    earn = [*BAKERY["earn"], part("multiplier", "a", **old), part("multiplier", "b", **old)]
    assert warnings(programme(earn=earn), TODAY) == ()


def test_bonuses_past_the_cap() -> None:
    earn = [*BAKERY["earn"], part("multiplier", "a", percent=200, tiers=["zilver"])]
    warning = found(earn=earn, caps={"per_basket_points": 200})
    assert (warning.code, warning.points) == ("past_the_cap", 200)
    assert warnings(programme(earn=earn, caps={"per_basket_points": 400}), TODAY) == ()


def test_max_does_not_stack() -> None:
    earn = [*BAKERY["earn"], *(part("multiplier", name, percent=400, stacking="max") for name in "ab")]
    assert warnings(programme(earn=earn), TODAY) == ()


@pytest.mark.parametrize(
    "reward",
    [
        part("percent_off", "part", cost_points=10, percent=20),
        part("free_item", "free", cost_points=10),
    ],
)
def test_a_reward_without_a_ceiling(reward: dict[str, Any]) -> None:
    warning = found(rewards=[reward])
    assert (warning.code, warning.path) == ("no_ceiling", "rewards.0.max_minor")
    (taken,) = again(warning, rewards=[reward]).settlement.redemptions
    assert taken.discount_minor > 1000  # 10 points are earned with € 10
    assert warnings(programme(rewards=[{**reward, "max_minor": 500}]), TODAY) == ()


@pytest.mark.parametrize(
    "gives",
    [{"kind": "amount_off", "discount_minor": 500}, {"kind": "percent_off", "percent": 100}, {"kind": "free_item"}],
)
def test_an_offer_that_makes_every_basket_free(gives: dict[str, Any]) -> None:
    coupon = part(None, "offer", tiers=["zilver"], gives=gives)
    warning = found(coupons=[coupon])
    assert (warning.code, warning.path) == ("free_every_time", "coupons.0")
    assert again(warning, coupons=[coupon]).settlement.payable_minor == 0
    assert warnings(programme(coupons=[{**coupon, "limit_per_member": 1}]), TODAY) == ()


def test_an_offer_of_points_worth_more_than_the_basket() -> None:
    coupon = part(None, "offer", tiers=["zilver"], gives={"kind": "points", "points": 200})
    assert found(coupons=[coupon]).code == "free_every_time"


def test_a_stamp_card_that_gives_more_than_it_takes() -> None:
    card = part(None, "card", stamps=3, gives={"kind": "amount_off", "discount_minor": 301})
    warning = found(stamp_cards=[card])
    assert (warning.code, warning.path) == ("full_card", "stamp_cards.0")
    fair = {**card, "gives": {"kind": "amount_off", "discount_minor": 299}}
    assert warnings(programme(stamp_cards=[fair]), TODAY) == ()


def test_the_largest_programme_is_checked_in_seconds() -> None:
    earn = [
        part(
            "per_amount",
            f"rule-{number}",
            points=1,
            per_minor=1000 + number,
            bonus=number > 0,
            categories=[f"c-{number}"],
            valid_from=f"2027-01-{number % 28 + 1:02d}",
            hours=[f"{number % 24:02d}:00-{number % 24:02d}:30"],
        )
        for number in range(200)
    ]
    assert warnings(programme(earn=[*earn]), TODAY) == ()
