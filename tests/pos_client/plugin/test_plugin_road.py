"""Sales through the API over real HTTP, with the client a till in Python would use."""

from __future__ import annotations

import pytest

from drivers.events import PaymentCardRefused, StatusUpdateEvent
from loyalty.ledger import EntryKind
from loyalty.serving import Serving, Tender
from pos_client.plugin.client import PluginProblem, TillClient
from pos_client.runtime import Runtime
from pos_client.session import SessionState
from sync.wire import DayProof
from tests.support.entries import basket
from tests.support.till import JORIS, SANNE, UNKNOWN_CARD, closed_port, make_runtime


def test_who_serves_and_when_the_customer_pays_goes_with_the_sale(till: TillClient, runtime: Runtime) -> None:
    till.open_session("bon-1", cashier="7")
    till.set_basket("bon-1", basket(1500), 0)
    till.tender("bon-1", Tender.CASH)
    till.identify("bon-1", SANNE.card)
    till.commit("bon-1")
    entry = runtime.journal.find_all(session="bon-1")[EntryKind.SALE]
    assert entry.serving == Serving(cashier="7", tender=Tender.CASH, card_after_tender=True)
    with pytest.raises(PluginProblem, match="session_closed"):
        till.tender("bon-1", Tender.CARD)


def test_a_sale_from_scan_to_disk(till: TillClient, runtime: Runtime) -> None:
    assert till.open_session("bon-1").member is None
    assert till.set_basket("bon-1", basket(1500, 840), 0).settlement.payable_minor == 2340
    quote = till.identify("bon-1", SANNE.card)
    assert quote.member is not None
    assert (quote.member.first_name, quote.member.tier.id, quote.member.tier.name) == ("Sanne", "zilver", "Zilver")
    assert quote.member.balance.total == 1284
    assert [(reward.id, reward.name, reward.available) for reward in quote.rewards] == [
        ("koffie", "Koffie gratis", True),
        ("vijf-euro", "€ 5 korting", True),
    ]
    assert quote.redeemable is not None
    assert (quote.redeemable.limit_points, quote.redeemable.reason) == (500, "card_cap")
    assert quote.balance_after == 1284 + 34

    redeemed = till.redeem("bon-1", "koffie")
    settlement = redeemed.settlement
    assert (settlement.payable_minor, settlement.points_earned, settlement.points_spent) == (2090, 30, 250)
    assert sum(line.points for line in settlement.lines) == 30
    assert sum(line.discount_minor for line in settlement.lines) == 250
    assert [(part.rule, part.points) for part in settlement.components] == [("per-euro", 20), ("zilver-extra", 10)]
    assert [(taken.reward, taken.discount_minor) for taken in settlement.redemptions] == [("koffie", 250)]
    assert {reward.id: reward.code for reward in redeemed.rewards} == {
        "koffie": "limit_per_basket",
        "vijf-euro": "card_cap",
    }
    assert till.quote("bon-1") == redeemed

    booked = till.commit("bon-1")
    assert booked.entry is not None
    assert (booked.entry.kind, booked.entry.seq, booked.entry.points) == ("sale", 1, -220)
    assert booked.member is not None
    assert booked.member.balance.model_dump() == {
        "confirmed": 1284,
        "queued": -220,
        "total": 1064,
        "pending": 0,
        "expiring": None,
    }
    assert booked.offline.model_dump(exclude={"confirmed_as_of"}) == {
        "online": False,
        "queued_points": -220,
        "queue_length": 1,
    }
    assert booked.offline.confirmed_as_of is not None
    assert runtime.journal.head().seq == 1
    assert till.commit("bon-1") == booked
    assert {reward.code for reward in till.quote("bon-1").rewards} == {"session_closed"}

    undone = till.void("bon-1")
    assert undone.entry is not None
    assert (undone.state, undone.entry.points, undone.entry.reverses) == (SessionState.VOIDED, 220, booked.entry.id)
    assert till.void("bon-1") == undone


def test_an_open_sale_is_dropped_without_an_entry(till: TillClient) -> None:
    session = till.open_session().session
    till.identify(session, SANNE.card)
    dropped = till.void(session)
    assert (dropped.state, dropped.entry, dropped.member, dropped.settlement) == (SessionState.VOIDED, None, None, None)


def test_an_unknown_card_earns(till: TillClient) -> None:
    session = till.open_session().session
    till.set_basket(session, basket(1000), 0)
    member = till.identify(session, UNKNOWN_CARD).member
    assert member is not None
    assert (member.known, member.first_name, member.tier.id) == (False, None, "basis")
    booked = till.commit(session).member
    assert booked is not None
    assert booked.balance.total == 10


def test_a_shop_may_show_no_names_and_speak_english(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> None:
    from pos_client.plugin.answers import quote_answer

    private = make_runtime(tmp_path_factory.mktemp("till"), till={"show_first_name": False, "language": "en"})
    private.till.open_session("bon-1")
    answer = quote_answer(private, private.till.identify("bon-1", SANNE.card))
    assert answer.member is not None
    assert (answer.member.first_name, answer.member.tier.name) == (None, "Silver")
    assert answer.rewards[0].name == "Free coffee"
    private.store.close()


@pytest.mark.parametrize(
    ("card", "status", "code"),
    [
        ("4111111111111111", 422, "payment_card"),
        ("4111111111111112", 422, "card_unknown_format"),  # mistyped: no bank card any more, and still not shown
        ("2910000000000000", 422, "card_unknown_format"),
    ],
)
def test_a_card_that_is_refused_is_never_repeated(till: TillClient, card: str, status: int, code: str) -> None:
    session = till.open_session().session
    with pytest.raises(PluginProblem) as caught:
        till.identify(session, card)
    assert (caught.value.status, caught.value.code) == (status, code)
    assert not any(char.isdigit() for char in str(caught.value))


def test_the_till_says_no_with_a_stable_code(till: TillClient) -> None:
    session = till.open_session().session
    for code, status, call in (
        ("no_card", 409, lambda: till.commit(session)),
        ("no_card", 409, lambda: till.redeem(session, "koffie")),
        ("unknown_session", 404, lambda: till.quote("another")),
        ("head_office_unreachable", 503, till.sync),
    ):
        with pytest.raises(PluginProblem) as caught:
            call()
        assert (caught.value.code, caught.value.status) == (code, status)
    till.set_basket(session, basket(2000), 0)
    till.identify(session, JORIS.card)
    with pytest.raises(PluginProblem) as caught:
        till.redeem(session, "koffie")
    assert (caught.value.code, caught.value.status) == ("points_short", 409)
    till.void(session)
    with pytest.raises(PluginProblem) as caught:
        till.set_basket(session, basket(100), 0)
    assert (caught.value.code, caught.value.status) == ("session_closed", 409)


def test_a_full_disk_is_said_and_the_commit_succeeds_later(till: TillClient, runtime: Runtime) -> None:
    till.open_session("bon-1")
    till.set_basket("bon-1", basket(*[100] * 400), 0)
    till.identify("bon-1", SANNE.card)
    runtime.store.db.conn.execute("PRAGMA max_page_count = 1")
    with pytest.raises(PluginProblem) as caught:
        till.commit("bon-1")
    assert (caught.value.code, caught.value.status) == ("disk_full", 507)
    runtime.store.db.conn.execute("PRAGMA max_page_count = 1073741823")
    booked = till.commit("bon-1").entry
    assert booked is not None
    assert booked.seq == 1


def test_status(till: TillClient, runtime: Runtime) -> None:
    runtime.board.on_event(StatusUpdateEvent(device="scanner", status="online", text="opened"))
    runtime.board.on_event(PaymentCardRefused(device="scanner", text="bank card"))
    session = till.open_session().session
    till.identify(session, SANNE.card)
    till.set_basket(session, basket(1000), 0)
    booked = till.commit(session).entry
    assert booked is not None
    ours = runtime.journal.proof(booked.business_date)
    runtime.proofs.record(booked.business_date, DayProof(proof=ours, parked=0), 0)
    status = till.status()
    assert (status.till, status.terminal, status.store) == ("kassa 2", "till-0002", "Bakkerij De Molen")
    assert status.software.startswith("spaarpunt/")
    assert (status.online, status.queue_length, status.payment_cards_refused) == (False, 1, 1)
    assert status.mirror_as_of is not None
    assert [(device.name, device.status) for device in status.devices] == [("scanner", "online")]
    assert status.proof is not None
    assert (status.proof.agrees, status.proof.ours, status.proof.business_date) == (True, ours, booked.business_date)


def test_a_wrong_token_gets_no_answer_and_no_stream(address: str) -> None:
    with TillClient(address, "wrong") as client:
        for call in (client.status, client.open_session, client.events):
            with pytest.raises(PluginProblem) as caught:
                call()
            assert (caught.value.code, caught.value.status) == ("unauthorized", 401)


def test_no_till_there_is_said_plainly() -> None:
    with TillClient(f"http://127.0.0.1:{closed_port()}", "token", patience_s=0) as client:
        for call in (client.status, client.events):
            with pytest.raises(PluginProblem) as caught:
                call()
            assert (caught.value.code, caught.value.status) == ("till_unreachable", 0)


def test_goods_come_back_in_parts(till: TillClient) -> None:
    till.open_session("bon-9")
    till.identify("bon-9", SANNE.card)
    till.set_basket("bon-9", basket(2000), 0)
    till.commit("bon-9")  # 20, and 10 for silver
    for _ in range(2):  # asked again, it is the same return
        back = till.return_goods("retour-9", "bon-9", {"1": 400})
        assert back.entry is not None
        assert (back.entry.kind, back.entry.points) == ("return", -12)
        assert back.settlement is not None
        assert back.settlement.payable_minor == -800
    for code, sale, lines in (
        ("too_much", "bon-9", {"1": 601}),
        ("unknown_line", "bon-9", {"7": 1000}),
        ("unknown_receipt", "bon-0", {"1": 1000}),
    ):
        with pytest.raises(PluginProblem) as caught:
            till.return_goods("retour-10", sale, lines)
        assert caught.value.code == code
