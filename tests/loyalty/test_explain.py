"""The sentences that a cashier reads out."""

from __future__ import annotations

from typing import Any

import pytest

from loyalty.basket import Basket
from loyalty.explain import explain, money, say
from loyalty.facts import Facts
from loyalty.programme import Programme
from loyalty.returns import Sold, adjust, take_back
from loyalty.settlement import settle
from tests.loyalty.build import basket, line, programme, sale_entry


def named(kind: str, rule: str, nl: str, en: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "id": rule, "name": {"nl": nl, "en": en}, **more}


EURO = named("per_amount", "euro", "basis", "base", points=1, per_minor=100)
SILVER = named("multiplier", "silver", "zilver", "silver", percent=50, tiers=["silver"])


def sentence(rules: Programme, goods: Basket, tier: str = "basic", *wanted: str) -> tuple[str, str]:
    sale = settle(rules, goods, tier, wanted, Facts())
    return say(rules, sale, "nl"), say(rules, sale, "en")


@pytest.mark.parametrize(
    ("rules", "goods", "nl", "en"),
    [
        (
            programme(EURO, SILVER),
            basket(2340),
            "€ 23,40 × 1 punt per euro = 23; zilver + 50 % = 11",
            "€ 23.40 × 1 point per euro = 23; silver + 50 % = 11",
        ),
        (
            programme(named("per_amount", "x", "x", "x", points=3, per_minor=30), caps={"per_basket_points": 1000}),
            basket(1_234_567),
            "€ 12.345,67 × 3 punten per € 0,30 = 1.000 (hoogstens zoveel op één bon)",
            "€ 12,345.67 × 3 points per € 0.30 = 1,000 (the most on one receipt)",
        ),
        (
            programme(
                EURO,
                named("per_item", "tea", "thee", "tea", points=5, per_items=2, skus=["sku-a"], bonus=True),
                named("per_visit", "visit", "bezoek", "visit", points=7, cap_points=6),
                named("multiplier", "double", "thee dubbel", "double on tea", percent=100, skus=["sku-a"]),
            ),
            Basket(lines=(line("a", 400, quantity=3000), line("b", 250))),
            "€ 6,50 × 1 punt per euro = 6; bezoek = 6 (hoogstens zoveel door deze regel); "
            "thee: 3 × 5 punten per 2 stuks = 7; thee dubbel: 4 + 100 % = 4",
            "€ 6.50 × 1 point per euro = 6; visit = 6 (the most this rule gives); "
            "tea: 3 × 5 points per 2 items = 7; double on tea: 4 + 100 % = 4",
        ),
    ],
)
def test_an_accrual(rules: Programme, goods: Basket, nl: str, en: str) -> None:
    assert sentence(rules, goods, "silver") == (nl, en)


def test_what_was_taken_stands_behind() -> None:
    rules = programme(
        EURO,
        rewards=(
            named("amount_off", "five", "vijf eraf", "five off", cost_points=500, discount_minor=500),
            named("voucher", "v", "bon", "voucher", cost_points=1, value_minor=250),
        ),
    )
    assert sentence(rules, basket(1500), "basic", "five", "v")[0] == (
        "€ 10,00 × 1 punt per euro = 10; vijf eraf: 500 punten voor € 5,00; bon: 1 punten voor € 2,50"
    )


def test_a_return_and_an_adjustment() -> None:
    rules = programme(EURO, rewards=(named("amount_off", "r", "r", "r", cost_points=100, discount_minor=100),))
    sold = sale_entry(rules, basket(1500), "basic", ["r"], Facts())
    back = take_back(Sold.of(sold), {}, {"a": 1000}).settlement
    assert say(rules, back, "nl") == "retour = −14; ingewisselde punten terug = 100"
    assert say(rules, adjust(50, "EUR").settlement, "en") == "correction = 50"


def test_parts_for_programs() -> None:
    rules = programme(EURO, SILVER)
    base, bonus = explain(rules, settle(rules, basket(2340), "silver"))
    assert (base.unit, base.base, base.rate, base.per, base.points, base.capped_by) == ("minor", 2340, 1, 100, 23, None)
    assert (bonus.unit, bonus.base, bonus.rate, bonus.per, bonus.points) == ("points", 23, 50, 100, 11)


@pytest.mark.parametrize(
    ("minor", "currency", "nl", "en"),
    [
        (0, "EUR", "€ 0,00", "€ 0.00"),
        (5, "EUR", "€ 0,05", "€ 0.05"),
        (-123456, "EUR", "−€ 1.234,56", "−€ 1,234.56"),
        (1500, "JPY", "JPY 1.500", "JPY 1,500"),
        (1500, "KWD", "KWD 1,500", "KWD 1.500"),
    ],
)
def test_money(minor: int, currency: str, nl: str, en: str) -> None:
    assert (money(minor, currency, "nl"), money(minor, currency, "en")) == (nl, en)
