"""Every call as openapi.json describes it, with whatever schemathesis makes up: no fault of ours, no shape unsaid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS

from pos_client.plugin.api import create_api
from pos_client.plugin.gate import OPENAPI_PATH
from pos_client.runtime import Runtime
from tests.pos_client.plugin.conftest import TOKEN
from tests.pos_client.plugin.openapi import COMMITTED
from tests.support.till import SANNE, make_runtime

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Host": "127.0.0.1:8321"}
ENDLESS = {"/v1/events", "/v1/sync"}
"""Without the stream, which has no end, and the exchange with a head office that is away."""
CALLS = [
    pytest.param((path, method), id=f"{method} {path}")
    for path, calls in json.loads(COMMITTED.read_text(encoding="utf-8"))["paths"].items()
    for method in calls
    if path not in ENDLESS
]
WANTED = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    made = make_runtime(tmp_path_factory.mktemp("till"))
    made.approvals.add("Ria", "4711")
    made.till.open_session("a")
    made.till.identify("a", SANNE.card)
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def described(runtime: Runtime) -> Any:
    return schemathesis.openapi.from_asgi(OPENAPI_PATH, create_api(runtime, TOKEN), headers=HEADERS)


@pytest.mark.parametrize("call", CALLS)
def test_every_call_keeps_to_its_description(described: Any, call: tuple[str, str]) -> None:
    path, method = call
    checks = [CHECKS.get_one(name) for name in WANTED]

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    @given(case=described[path][method].as_strategy())
    def keeps(case: Any) -> None:
        case.call_and_validate(headers=HEADERS, checks=checks)

    keeps()
