"""Points a basket earns: golden tables worked out by hand, and what must hold for every basket."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.accrual import accrue
from loyalty.basket import Basket
from loyalty.programme import Programme
from tests.loyalty.build import TIERS, basket, baskets, line, multiplier, per_amount, programme, programmes

EURO = per_amount(1, 100)
SILVER = multiplier(50, "silver")


def by_line(rules: Programme, goods: Basket, tier: str = "basic", discounts: dict[str, int] | None = None) -> list[int]:
    """The points of each line, in the basket's order."""
    return [share.points for share in accrue(rules, goods, tier, discounts).lines]


def by_rule(rules: Programme, goods: Basket, tier: str = "basic") -> list[tuple[str, str, int, int]]:
    """Rule, kind, base and points of each component."""
    return [(part.rule, part.kind, part.base, part.points) for part in accrue(rules, goods, tier).components]


@pytest.mark.parametrize(
    ("amounts", "lines"),
    [
        ([99], [0]),
        ([100], [1]),
        ([199], [1]),
        ([2340], [23]),
        # 50 + 50 cents make one euro together: 0.5 point each, and the first of equal remainders has the point.
        ([50, 50], [1, 0]),
        # € 10.00 in three equal parts and a cent: 3.33… 3.33… 3.34; floor 3 each, the point left to the largest.
        ([333, 333, 334], [3, 3, 4]),
        # € 2.00 in three parts: 200 → 2 points; shares 2·67/200 = 0.67, 0.67, 0.66: the first two.
        ([67, 67, 66], [1, 1, 0]),
        # € 5.00 − € 2.00 taken back = € 3.00 → 3 points; shares 3·500/300 = 5 and 3·(−200)/300 = −2.
        ([500, -200], [5, -2]),
        # € 4.50 − € 1.00 = € 3.50 → 3; shares 3·450/350 = 3.857 and −0.857: floors 3 and −1, remainders .857 and .143.
        ([450, -100], [4, -1]),
        ([100, -100], [0, 0]),
        ([100, -300], [0, 0]),  # more taken back than bought earns nothing, and takes nothing
        ([0], [0]),
        ([], []),
    ],
)
def test_one_point_for_each_euro(amounts: list[int], lines: list[int]) -> None:
    assert by_line(programme(EURO), basket(*amounts)) == lines


@pytest.mark.parametrize(
    ("amount", "floor", "half_up"),
    [
        (29, 0, 1),  # 29/30 = 0.97
        (30, 1, 1),
        (14, 0, 0),  # 14/30 = 0.47
        (15, 0, 1),  # 15/30 = 0.5, up
        (100, 3, 3),  # 100/30 = 3.33
        (105, 3, 4),  # 105/30 = 3.5, up
        (995, 33, 33),  # 995/30 = 33.17
        (1000, 33, 33),
    ],
)
def test_one_point_for_each_30_cents(amount: int, floor: int, half_up: int) -> None:
    assert accrue(programme(per_amount(1, 30)), basket(amount), "basic").points == floor
    assert accrue(programme(per_amount(1, 30, rounding="half_up")), basket(amount), "basic").points == half_up


def test_half_up_at_099_5_euro() -> None:
    """€ 0.995 does not exist, but 1 point per € 10 on € 9.95 is 0.995 point: 0 by floor, 1 by half-up."""
    assert accrue(programme(per_amount(1, 1000)), basket(995), "basic").points == 0
    assert accrue(programme(per_amount(1, 1000, rounding="half_up")), basket(995), "basic").points == 1
    # 100 points per € 10 on € 0.995 rounded by the till to 100 or 99 cents: 10 and 9.9.
    assert accrue(programme(per_amount(100, 1000, rounding="half_up")), basket(99), "basic").points == 10


def test_silver_earns_half_as_much_again() -> None:
    """€ 23.40 → 23 points; 50 % of 23 = 11.5 → 11 by floor. Lines € 20.00 and € 3.40.

    Base: 23·2000/2340 = 19.66 and 3.34 → floors 19 and 3, the point left to the larger remainder: 20 and 3.
    Bonus: 11·20/23 = 9.57 and 1.43 → 9 and 1, the point left to the first: 10 and 1. Together 30 and 4.
    """
    rules, goods = programme(EURO, SILVER), basket(2000, 340)
    assert by_rule(rules, goods, "silver") == [("base", "base", 2340, 23), ("bonus", "bonus", 23, 11)]
    assert by_line(rules, goods, "silver") == [30, 4]
    assert by_rule(rules, goods, "basic") == [("base", "base", 2340, 23)]
    assert by_rule(rules, goods, "gold") == [("base", "base", 2340, 23)]
    half_up = programme(EURO, multiplier(50, "silver", rounding="half_up"))
    assert by_rule(half_up, goods, "silver")[1] == ("bonus", "bonus", 23, 12)


def test_multipliers_add_up_and_never_multiply_one_another() -> None:
    """Base 10; +100 % and +200 % give 10 + 10 + 20 = 40 (4×), not 10·2·3 = 60."""
    rules = programme(EURO, multiplier(100, "gold", id="double"), multiplier(200, id="triple"))
    assert by_rule(rules, basket(1000), "gold") == [
        ("base", "base", 1000, 10),
        ("double", "bonus", 10, 10),
        ("triple", "bonus", 10, 20),
    ]
    assert by_rule(rules, basket(1000), "basic") == [("base", "base", 1000, 10), ("triple", "bonus", 10, 20)]


def test_excluded_categories_and_lines_that_are_not_eligible_earn_nothing() -> None:
    goods = Basket(
        lines=(
            line("bread", 320, category="bread"),
            line("tobacco", 1100, category="tobacco"),
            line("deposit", 25, eligible=False),
            line("gift card", 5000, category="gift", eligible=False),
            line("cake", 680, category="bread"),
        )
    )
    rules = programme(per_amount(1, 100, excluded_categories=["tobacco"]))
    # € 3.20 + € 6.80 = € 10.00 → 10; shares 3.2 and 6.8: floors 3 and 6, the point left to .8.
    assert by_rule(rules, goods) == [("base", "base", 1000, 10)]
    assert by_line(rules, goods) == [3, 0, 0, 0, 7]


def test_each_base_rule_has_its_own_exclusions() -> None:
    goods = Basket(lines=(line("wine", 1000, category="wine"), line("cheese", 500)))
    rules = programme(per_amount(1, 100, id="all"), per_amount(1, 50, id="food", excluded_categories=["wine"]))
    # all: € 15.00 → 15 = 10 + 5; food: € 5.00 / € 0.50 = 10, on the cheese alone.
    assert by_rule(rules, goods) == [("all", "base", 1500, 15), ("food", "base", 500, 10)]
    assert by_line(rules, goods) == [10, 15]


@pytest.mark.parametrize("more", [{"quantity": 0}, {"quantity": 347}, {"quantity": 3000}, {"quantity": -1000}])
def test_the_amount_counts_and_not_the_quantity(more: dict[str, Any]) -> None:
    """0.347 kg at € 18.95 a kilo is € 6.57565, which the till charged as € 6.58: 6 points, whatever it weighs."""
    assert by_line(programme(EURO), Basket(lines=(line("cheese", 658, **more),))) == [6]


def test_weighed_goods_pro_rata() -> None:
    """0.347 kg for € 6.58, 1.204 kg for € 3.01, 0.150 kg for € 0.42: € 10.01 → 10.

    10·658/1001 = 6.57, 3.007 and 0.42: floors 6, 3 and 0, the point left to .57.
    """
    goods = Basket(
        lines=(line("a", 658, quantity=347), line("b", 301, quantity=1204), line("c", 42, quantity=150)),
    )
    assert by_line(programme(EURO), goods) == [7, 3, 0]


def test_what_a_reward_took_off_earns_nothing() -> None:
    """€ 12.00 less € 5.00 spread 3.33 and 1.67 over € 8.00 and € 4.00: € 7.00 left → 7, not 12."""
    goods = basket(800, 400)
    # 7·467/700 = 4.67 and 7·233/700 = 2.33.
    assert by_line(programme(EURO), goods, discounts={"a": 333, "b": 167}) == [5, 2]
    assert by_line(programme(EURO), goods, discounts={"a": 800, "b": 400}) == [0, 0]
    assert by_line(programme(EURO), goods, discounts={"of no line": 500}) == [8, 4]


@given(programmes(), baskets(), TIERS)
def test_components_and_lines_add_up_to_the_total(rules: Programme, goods: Basket, tier: str) -> None:
    earned = accrue(rules, goods, tier)
    assert sum(part.points for part in earned.components) == earned.points
    assert sum(share.points for share in earned.lines) == earned.points
    assert [share.line_id for share in earned.lines] == [item.line_id for item in goods.lines]
    assert earned.points >= 0


@given(programmes(), baskets(), TIERS)
def test_a_line_that_may_not_earn_has_no_points(rules: Programme, goods: Basket, tier: str) -> None:
    for item, share in zip(goods.lines, accrue(rules, goods, tier).lines, strict=True):
        if not item.eligible or item.gross_minor == 0:
            assert share.points == 0


@given(programmes(), baskets(), TIERS, st.integers(0, 5000), st.data())
def test_buying_more_never_earns_less(
    rules: Programme, goods: Basket, tier: str, more: int, data: st.DataObject
) -> None:
    if not goods.lines:
        return
    index = data.draw(st.integers(0, len(goods.lines) - 1))
    grown = list(goods.lines)
    grown[index] = grown[index].model_copy(update={"gross_minor": grown[index].gross_minor + more})
    richer = goods.model_copy(update={"lines": tuple(grown)})
    assert accrue(rules, richer, tier).points >= accrue(rules, goods, tier).points


@given(programmes(), baskets(min_minor=0), TIERS, st.data())
def test_a_discount_never_earns(rules: Programme, goods: Basket, tier: str, data: st.DataObject) -> None:
    discounts = {item.line_id: data.draw(st.integers(0, item.gross_minor)) for item in goods.lines}
    assert accrue(rules, goods, tier, discounts).points <= accrue(rules, goods, tier).points


@given(programmes(), baskets(min_minor=0), TIERS)
def test_points_come_from_lines_that_earn_only_as_far_as_they_were_bought(
    rules: Programme, goods: Basket, tier: str
) -> None:
    """Without goods taken back no line has negative points."""
    assert all(share.points >= 0 for share in accrue(rules, goods, tier).lines)


@given(programmes(), baskets())
def test_a_higher_tier_changes_bonuses_only(rules: Programme, goods: Basket) -> None:
    def base(tier: str) -> list[tuple[str, int]]:
        return [(part.rule, part.points) for part in accrue(rules, goods, tier).components if part.kind == "base"]

    assert base("basic") == base("silver") == base("gold")
