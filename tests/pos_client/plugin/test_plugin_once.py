"""Idempotency-Key: the same request is carried out once, and gets the same answer, through restarts and kill -9."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from pos_client.plugin.answered import KEPT_MS, MAX_KEPT, Answered, KeyReused, KeyUnderWay
from pos_client.plugin.api import create_api
from pos_client.plugin.once import REPLAYED
from pos_client.runtime import Runtime
from tests.pos_client.plugin.conftest import TOKEN
from tests.support.till import SANNE, make_runtime, reopened

ROOT = Path(__file__).parents[3]
LINES = {"lines": [{"line_id": "1", "sku": "bread", "quantity": 2000, "gross_minor": 2340}]}


def calling(runtime: Runtime) -> TestClient:
    return TestClient(create_api(runtime, TOKEN), "http://127.0.0.1:8321", headers={"Authorization": f"Bearer {TOKEN}"})


@pytest.fixture
def client(runtime: Runtime) -> Iterator[TestClient]:
    with calling(runtime) as made:
        yield made


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def sell(client: httpx.Client, session: str, *, points: bool = False) -> httpx.Response:
    client.post("/v1/sessions", json={"id": session})
    client.put(f"/v1/sessions/{session}/basket", json={**LINES, "version": 0})
    client.post(f"/v1/sessions/{session}/identify", json={"card": SANNE.card})
    if points:
        client.post(f"/v1/sessions/{session}/redeem", json={"reward": "koffie"})
    return client.post(f"/v1/sessions/{session}/commit", headers=keyed(f"commit-{session}"))


def test_a_reward_asked_for_twice_with_one_key_is_taken_once(client: TestClient) -> None:
    client.post("/v1/sessions", json={"id": "bon-1"})
    client.put("/v1/sessions/bon-1/basket", json={**LINES, "version": 0})
    client.post("/v1/sessions/bon-1/identify", json={"card": SANNE.card})
    asked = {"url": "/v1/sessions/bon-1/redeem", "json": {"reward": "koffie"}, "headers": keyed('"one"')}
    first = client.post(**asked)
    again = client.post(**asked | {"headers": keyed("one")})  # quotes or none: the same key
    assert (first.status_code, REPLAYED in first.headers) == (200, False)
    assert (again.content, again.status_code, again.headers[REPLAYED]) == (first.content, 200, "true")
    assert again.headers["content-type"] == "application/json"
    quote = client.post("/v1/sessions/bon-1/quote").json()
    assert [taken["reward"] for taken in quote["settlement"]["redemptions"]] == ["koffie"]


def test_the_same_key_with_another_request_is_refused(client: TestClient) -> None:
    assert client.post("/v1/sessions", json={"id": "bon-1"}, headers=keyed("k")).is_success
    for method, path, body in (
        ("POST", "/v1/sessions", {"id": "bon-2"}),
        ("POST", "/v1/sessions/bon-1/quote", None),
        ("PUT", "/v1/sessions/bon-1/basket", {"id": "bon-1"}),
    ):
        problem = client.request(method, path, json=body, headers=keyed("k"))
        assert (problem.status_code, problem.json()["code"]) == (422, "idempotency_key_reused")
    assert client.post("/v1/sessions/bon-2/quote").json()["code"] == "unknown_session"


def test_a_refusal_is_not_kept(client: TestClient) -> None:
    commit = "/v1/sessions/bon-1/commit"
    client.post("/v1/sessions", json={"id": "bon-1"})
    assert client.post(commit, headers=keyed("k")).json()["code"] == "no_card"
    client.post("/v1/sessions/bon-1/identify", json={"card": SANNE.card})
    assert client.post(commit, headers=keyed("k")).status_code == 200


@pytest.mark.parametrize("key", ["", "x" * 129, "a b", '"', "é"])
def test_a_key_has_a_form(client: TestClient, key: str) -> None:
    response = client.post("/v1/sessions", headers={b"Idempotency-Key": key.encode("latin-1")})
    assert response.json()["code"] == "invalid_request"


def test_reading_takes_no_notice_of_a_key(client: TestClient) -> None:
    assert client.get("/v1/status", headers=keyed("k")).is_success
    assert client.post("/v1/sessions", headers=keyed("k")).is_success


def test_every_booking_is_answered_the_same_after_a_restart(tmp_path: Path) -> None:
    back = {"id": "back-1", "sale": "bon-1", "lines": [{"line_id": "1", "quantity": 1000}]}
    swap = {"session": "bon-3", "sale": "bon-2", "lines": [{"line_id": "1", "quantity": 1000}]}
    runtime = make_runtime(tmp_path)
    runtime.approvals.add("Ria", "4711")
    give = {"id": "gift-1", "card": SANNE.card, "points": 10, "reason": "late", "approver": "Ria", "pin": "4711"}
    block = {"id": "block-1", "card": SANNE.card, "action": "block", "reason": "lost", "approver": "Ria", "pin": "4711"}
    asked = [
        ("/v1/returns", back),
        ("/v1/exchanges", swap),
        ("/v1/adjustments", give),
        ("/v1/sessions/bon-3/void", None),
        ("/v1/cards", block),
    ]
    with calling(runtime) as client:
        answers = [sell(client, "bon-1"), sell(client, "bon-2")]
        client.post("/v1/sessions", json={"id": "bon-3"})
        client.put("/v1/sessions/bon-3/basket", json={**LINES, "version": 0})
        client.post("/v1/sessions/bon-3/identify", json={"card": SANNE.card})
        answers += [client.post(path, json=body, headers=keyed(path)) for path, body in asked]
        head = runtime.journal.head()
    runtime.store.close()
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    # What is told is how things stood then: by now the queue is longer and the balance another.
    assert [answer.json()["offline"]["queue_length"] for answer in answers[:3]] == [1, 2, 3]

    runtime = reopened(tmp_path)
    with calling(runtime) as client:
        again = [client.post(f"/v1/sessions/bon-{n}/commit", headers=keyed(f"commit-bon-{n}")) for n in (1, 2)]
        again += [client.post(path, json=body, headers=keyed(path)) for path, body in asked]
        assert [answer.headers.get(REPLAYED) for answer in again] == ["true"] * len(again)
        assert [answer.content for answer in again] == [answer.content for answer in answers]
        assert runtime.journal.head() == head
    runtime.store.close()


def test_killed_between_booking_and_answer_it_answers_the_same_afterwards(tmp_path: Path) -> None:
    make_runtime(tmp_path).store.close()
    command = [sys.executable, "-m", "tests.pos_client.plugin.dying_till", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        till = httpx.Client(base_url=address, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False)
        with till as client, pytest.raises(httpx.RemoteProtocolError):
            sell(client, "bon-1", points=True)
        assert process.wait(10) == -9

    runtime = reopened(tmp_path)
    with calling(runtime) as client:
        assert runtime.journal.head().seq == 1
        answer = client.post("/v1/sessions/bon-1/commit", headers=keyed("commit-bon-1"))
        assert answer.headers[REPLAYED] == "true"
        told = answer.json()
        assert (told["entry"]["seq"], told["entry"]["points"]) == (1, 30 - 250)
        assert told["member"]["balance"]["total"] == 1284 - 220
        assert told["offline"]["queue_length"] == 1
        assert runtime.journal.head().seq == 1
    runtime.store.close()


def test_two_at_once_with_one_key(runtime: Runtime) -> None:
    desk = Answered(runtime.store)
    claim = desk.claim("a", "k", b"request")
    with pytest.raises(KeyUnderWay):
        desk.claim("a", "k", b"request")
    other = desk.claim("b", "k", b"something else")  # another program's key
    other.release()
    claim.keep(200, b"{}")
    claim.release()
    with pytest.raises(KeyReused):
        desk.claim("a", "k", b"another request")
    found = desk.claim("a", "k", b"request")
    assert found.kept is not None
    assert found.kept.body == b"{}"


def test_many_at_once_take_one_reward(address: str) -> None:
    client = httpx.Client(base_url=address, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False)
    client.post("/v1/sessions", json={"id": "bon-1"})
    client.put("/v1/sessions/bon-1/basket", json={**LINES, "version": 0})
    client.post("/v1/sessions/bon-1/identify", json={"card": SANNE.card})
    answers: list[httpx.Response] = []

    def ask() -> None:
        answers.append(client.post("/v1/sessions/bon-1/redeem", json={"reward": "koffie"}, headers=keyed("the-one")))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = {answer.content for answer in answers if answer.is_success}
    late = [answer for answer in answers if not answer.is_success]
    assert len(done) == 1
    assert {answer.json()["code"] for answer in late} <= {"idempotency_key_under_way"}
    assert all(answer.headers["Retry-After"] for answer in late)
    assert len(json.loads(done.pop())["settlement"]["redemptions"]) == 1
    client.close()


def test_answers_are_bounded_in_age_and_number(runtime: Runtime) -> None:
    store = runtime.store
    now = 1_000_000_000_000
    desk = Answered(store, lambda: now)

    def answer(key: str) -> None:
        claim = desk.claim("a", key, b"r")
        claim.keep(200, b"{}")
        claim.release()

    answer("old")
    now += KEPT_MS
    forgotten = desk.claim("a", "old", b"another")  # after a day the key may name something else
    assert forgotten.kept is None
    forgotten.release()
    answer("new")
    assert store.rows("SELECT key FROM answered") == [("new",)]
    with store.transaction() as connection:
        for n in range(MAX_KEPT + 10):
            desk.claim("a", str(n), b"r").keep(200, b"{}", connection)
    assert store.rows("SELECT count(*) FROM answered") == [(MAX_KEPT,)]


def test_a_key_is_free_again_when_the_booking_fails(client: TestClient, runtime: Runtime) -> None:
    """A full disk: nothing is booked and nothing is kept; with space again the same key books."""
    pages = runtime.store.rows("PRAGMA page_count")[0][0]
    client.post("/v1/sessions", json={"id": "bon-1"})
    client.put("/v1/sessions/bon-1/basket", json={**LINES, "version": 0})
    client.post("/v1/sessions/bon-1/identify", json={"card": SANNE.card})
    runtime.store.rows(f"PRAGMA max_page_count = {pages}")
    many = [{"line_id": str(n), "sku": f"sku-{n}", "gross_minor": n} for n in range(500)]
    assert client.put("/v1/sessions/bon-1/basket", json={"lines": many, "version": 1}).is_success
    refused = client.post("/v1/sessions/bon-1/commit", headers=keyed("k"))
    assert refused.json()["code"] == "disk_full"
    assert runtime.journal.head().seq == 0
    # What needs no disk is done, and its answer kept in memory: not done twice either.
    first = client.post("/v1/sessions/bon-1/redeem", json={"reward": "koffie"}, headers=keyed("r"))
    again = client.post("/v1/sessions/bon-1/redeem", json={"reward": "koffie"}, headers=keyed("r"))
    assert (first.status_code, again.headers.get(REPLAYED)) == (200, "true")
    runtime.store.rows(f"PRAGMA max_page_count = {pages + 10_000}")
    booked = client.post("/v1/sessions/bon-1/commit", headers=keyed("k"))
    assert (booked.status_code, runtime.journal.head().seq) == (200, 1)


def test_baskets_are_versioned(client: TestClient) -> None:
    client.post("/v1/sessions", json={"id": "bon-1"})
    basket = "/v1/sessions/bon-1/basket"
    assert client.put(basket, json={**LINES, "version": 0}).json()["basket_version"] == 1
    stale = client.put(basket, json={"lines": [], "version": 0})
    problem = stale.json()
    assert (stale.status_code, problem["code"]) == (409, "basket_stale")
    assert problem["current"]["version"] == 1
    assert [line["sku"] for line in problem["current"]["lines"]] == ["bread"]
    assert client.post("/v1/sessions/bon-1/quote").json()["settlement"]["gross_minor"] == 2340
    assert client.put(basket, json={"lines": [], "version": 1}).json()["basket_version"] == 2


def test_a_basket_without_a_version_replaces_nothing(client: TestClient) -> None:
    client.post("/v1/sessions", json={"id": "bon-1"})
    client.put("/v1/sessions/bon-1/basket", json={**LINES, "version": 0})
    for version in ({}, {"version": None}, {"version": "1"}, {"version": -1}, {"version": 1.5}):
        refused = client.put("/v1/sessions/bon-1/basket", json={"lines": [], **version})
        assert (refused.status_code, refused.json()["code"]) == (422, "basket_invalid")
        assert refused.json()["errors"][0]["path"] == "body.version"
    quote = client.post("/v1/sessions/bon-1/quote").json()
    assert (quote["basket_version"], quote["settlement"]["gross_minor"]) == (1, 2340)


def test_the_same_basket_again_is_the_same_put(client: TestClient) -> None:
    """Its answer was lost, say: no key is needed to ask again, and no other basket is lost."""
    client.post("/v1/sessions", json={"id": "bon-1"})
    basket = "/v1/sessions/bon-1/basket"
    first = client.put(basket, json={**LINES, "version": 0})
    assert client.put(basket, json={**LINES, "version": 0}).json() == first.json()
    client.put(basket, json={"lines": [], "version": 1})
    assert client.put(basket, json={**LINES, "version": 0}).json()["code"] == "basket_stale"
    assert client.put(basket, json={**LINES, "version": 7}).json()["code"] == "basket_stale"


def test_a_reward_is_taken_off_again(client: TestClient) -> None:
    client.post("/v1/sessions", json={"id": "bon-1"})
    client.put("/v1/sessions/bon-1/basket", json={**LINES, "version": 0})
    client.post("/v1/sessions/bon-1/identify", json={"card": SANNE.card})
    client.post("/v1/sessions/bon-1/redeem", json={"reward": "koffie"})
    off = client.delete("/v1/sessions/bon-1/redeem/koffie", headers=keyed("off"))
    assert (off.status_code, off.json()["settlement"]["payable_minor"]) == (200, 2340)
    assert client.delete("/v1/sessions/bon-1/redeem/koffie").content == off.content
    assert client.delete("/v1/sessions/bon-9/redeem/koffie").json()["code"] == "unknown_session"
    assert client.delete("/v1/sessions/bon-1/redeem/KOFFIE").json()["code"] == "invalid_request"
