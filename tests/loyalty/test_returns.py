"""Returns worked out by hand: what comes back of points earned, points spent, money and stamps."""

from __future__ import annotations

from typing import Any

import pytest

from loyalty.basket import Basket
from loyalty.errors import ReturnRefused
from loyalty.facts import Count, Facts
from loyalty.ledger import Entry, EntryKind
from loyalty.programme import Programme
from loyalty.returns import ADJUSTMENT_RULE, Returned, Sold, adjust, quantities, spent_by_line, take_back
from tests.loyalty.build import TEXT, amount_off, line, per_amount, programme, sale_entry

FIVE = programme(per_amount(1, 100), rewards=(amount_off("five", 500, 500),))
THREE = Basket(lines=(line("tea", 1000, quantity=3000), line("cake", 250)))
"""Three packs of tea for € 10.00, and a cake: € 12.50, 12 points: 9.6 and 2.4 → 9 + 1, and 2: 10 and 2."""


def sale(rules: Programme = FIVE, goods: Basket = THREE, *wanted: str, **facts: Any) -> Entry:
    return sale_entry(rules, goods, "basic", wanted, Facts(**facts))


def points(back: Returned) -> dict[str, int]:
    return {share.line_id: share.points for share in back.settlement.accrual.lines}


def test_one_pack_of_three_after_another() -> None:
    """10 points over three packs: floor(10/3) = 3, floor(20/3) = 6, 10: so 3, 3 and 4. Money: 333, 333 and 334."""
    sold = sale()
    before: dict[str, int] = {}
    for expected, refund in ((3, 333), (3, 333), (4, 334)):
        back = take_back(Sold.of(sold), before, {"tea": 1000})
        assert points(back) == {"tea": -expected}
        assert (back.settlement.points_earned, back.settlement.payable_minor) == (-expected, -refund)
        before["tea"] = before.get("tea", 0) + 1000
    with pytest.raises(ReturnRefused) as caught:
        take_back(Sold.of(sold), before, {"tea": 1000})
    assert caught.value.code == "too_much"
    assert "at most 0 thousandths of line 'tea' (3000 bought, 3000 back already), got 1000" in str(caught.value)


def test_weighed_goods_by_the_gram() -> None:
    """0.347 kg for € 6.58 earned 6; 0.100 kg back is floor(600/347) = 1, the other 0.247 kg the 5 that are left."""
    sold = sale(FIVE, Basket(lines=(line("cheese", 658, quantity=347),)))
    first = take_back(Sold.of(sold), {}, {"cheese": 100})
    assert (points(first), first.settlement.payable_minor) == ({"cheese": -1}, -189)  # 658 × 100 / 347 = 189.6
    rest = take_back(Sold.of(sold), {"cheese": 100}, {"cheese": 247})
    assert (points(rest), rest.settlement.payable_minor) == ({"cheese": -5}, -469)


def test_points_that_paid_for_the_goods_come_back_with_them() -> None:
    """€ 5.00 off € 12.50: 400 on the tea, 100 on the cake; so are the 500 points. € 7.50 earned 7: 6 × tea, 1 × cake.

    7 × 600 / 750 = 5.6 and 7 × 150 / 750 = 1.4: 6 and 1. Two packs back: floor(6 × 2/3) = 4 taken, floor(400 × 2/3) =
    266 given, floor(600 × 2/3) = 400 cents paid.
    """
    sold = sale(FIVE, THREE, "five")
    assert spent_by_line(sold.settlement) == {"tea": 400, "cake": 100}
    back = take_back(Sold.of(sold), {}, {"tea": 2000})
    settled = back.settlement
    assert (settled.points_earned, settled.points_spent, settled.points_delta) == (-4, -266, 262)
    assert settled.payable_minor == -400
    rest = take_back(Sold.of(sold), {"tea": 2000}, {"tea": 1000, "cake": 1000}).settlement
    assert (rest.points_earned, rest.points_spent, rest.payable_minor) == (-3, -234, -350)


def test_the_basket_of_a_return_tells_what_came_back() -> None:
    back = take_back(Sold.of(sale()), {}, {"cake": 1000, "tea": 500})
    assert [(item.line_id, item.quantity, item.gross_minor) for item in back.basket.lines] == [
        ("tea", -500, -166),
        ("cake", -1000, -250),
    ]
    returned = sale().model_copy(update={"basket": back.basket, "kind": EntryKind.RETURN})
    assert quantities([returned, returned]) == {"tea": 1000, "cake": 2000}


def test_a_line_of_goods_taken_back_in_the_sale_keeps_its_own_points() -> None:
    """€ 5.00 − € 2.00: 5 and −2. Returning the first takes its 5; the second cannot be returned again."""
    sold = sale(FIVE, Basket(lines=(line("a", 500), line("b", -200, quantity=-1000))))
    assert points(take_back(Sold.of(sold), {}, {"a": 1000})) == {"a": -5}
    with pytest.raises(ReturnRefused, match="line 'b' was not bought by quantity"):
        take_back(Sold.of(sold), {}, {"b": 1000})


@pytest.mark.parametrize(
    ("back", "code"),
    [
        ({}, "nothing"),
        ({"tea": 0}, "nothing"),
        ({"tea": -1000}, "nothing"),
        ({"tea": 3001}, "too_much"),
        ({"coffee": 1000}, "unknown_line"),
        ({"air": 1000}, "not_returnable"),
    ],
)
def test_what_cannot_come_back(back: dict[str, int], code: str) -> None:
    sold = sale(FIVE, Basket(lines=(*THREE.lines, line("air", 100, quantity=0))))
    with pytest.raises(ReturnRefused) as caught:
        take_back(Sold.of(sold), {}, back)
    assert caught.value.code == code


def test_only_a_sale_has_goods_to_return() -> None:
    sold = sale()
    void = sold.model_copy(update={"kind": EntryKind.VOID, "reverses": sold.id})
    with pytest.raises(ReturnRefused, match="expected a sale to take goods back from, got a void"):
        take_back(Sold.of(void), {}, {"tea": 1000})


def test_stamps_go_and_come_back_too() -> None:
    """Three cups, one free for ten stamps: two stamps earned, ten spent. All of it back: two taken, ten given."""
    rules = programme(
        per_amount(1, 100),
        stamp_cards=[{"id": "coffee", "name": TEXT, "stamps": 10, "gives": {"kind": "free_item"}}],
    )
    goods = Basket(lines=(line("cup", 750, quantity=3000),))
    sold = sale(rules, goods, "coffee", counters=(Count(counter="coffee", count=10),))
    one = take_back(Sold.of(sold), {}, {"cup": 1000}).settlement
    assert [(part.counter, part.count) for part in one.counters] == [("coffee", 3)]  # floor(10/3); floor(2/3) is 0
    rest = take_back(Sold.of(sold), {"cup": 1000}, {"cup": 2000}).settlement
    assert [(part.counter, part.count) for part in rest.counters] == [("coffee", 7), ("coffee", -2)]


def test_adjustments() -> None:
    for given in (50, -20):
        made = adjust(given, "EUR").settlement
        assert (made.points_delta, made.points_earned, made.payable_minor) == (given, given, 0)
        assert [(part.rule, part.points) for part in made.accrual.components] == [(ADJUSTMENT_RULE, given)]
