"""Coupons, points as part payment and exchanges through the API over real HTTP."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loyalty.codes import make_code
from pos_client.plugin.client import PluginProblem, TillClient
from pos_client.runtime import Runtime
from tests.support.entries import basket
from tests.support.till import PROGRAMME, SANNE, make_runtime

TEXT = {"nl": "naam", "en": "name"}
CODE = make_code("SP", 12)


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    document: dict[str, Any] = copy.deepcopy(PROGRAMME)
    gives = {"kind": "amount_off", "discount_minor": 200}
    document["coupons"] = [{"id": "lente", "name": TEXT, "code_prefix": "SP", "gives": gives}]
    document["rewards"].append(
        {"kind": "pay_with_points", "id": "betalen", "name": TEXT, "cost_points": 100, "value_minor": 100}
    )
    made = make_runtime(tmp_path, programme=document)
    yield made
    made.store.close()


def ring_up(till: TillClient, session: str, *amounts: int) -> None:
    till.open_session(session)
    till.identify(session, SANNE.card)
    till.set_basket(session, basket(*amounts), 0)


def refused(call: Any) -> tuple[str, int]:
    with pytest.raises(PluginProblem) as caught:
        call()
    return caught.value.code, caught.value.status


def test_a_coupon_is_taken_by_its_code_once(till: TillClient) -> None:
    ring_up(till, "bon-1", 1000)
    assert refused(lambda: till.use_coupon("bon-1", CODE[:-1] + ("A" if CODE[-1] != "A" else "B"))) == (
        "coupon_invalid",
        422,
    )
    quote = till.use_coupon("bon-1", f"{CODE[:4]}-{CODE[4:].lower()}")
    assert (quote.settlement.payable_minor, quote.settlement.redemptions[0].reward) == (800, "lente")
    assert refused(lambda: till.use_coupon("bon-1", CODE)) == ("limit_per_basket", 409)
    till.commit("bon-1")
    ring_up(till, "bon-2", 1000)
    assert refused(lambda: till.use_coupon("bon-2", CODE)) == ("coupon_used", 409)
    assert till.quote("bon-2").settlement.payable_minor == 1000


def test_points_pay_as_much_as_the_customer_says(till: TillClient) -> None:
    ring_up(till, "bon-1", 1000)
    quote = till.redeem("bon-1", "betalen", 300)
    assert (quote.settlement.payable_minor, quote.settlement.points_spent) == (700, 300)
    ring_up(till, "bon-2", 1000)
    assert till.redeem("bon-2", "betalen").settlement.points_spent == 100  # one step
    assert refused(lambda: till.redeem("bon-2", "betalen", 0)) == ("invalid_request", 422)
    assert refused(lambda: till.redeem("bon-2", "betalen", 150))[1] == 409  # no whole step


def test_an_exchange_is_booked_in_one_and_once(till: TillClient, runtime: Runtime) -> None:
    ring_up(till, "bon-1", 2000, 1000)
    till.commit("bon-1")
    ring_up(till, "ruil-1", 3000)
    assert refused(lambda: till.exchange("ruil-1", "bon-1", {"1": 1001})) == ("too_much", 409)
    assert refused(lambda: till.exchange("ruil-1", "bon-0", {"1": 1000})) == ("unknown_receipt", 404)
    assert runtime.journal.head().seq == 1
    for _ in range(2):
        done = till.exchange("ruil-1", "bon-1", {"1": 1000})
        assert done.returned.entry is not None
        assert done.sale.entry is not None
        assert (done.returned.entry.kind, done.returned.entry.points, done.returned.entry.seq) == ("return", -30, 2)
        assert (done.sale.entry.kind, done.sale.entry.points, done.sale.entry.seq) == ("sale", 45, 3)
    assert runtime.journal.head().seq == 3
    assert refused(lambda: till.set_basket("ruil-1", basket(100), 0)) == ("session_closed", 409)
