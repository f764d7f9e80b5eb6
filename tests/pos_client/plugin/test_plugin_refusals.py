"""What the API refuses before any use case runs: strangers, wrong bodies, wrong values; always as problem details."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient
from httpx import Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.websockets import WebSocketDisconnect

from pos_client.plugin.api import create_api
from pos_client.plugin.gate import HELLO_PATH, MAX_BODY_BYTES, OPENAPI_PATH, PAIR_PATH
from pos_client.plugin.problems import STATUS
from pos_client.runtime import Runtime
from tests.pos_client.plugin.openapi import COMMITTED
from tests.support.till import SANNE

TOKEN = "another-token-of-forty-three-characters-0123"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def app(runtime: Runtime) -> FastAPI:
    made = create_api(runtime, TOKEN)

    @made.get("/", include_in_schema=False)
    def page() -> PlainTextResponse:
        return PlainTextResponse("screen")

    @made.websocket("/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()

    @made.get("/v1/fault", include_in_schema=False)
    def fault() -> None:
        raise RuntimeError(f"a fault with {SANNE.card} in it")

    made.router.routes.insert(0, made.router.routes.pop())  # before the route that answers unknown calls
    return made


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(
        app, "http://127.0.0.1:8321", headers={"Authorization": f"Bearer {TOKEN}"}, raise_server_exceptions=False
    ) as made:
        yield made


def expect(response: Response, code: str) -> dict[str, Any]:
    problem: dict[str, Any] = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (problem["code"], problem["status"], response.status_code) == (code, STATUS[code], STATUS[code])
    assert problem["detail"]
    assert "Traceback" not in response.text
    return problem


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é"]
)
@pytest.mark.parametrize("path", ["/v1/status", "/v1/nothing", "/v1", "/%761/status"])
def test_every_call_needs_the_token(client: TestClient, header: str | None, path: str) -> None:
    del client.headers["Authorization"]
    headers = {} if header is None else {b"Authorization": header.encode("latin-1")}
    response = client.get(path, headers=headers)
    expect(response, "unauthorized")
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_the_token_is_asked_before_the_body_is_read(client: TestClient) -> None:
    del client.headers["Authorization"]
    expect(client.put("/v1/sessions/bon-1/basket", content=b"{", headers=JSON), "unauthorized")


def test_only_the_description_is_open(client: TestClient) -> None:
    del client.headers["Authorization"]
    assert client.get(OPENAPI_PATH).status_code == 200
    expect(client.post(OPENAPI_PATH), "unauthorized")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8321", "localhost", "LOCALHOST:8321"])
def test_our_own_hosts(client: TestClient, host: str) -> None:
    assert client.get("/v1/status", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "evil.example:8321",
        "127.0.0.1@evil.example",
        "127.0.0.1:",
        "",
        "[::1]",
        "0",
    ],
)
@pytest.mark.parametrize("path", ["/v1/status", OPENAPI_PATH, "/"])
def test_another_host_is_refused_on_the_whole_application(client: TestClient, host: str, path: str) -> None:
    expect(client.get(path, headers={"Host": host}), "bad_host")


def test_two_hosts_are_refused(client: TestClient) -> None:
    expect(client.get("/v1/status", headers=[("Host", "127.0.0.1"), ("Host", "evil.example")]), "bad_host")


def test_a_websocket_from_another_host_is_refused(client: TestClient) -> None:
    ours = "ws://127.0.0.1:8321/socket"
    with client.websocket_connect(ours):
        pass
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(ours, headers={"Host": "evil.example"}):
        pass


def test_the_screen_needs_no_token(client: TestClient) -> None:
    del client.headers["Authorization"]
    assert client.get("/").text == "screen"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
def test_a_body_is_json_or_refused(client: TestClient, kind: str) -> None:
    response = client.post("/v1/sessions", content=b'{"id": "bon-1"}', headers={"Content-Type": kind})
    expect(response, "wrong_content_type")
    assert client.post(
        "/v1/sessions", content=b"{}", headers={"Content-Type": "application/json; charset=utf-8"}
    ).is_success
    assert client.post("/v1/sessions").is_success


def test_a_body_that_is_too_large_is_refused_by_its_length_or_as_it_comes(client: TestClient) -> None:
    large = b'{"id": "' + b"x" * MAX_BODY_BYTES + b'"}'
    expect(client.post("/v1/sessions", content=large, headers=JSON), "too_large")

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(large), 65_536):
            yield large[start : start + 65_536]

    expect(client.post("/v1/sessions", content=chunks(), headers=JSON), "too_large")
    exact = b'{"id": "bon-1"}'.ljust(MAX_BODY_BYTES)
    assert client.post("/v1/sessions", content=exact, headers=JSON).is_success


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"{", "body.1"),
        (b"[]", "body"),
        (b'{"currency": "euro"}', "body.currency"),
        (b'{"lines": [{"line_id": "1", "sku": "a", "gross_minor": 1.5}]}', "body.lines.0.gross_minor"),
        (b'{"lines": [{"line_id": "1", "sku": "a", "gross_minor": "100"}]}', "body.lines.0.gross_minor"),
        (b'{"lines": [{"line_id": "1", "sku": "a", "gross_minor": 1, "vat": 21}]}', "body.lines.0.vat"),
        (b'{"lines": [{"line_id": "1", "sku": "a", "gross_minor": 100000001}]}', "body.lines.0.gross_minor"),
        (json.dumps({"lines": [{"line_id": "1", "sku": "a", "gross_minor": 1}] * 2}).encode(), "body.lines"),
        (
            json.dumps({"lines": [{"line_id": str(n), "sku": "a", "gross_minor": 1} for n in range(501)]}).encode(),
            "body.lines",
        ),
    ],
)
def test_a_wrong_basket_names_the_path_and_what_was_expected(client: TestClient, body: bytes, path: str) -> None:
    client.post("/v1/sessions", json={"id": "bon-1"})
    problem = expect(client.put("/v1/sessions/bon-1/basket", content=body, headers=JSON), "basket_invalid")
    assert problem["errors"][0]["path"] == path
    assert problem["errors"][0]["expected"]


def test_a_basket_in_another_currency(client: TestClient) -> None:
    client.post("/v1/sessions", json={"id": "bon-1"})
    problem = expect(client.put("/v1/sessions/bon-1/basket", json={"currency": "USD", "version": 0}), "basket_invalid")
    assert problem["detail"] == "expected a basket in EUR, got USD"


@pytest.mark.parametrize("session", ["bon 1", "x" * 65, "é", "a%2Fb"])
def test_a_session_id_has_a_form(client: TestClient, session: str) -> None:
    response = client.post("/v1/sessions", json={"id": session.replace("%2F", "/")})
    problem = expect(response, "invalid_request")
    assert problem["errors"][0]["path"] == "body.id"
    assert client.post(f"/v1/sessions/{session}/quote").json()["code"] in ("invalid_request", "not_found")


@pytest.mark.parametrize(
    "body",
    [
        {"card": 4111111111111111},
        {"card": ["4111111111111111"]},
        {"card": "4" * 257},
        {"4111111111111111": 1},
        {"card": "x", "4111 1111 1111 1111": 1},
        {"card": "4111111111111111"},
        "4111111111111111",
        {},
    ],
)
def test_a_refused_identify_never_repeats_what_came(client: TestClient, body: object) -> None:
    client.post("/v1/sessions", json={"id": "bon-1"})
    response = client.post("/v1/sessions/bon-1/identify", json=body)
    assert response.status_code == 422
    assert "411111" not in response.text
    assert "111111" not in response.text


def test_unknown_calls_and_methods(client: TestClient) -> None:
    expect(client.get("/v1/nothing"), "not_found")
    expect(client.get("/v1/sessions/bon-1/basket/more"), "not_found")
    expect(client.delete("/v1/status"), "method_not_allowed")
    expect(client.options("/v1/status"), "method_not_allowed")


def test_an_unexpected_fault_tells_nothing_of_itself(client: TestClient) -> None:
    response = client.get("/v1/fault")
    expect(response, "internal")
    assert SANNE.card not in response.text
    assert "RuntimeError" not in response.text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    call=st.sampled_from(["basket", "identify", "redeem", "quote", "commit", "void", ""]),
    session=st.text(max_size=70),
    body=json_values,
)
def test_no_body_makes_it_fall_over(client: TestClient, call: str, session: str, body: object) -> None:
    from urllib.parse import quote

    path = f"/v1/sessions/{quote(session, safe='')}/{call}" if call else "/v1/sessions"
    response = client.request("PUT" if call == "basket" else "POST", path, content=json.dumps(body), headers=JSON)
    assert response.status_code < 500, response.text
    if not response.is_success:
        expect(response, response.json()["code"])


def test_the_description_is_openapi_3_1_and_the_one_committed(client: TestClient) -> None:
    described = client.get(OPENAPI_PATH).json()
    again = "python -m tests.pos_client.plugin.openapi"
    assert described == json.loads(COMMITTED.read_text(encoding="utf-8")), f"the API changed: {again}, and look"
    assert described["openapi"].startswith("3.1.")
    assert described["components"]["securitySchemes"] == {"HTTPBearer": {"type": "http", "scheme": "bearer"}}
    for path, calls in described["paths"].items():
        for call in calls.values():
            assert call.get("security") == (None if path in (HELLO_PATH, PAIR_PATH) else [{"HTTPBearer": []}])
            assert call["description"]
            assert list(call["responses"]["default"]["content"]) == ["application/problem+json"]
            assert "422" not in call["responses"]
    events = described["paths"]["/v1/events"]["get"]["responses"]["200"]["content"]
    assert list(events) == ["text/event-stream"]
