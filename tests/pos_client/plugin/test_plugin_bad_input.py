"""Bad input, each kind by name: problem details, and nothing half done: no entry, no point, the sale as it was."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import time
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from loyalty.basket import MAX_LINES
from pos_client.plugin.api import create_api
from pos_client.plugin.problems import STATUS
from pos_client.runtime import Runtime
from pos_client.till import Till
from sync.terminal import wall_ms
from tests.pos_client.plugin.conftest import TOKEN
from tests.support.till import FORMATS, SANNE

YEAR_MS = 365 * 86_400_000
SALE = "/v1/sessions/bon-1"


def line(number: int = 1, **more: Any) -> dict[str, Any]:
    return {"line_id": str(number), "sku": "bread", "gross_minor": 1000, **more}


def put(client: TestClient, **basket: Any) -> Response:
    """Another basket in place of the one that the sale begins with."""
    return client.put(f"{SALE}/basket", json={"version": 1, **basket})


@dataclasses.dataclass
class Clock:
    """The till's own clock, with somebody's hand on it. Milliseconds."""

    moved_ms: int = 0

    def __call__(self) -> int:
        return wall_ms() + self.moved_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(runtime: Runtime, clock: Clock) -> Iterator[TestClient]:
    """A till with an open sale of one line and Sanne's card."""
    till = Till(
        runtime.store,
        runtime.terminal,
        formats=FORMATS,
        bus=runtime.bus,
        time_zone="Europe/Amsterdam",
        business_day_starts=time(4),
        session_timeout_s=1800,
        now_ms=clock,
    )
    app = create_api(dataclasses.replace(runtime, till=till), TOKEN)
    with TestClient(app, "http://127.0.0.1:8321", headers={"Authorization": f"Bearer {TOKEN}"}) as made:
        made.post("/v1/sessions", json={"id": "bon-1"})
        put(made, lines=[line()], version=0)
        made.post(f"{SALE}/identify", json={"card": SANNE.card})
        yield made


def refused(response: Response) -> str:
    assert response.headers["content-type"] == "application/problem+json"
    code: str = response.json()["code"]
    assert response.status_code == STATUS[code]
    return code


def nothing_changed(client: TestClient, runtime: Runtime) -> None:
    assert runtime.journal.head().seq == 0
    quote = client.post(f"{SALE}/quote").json()
    assert (quote["state"], quote["basket_version"], quote["settlement"]["gross_minor"]) == ("open", 1, 1000)
    assert quote["settlement"]["redemptions"] == []
    assert quote["member"]["balance"]["total"] == 1284


@pytest.mark.parametrize("count", [MAX_LINES + 1, 5000])
def test_a_basket_of_too_many_lines_says_how_many_there_may_be(
    client: TestClient, runtime: Runtime, count: int
) -> None:
    answer = put(client, lines=[line(n) for n in range(count)])
    assert refused(answer) == "basket_invalid"
    assert str(MAX_LINES) in answer.json()["detail"]
    nothing_changed(client, runtime)
    late = {"receipt": "paid", "card": SANNE.card, "lines": [line(n) for n in range(count)]}
    assert refused(client.post("/v1/late", json=late)) == "invalid_request"
    assert put(client, lines=[line(n) for n in range(MAX_LINES)]).is_success


@pytest.mark.parametrize(
    "lines",
    [
        [line(quantity=10**10)],
        [line(gross_minor=10**9)],
        [line(gross_minor=-(10**9))],
        [line(line_id="")],
        [line(), line()],
        [line(quantity=0.5)],
    ],
)
def test_lines_that_cannot_be(client: TestClient, runtime: Runtime, lines: list[Any]) -> None:
    assert refused(put(client, lines=lines)) == "basket_invalid"
    nothing_changed(client, runtime)


@pytest.mark.parametrize(
    ("lines", "points"),
    [
        ([line(), line(2, gross_minor=-400)], 9),  # taken back within the sale: 6 euros earn, with half as much again
        ([line(gross_minor=-1000)], 0),
        ([line(gross_minor=0)], 0),
        ([line(quantity=0)], 15),
        ([line(quantity=0, gross_minor=0)], 0),
        ([line(quantity=-1000, gross_minor=-1000), line(2)], 0),
        ([], 0),
    ],
)
def test_negative_and_zero_lines_never_earn_or_cost_points(
    client: TestClient, runtime: Runtime, lines: list[Any], points: int
) -> None:
    quote = put(client, lines=lines).json()
    settlement = quote["settlement"]
    assert settlement["points_earned"] == points
    assert settlement["gross_minor"] == sum(each["gross_minor"] for each in lines)
    assert sum(each["points"] for each in settlement["lines"]) == points
    assert client.post(f"{SALE}/commit").json()["entry"]["points"] == points


def test_goods_taken_back_within_the_sale_pay_for_no_reward(client: TestClient, runtime: Runtime) -> None:
    put(client, lines=[line(gross_minor=-1000)])
    assert refused(client.post(f"{SALE}/redeem", json={"reward": "koffie"})) == "basket_too_small"
    assert runtime.journal.head().seq == 0


@pytest.mark.parametrize("currency", ["USD", "eur", "EURO", ""])
def test_another_currency(client: TestClient, runtime: Runtime, currency: str) -> None:
    answer = put(client, currency=currency, lines=[line(2)])
    assert refused(answer) == "basket_invalid"
    nothing_changed(client, runtime)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"reward": "thee"}, "unknown_reward"),
        ({"reward": "Koffie!"}, "invalid_request"),
        ({"reward": "koffie", "amount_minor": 0}, "invalid_request"),
        ({"reward": "koffie", "amount_minor": "5"}, "invalid_request"),
    ],
)
def test_a_reward_that_there_is_not(client: TestClient, runtime: Runtime, body: dict[str, Any], code: str) -> None:
    assert refused(client.post(f"{SALE}/redeem", json=body)) == code
    nothing_changed(client, runtime)


def test_committing_twice_books_once(client: TestClient, runtime: Runtime) -> None:
    first, again = client.post(f"{SALE}/commit"), client.post(f"{SALE}/commit")
    assert first.json()["entry"] == again.json()["entry"]
    assert runtime.journal.head().seq == 1
    for call, body in (
        ("basket", {"lines": [], "version": 1}),
        ("identify", {"card": SANNE.card}),
        ("redeem", {"reward": "koffie"}),
    ):
        answer = client.request("PUT" if call == "basket" else "POST", f"{SALE}/{call}", json=body)
        assert refused(answer) == "session_closed"
    assert runtime.journal.head().seq == 1


@pytest.mark.parametrize("booked", [False, True])
def test_committing_after_a_void(client: TestClient, runtime: Runtime, booked: bool) -> None:
    if booked:
        client.post(f"{SALE}/commit")
    client.post(f"{SALE}/void")
    entries = runtime.journal.head().seq
    assert refused(client.post(f"{SALE}/commit")) == "session_closed"
    assert refused(client.post(f"{SALE}/redeem", json={"reward": "koffie"})) == "session_closed"
    assert runtime.journal.head().seq == entries
    assert client.get(f"/v1/members/{SANNE.card}/balance").json()["member"]["balance"]["total"] == 1284


@pytest.mark.parametrize("moved_ms", [-YEAR_MS, -3_600_000, 3_600_000, YEAR_MS])
def test_a_clock_that_is_moved_in_mid_sale(client: TestClient, runtime: Runtime, clock: Clock, moved_ms: int) -> None:
    key = {"Idempotency-Key": "commit-1"}
    clock.moved_ms = moved_ms
    quote = client.post(f"{SALE}/quote").json()
    assert (quote["state"], quote["settlement"]["points_earned"]) == ("open", 15)
    put(client, lines=[line(), line(2)])
    booked = client.post(f"{SALE}/commit", headers=key)
    assert booked.json()["entry"]["points"] == 30, "an accrual is never refused for a wrong clock"
    clock.moved_ms = 0
    assert client.post(f"{SALE}/commit", headers=key).content == booked.content
    entry = runtime.journal.find(booked.json()["entry"]["id"])
    assert entry is not None
    assert abs(entry.clock.wall_ms - wall_ms() - moved_ms) < 60_000, "what the till believed is kept as it was"


def test_a_clock_set_ahead_gives_no_reward_on_what_the_till_last_heard(client: TestClient, clock: Clock) -> None:
    clock.moved_ms = YEAR_MS
    assert refused(client.post(f"{SALE}/redeem", json={"reward": "koffie"})) == "mirror_old"
