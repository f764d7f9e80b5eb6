"""Pairing over HTTP: from nothing to a token, what it may do, and what happens when it is taken away in mid-sale."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from pos_client.plugin.api import create_api
from pos_client.plugin.client import PluginProblem, TillClient
from pos_client.plugin.rate import Buckets, Rate
from pos_client.plugin.token import read_or_create
from pos_client.runtime import Runtime
from pos_client.session import SessionState
from pos_client.tokens import Scope
from tests.pos_client.commands.test_inbox import Command, typed
from tests.pos_client.plugin.conftest import TOKEN, serving
from tests.pos_client.plugin.test_plugin_events import Following
from tests.support.till import SANNE, make_runtime

OURS = {"Authorization": f"Bearer {TOKEN}"}
SALE = {"lines": [{"line_id": "1", "sku": "bread", "gross_minor": 1000}]}


@pytest.fixture
def client(runtime: Runtime) -> Iterator[TestClient]:
    with TestClient(create_api(runtime, TOKEN), "http://127.0.0.1:8321") as made:
        yield made


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def code_of(response: Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


def test_from_nothing_to_a_token(client: TestClient, runtime: Runtime) -> None:
    hello = client.get("/v1/hello")
    assert hello.json()["till"] == "kassa 2"
    shown = client.post("/v1/pair", json={"name": "Kassa 9", "scopes": ["sell"]})
    assert (shown.status_code, shown.json()["state"], shown.json()["token"]) == (202, "shown", None)
    asked = runtime.pairing.shown
    assert asked is not None
    assert asked.code not in shown.text
    paired = client.post("/v1/pair", json={"code": asked.code}).json()
    assert (paired["state"], paired["of"]["name"], paired["of"]["scopes"]) == ("paired", "Kassa 9", ["sell"])
    mine = bearer(paired["token"])
    assert client.post("/v1/sessions", json={"id": "bon-1"}, headers=mine).status_code == 200
    listed = client.get("/v1/tokens", headers=OURS)
    assert [token["name"] for token in listed.json()["tokens"]] == ["Kassa 9"]
    assert paired["token"] not in listed.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "x", "code": "123456"},
        {"name": ""},
        {"name": "a\nb"},
        {"name": "x" * 41},
        {"code": "12345"},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["rule"]},
        {"name": "x", "origin": "https://a/b"},
    ],
)
def test_what_is_no_pairing(client: TestClient, runtime: Runtime, body: dict[str, Any]) -> None:
    assert code_of(client.post("/v1/pair", json=body)) == (422, "invalid_request")
    assert runtime.pairing.shown is None


def test_each_scope_opens_its_own_calls(client: TestClient, runtime: Runtime) -> None:
    tokens = {scope: bearer(runtime.tokens.make(scope, [scope], None)[1]) for scope in Scope}
    calls: dict[tuple[str, str], Scope] = {
        ("GET", "/v1/status"): Scope.READ,
        ("POST", "/v1/sessions"): Scope.SELL,
        ("POST", "/v1/sessions/bon-1/commit"): Scope.SELL,
        ("POST", "/v1/returns"): Scope.SELL,
        ("GET", "/v1/inbox"): Scope.MANAGE,
        ("POST", "/v1/adjustments"): Scope.MANAGE,
        ("POST", "/v1/cards"): Scope.MANAGE,
        ("GET", "/v1/tokens"): Scope.MANAGE,
        ("DELETE", "/v1/tokens/x"): Scope.MANAGE,
    }
    for (method, path), wanted in calls.items():
        for scope, headers in tokens.items():
            response = client.request(method, path, headers=headers)
            missing = not response.is_success and response.json()["code"] == "scope_missing"
            assert missing == (scope is not wanted), (method, path, scope)


def test_a_token_revoked_in_mid_sale(runtime: Runtime) -> None:
    caller, token = runtime.tokens.make("Kassa 9", [Scope.SELL, Scope.READ], None)
    with serving(create_api(runtime, TOKEN)) as address, TillClient(address, token) as till:
        following = Following(till.events())
        till.open_session("bon-1")
        till.identify("bon-1", SANNE.card)
        with TillClient(address, TOKEN) as ours:
            assert ours.revoke_token(caller.id).name == "Kassa 9"
            with pytest.raises(PluginProblem) as caught:
                till.commit("bon-1")
            assert (caught.value.code, caught.value.status) == ("token_revoked", 401)
            events = [following.next() for _ in range(3)]
            assert events[-1] is None, "the stream of a revoked token ends"
            # Nothing half done: the sale is as it was, and another program, or the cashier, finishes it.
            assert ours.quote("bon-1").state is SessionState.OPEN
            booked = ours.commit("bon-1")
            assert booked.entry is not None
            assert booked.entry.seq == 1


def test_too_many_calls_wait(runtime: Runtime) -> None:
    app = create_api(runtime, TOKEN, Rate(burst=5, per_s=0.5), Rate(burst=3, per_s=0.25))
    with TestClient(app, "http://127.0.0.1:8321") as client:
        answers = [client.get("/v1/status", headers=OURS) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert code_of(answers[5]) == (429, "rate_limited")
        assert answers[5].headers["Retry-After"] == "2"
        strangers = [client.get("/v1/hello") for _ in range(2)]
        strangers += [client.get("/v1/status", headers=bearer(str(n))) for n in range(2)]
        assert [answer.status_code for answer in strangers] == [200, 200, 401, 429], "guesses share one bucket"


def test_a_bucket_fills_steadily() -> None:
    now = 0.0
    buckets = Buckets(Rate(burst=2, per_s=10), Rate(burst=1, per_s=1), lambda: now)
    assert [buckets.wait_s("a") for _ in range(2)] == [0, 0]
    assert buckets.wait_s("a") == pytest.approx(0.1)
    assert buckets.wait_s("b") == 0
    now += 0.1
    assert [buckets.wait_s("a") == 0 for _ in range(2)] == [True, False]
    now += 100
    assert [buckets.wait_s("a") == 0 for _ in range(3)] == [True, True, False]


@pytest.fixture(params=["no till runs", "beside a running till"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Command, str]]:
    runtime = make_runtime(tmp_path / "till")
    made = runtime.tokens.make("Kassa [9]", [Scope.SELL], "https://till.example")[0].id
    if request.param == "no till runs":
        runtime.store.close()
        yield typed(tmp_path, 1), made
        return
    with serving(create_api(runtime, read_or_create(tmp_path / "till" / "plugin.token"))) as address:
        yield typed(tmp_path, int(address.rsplit(":", 1)[1])), made
    runtime.store.close()


def test_the_commands_list_and_revoke(run: tuple[Command, str]) -> None:
    command, made = run
    table = command("tokens", "list").output
    assert "Kassa [9]" in table
    assert "https://till.example" in table
    assert "no token '00000000'" in command("tokens", "revoke", "00000000", code=1).output
    for wrong in ("", "x", "Kassa [9]", "../../v1/hello", made.upper(), f"{made} "):
        said = command("tokens", "revoke", wrong, code=1).output
        assert "expected the id of a token, eight letters and digits as in spaarpunt tokens list" in said
    assert json.loads(command("tokens", "list", "--json").stdout)[0]["revoked_at"] is None
    assert "✓ Kassa [9] can no longer use this till" in command("tokens", "revoke", made).output
    (listed,) = json.loads(command("tokens", "list", "--json").stdout)
    assert (listed["id"], listed["revoked_at"] is not None) == (made, True)
