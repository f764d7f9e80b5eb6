"""Tables worked out by hand: every kind of rule and reward, with the edges where rounding decides."""

from __future__ import annotations

from typing import Any

import pytest

from loyalty.accrual import accrue
from loyalty.basket import Basket
from loyalty.codes import make_code
from loyalty.errors import RewardRefused
from loyalty.facts import Count, Facts
from loyalty.programme import Programme
from loyalty.redemption import Choice, redeem
from loyalty.settlement import Settlement, settle
from tests.loyalty.build import TEXT, basket, line, multiplier, per_amount, programme

EURO = per_amount(1, 100)
TUESDAY_10_00 = 1_774_944_000_000
"""31 March 2026, 08:00 UTC, which is 10:00 in Amsterdam: two days after its clocks went forward."""
MINUTE = 60_000


def rule(kind: str, name: str = "rule", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "id": name, "name": TEXT, **more}


def earned(rules: Programme, goods: Basket, tier: str = "basic", **facts: Any) -> dict[str, int]:
    """Points by rule."""
    found = accrue(rules, goods, tier, facts=Facts(**{"at_ms": TUESDAY_10_00, **facts}))
    return {part.rule: part.points for part in found.components}


def by_line(rules: Programme, goods: Basket, **facts: Any) -> list[int]:
    return [share.points for share in accrue(rules, goods, "basic", facts=Facts(**facts)).lines]


SHOP = Basket(
    lines=(
        line("bread", 645, category="bread", quantity=3000),  # three loaves at € 2.15
        line("cheese", 658, category="dairy", quantity=347),  # 0.347 kg
        line("wine", 1299, category="wine", quantity=1000),
        line("deposit", 25, eligible=False),
    )
)
"""€ 26.02 eligible, and € 0.25 of deposit."""


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        # € 26.02 / € 0.30 = 86.73.
        (rule("per_amount", points=1, per_minor=30), 86),
        (rule("per_amount", points=1, per_minor=30, rounding="half_up"), 87),
        # 995 points per € 1 000: 26.02 × 0.995 = 25.89.
        (rule("per_amount", points=995, per_minor=100_000), 25),
        (rule("per_amount", points=995, per_minor=100_000, rounding="half_up"), 26),
        (rule("per_amount", points=1, per_minor=100, categories=["bread"]), 6),
        (rule("per_amount", points=1, per_minor=100, skus=["sku-wine"], categories=["dairy"]), 19),  # 12.99 + 6.58
        (rule("per_amount", points=1, per_minor=100, categories=["bread"], excluded_skus=["sku-bread"]), None),
        # Three loaves are three items, a bottle is one, 0.347 kg is none.
        (rule("per_item", points=5), 20),
        (rule("per_item", points=5, per_items=3), 6),  # 4 × 5 / 3 = 6.67
        (rule("per_item", points=5, categories=["dairy"]), None),
        (rule("per_visit", points=10), 10),
        (rule("per_visit", points=10, minimum_basket_minor=2602), 10),
        (rule("per_visit", points=10, minimum_basket_minor=2603), None),
        (rule("per_visit", points=10, cap_points=4), 4),
    ],
)
def test_each_kind_of_rule(own: dict[str, Any], expected: int | None) -> None:
    assert earned(programme(own), SHOP).get("rule") == expected


def test_what_the_programme_excludes_never_earns_whatever_a_rule_says() -> None:
    rules = programme(
        per_amount(1, 100, categories=["wine"]), excluded_categories=["wine"], excluded_skus=["sku-bread"]
    )
    assert earned(rules, SHOP) == {}
    assert earned(programme(EURO, excluded_categories=["wine"], excluded_skus=["sku-bread"]), SHOP) == {"base": 6}


@pytest.mark.parametrize(
    ("when", "at_ms", "holds"),
    [
        ({"weekdays": ["tue"]}, TUESDAY_10_00, True),
        ({"weekdays": ["mon", "wed"]}, TUESDAY_10_00, False),
        ({"hours": ["10:00-11:00"]}, TUESDAY_10_00, True),
        ({"hours": ["10:00-11:00"]}, TUESDAY_10_00 - 1, False),  # 09:59:59.999
        ({"hours": ["09:00-10:00"]}, TUESDAY_10_00, False),  # the end is not within
        ({"hours": ["00:00-01:00", "09:30-10:30"]}, TUESDAY_10_00, True),
        # 23:30 on Monday in London is 00:30 on Tuesday in Amsterdam.
        ({"weekdays": ["tue"], "hours": ["00:00-01:00"]}, TUESDAY_10_00 - 570 * MINUTE, True),
        ({"hours": ["23:00-24:00"]}, TUESDAY_10_00 + 839 * MINUTE, True),  # 23:59
        ({"valid_from": "2026-03-31"}, TUESDAY_10_00, True),
        ({"valid_from": "2026-04-01"}, TUESDAY_10_00 + 839 * MINUTE, False),
        ({"valid_from": "2026-04-01"}, TUESDAY_10_00 + 840 * MINUTE, True),  # midnight in Amsterdam
        ({"valid_until": "2026-03-31"}, TUESDAY_10_00 + 839 * MINUTE, True),
        ({"valid_until": "2026-03-31"}, TUESDAY_10_00 + 840 * MINUTE, False),
        # On the night of 29 March there is no 02:30: 01:00 UTC is 03:00.
        ({"hours": ["03:00-04:00"]}, 1_774_746_000_000, True),
        ({"hours": ["02:00-03:00"]}, 1_774_746_000_000, False),
    ],
)
def test_windows_in_the_shops_time_zone(when: dict[str, Any], at_ms: int, holds: bool) -> None:
    rules = programme(rule("per_visit", points=10, **when))
    assert earned(rules, basket(100), at_ms=at_ms) == ({"rule": 10} if holds else {})


def test_members_a_rule_is_for() -> None:
    birthday = programme(rule("per_visit", points=50, birthday="week"))
    assert earned(birthday, basket(100)) == {}
    assert earned(birthday, basket(100), birthday=("week", "month")) == {"rule": 50}
    first = programme(rule("per_visit", points=50, first_purchase=True))
    assert (earned(first, basket(100)), earned(first, basket(100), first_purchase=True)) == ({}, {"rule": 50})
    students = programme(rule("per_visit", points=50, segments=["students", "staff"]))
    assert earned(students, basket(100), segments=("staff",)) == {"rule": 50}
    assert earned(students, basket(100), segments=("regulars",)) == {}


def test_a_bonus_rule_is_not_multiplied() -> None:
    """€ 10.00 → 10 base, 25 bonus; doubled: 10 more, not 35."""
    rules = programme(EURO, rule("per_visit", "extra", points=25, bonus=True), multiplier(100, id="double"))
    assert earned(rules, basket(1000)) == {"base": 10, "extra": 25, "double": 10}


def test_a_multiplier_of_some_goods_takes_what_they_would_earn_alone() -> None:
    """€ 6.45 of bread earns 6 alone; double points on bread are 6 more, on lines bread only."""
    rules = programme(EURO, multiplier(100, id="double", categories=["bread"]))
    assert earned(rules, SHOP) == {"base": 26, "double": 6}
    # Base 26 over 645, 658, 1299: 6.445, 6.575, 12.98 → 6, 6, 12 and two more to .98 and .575: 6, 7, 13.
    assert by_line(rules, SHOP) == [12, 7, 13, 0]


@pytest.mark.parametrize(
    ("stackings", "expected"),
    [
        (("add", "add"), {"base": 10, "two": 10, "three": 20}),  # 2× and 3× give 4×
        (("add", "max"), {"base": 10, "three": 20}),  # the larger instead of both
        (("max", "max"), {"base": 10, "three": 20}),
        (("max", "add"), {"base": 10, "three": 20}),
    ],
)
def test_multipliers_add_or_the_largest_counts(stackings: tuple[str, str], expected: dict[str, int]) -> None:
    two, three = stackings
    rules = programme(EURO, multiplier(100, id="two", stacking=two), multiplier(200, id="three", stacking=three))
    assert earned(rules, basket(1000)) == expected


def test_adding_ones_together_may_beat_the_largest() -> None:
    rules = programme(EURO, multiplier(60, id="a"), multiplier(70, id="b"), multiplier(120, id="c", stacking="max"))
    assert earned(rules, basket(1000)) == {"base": 10, "a": 6, "b": 7}


def test_caps_take_from_the_last_component_first() -> None:
    """26 base + 13 silver = 39. A basket cap of 30 leaves 26 + 4; one of 20 leaves 20 + 0."""
    for cap, expected in ((30, {"base": 26, "bonus": 4}), (20, {"base": 20, "bonus": 0})):
        rules = programme(EURO, multiplier(50), caps={"per_basket_points": cap})
        assert earned(rules, SHOP) == expected
        assert sum(by_line(rules, SHOP)) == cap
    day = programme(EURO, multiplier(50), caps={"per_card_day_points": 100})
    assert earned(day, SHOP, earned_today=70) == {"base": 26, "bonus": 4}
    assert earned(day, SHOP, earned_today=100) == {"base": 0, "bonus": 0}
    assert earned(day, SHOP, earned_today=250) == {"base": 0, "bonus": 0}
    found = accrue(day, SHOP, "basic", facts=Facts(earned_today=70))
    assert [part.capped_by for part in found.components] == [None, "card_day"]


# -- rewards -------------------------------------------------------------------------------------------------------


def off(rules: Programme, goods: Basket, *wanted: str | Choice, **facts: Any) -> dict[str, int]:
    """Minor units off each line."""
    found: dict[str, int] = {}
    for redemption in redeem(rules, goods, wanted, facts=Facts(**facts)):
        for share in redemption.lines:
            found[share.line_id] = found.get(share.line_id, 0) + share.discount_minor
    return found


def reward(kind: str, **more: Any) -> Programme:
    return programme(EURO, rewards=({"kind": kind, "id": "r", "name": TEXT, "cost_points": 100, **more},))


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        # 10 % of € 26.02 is € 2.602; spread 645, 658, 1299 of 2602: 64.4, 65.7, 129.8 → 64, 66, 130.
        (reward("percent_off", percent=10), {"bread": 64, "cheese": 66, "wine": 130}),
        (reward("percent_off", percent=10, rounding="half_up"), {"bread": 64, "cheese": 66, "wine": 130}),
        (reward("percent_off", percent=15, categories=["bread"]), {"bread": 96}),  # 96.75
        (reward("percent_off", percent=15, categories=["bread"], rounding="half_up"), {"bread": 97}),
        (reward("percent_off", percent=50, max_minor=500, categories=["wine"]), {"wine": 500}),
        (reward("percent_off", percent=100, categories=["wine"]), {"wine": 1299}),
        (reward("amount_off", discount_minor=300, categories=["wine", "bread"]), {"bread": 100, "wine": 200}),
        # The cheapest whole item: a loaf at € 6.45 / 3. 0.347 kg is no item.
        (reward("free_item"), {"bread": 215}),
        (reward("free_item", categories=["wine", "dairy"]), {"wine": 1299}),
        (reward("free_item", categories=["wine"], max_minor=1000), {"wine": 1000}),
        (reward("pay_with_points", value_minor=100), {"bread": 25, "cheese": 25, "wine": 50}),
        (reward("voucher", value_minor=500), {}),
        (reward("cash_back", value_minor=500), {}),
    ],
)
def test_each_kind_of_reward(rules: Programme, expected: dict[str, int]) -> None:
    assert off(rules, SHOP, "r") == expected


@pytest.mark.parametrize(
    ("rules", "goods", "code"),
    [
        (reward("free_item", categories=["dairy"]), SHOP, "basket_too_small"),
        (reward("amount_off", discount_minor=646, categories=["bread"]), SHOP, "basket_too_small"),
        (reward("percent_off", percent=1), basket(99), "basket_too_small"),
        (reward("amount_off", discount_minor=10, minimum_basket_minor=2603), SHOP, "basket_too_small"),
        (reward("amount_off", discount_minor=10, tiers=["gold"]), SHOP, "not_for_member"),
        (reward("amount_off", discount_minor=10, segments=["staff"]), SHOP, "not_for_member"),
        (reward("amount_off", discount_minor=10, valid_from="2030-01-01"), SHOP, "not_now"),
    ],
)
def test_why_a_reward_cannot_be_given(rules: Programme, goods: Basket, code: str) -> None:
    with pytest.raises(RewardRefused) as caught:
        redeem(rules, goods, ["r"])
    assert caught.value.code == code


def test_three_loaves_free_one_after_the_other_to_the_last_cent() -> None:
    """€ 6.46 for three: 215, then 431 / 2 = 215, then the 216 that are left."""
    goods = Basket(lines=(line("bread", 646, quantity=3000),))
    rules = reward("free_item", limit_per_basket=3)
    taken = redeem(rules, goods, ["r", "r", "r"])
    assert [redemption.discount_minor for redemption in taken] == [215, 215, 216]
    assert settle(rules, goods, "basic", ["r", "r", "r"]).payable_minor == 0


def test_points_as_part_payment_in_steps() -> None:
    rules = reward("pay_with_points", value_minor=100, step_minor=50)
    (paid,) = redeem(rules, SHOP, [Choice(reward="r", amount_minor=1250)])
    assert (paid.points, paid.discount_minor) == (1250, 1250)
    assert redeem(rules, SHOP, [Choice.of(paid)]) == (paid,)  # what head office asks for to compute it again
    # What was paid with points earns nothing: € 26.02 − € 12.50 = € 13.52 → 13.
    assert settle(rules, SHOP, "basic", [Choice(reward="r", amount_minor=1250)]).points_earned == 13
    with pytest.raises(RewardRefused, match="basket too small"):
        redeem(rules, SHOP, [Choice(reward="r", amount_minor=1275)])


def test_what_is_printed_or_paid_out() -> None:
    voucher = settle(reward("gift_card", value_minor=1000), SHOP, "basic", ["r"])
    assert (voucher.payable_minor, voucher.points_earned, voucher.points_spent) == (2627, 26, 100)
    assert voucher.redemptions[0].issued_minor == 1000
    cash = settle(reward("cash_back", value_minor=500), SHOP, "basic", ["r"])
    assert (cash.payable_minor, cash.points_earned, cash.redemptions[0].cash_minor) == (2127, 26, 500)


def test_limits_of_a_member_and_of_the_stock() -> None:
    rules = reward("amount_off", discount_minor=100, limit_per_member=2, limit_per_basket=5, stock=50)
    had_one = (Count(counter="r!", count=1),)
    assert off(rules, SHOP, "r", counters=had_one)
    with pytest.raises(RewardRefused, match="limit per member"):
        off(rules, SHOP, "r", "r", counters=had_one)
    assert settle(rules, SHOP, "basic", ["r", "r"]).counters[0].model_dump() == {"counter": "r!", "count": 2}
    with pytest.raises(RewardRefused, match="out of stock"):
        off(rules, SHOP, "r", stock=(Count(counter="r", count=0),))
    assert off(rules, SHOP, "r", stock=(Count(counter="r", count=1),))


# -- coupons, stamps, challenges -----------------------------------------------------------------------------------

COUPONS = programme(
    EURO,
    coupons=[
        {"id": "spring", "name": TEXT, "code_prefix": "SP", "gives": {"kind": "amount_off", "discount_minor": 200}},
        {"id": "extra", "name": TEXT, "segments": ["students"], "gives": {"kind": "points", "points": 50}},
    ],
)


def test_a_coupon_comes_with_its_code_and_an_offer_without() -> None:
    code = make_code("SP", 1)
    assert sum(off(COUPONS, SHOP, Choice(reward="spring", code=code)).values()) == 200
    for wrong in (None, make_code("SQ", 1), code[:-1] + ("2" if code[-1] != "2" else "3")):
        with pytest.raises(RewardRefused, match="coupon needed"):
            redeem(COUPONS, SHOP, [Choice(reward="spring", code=wrong)])
    with pytest.raises(RewardRefused):
        redeem(COUPONS, SHOP, [Choice(reward="spring", code=code)] * 2)
    offered = settle(COUPONS, SHOP, "basic", ["extra"], Facts(segments=("students",)))
    assert [(part.rule, part.kind, part.points) for part in offered.accrual.components] == [
        ("base", "base", 26),
        ("extra", "bonus", 50),
    ]
    with pytest.raises(RewardRefused, match="not for member"):
        redeem(COUPONS, SHOP, ["extra"])


COFFEE = programme(
    EURO,
    stamp_cards=[
        {
            "id": "coffee",
            "name": TEXT,
            "categories": ["coffee"],
            "stamps": 10,
            "gives": {"kind": "free_item", "categories": ["coffee"]},
        }
    ],
)


def cups(number: int, price: int = 250) -> Basket:
    return Basket(lines=(line("cup", price * number, category="coffee", quantity=1000 * number), line("cake", 300)))


def coffee(number: int, had: int, *wanted: str) -> Settlement:
    return settle(COFFEE, cups(number), "basic", wanted, Facts(counters=(Count(counter="coffee", count=had),)))


def test_ten_coffees_one_free() -> None:
    assert [(part.counter, part.count) for part in coffee(3, 7).counters] == [("coffee", 3)]
    # Ten stamps: one of three cups is free, which gives no stamp itself.
    free = coffee(3, 10, "coffee")
    assert [(part.counter, part.count) for part in free.counters] == [("coffee", -10), ("coffee", 2)]
    assert (free.payable_minor, free.points_earned, free.points_spent) == (800, 8, 0)
    with pytest.raises(RewardRefused, match="stamps short"):
        coffee(3, 9, "coffee")


def test_a_challenge_pays_once_when_its_goal_is_reached() -> None:
    rules = programme(
        EURO,
        challenges=[{"id": "cups", "name": TEXT, "counts": "items", "goal": 5, "points": 40, "categories": ["coffee"]}],
        badges=[{"id": "regular", "name": TEXT, "counts": "visits", "goal": 1, "every": "week"}],
    )

    def at(had: int, reached: int) -> Settlement:
        known = [Count(counter="cups", count=had), Count(counter="cups#", count=reached)]
        return settle(rules, cups(2), "basic", (), Facts(at_ms=TUESDAY_10_00, counters=tuple(known)))

    assert at(2, 0).points_earned == 8
    assert at(3, 0).points_earned == 48
    assert at(3, 1).points_earned == 8
    assert [(part.counter, part.count) for part in at(4, 0).counters] == [
        ("cups", 2),
        ("cups#", 1),
        ("regular/2026-w14", 1),
        ("regular/2026-w14#", 1),
    ]
