"""A basket tried: worked out by hand, and the answers for what cannot be."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from loyalty.basket import Basket
from loyalty.errors import LoyaltyError, RewardRefused
from pos_client.programme_tools.reading import Unreadable, read_programme
from pos_client.programme_tools.trying import LineBack, Member, Return, moment_ms, try_basket, try_return

NOW = datetime(2026, 11, 18, 11, 0, tzinfo=UTC)  # a Wednesday
AT = int(NOW.timestamp()) * 1000


def basket(*lines: tuple[str, str, int, int]) -> Basket:
    """Lines of (sku, category, quantity in thousandths, minor units)."""
    return Basket.model_validate(
        {
            "lines": [
                {"line_id": str(number), "sku": sku, "category": category, "quantity": quantity, "gross_minor": minor}
                for number, (sku, category, quantity, minor) in enumerate(lines, 1)
            ]
        }
    )


def test_the_answer_has_the_parts_that_programs_read() -> None:
    # € 23.40 = 23 points; silver half as much again, 11; 3/4 of it on the first line: 34 × 14.40/23.40 = 20.9
    goods = basket(("TAART", "taart", 1000, 1440), ("BROOD", "brood", 3000, 900))
    answer = try_basket(read_programme("bakery"), goods, Member(tier="zilver", balance=300), AT).to_json()
    assert answer["points_total"] == 34
    assert answer["components"] == [
        {"rule": "euro", "kind": "base", "points": 23},
        {"rule": "zilver-extra", "kind": "bonus", "points": 11},
    ]
    assert answer["lines"] == [{"line_id": "1", "points": 21}, {"line_id": "2", "points": 13}]
    assert [reward["id"] for reward in answer["redeemable"]] == ["koffie"]
    assert answer["payable_minor"] == 2340
    assert answer["explanation"]["nl"] == "€ 23,40 × 1 punt per euro = 23; zilver + 50 % = 11"


def test_the_fashion_chain_by_hand() -> None:
    # € 89.95 = 89; silver 25 % = 22 (22.25 down); welcome 50 from € 25: 161
    goods = basket(("JURK", "jurken", 1000, 8995))
    trial = try_basket(read_programme("fashion"), goods, Member(tier="zilver", first_purchase=True), AT)
    assert trial.settlement.points_earned == 89 + 22 + 50
    # In the birthday month double, 89, takes the place of silver's 22.
    trial = try_basket(read_programme("fashion"), goods, Member(tier="zilver", birthday="11-30"), AT)
    assert trial.settlement.points_earned == 89 + 89


def test_the_supermarket_by_hand() -> None:
    # € 81.00 of which cigarettes € 11: 70 points; fruit € 10.50 doubled = 10; not € 75 any more, so no 10 for the week
    goods = basket(("PEER", "fruit", 1000, 1050), ("SIGAREN", "tabak", 1000, 1100), ("KRAT", "dranken", 1000, 5950))
    assert try_basket(read_programme("supermarket"), goods, Member(), AT).settlement.points_earned == 80


def test_a_full_stamp_card_gives_the_coffee() -> None:
    goods = basket(("KOFFIE", "dranken", 2000, 550))
    member = Member(counters={"koffiekaart": 10}, takes=("koffiekaart",))
    answer = try_basket(read_programme("bakery"), goods, member, AT).to_json()
    assert answer["payable_minor"] == 275
    assert answer["counters"] == {"koffiekaart": 1 - 10}


def test_a_time_without_an_offset_is_on_the_shops_clock() -> None:
    programme = read_programme("bakery")
    assert moment_ms(datetime(2026, 7, 1, 12, 0), programme, NOW) == moment_ms(
        datetime(2026, 7, 1, 10, 0, tzinfo=UTC), programme, NOW
    )
    assert moment_ms(None, programme, NOW) == AT


@pytest.mark.parametrize(
    ("member", "text"),
    [
        (Member(tier="platina"), "tier: expected one of basis, zilver, got 'platina'"),
        (Member(counters={"theekaart": 1}), "counters: expected some of koffiekaart, got theekaart"),
        (Member(birthday="02-30"), "birthday: expected a day such as 11-24, got '02-30'"),
        (Member(balance=400, takes=("vijf-euro",)), "expected at most the 400 points of the member, got 500"),
        (Member(takes=("taart",)), "no reward 'taart'"),
    ],
)
def test_what_cannot_be_is_said(member: Member, text: str) -> None:
    with pytest.raises((Unreadable, LoyaltyError), match=text):
        try_basket(read_programme("bakery"), basket(("TAART", "taart", 1000, 1440)), member, AT)


def test_spending_much_asks_for_more_than_the_printed_card() -> None:
    goods = basket(("JAS", "jassen", 1000, 19900))
    programme = read_programme("fashion")
    takes = ("tegoedbon", "vijfentwintig-euro")  # 600 points; up to 500 go with the card
    with pytest.raises(RewardRefused, match="asks for one of: rotating, pin"):
        try_basket(programme, goods, Member(balance=900, takes=takes), AT)
    trial = try_basket(
        programme, goods, Member.model_validate({"balance": 900, "takes": takes, "credential": "pin"}), AT
    )
    assert trial.settlement.points_spent == 600


def test_returns_take_back_everything_and_no_more() -> None:
    programme = read_programme("bakery")
    goods = basket(("BROOD", "brood", 3000, 1000), ("TAART", "taart", 1000, 1440))
    sold = try_basket(programme, goods, Member(tier="zilver"), AT)
    (bread, pie) = (line.points for line in sold.settlement.accrual.lines)

    def back(quantity: int, before: int) -> int:
        document = Return(
            basket=goods,
            member=Member(tier="zilver"),
            at=NOW,
            before=(LineBack(line_id="1", quantity=before),) if before else (),
            returned=(LineBack(line_id="1", quantity=quantity),),
        )
        return try_return(programme, document, NOW).settlement.points_earned

    assert bread + pie == 24 + 12
    assert back(1000, 0) + back(1000, 1000) + back(1000, 2000) == -bread == back(3000, 0)
    with pytest.raises(LoyaltyError, match="expected at most 1000 thousandths"):
        back(2000, 2000)
