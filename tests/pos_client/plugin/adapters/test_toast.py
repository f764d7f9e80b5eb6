"""Toast's loyalty transactions, against a real till."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pos_client.app import build_runtime, open_store
from pos_client.events import EventKind, TillEvent
from pos_client.plugin.adapters import toast
from pos_client.plugin.api import create_api
from pos_client.runtime import Runtime
from pos_client.tokens import Scope
from tests.pos_client.plugin.adapters.exchanges import exchanges, replay
from tests.pos_client.plugin.adapters.shop import shop
from tests.pos_client.plugin.conftest import TOKEN, serving
from tests.support.till import FATIMA, JORIS, NOOR, SANNE, make_runtime

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def test_the_golden_exchanges(url: str, adapted: Runtime) -> None:
    adapted.till.present_card(FATIMA.card, "swipe")  # somebody else waits at the counter all the while
    replay(url + toast.PATH, exchanges("toast"))
    assert adapted.till.waiting is not None
    assert adapted.till.waiting.first_name == FATIMA.first_name
    adapted.till.forget_card()
    assert adapted.mirror.find(adapted.till.reckoning.look_up(SANNE.card).holder.card).balance == SANNE.points
    kept = b"".join(raw for (raw,) in adapted.store.rows("SELECT raw FROM journal"))
    assert b"4111111111111111" not in kept


def _ask(
    client: httpx.Client, kind: str, guid: str, check: str, price: float, *rewards: str, member: str = SANNE.card
) -> dict[str, Any]:
    selection = {"guid": str(uuid.uuid4()), "quantity": 1, "price": price, "preDiscountPrice": price}
    about = {
        "loyaltyIdentifier": member,
        "check": {"guid": check, "selections": [selection]},
        "redemptions": [{"identifier": reward} for reward in rewards],
    }
    return client.post(
        toast.PATH,
        headers={"Toast-Transaction-Type": kind, "Toast-Transaction-GUID": guid},
        json={"toastTransactionType": kind, "checkTransactionInformation": about},
    ).json()


def _balance(answer: dict[str, Any]) -> int:
    return int(answer["checkResponse"]["accountInfo"]["pointsBalance"])


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, headers=HEADERS, trust_env=False, timeout=20) as made:
        yield made


def test_one_transaction_sent_eight_times_at_once_is_booked_once(client: httpx.Client) -> None:
    guid, check = str(uuid.uuid4()), str(uuid.uuid4())
    with ThreadPoolExecutor(8) as pool:
        asked = [
            pool.submit(_ask, client, "LOYALTY_REDEEM", guid, check, 20.0, "koffie", member=FATIMA.card)
            for _ in range(8)
        ]
        balances = {_balance(each.result()) for each in asked}
    assert balances == {FATIMA.points - 250 + 17}


def test_a_transaction_sent_again_after_a_restart_is_booked_once(tmp_path: Path) -> None:
    redeem, accrue, check = str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4())
    runtime = shop(tmp_path)
    with serving(create_api(runtime, TOKEN)) as url, httpx.Client(base_url=url, headers=HEADERS) as till:
        booked = _ask(till, "LOYALTY_REDEEM", redeem, check, 23.4, "koffie")
        _ask(till, "LOYALTY_ACCRUE", accrue, check, 20.9, "koffie")
    runtime.store.close()
    again = build_runtime(runtime.config, open_store(runtime.config))
    with serving(create_api(again, TOKEN)) as url, httpx.Client(base_url=url, headers=HEADERS) as till:
        assert _ask(till, "LOYALTY_REDEEM", redeem, check, 23.4, "koffie") == booked
        assert _balance(_ask(till, "LOYALTY_ACCRUE", accrue, check, 20.9)) == 1064
        for transaction in (accrue, redeem):
            undone = till.post(
                toast.PATH,
                headers={"Toast-Transaction-Type": "LOYALTY_REVERSE", "Toast-Transaction-GUID": str(uuid.uuid4())},
                json={
                    "toastTransactionType": "LOYALTY_REVERSE",
                    "reverseTransactionInformation": {"loyaltyIdentifier": SANNE.card, "transactionId": transaction},
                },
            )
            assert undone.json() == {"transactionStatus": "ACCEPT"}
        assert _balance(_ask(till, "LOYALTY_INQUIRE", redeem, check, 1)) == SANNE.points
    again.store.close()


def test_what_a_search_answers_is_who_is_meant(client: httpx.Client) -> None:
    def search(phone: str) -> Any:
        return client.post(
            toast.PATH,
            headers={"Toast-Transaction-Type": "LOYALTY_SEARCH", "Toast-Transaction-GUID": str(uuid.uuid4())},
            json={
                "toastTransactionType": "LOYALTY_SEARCH",
                "searchTransactionInformation": {"searchCriteria": {"phone": phone}},
            },
        ).json()

    (account,) = search("06 1234 5678")["searchResponse"]["accounts"]
    check = str(uuid.uuid4())
    told = _ask(client, "LOYALTY_INQUIRE", str(uuid.uuid4()), check, 20.0, member=account["identifier"])
    assert told["checkResponse"]["accountInfo"] == account
    guid = str(uuid.uuid4())
    booked = _ask(client, "LOYALTY_ACCRUE", guid, check, 20.0, member=account["identifier"])
    assert booked == _ask(client, "LOYALTY_ACCRUE", guid, check, 20.0, member=SANNE.card)
    # By its number as a search as well; a blocked card is found, and let in nowhere.
    (noor,) = search(NOOR.card)["searchResponse"]["accounts"]
    refused = _ask(client, "LOYALTY_ACCRUE", str(uuid.uuid4()), check, 20.0, member=noor["identifier"])
    assert refused == {"transactionStatus": "ERROR_ACCOUNT_INVALID"}
    assert search("4111111111111111") == {"transactionStatus": "ERROR_ACCOUNT_INVALID"}


def test_an_inquiry_leaves_nothing_behind(client: httpx.Client, adapted: Runtime) -> None:
    before = adapted.journal.head().seq
    _ask(client, "LOYALTY_INQUIRE", str(uuid.uuid4()), str(uuid.uuid4()), 20.0, "koffie", member=FATIMA.card)
    assert adapted.journal.head().seq == before
    assert adapted.till.current is None


def test_a_card_that_waits_at_the_counter_is_nobody_elses(client: httpx.Client, adapted: Runtime) -> None:
    """Toast's customer is not the one who just scanned a card here: that card waits for its own sale."""
    heard: list[TillEvent] = []
    stop = adapted.bus.listen(heard.append)
    till = adapted.till
    till.open_session("at-the-counter")
    till.identify("at-the-counter", JORIS.card)
    assert till.present_card(SANNE.card, "EAN-13") is not None, "joins the sale on the screen"
    till.bookings.void("at-the-counter")
    till.present_card(JORIS.card, "CODE-128")
    heard.clear()
    for kind in ("LOYALTY_INQUIRE", "LOYALTY_ACCRUE", "LOYALTY_REDEEM"):
        rewards = ["koffie"] if kind != "LOYALTY_ACCRUE" else []
        told = _ask(client, kind, str(uuid.uuid4()), str(uuid.uuid4()), 20.0, *rewards, member=FATIMA.card)
        assert told["checkResponse"]["accountInfo"]["firstName"] == FATIMA.first_name
        assert till.waiting is not None
        assert (till.waiting.first_name, till.current) == (JORIS.first_name, None)
    assert {event.kind for event in heard} == {EventKind.SALE_BOOKED}, "the screen hears of what was booked alone"
    stop()
    # A sale on the screen stays there, too, and the next one here takes the card.
    assert till.open_session("next").holder == till.quote("next").holder
    assert till.quote("next").holder is not None
    _ask(client, "LOYALTY_INQUIRE", str(uuid.uuid4()), str(uuid.uuid4()), 20.0, member=FATIMA.card)
    assert till.current == "next"
    till.bookings.void("next")


def test_a_card_that_waits_for_just_this_booking_waits_no_more(client: httpx.Client, adapted: Runtime) -> None:
    adapted.till.present_card(SANNE.card, "EAN-13")
    _ask(client, "LOYALTY_INQUIRE", str(uuid.uuid4()), str(uuid.uuid4()), 20.0)
    assert adapted.till.waiting is not None
    _ask(client, "LOYALTY_ACCRUE", str(uuid.uuid4()), str(uuid.uuid4()), 20.0)
    assert adapted.till.waiting is None


def test_a_full_disk_is_no_answer_and_sent_again_it_is_booked(client: httpx.Client, adapted: Runtime) -> None:
    guid, check = str(uuid.uuid4()), str(uuid.uuid4())
    adapted.store.db.conn.execute("PRAGMA max_page_count = 1")
    many = [{"guid": str(uuid.uuid4()), "quantity": 1, "price": 1.0} for _ in range(400)]
    body = {
        "toastTransactionType": "LOYALTY_ACCRUE",
        "checkTransactionInformation": {"loyaltyIdentifier": FATIMA.card, "check": {"guid": check, "selections": many}},
    }
    headers = {"Toast-Transaction-Type": "LOYALTY_ACCRUE", "Toast-Transaction-GUID": guid}
    full = client.post(toast.PATH, headers=headers, json=body)
    assert (full.status_code, full.json()["transactionStatus"]) == (500, "ERROR")
    assert "disk_full" in full.json()["message"]
    adapted.store.db.conn.execute("PRAGMA max_page_count = 1073741823")
    assert client.post(toast.PATH, headers=headers, json=body).json()["checkResponse"]["userMessage"] == "+ 400 punten"


def test_a_token_that_may_not_sell_is_closed_out_in_toasts_words(url: str, adapted: Runtime) -> None:
    may_read = adapted.tokens.make("reader", [Scope.READ], None)[1]
    seller, may_sell = adapted.tokens.make("seller", [Scope.SELL], None)
    adapted.tokens.revoke(seller.id)
    for token in (may_read, may_sell):
        answer = httpx.post(url + toast.PATH, headers={"Authorization": f"Bearer {token}"}, json={})
        assert (answer.status_code, answer.json()) == (400, {"transactionStatus": "ERROR_INVALID_TOKEN"})


def test_a_body_that_never_ends_is_refused_in_toasts_words(client: httpx.Client) -> None:
    answer = client.post(
        toast.PATH,
        headers={"Toast-Transaction-Type": "LOYALTY_ACCRUE", "Content-Type": "application/json"},
        content=iter([b" " * 300_000] * 4),
    )
    assert (answer.status_code, answer.json()) == (400, {"transactionStatus": "ERROR_INVALID_INPUT_PROPERTIES"})


def test_it_is_off_unless_asked_for(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path)
    with serving(create_api(runtime, TOKEN)) as url:
        for call in (toast.PATH, "/v1/adapters/nexo"):
            assert httpx.post(url + call, headers=HEADERS, json={}).json()["code"] == "not_found"
        assert httpx.get(url + "/hw_proxy/hello").status_code == 404
    runtime.store.close()


@given(
    body=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=9),
        lambda e: (
            st.lists(e, max_size=3)
            | st.dictionaries(
                st.sampled_from(["toastTransactionType", "checkTransactionInformation", "check", "guid"]), e
            )
        ),
    )
)
def test_whatever_comes_is_answered_in_toasts_words(client: httpx.Client, body: Any) -> None:
    headers = {"Toast-Transaction-Type": "LOYALTY_ACCRUE", "Toast-Transaction-GUID": str(uuid.uuid4())}
    answer = client.post(
        toast.PATH,
        headers=headers | {"Content-Type": "application/json"},
        content=json.dumps(body).encode(),
    )
    assert (answer.status_code, answer.json()["transactionStatus"]) == (400, "ERROR_INVALID_INPUT_PROPERTIES")
