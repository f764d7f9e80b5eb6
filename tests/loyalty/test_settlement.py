"""A sale settled: what is earned, spent and paid."""

from __future__ import annotations

import pytest
from hypothesis import given

from loyalty.basket import Basket, Line
from loyalty.errors import BasketError, RewardRefused
from loyalty.programme import Programme
from loyalty.redemption import discounts_by_line
from loyalty.settlement import Settlement, settle
from tests.loyalty.build import TIERS, amount_off, basket, baskets, line, multiplier, per_amount, programme, programmes

RULES = programme(per_amount(1, 100), multiplier(50, "silver"), rewards=(amount_off("five", 500, 500),))


def test_a_sale_by_hand() -> None:
    """€ 23.40 less € 5.00 = € 18.40 → 18 points, silver + 9 = 27; 500 spent: −473."""
    sale = settle(RULES, basket(2000, 340), "silver", ["five"])
    assert (sale.points_earned, sale.points_spent, sale.points_delta, sale.payable_minor) == (27, 500, -473, 1840)
    # 500 spread: 500·2000/2340 = 427.35 and 72.65 → 427 and 73.
    assert [(part.line_id, part.discount_minor) for part in sale.redemptions[0].lines] == [("a", 427), ("b", 73)]


def test_a_basket_of_goods_taken_back_pays_out_and_earns_nothing() -> None:
    sale = settle(RULES, basket(-250), "silver")
    assert (sale.points_earned, sale.points_spent, sale.payable_minor) == (0, 0, -250)


def test_another_currency_is_refused() -> None:
    with pytest.raises(BasketError, match="expected a basket in EUR, got USD"):
        settle(RULES, Basket(currency="USD", lines=(line("a", 100),)), "basic")


def test_a_reward_that_cannot_be_given_is_refused() -> None:
    with pytest.raises(RewardRefused, match="'five' cannot be given on this basket: basket too small"):
        settle(RULES, basket(300), "basic", ["five"])


@given(programmes(), baskets(), TIERS)
def test_a_settlement_survives_the_wire(rules: Programme, goods: Basket, tier: str) -> None:
    sale = settle(rules, goods, tier)
    assert Settlement.model_validate_json(sale.model_dump_json()) == sale
    assert sale.payable_minor == goods.gross_minor
    assert sale.points_delta == sale.points_earned == sale.accrual.points


@given(programmes(), baskets(min_minor=0), TIERS)
def test_taking_a_reward_never_earns_more(rules: Programme, goods: Basket, tier: str) -> None:
    plain = settle(rules, goods, tier)
    for reward in rules.rewards:
        try:
            sale = settle(rules, goods, tier, [reward.id])
        except RewardRefused:
            continue
        assert sale.points_earned <= plain.points_earned
        assert sale.payable_minor == plain.payable_minor - reward.discount_minor >= 0


def test_a_discount_lies_on_what_a_rule_leaves_out_as_on_the_rest() -> None:
    """€ 5 over € 10 of bread and € 30 of papers: € 1.25 and € 3.75; what is not eligible keeps its price."""
    rules = programme(per_amount(1, 100, excluded_categories=["papers"]), rewards=(amount_off("five", 50, 500),))
    goods = Basket(
        lines=(
            Line(line_id="1", sku="bread", category="bread", gross_minor=1000),
            Line(line_id="2", sku="news", category="papers", gross_minor=3000),
            Line(line_id="3", sku="card", gross_minor=3000, eligible=False),
        )
    )
    settled = settle(rules, goods, "basic", ["five"])
    assert discounts_by_line(settled.redemptions) == {"1": 125, "2": 375}
    assert [(share.line_id, share.points) for share in settled.accrual.lines] == [("1", 8), ("2", 0), ("3", 0)]
