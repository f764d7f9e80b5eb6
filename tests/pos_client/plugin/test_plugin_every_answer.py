"""Every call of the API answered well at least once: each says whether head office answers, and as of when."""

from __future__ import annotations

import asyncio
import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient

from drivers.simulators.printer import VirtualPrinter
from loyalty.codes import make_code
from pos_client.plugin.api import create_api
from pos_client.plugin.standing import READ_EACH_S, SCHEMA, STANDING, Standing
from pos_client.runtime import Runtime
from sync.wire_mirror import AccountChange
from tests.pos_client.commands.test_inbox import parked
from tests.pos_client.plugin.conftest import TOKEN, serving
from tests.pos_client.receipts.test_printing import Paper
from tests.pos_client.test_spending import Shop, new_shop
from tests.support.till import JORIS, PROGRAMME, SANNE, make_runtime, publish
from tests.sync.hq.conftest import conn, database, database_url, hq

__all__ = ["conn", "database", "database_url", "hq", "new_shop"]

HEADERS = {"Authorization": f"Bearer {TOKEN}"}
LINES = [{"line_id": "1", "sku": "bread", "quantity": 2000, "gross_minor": 2340}]
COUPON = make_code("SP", 12)
WHY = {"reason": "as agreed", "approver": "Wil", "pin": "2468"}
CALLS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


class Walk:
    """Makes calls by their names in the description, and keeps what each answered well says of itself."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, headers=HEADERS, trust_env=False, timeout=20)
        self.said: dict[tuple[str, str], set[str | None]] = {}

    def close(self) -> None:
        self._http.close()

    def ask(self, method: str, path: str, body: Any = None, query: str = "", **parts: str) -> httpx.Response:
        with self._http.stream(method, path.format(**parts) + query, json=body) as answer:
            if path != "/v1/events":  # which has no end
                answer.read()
                assert answer.is_success, f"{method} {path}: {answer.text}"
        self.said.setdefault((method.lower(), path), set()).add(answer.headers.get(STANDING))
        return answer


@pytest.fixture
def paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paper]:
    """A till where everything can be asked for: printer, manager, PIN, coupon, and an entry in the inbox."""
    document: dict[str, Any] = copy.deepcopy(PROGRAMME)
    gives = {"kind": "amount_off", "discount_minor": 200}
    document["coupons"] = [
        {"id": "lente", "name": {"nl": "lente", "en": "spring"}, "code_prefix": "SP", "gives": gives}
    ]
    hardware = VirtualPrinter()
    runtime = make_runtime(
        tmp_path_factory.mktemp("till"),
        programme=document,
        devices={"bonnen": {"kind": "printer", "port": hardware.port, "columns": 48}},
    )
    runtime.approvals.add(WHY["approver"], WHY["pin"])
    pin = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("4711")
    sanne = AccountChange(account=SANNE.account, first_name="Sanne", tier="zilver", points=1284, pin=pin)
    publish(runtime.mirror, [sanne, parked(1)])
    made = Paper(runtime, hardware)
    made.start()
    yield made
    made.stop()


def a_day(walk: Walk, runtime: Runtime) -> None:
    """One of each call but an exchange with head office."""
    walk.ask("GET", "/v1/hello")
    walk.ask("GET", "/v1/status")
    walk.ask("GET", "/v1/events")
    walk.ask("POST", "/v1/pair", {"name": "Kassa Jansen"})
    assert runtime.pairing.shown is not None
    paired = walk.ask("POST", "/v1/pair", {"code": runtime.pairing.shown.code}).json()
    walk.ask("GET", "/v1/tokens")
    walk.ask("DELETE", "/v1/tokens/{token}", token=paired["of"]["id"])

    sale = "/v1/sessions/{session}"
    for session in ("bon-1", "bon-2"):
        walk.ask("POST", "/v1/sessions", {"id": session})
        walk.ask("PUT", f"{sale}/basket", {"lines": LINES, "version": 0}, session=session)
        walk.ask("POST", f"{sale}/identify", {"card": SANNE.card}, session=session)
    walk.ask("POST", f"{sale}/pin", {"pin": "4711"}, session="bon-1")
    walk.ask("POST", f"{sale}/redeem", {"reward": "koffie"}, session="bon-1")
    walk.ask("DELETE", f"{sale}/redeem/{{reward}}", session="bon-1", reward="koffie")
    walk.ask("POST", f"{sale}/coupons", {"code": COUPON}, session="bon-1")
    walk.ask("POST", f"{sale}/tender", {"kind": "cash"}, session="bon-1")
    walk.ask("POST", f"{sale}/quote", session="bon-1")
    walk.ask("POST", f"{sale}/commit", session="bon-1")
    lines = [{"line_id": "1", "quantity": 1000}]
    walk.ask("POST", "/v1/returns", {"id": "back-1", "sale": "bon-1", "lines": lines})
    walk.ask("POST", "/v1/exchanges", {"session": "bon-2", "sale": "bon-1", "lines": lines})
    walk.ask("POST", f"{sale}/void", session="bon-2")
    walk.ask("POST", "/v1/late", {"receipt": "paid-1", "card": SANNE.card, "lines": LINES})

    for form in ("json", "text", "escpos", "png"):
        walk.ask("GET", "/v1/receipts/{receipt}", query=f"?form={form}", receipt="bon-1")
    walk.ask("POST", "/v1/receipts/{receipt}/print", receipt="bon-1")
    walk.ask("GET", "/v1/members/{card}/balance", card=SANNE.card)
    walk.ask("POST", "/v1/adjustments", {"id": "adj-1", "card": SANNE.card, "points": 5, **WHY})
    walk.ask("POST", "/v1/cards", {"id": "card-1", "card": JORIS.card, "action": "block", **WHY})
    walk.ask("GET", "/v1/inbox")
    walk.ask("POST", "/v1/inbox/{number}", {"id": "dec-1", "action": "approve", **WHY}, number="1")


def test_every_answer_of_every_call_says_how_far_it_is_confirmed(paper: Paper, new_shop: Callable[[], Shop]) -> None:
    """The description promises it of each answer that is no refusal, and each call was made and keeps the promise."""
    app = create_api(paper.runtime, TOKEN)
    promised = set()
    for path, calls in app.openapi()["paths"].items():
        for method in calls.keys() & CALLS:
            for status, answer in calls[method]["responses"].items():
                if status.startswith("2"):
                    assert answer["headers"][STANDING]["$ref"] == f"#/components/headers/{STANDING}"
                    promised.add((method, path))
    header = app.openapi()["components"]["headers"][STANDING]
    assert (header["required"], header["schema"]) == (True, SCHEMA)

    with serving(app) as url:
        walk = Walk(url)
        a_day(walk, paper.runtime)
        walk.close()
    with (
        TestClient(app, "http://127.0.0.1:8321", headers=HEADERS) as client,
        client.websocket_connect("ws://127.0.0.1:8321/v1/events", headers=HEADERS) as socket,
    ):
        assert STANDING.lower().encode() in dict(socket.extra_headers or ())
    there = new_shop()
    with serving(create_api(there.runtime, TOKEN)) as url:
        connected = Walk(url)
        connected.ask("POST", "/v1/sync")
        connected.ask("POST", "/v1/sync", {"nightly": True})
        connected.close()

    said = walk.said | connected.said
    assert said.keys() == promised, "a call was left out of the walk"
    pattern = re.compile(str(SCHEMA["pattern"]))
    for call, told in said.items():
        for standing in told:
            assert standing is not None, f"{call} does not say"
            assert pattern.fullmatch(standing), f"{call} says {standing}"
            assert "never" not in standing, call
    assert all(standing.startswith("offline;") for told in walk.said.values() for standing in told if standing)
    assert all(standing.startswith("online;") for told in connected.said.values() for standing in told if standing)


def test_a_till_that_never_heard_of_head_office_says_so_and_a_refusal_says_nothing(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    runtime = make_runtime(tmp_path_factory.mktemp("till"), programme=None)
    with serving(create_api(runtime, TOKEN)) as url:
        assert httpx.get(f"{url}/v1/hello").headers[STANDING] == 'offline; as-of="never"'
        assert STANDING not in httpx.get(f"{url}/v1/status").headers


def test_the_time_is_read_once_a_second_and_a_disk_that_fails_takes_nobodys_answer_away(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    runtime = make_runtime(tmp_path_factory.mktemp("till"), programme=None)
    clock = iter([0.0, 0.0, READ_EACH_S / 2, READ_EACH_S, READ_EACH_S, 9.0, 10.0])
    standing = Standing(runtime, lambda: next(clock))

    def said() -> str:
        return asyncio.run(standing.now())

    assert said() == 'offline; as-of="never"'
    publish(runtime.mirror, [])
    assert said() == 'offline; as-of="never"', "a second has not gone by"
    known = said()
    assert re.fullmatch(str(SCHEMA["pattern"]), known)
    assert "never" not in known
    runtime.store.close()
    assert said() == known
    assert said() == known
