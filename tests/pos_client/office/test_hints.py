"""Hints: each with the entries behind it, and none about an ordinary day."""

from __future__ import annotations

from datetime import date

from loyalty.basket import Basket, Line
from pos_client.office.hints import MANY_SALES, SOON_MS, HintKind, hints
from pos_client.runtime import Runtime
from sync.terminal import wall_ms
from tests.pos_client.office.conftest import sell
from tests.pos_client.office.test_series import move
from tests.support.till import FATIMA, JORIS, SANNE


def today(runtime: Runtime) -> date:
    return runtime.till.reckoning.business_date(wall_ms())


def ids(runtime: Runtime) -> list[str]:
    return [row[0] for row in runtime.store.rows("SELECT id FROM journal ORDER BY seq")]


def test_an_ordinary_day_has_none(runtime: Runtime) -> None:
    sell(runtime, FATIMA.card, minor=1000, reward="koffie")  # points of long ago
    sell(runtime, SANNE.card)
    runtime.till.void(sell(runtime, SANNE.card))
    assert hints(runtime.store, today(runtime)) == []


def test_many_sales_on_one_card(runtime: Runtime) -> None:
    for _ in range(MANY_SALES - 1):
        sell(runtime, JORIS.card, minor=500)
    runtime.till.void(sell(runtime, JORIS.card))
    assert hints(runtime.store, today(runtime)) == []
    sell(runtime, JORIS.card, minor=500)
    (hint,) = hints(runtime.store, today(runtime))
    assert (hint.kind, len(hint.entries), hint.points) == (HintKind.MANY_ON_CARD, MANY_SALES, 5 * MANY_SALES)
    assert set(hint.entries) < set(ids(runtime))


def test_points_spent_right_after_they_were_earned(runtime: Runtime) -> None:
    sell(runtime, FATIMA.card, minor=90_000)
    sell(runtime, FATIMA.card, minor=1000, reward="koffie")
    (hint,) = hints(runtime.store, today(runtime))
    assert (hint.kind, list(hint.entries)) == (HintKind.SPENT_SOON, ids(runtime))
    move(runtime.store, 1, today(runtime), wall_ms() - SOON_MS - 60_000)
    assert hints(runtime.store, today(runtime)) == []


def test_goods_taken_back_within_a_sale(runtime: Runtime) -> None:
    lines = (
        Line(line_id="1", sku="brood", quantity=1000, gross_minor=1500),
        Line(line_id="2", sku="taart", quantity=-1000, gross_minor=-1440),
    )
    runtime.till.open_session("s-1")
    runtime.till.set_basket("s-1", Basket(lines=lines))
    runtime.till.identify("s-1", SANNE.card)
    runtime.till.commit("s-1")
    (hint,) = hints(runtime.store, today(runtime))
    assert (hint.kind, list(hint.entries)) == (HintKind.REFUND_KEEPS_POINTS, ids(runtime))
