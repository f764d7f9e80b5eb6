"""Every call as openapi.json describes it, with whatever schemathesis makes up: no fault of ours, no shape unsaid.

And the other way round: a description that is wrong in one place is found out there.
"""

from __future__ import annotations

import copy
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS
from schemathesis.core.failures import FailureGroup

from pos_client.plugin.api import create_api
from pos_client.plugin.gate import OPENAPI_PATH
from pos_client.plugin.standing import STANDING
from pos_client.runtime import Runtime
from pos_client.tokens import OURSELVES
from tests.pos_client.plugin.conftest import TOKEN
from tests.pos_client.plugin.openapi import COMMITTED
from tests.support.till import SANNE, make_runtime

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Host": "127.0.0.1:8321"}
CALLS = [
    pytest.param((path, method), id=f"{method} {path}")
    for path, calls in json.loads(COMMITTED.read_text(encoding="utf-8"))["paths"].items()
    for method in calls
]
WANTED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
AWAY = frozenset({"/v1/sync"})
"""Head office is away here, and the call says so with a 503, as it should."""
BEFORE = {"bad_host", "bad_origin", "unauthorized", "scope_missing", "wrong_content_type", "rate_limited", "not_found"}
"""What gate and router answer: the call itself was not reached."""
EXAMPLES = 15
END_EVERY_S = 0.02


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    made = make_runtime(tmp_path_factory.mktemp("till"))
    made.approvals.add("Ria", "4711")
    made.till.open_session("a")
    made.till.identify("a", SANNE.card)
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def app(runtime: Runtime) -> Iterator[FastAPI]:
    """The API; every event stream that is opened at it is ended soon, as when the till stops: they have no end."""
    made = create_api(runtime, TOKEN)
    done = threading.Event()

    def end_streams() -> None:
        while not done.wait(END_EVERY_S):
            made.state.hub.end_of(OURSELVES.id)

    ending = threading.Thread(target=end_streams)
    ending.start()
    yield made
    done.set()
    ending.join()


def try_out(described: Any, call: tuple[str, str], examples: int = EXAMPLES) -> Counter[str]:
    """Make one call in many ways, each answer held against the description; how often it answered what: a problem by
    its code, "" for what went well.

    Raises:
        FailureGroup: the answer is not as described.
    """
    path, method = call
    checks = [CHECKS.get_one(name) for name in WANTED if not (name == "not_a_server_error" and path in AWAY)]
    answered: Counter[str] = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    @given(case=described[path][method].as_strategy())
    def keeps(case: Any) -> None:
        answer = case.call_and_validate(headers=HEADERS, checks=checks)
        answered["" if answer.status_code < 300 else answer.json()["code"]] += 1

    keeps()
    return answered


@pytest.fixture(scope="module")
def described(app: FastAPI) -> Any:
    return schemathesis.openapi.from_asgi(OPENAPI_PATH, app, headers=HEADERS)


def test_every_call_there_is_is_tried(described: Any) -> None:
    there = {(call.ok().path, call.ok().method) for call in described.get_all_operations()}
    assert {call.values[0] for call in CALLS} == there  # type: ignore[comparison-overlap]


@pytest.mark.parametrize("call", CALLS)
def test_every_call_keeps_to_its_description(described: Any, call: tuple[str, str]) -> None:
    answered = try_out(described, call)
    assert answered, "it was never made"
    assert not answered.keys() & BEFORE, f"it was never reached: {answered}"


def _no_such_field(calls: Any) -> None:
    calls["/v1/status"]["get"]["responses"]["200"]["content"]["application/json"]["schema"] = {
        "type": "object",
        "required": ["weather"],
    }


def _another_type(calls: Any) -> None:
    calls["/v1/hello"]["get"]["responses"]["200"]["content"] = {"text/plain": {}}


def _another_status(calls: Any) -> None:
    answers = calls["/v1/status"]["get"]["responses"]
    answers["201"] = answers.pop("200")
    del answers["default"]


def _another_header(calls: Any) -> None:
    calls["/v1/inbox"]["get"]["responses"]["200"]["headers"]["Weather"] = {
        "required": True,
        "schema": {"type": "string"},
    }


def _another_form_of_the_header(calls: Any) -> None:
    calls["/v1/tokens"]["get"]["responses"]["200"]["headers"][STANDING] = {"schema": {"enum": ["sunny"]}}


def _another_problem(calls: Any) -> None:
    calls["/v1/sessions/{session}/quote"]["post"]["responses"]["default"]["content"] = {
        "application/problem+json": {"schema": {"type": "array"}}
    }


@pytest.mark.parametrize(
    ("lie", "call", "found"),
    [
        (_no_such_field, ("/v1/status", "get"), "weather"),
        (_another_type, ("/v1/hello", "get"), "content-type"),
        (_another_status, ("/v1/status", "get"), "status code"),
        (_another_header, ("/v1/inbox", "get"), "Weather"),
        (_another_form_of_the_header, ("/v1/tokens", "get"), "sunny"),
        (_another_problem, ("/v1/sessions/{session}/quote", "post"), "array"),
    ],
)
def test_a_description_that_is_wrong_in_one_place_is_found_out(
    runtime: Runtime, lie: Callable[[Any], None], call: tuple[str, str], found: str
) -> None:
    app = create_api(runtime, TOKEN)
    wrong = copy.deepcopy(app.openapi())
    lie(wrong["paths"])
    app.openapi = lambda: wrong  # type: ignore[method-assign]
    with pytest.raises(FailureGroup) as caught:
        try_out(schemathesis.openapi.from_asgi(OPENAPI_PATH, app, headers=HEADERS), call, examples=2)
    assert found.lower() in "\n".join(map(str, caught.value.exceptions)).lower()


def test_a_call_that_fails_or_answers_in_another_shape_is_found_out(runtime: Runtime) -> None:
    app = create_api(runtime, TOKEN)
    routes = app.router.routes
    for number, route in enumerate(routes):  # before the one that answers whatever is no call
        if getattr(route, "path", "") == "/v1/{rest:path}":
            before = number
    rest = routes[before:]
    del routes[before:]

    @app.get("/v1/breaks")
    def breaks() -> dict[str, int]:
        raise ZeroDivisionError

    @app.get("/v1/lies", responses={200: {"content": {"application/json": {"schema": {"type": "integer"}}}}})
    def lies() -> Any:
        return "forty-two"

    routes.extend(rest)
    described = schemathesis.openapi.from_asgi(OPENAPI_PATH, app, headers=HEADERS)
    for call in (("/v1/breaks", "get"), ("/v1/lies", "get")):
        with pytest.raises((FailureGroup, ZeroDivisionError)):
            try_out(described, call, examples=2)
