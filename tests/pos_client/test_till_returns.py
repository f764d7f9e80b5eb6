"""The till's returns, exchanges, adjustments, coupons and stamp cards, on a real encrypted store."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loyalty.basket import Basket, Line
from loyalty.codes import make_code
from loyalty.errors import ReturnRefused, RewardRefused
from loyalty.ledger import EntryKind
from pos_client.reckoning import TillError
from pos_client.runtime import Runtime
from sync.wire_mirror import AccountChange
from tests.support.entries import basket
from tests.support.till import PROGRAMME, SANNE, UNKNOWN_CARD, make_runtime, publish

TEXT = {"nl": "naam", "en": "name"}
DOCUMENT: dict[str, Any] = {
    **copy.deepcopy(PROGRAMME),
    "caps": {"per_card_day_points": 40},
    "coupons": [
        {"id": "lente", "name": TEXT, "code_prefix": "SP", "gives": {"kind": "amount_off", "discount_minor": 200}}
    ],
    "stamp_cards": [
        {"id": "kaart", "name": TEXT, "stamps": 3, "categories": ["koffie"], "gives": {"kind": "free_item"}}
    ],
}
DOCUMENT["rewards"].append(
    {"kind": "pay_with_points", "id": "betalen", "name": TEXT, "cost_points": 100, "value_minor": 100}
)
CODE = make_code("SP", 12)
OTHER_CODE = make_code("SP", 13)


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    made = make_runtime(tmp_path, programme=DOCUMENT)
    yield made
    made.store.close()


def cups(number: int) -> Basket:
    line = Line(line_id="kop", sku="kop", category="koffie", gross_minor=250 * number, quantity=1000 * number)
    return Basket(lines=(line,))


def sell(runtime: Runtime, session: str, goods: Basket, card: str = SANNE.card, *rewards: str) -> int:
    """Book a sale; the points it adds."""
    till = runtime.till
    till.open_session(session)
    till.identify(session, card)
    till.set_basket(session, goods)
    for reward in rewards:
        till.redeem(session, reward)
    return till.bookings.commit(session).entry.points


def test_goods_come_back_with_the_points_they_earned(runtime: Runtime) -> None:
    """Silver: € 10.00 → 10 + 5 = 15 on four cups: floor(15/4) = 3 for one, and 12 for the rest."""
    assert sell(runtime, "bon-1", cups(4)) == 15
    first = runtime.till.corrections.return_goods("retour-1", "bon-1", {"kop": 1000})
    assert (first.entry.points, first.balance) == (-3, SANNE.points + 12)
    assert runtime.till.corrections.return_goods("retour-1", "bon-1", {"kop": 1000}).entry == first.entry
    rest = runtime.till.corrections.return_goods("retour-2", "bon-1", {"kop": 3000})
    assert (rest.entry.points, rest.balance) == (-12, SANNE.points)
    assert rest.entry.original == first.entry.original
    with pytest.raises(ReturnRefused, match="at most 0 thousandths"):
        runtime.till.corrections.return_goods("retour-3", "bon-1", {"kop": 1})
    assert runtime.journal.head().seq == 3


def test_a_receipt_of_elsewhere_and_a_void_one(runtime: Runtime) -> None:
    with pytest.raises(TillError, match=r"of another till, or older .*return the goods where they were bought"):
        runtime.till.corrections.return_goods("retour-1", "bon-1", {"kop": 1000})
    sell(runtime, "bon-1", cups(1))
    runtime.till.bookings.void("bon-1")
    with pytest.raises(TillError, match="its points are back already"):
        runtime.till.corrections.return_goods("retour-1", "bon-1", {"kop": 1000})


def test_a_sale_of_which_goods_came_back_cannot_be_voided(runtime: Runtime) -> None:
    sell(runtime, "bon-1", cups(2))
    runtime.till.corrections.return_goods("retour-1", "bon-1", {"kop": 1000})
    with pytest.raises(TillError) as caught:
        runtime.till.bookings.void("bon-1")
    assert caught.value.code == "sale_returned"


def test_an_exchange_is_both_or_neither(runtime: Runtime) -> None:
    sell(runtime, "bon-1", cups(4))
    till = runtime.till
    till.open_session("ruil-1")
    till.set_basket("ruil-1", basket(600))
    with pytest.raises(TillError, match="nothing to book without a card"):
        till.bookings.exchange("ruil-1", "bon-1", {"kop": 4000})
    assert runtime.journal.head().seq == 1
    till.identify("ruil-1", SANNE.card)
    with pytest.raises(ReturnRefused):
        till.bookings.exchange("ruil-1", "bon-1", {"kop": 5000})
    assert runtime.journal.head().seq == 1
    returned, sold = till.bookings.exchange("ruil-1", "bon-1", {"kop": 4000})
    assert (returned.entry.points, sold.entry.points) == (-15, 9)
    assert returned.balance == sold.balance == SANNE.points + 9
    assert till.bookings.exchange("ruil-1", "bon-1", {"kop": 4000})[1].entry == sold.entry
    assert runtime.journal.head().seq == 3


def test_an_adjustment_carries_who_and_why(runtime: Runtime) -> None:
    till = runtime.till
    for reason, approver in (("", "chef"), ("fout", " ")):
        with pytest.raises(TillError, match="needs points, a reason and who approves it"):
            till.corrections.adjust("a-1", SANNE.card, 50, reason=reason, approver=approver)
    done = till.corrections.adjust("a-1", SANNE.card, -50, reason=" verkeerde bon ", approver="chef")
    assert (done.entry.reason, done.entry.approver, done.balance) == ("verkeerde bon", "chef", SANNE.points - 50)
    assert till.corrections.adjust("a-1", SANNE.card, -50, reason="x", approver="y").entry == done.entry


def test_a_coupon_is_used_once_at_this_till(runtime: Runtime) -> None:
    till = runtime.till
    till.open_session("bon-1")
    till.set_basket("bon-1", cups(4))
    with pytest.raises(TillError, match="a coupon needs a card"):
        till.use_coupon("bon-1", CODE)
    till.identify("bon-1", SANNE.card)
    assert till.use_coupon("bon-1", f"{CODE[:4]}-{CODE[4:].lower()}").settlement.payable_minor == 800
    with pytest.raises(RewardRefused):
        till.use_coupon("bon-1", CODE)
    till.open_session("bon-2")
    till.identify("bon-2", SANNE.card)
    till.set_basket("bon-2", cups(4))
    till.use_coupon("bon-2", CODE)  # open in both; the first that is booked has it
    till.bookings.commit("bon-1")
    with pytest.raises(RewardRefused, match="used at this till before"):
        till.bookings.commit("bon-2")
    assert runtime.journal.head().seq == 1
    for code, why in (
        (CODE, "coupon_used"),
        (make_code("ZZ", 1), "coupon_unknown"),
        (CODE[:-1] + "2", "coupon_invalid"),
    ):
        with pytest.raises(RewardRefused) as caught:
            till.use_coupon("bon-2", code)
        assert caught.value.code == why
    till.bookings.void("bon-1")
    assert till.bookings.commit("bon-2").entry.settlement.redemptions[0].coupon == CODE


def test_stamps_add_up_here_before_head_office_knows(runtime: Runtime) -> None:
    sell(runtime, "bon-1", cups(2))
    till = runtime.till
    till.open_session("bon-2")
    till.identify("bon-2", SANNE.card)
    (card,) = [option for option in till.set_basket("bon-2", cups(2)).rewards if option.reward.id == "kaart"]
    assert (card.available, card.code, card.short, card.cost_stamps) == (False, "stamps_short", 1, 3)
    till.bookings.commit("bon-2")
    assert sell(runtime, "bon-3", cups(2), SANNE.card, "kaart") == 3  # one cup paid: € 2.50 → 2 + 1
    holder = runtime.mirror.find(till.bookings.commit("bon-3").entry.card)
    assert runtime.mirror.standing(holder).counters == {"kaart": 2}
    # Head office counted what it has, up to the second sale, and more from elsewhere.
    change = AccountChange(account=SANNE.account, first_name="Sanne", tier="zilver", points=1, counters={"kaart": 9})
    publish(runtime.mirror, [change], includes_seq=2)
    assert runtime.mirror.standing(holder).counters == {"kaart": 7}
    till.bookings.void("bon-3")
    assert runtime.mirror.standing(holder).counters == {"kaart": 9}


def test_the_cap_of_a_card_and_day_counts_sales_and_voids(runtime: Runtime) -> None:
    assert sell(runtime, "bon-1", basket(2000)) == 30
    assert sell(runtime, "bon-2", basket(2000)) == 10
    assert sell(runtime, "bon-3", basket(2000)) == 0
    assert sell(runtime, "bon-4", basket(2000), UNKNOWN_CARD) == 20
    runtime.till.bookings.void("bon-1")
    assert sell(runtime, "bon-5", basket(2000)) == 30


def test_points_as_part_payment_by_amount(runtime: Runtime) -> None:
    till = runtime.till
    till.open_session("bon-1")
    till.identify("bon-1", SANNE.card)
    till.set_basket("bon-1", basket(2000))
    quote = till.redeem("bon-1", "betalen", 400)
    assert (quote.settlement.points_spent, quote.settlement.payable_minor) == (400, 1600)
    with pytest.raises(RewardRefused) as caught:  # 500 a card and day
        till.redeem("bon-1", "betalen", 200)
    assert caught.value.code == "card_cap"
    assert till.redeem("bon-1", "betalen").settlement.points_spent == 500


def test_spending_can_ask_for_more_than_the_printed_number(tmp_path: Path) -> None:
    document = {**DOCUMENT, "credential": {"spend": ["rotating", "pin"], "from_points": 100}}
    made = make_runtime(tmp_path, programme=document)
    till = made.till
    till.open_session("bon-1")
    till.identify("bon-1", SANNE.card)
    till.set_basket("bon-1", basket(2000))
    assert till.redeem("bon-1", "betalen", 100).settlement.points_spent == 100
    for reward, amount in (("betalen", 200), ("koffie", None)):
        with pytest.raises(RewardRefused) as caught:
            till.redeem("bon-1", reward, amount)
        assert caught.value.code == "credential_needed"
    assert till.bookings.commit("bon-1").entry.kind is EntryKind.SALE
    made.store.close()
