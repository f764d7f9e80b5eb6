"""Balances, receipts in their forms, events over a WebSocket, and sales attached late."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from pos_client.events import EventKind
from pos_client.office.hints import HintKind, hints
from pos_client.plugin.api import create_api
from pos_client.plugin.stream import EVENTS_MISSED, MAX_LISTENERS
from pos_client.runtime import Runtime
from pos_client.tokens import Scope
from sync.wire_mirror import AccountChange
from tests.pos_client.plugin.conftest import TOKEN
from tests.support.till import NOOR, SANNE, UNKNOWN_CARD, make_runtime, publish, reopened

ROOT = Path(__file__).parents[3]
LINES = [{"line_id": "1", "sku": "bread", "text": "Meergranen", "quantity": 2000, "gross_minor": 2000}]
OURS = {"Authorization": f"Bearer {TOKEN}"}
EVENTS = "ws://127.0.0.1:8321/v1/events"


@pytest.fixture
def client(runtime: Runtime) -> Iterator[TestClient]:
    with TestClient(create_api(runtime, TOKEN), "http://127.0.0.1:8321", headers=OURS) as made:
        yield made


def sell(client: TestClient, session: str = "bon-1") -> None:
    client.post("/v1/sessions", json={"id": session})
    client.put(f"/v1/sessions/{session}/basket", json={"lines": LINES, "version": 0})
    client.post(f"/v1/sessions/{session}/identify", json={"card": SANNE.card})
    assert client.post(f"/v1/sessions/{session}/commit").is_success


def test_a_balance_says_whether_it_is_confirmed(client: TestClient) -> None:
    sell(client)
    told = client.get(f"/v1/members/{SANNE.card}/balance").json()
    assert told["member"]["balance"] == {"confirmed": 1284, "queued": 30, "total": 1314, "pending": 0, "expiring": None}
    assert (told["offline"]["online"], told["offline"]["queued_points"], told["blocked"]) == (False, 30, False)
    assert told["offline"]["confirmed_as_of"]
    assert client.get(f"/v1/members/{NOOR.card}/balance").json()["blocked"] is True
    assert client.get(f"/v1/members/{UNKNOWN_CARD}/balance").json()["member"]["known"] is False


@pytest.mark.parametrize(
    ("card", "code"),
    [("4111111111111111", "payment_card"), ("12", "card_unknown_format"), ("a.b", "invalid_request")],
)
def test_what_is_no_card_has_no_balance(client: TestClient, card: str, code: str) -> None:
    answer = client.get(f"/v1/members/{card}/balance")
    assert answer.json()["code"] == code
    assert card not in answer.text


def test_a_receipt_in_each_form(client: TestClient, runtime: Runtime) -> None:
    sell(client)
    told = client.get("/v1/receipts/bon-1").json()
    assert (told["receipt"], told["kind"], told["confirmed"]) == ("bon-1", "sale", False)
    assert "Meergranen" in told["text"]
    assert "KOPIE" in told["text"]
    for how in ({"params": {"form": "text"}}, {"headers": {"Accept": "text/plain"}}):
        plain = client.get("/v1/receipts/bon-1", **how)
        assert (plain.text, plain.headers["Spaarpunt-Confirmed"]) == (told["text"], "false")
        assert plain.headers["content-type"] == "text/plain; charset=utf-8"
    escpos = client.get("/v1/receipts/bon-1", headers={"Accept": "application/vnd.escpos"})
    assert escpos.content.startswith(b"\x1b")
    picture = client.get("/v1/receipts/bon-1", params={"form": "png"}, headers={"Accept": "text/plain"})
    assert Image.open(io.BytesIO(picture.content)).format == "PNG"
    assert client.get(f"/v1/receipts/{told['entry']}").json()["receipt"] == "bon-1"
    runtime.journal.acknowledge(1, 1)
    assert client.get("/v1/receipts/bon-1").json()["confirmed"] is True
    assert client.get("/v1/receipts/nothing").json()["code"] == "unknown_receipt"
    assert client.get("/v1/receipts/bon-1", params={"form": "pdf"}).json()["code"] == "invalid_request"


def test_the_same_events_over_a_web_socket(client: TestClient, runtime: Runtime) -> None:
    with client.websocket_connect(EVENTS, headers=OURS) as socket:
        sell(client)
        told = [socket.receive_json() for _ in range(4)]
    assert [event["event"] for event in told] == ["session_changed"] * 3 + ["sale_booked"]
    assert told[3]["data"] == {"session": "bon-1", "points": 30, "balance": 1314}
    runtime.bus.publish(EventKind.SYNC_STATE, {"n": 1})
    with client.websocket_connect(f"{EVENTS}?last-event-id={told[3]['id']}", headers=OURS) as socket:
        assert socket.receive_json()["data"] == {"n": 1}
    with client.websocket_connect(f"{EVENTS}?last-event-id=0-0", headers=OURS) as socket:
        assert socket.receive_json()["event"] == EVENTS_MISSED


def test_a_socket_takes_a_token_as_a_subprotocol_and_never_sends_it_back(client: TestClient, runtime: Runtime) -> None:
    del client.headers["Authorization"]
    caller, token = runtime.tokens.make("page", [Scope.READ], None)
    with client.websocket_connect(EVENTS, ["spaarpunt", f"bearer.{token}"]) as socket:
        assert socket.accepted_subprotocol == "spaarpunt"
        runtime.tokens.revoke(caller.id)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
        assert closed.value.code == 1001
    seller = runtime.tokens.make("seller", [Scope.SELL], None)[1]
    for protocols in (["spaarpunt"], [f"bearer.{token}"], ["bearer.wrong"], [f"bearer.{seller}"]):
        with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect(EVENTS, protocols):
            pass
        assert refused.value.status_code in (401, 403)
        assert refused.value.json()["code"] in ("unauthorized", "token_revoked", "scope_missing")


def test_a_socket_takes_no_messages_and_frees_its_place(client: TestClient) -> None:
    for _ in range(MAX_LISTENERS + 1):
        with client.websocket_connect(EVENTS, headers=OURS) as socket:
            socket.send_text("hello?")
            with pytest.raises(WebSocketDisconnect) as closed:
                socket.receive_json()
            assert closed.value.code == 1003


def test_head_office_changes_the_points_of_who_is_at_the_till(client: TestClient, runtime: Runtime) -> None:
    client.post("/v1/sessions", json={"id": "bon-1"})
    client.post("/v1/sessions/bon-1/identify", json={"card": SANNE.card})
    changes = [
        AccountChange(account="acc-sanne", first_name="Sanne", tier="zilver", points=2000),
        AccountChange(account="acc-joris", first_name="Joris", tier="basis", points=7),
    ]
    with client.websocket_connect(EVENTS, headers=OURS) as socket:
        publish(runtime.mirror, changes)
        runtime.till.upkeep.heard(changes)
        told = socket.receive_json()
        assert told["event"] == "balance_changed"
        assert told["data"] == {"session": "bon-1", "balance": 2000, "confirmed": 2000}
        runtime.bus.publish(EventKind.SYNC_STATE, {})
        assert socket.receive_json()["event"] == "sync_state", "Joris is not here: nothing was said of him"


def late(receipt: str = "paid-1", **more: object) -> dict[str, object]:
    return {"receipt": receipt, "card": SANNE.card, "lines": LINES, "cashier": "7", "tender": "card", **more}


def test_a_sale_paid_without_us_is_attached_by_its_receipt(client: TestClient, runtime: Runtime) -> None:
    booked = client.post("/v1/late", json=late()).json()
    assert (booked["session"], booked["entry"]["points"], booked["member"]["balance"]["total"]) == ("paid-1", 30, 1314)
    assert client.post("/v1/late", json=late()).json()["entry"] == booked["entry"]
    entry = runtime.journal.find(booked["entry"]["id"])
    assert entry is not None
    assert entry.serving is not None
    assert (entry.serving.late_attach, entry.serving.cashier) == (True, "7")
    assert [hint.kind for hint in hints(runtime.store, entry.business_date)] == [HintKind.LATE_ATTACH]
    assert client.post("/v1/sessions/paid-1/void").json()["entry"]["points"] == -30
    assert client.post("/v1/late", json=late()).json()["code"] == "session_closed"


def test_a_sale_that_was_booked_after_all_is_not_booked_again(client: TestClient, runtime: Runtime) -> None:
    sell(client, "bon-1")
    assert client.post("/v1/late", json=late("bon-1")).json()["entry"]["seq"] == 1
    client.post("/v1/sessions", json={"id": "bon-2"})  # open here when the other program gave up
    assert client.post("/v1/late", json=late("bon-2")).json()["entry"]["seq"] == 2
    assert client.post("/v1/sessions/bon-2/commit").json()["entry"]["seq"] == 2
    assert runtime.journal.head().seq == 2


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"card": NOOR.card}, "card_blocked"),
        ({"card": "4111111111111111"}, "payment_card"),
        ({"currency": "USD"}, "basket_invalid"),
        ({"lines": LINES * 2}, "invalid_request"),
        ({"lines": None}, "invalid_request"),
        ({"receipt": "a b"}, "invalid_request"),
    ],
)
def test_what_cannot_be_attached(client: TestClient, runtime: Runtime, more: dict[str, object], code: str) -> None:
    assert client.post("/v1/late", json=late(**more)).json()["code"] == code
    assert runtime.journal.head().seq == 0


def test_the_till_dies_in_mid_sale_and_the_sale_is_told_afterwards(tmp_path: Path) -> None:
    """kill -9 of a real process with a sale open: the shop sells on, and its points are not lost."""
    make_runtime(tmp_path).store.close()
    command = [sys.executable, "-m", "tests.pos_client.plugin.dying_till", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with httpx.Client(base_url=address, headers=OURS, trust_env=False) as till:
            till.post("/v1/sessions", json={"id": "paid-1"})
            till.put("/v1/sessions/paid-1/basket", json={"lines": LINES, "version": 0})
            till.post("/v1/sessions/paid-1/identify", json={"card": SANNE.card}).raise_for_status()
            process.kill()
            process.wait(10)
            with pytest.raises(httpx.TransportError):
                till.post("/v1/sessions/paid-1/commit")
    runtime = reopened(tmp_path)
    with TestClient(create_api(runtime, TOKEN), "http://127.0.0.1:8321", headers=OURS) as client:
        assert client.post("/v1/sessions/paid-1/commit").json()["code"] == "unknown_session"
        booked = client.post("/v1/late", json=late()).json()
        assert (booked["entry"]["seq"], booked["member"]["balance"]["total"]) == (1, 1314)
        assert client.post("/v1/sessions/paid-1/commit").json()["entry"] == booked["entry"]
    runtime.store.close()
