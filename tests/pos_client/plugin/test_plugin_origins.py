"""Which pages get in: exact origins, configured or paired, and nothing that another site's page makes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import WebSocket
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from pos_client.config import PluginConfig
from pos_client.plugin.api import create_api
from pos_client.runtime import Runtime
from pos_client.tokens import Scope
from tests.pos_client.plugin.conftest import TOKEN
from tests.support.till import make_runtime

NAMED = "https://till.example"
HERE = "http://127.0.0.1:8330"
PAIRED = "https://paired.example:8443"
ROOT = Path(__file__).parents[3]
STRANGE = [
    "http://evil.example",
    "https://till.example.evil.example",
    "http://till.example",
    "https://till.example:444",
    "https://TILL.example",
    "null",
    "",
    "http://127.0.0.1:9999",
    "https://127.0.0.1:8321",
    "http://localhost:8321",
    "file://",
]


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    made = make_runtime(tmp_path_factory.mktemp("till"), plugin={"origins": [NAMED, HERE]})
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def token(runtime: Runtime) -> str:
    return runtime.tokens.make("page", [Scope.SELL, Scope.READ], PAIRED)[1]


@pytest.fixture
def client(runtime: Runtime) -> Iterator[TestClient]:
    app = create_api(runtime, TOKEN)

    @app.get("/", include_in_schema=False)
    def page() -> PlainTextResponse:
        return PlainTextResponse("screen")

    @app.websocket("/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()

    with TestClient(app, "http://127.0.0.1:8321", headers={"Authorization": f"Bearer {TOKEN}"}) as made:
        yield made


def allows(response_headers: dict[str, str] | object) -> list[str]:
    return [name for name in dict(response_headers) if name.startswith("access-control-")]  # type: ignore[call-overload]


@pytest.mark.parametrize("origin", STRANGE)
@pytest.mark.parametrize("path", ["/", "/v1/status", "/v1/hello", "/v1/openapi.json", "/v1/pair"])
def test_a_strange_page_gets_nothing_and_is_allowed_nothing(client: TestClient, origin: str, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        response = client.request(method, path, headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
        assert (response.status_code, response.json()["code"]) == (403, "bad_origin")
        assert allows(response.headers) == []


@pytest.mark.parametrize("origin", [*STRANGE, NAMED])
def test_no_other_page_gets_into_the_screens_sockets(client: TestClient, origin: str) -> None:
    with client.websocket_connect("ws://127.0.0.1:8321/socket", headers={"Origin": "http://127.0.0.1:8321"}):
        pass
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/socket", headers={"Origin": origin}):
        pass


def test_a_named_page_may_use_the_api_and_not_the_screen(client: TestClient) -> None:
    asked = {
        "Origin": NAMED,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
    }
    preflight = client.options("/v1/sessions/bon-1/basket", headers=asked)
    assert (preflight.status_code, preflight.content) == (204, b"")
    assert preflight.headers["Access-Control-Allow-Origin"] == NAMED
    assert "PUT" in preflight.headers["Access-Control-Allow-Methods"]
    assert set(asked["Access-Control-Request-Headers"].split(",")) <= set(
        preflight.headers["Access-Control-Allow-Headers"].split(", ")
    )
    assert "Access-Control-Allow-Credentials" not in preflight.headers
    assert "access-control-allow-private-network" not in preflight.headers
    private = client.options("/v1/status", headers={**asked, "Access-Control-Request-Private-Network": "true"})
    assert private.headers["Access-Control-Allow-Private-Network"] == "true"

    answer = client.get("/v1/status", headers={"Origin": NAMED})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, NAMED)
    assert answer.headers["Vary"] == "Origin"
    refused = client.get("/v1/status", headers={"Origin": NAMED, "Authorization": "Bearer wrong"})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, NAMED), "a page can read why"
    assert client.get("/", headers={"Origin": NAMED}).json()["code"] == "bad_origin"


def test_a_paired_page_has_a_token_for_itself_alone(client: TestClient, token: str) -> None:
    mine = {"Authorization": f"Bearer {token}"}
    answer = client.get("/v1/status", headers={**mine, "Origin": PAIRED})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, PAIRED)
    for headers in ({}, {"Origin": NAMED}, {"Origin": "http://127.0.0.1:8321"}):
        assert client.get("/v1/status", headers={**mine, **headers}).json()["code"] == "bad_origin"
    # The till's own token is of no page but those that are configured.
    assert client.get("/v1/status", headers={"Origin": PAIRED}).json()["code"] == "bad_origin"


def test_a_page_that_is_named_pairs_for_itself(client: TestClient, runtime: Runtime) -> None:
    asked = client.post("/v1/pair", json={"name": "Page", "origin": "https://other.example"}, headers={"Origin": NAMED})
    assert asked.status_code == 202
    assert runtime.pairing.shown is not None
    assert runtime.pairing.shown.origin == NAMED
    paired = client.post("/v1/pair", json={"code": runtime.pairing.shown.code}, headers={"Origin": NAMED})
    assert paired.json()["of"]["origin"] == NAMED


@pytest.mark.parametrize(
    ("path", "fetched", "let_in"),
    [
        ("/v1/hello", "cross-site no-cors image", False),
        ("/v1/hello", "same-site no-cors script", False),
        ("/v1/hello", "cross-site navigate document", False),
        ("/v1/hello", "none navigate document", True),
        ("/", "cross-site navigate document", True),  # a link to the screen
        ("/", "cross-site navigate iframe", True),  # the browser shows it in a named page's frame alone
        ("/v1/hello", "cross-site navigate iframe", False),
        ("/", "cross-site no-cors empty", False),
        ("/", "same-origin cors empty", True),
    ],
)
def test_requests_without_an_origin_are_known_by_where_they_come_from(
    client: TestClient, path: str, fetched: str, let_in: bool
) -> None:
    headers = dict(zip(("Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"), fetched.split(), strict=True))
    assert client.get(path, headers=headers).is_success == let_in


def test_only_named_pages_of_this_machine_may_frame_the_screen(client: TestClient) -> None:
    headers = client.get("/").headers
    assert headers["Content-Security-Policy"] == f"frame-ancestors 'self' {HERE}"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_where_none_is_named_nobody_may_frame_the_screen(tmp_path: Path) -> None:
    made = make_runtime(tmp_path / "till", plugin={"origins": [NAMED]})
    with TestClient(create_api(made, TOKEN), base_url="http://127.0.0.1") as client:
        framed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
        answer = client.get("/", headers=framed)
    made.store.close()
    assert answer.json()["code"] == "bad_origin"
    assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'self'"


@pytest.mark.parametrize("origin", ["till.example", "https://till.example/", "*", "https://*.example", "null"])
def test_an_origin_in_the_configuration_is_exact(origin: str) -> None:
    with pytest.raises(ValueError, match="origins"):
        PluginConfig(origins=(origin,))


def test_the_policy_file_is_the_one_on_the_page() -> None:
    policy = json.loads((ROOT / "docs" / "policy" / "spaarpunt.json").read_text())
    page = (ROOT / "docs" / "plugin.md").read_text(encoding="utf-8")
    assert all(name in page and urls == [NAMED] for name, urls in policy.items())
