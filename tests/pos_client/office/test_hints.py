"""Hints: each with the entries behind it, and none about an ordinary day."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from loyalty.basket import Basket, Line
from loyalty.serving import Serving, Tender
from pos_client.office.hints import BURST, BURST_MS, MANY_BY_CASHIER, MANY_SALES, SOON_MS, HintKind, hints
from pos_client.office.saying import say_hint
from pos_client.runtime import Runtime
from pos_client.screen.words import Words
from sync.terminal import wall_ms
from tests.pos_client.office.conftest import sell
from tests.pos_client.office.test_series import move
from tests.support.till import EAN_FORMAT, FATIMA, JORIS, SANNE, card_text


def today(runtime: Runtime) -> date:
    return runtime.till.reckoning.business_date(wall_ms())


def ids(runtime: Runtime) -> list[str]:
    return [row[0] for row in runtime.store.rows("SELECT id FROM journal ORDER BY seq")]


def test_an_ordinary_day_has_none(runtime: Runtime) -> None:
    sell(runtime, FATIMA.card, minor=1000, reward="koffie")  # points of long ago
    sell(runtime, SANNE.card)
    runtime.till.bookings.void(sell(runtime, SANNE.card))
    assert hints(runtime.store, today(runtime)) == []


def test_many_sales_on_one_card(runtime: Runtime) -> None:
    for _ in range(MANY_SALES - 1):
        sell(runtime, JORIS.card, minor=500)
    runtime.till.bookings.void(sell(runtime, JORIS.card))
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
    runtime.till.bookings.commit("s-1")
    (hint,) = hints(runtime.store, today(runtime))
    assert (hint.kind, list(hint.entries)) == (HintKind.REFUND_KEEPS_POINTS, ids(runtime))


def serve(runtime: Runtime, card: str, cashier: str, tender: Tender | None = None) -> str:
    """A sale by `cashier`; with `tender` the card comes after the customer began to pay."""
    session = runtime.till.open_session(cashier=cashier).session
    runtime.till.set_basket(session, Basket(lines=(Line(line_id="1", sku="brood", gross_minor=500),)))
    if tender is not None:
        runtime.till.tender(session, tender)
    runtime.till.identify(session, card)
    if tender is None:
        runtime.till.tender(session, Tender.CARD)
    runtime.till.bookings.commit(session)
    return session


def test_a_card_that_comes_after_the_payment_began(runtime: Runtime) -> None:
    serve(runtime, SANNE.card, "7")
    assert hints(runtime.store, today(runtime)) == []
    serve(runtime, SANNE.card, "7", Tender.CASH)
    serve(runtime, JORIS.card, "7", Tender.OTHER)
    serve(runtime, JORIS.card, "8", Tender.CASH)
    first, second = hints(runtime.store, today(runtime))
    assert (first.kind, first.cashier, first.tender) == (HintKind.CARD_AFTER_TENDER, "7", ("cash", "other"))
    assert (list(first.entries), first.card) == (ids(runtime)[1:3], None)
    assert (second.cashier, list(second.entries), second.card is None) == ("8", ids(runtime)[3:], False)
    words = Words("nl", ZoneInfo("UTC"))
    assert say_hint(words, first).endswith("betalen: 2 · kassamedewerker 7 · betaald: contant, anders")


def test_another_card_after_the_payment_began_counts_and_the_same_one_does_not(runtime: Runtime) -> None:
    session = runtime.till.open_session(cashier="7").session
    runtime.till.identify(session, SANNE.card)
    runtime.till.tender(session, Tender.CASH)
    runtime.till.tender(session, Tender.CARD)
    assert runtime.till.identify(session, SANNE.card).serving == Serving(cashier="7", tender=Tender.CASH)
    assert runtime.till.identify(session, JORIS.card).serving.card_after_tender


def test_one_cashier_many_times_on_one_card(runtime: Runtime) -> None:
    for _ in range(MANY_BY_CASHIER - 1):
        serve(runtime, JORIS.card, "7")
    serve(runtime, JORIS.card, "8")
    assert hints(runtime.store, today(runtime)) == []
    serve(runtime, JORIS.card, "7")
    (hint,) = hints(runtime.store, today(runtime))
    assert (hint.kind, hint.cashier, len(hint.entries)) == (HintKind.CASHIER_ON_CARD, "7", MANY_BY_CASHIER)


def test_more_customers_than_one_cashier_can_serve(runtime: Runtime) -> None:
    cards = [card_text(EAN_FORMAT, number) for number in range(50, 50 + BURST)]
    for card in cards[1:]:
        serve(runtime, card, "7")
    assert hints(runtime.store, today(runtime)) == []
    serve(runtime, cards[0], "7")
    (hint,) = hints(runtime.store, today(runtime))
    assert (hint.kind, hint.cashier, hint.card) == (HintKind.CASHIER_BURST, "7", None)
    assert list(hint.entries) == ids(runtime)
    move(runtime.store, 1, today(runtime), wall_ms() - BURST_MS - 60_000)
    assert hints(runtime.store, today(runtime)) == []


def test_what_was_not_said_is_not_in_the_entry(runtime: Runtime) -> None:
    sell(runtime, SANNE.card)
    (raw,) = runtime.store.rows("SELECT raw FROM journal")[0]
    assert b"serving" not in raw
