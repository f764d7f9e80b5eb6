"""Holds over the wire: two tills never get the same points; each call is safe to repeat; bad asks say why."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from loyalty.spending import Authority, AuthorityKind
from sync.hq.available import available
from sync.hq.database import Connection
from sync.hq.holds import CAPTURE_KEEPS, capture, place
from sync.hq.leases import HOLD_KEPT, reclaim_due
from sync.hq.spending import debt_totals, debts
from sync.wire import BatchAnswer, Outcome, Problem
from sync.wire_spending import HoldAnswer, HoldRequest, HoldState
from tests.support.entries import PROTOCOL, PROTOCOL_HEADER, TestTill

Member = Callable[..., tuple[str, str]]
NewTill = Callable[[], TestTill]


def ask(till: TestTill, card: str, points: int, hold: str | None = None, **changed: Any) -> httpx.Response:
    """Ask for a hold; `changed` overrides fields of the request."""
    fields = {"id": hold or str(uuid.uuid4()), "card": card, "points": points, "session": "bon-1", "expires_s": 900}
    return till.post("/v1/holds", json.dumps({**fields, **changed}).encode())


def held(till: TestTill, card: str, points: int, **changed: Any) -> HoldAnswer:
    response = ask(till, card, points, **changed)
    assert response.status_code == 200, response.text
    return HoldAnswer.decode(response.content)


def let_go(till: TestTill, hold: str) -> httpx.Response:
    headers = {PROTOCOL_HEADER: str(PROTOCOL)}
    return till.client.delete(f"/v1/holds/{hold}", auth=till.auth, headers=headers)


def taken(till: TestTill, hold: str) -> httpx.Response:
    return till.post(f"/v1/holds/{hold}/capture", b"")


def code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, Problem.decode(response.content).code


def state(response: httpx.Response) -> HoldState:
    assert response.status_code == 200, response.text
    return HoldAnswer.decode(response.content).state


def spend(till: TestTill, card: str, account: str, *parts: tuple[str, str | None, int]) -> BatchAnswer:
    """Book a sale of € 100 that spends on these authorities: 100 earned, 50 spent for each reward."""
    authority = tuple(Authority(kind=AuthorityKind(kind), id=name, points=points) for kind, name, points in parts)
    rewards = ("five-off",) * (sum(part.points for part in authority) // 50)
    till.chain.sale(card, (10_000,), account=account, rewards=rewards, authority=authority)
    answer = till.send(till.chain.batch(len(till.chain.raws)))
    assert answer.status_code == 200, answer.text
    return BatchAnswer.decode(answer.content)


def free(conn: Connection, account: str, later: timedelta = timedelta()) -> int:
    return available(conn, [account], datetime.now(UTC) + later)[account]


def test_held_points_are_not_available_until_released(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member(points=100)
    hold = held(till, card, 60)
    assert (hold.account, hold.points, hold.state) == (account, 60, HoldState.ACTIVE)
    assert 890 <= hold.expires_s <= 900
    assert free(conn, account) == 40
    assert code(ask(till, card, 41)) == (409, "points_short")
    assert state(let_go(till, hold.id)) is HoldState.RELEASED
    assert state(let_go(till, hold.id)) is HoldState.RELEASED
    assert free(conn, account) == 100


def test_the_same_hold_again_is_the_same_hold(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member(points=100)
    first = held(till, card, 60)
    assert held(till, card, 60, hold=first.id).id == first.id
    assert free(conn, account) == 40
    assert code(ask(till, card, 61, hold=first.id)) == (409, "hold_differs")
    assert code(ask(till, member(points=100)[0], 60, hold=first.id)) == (409, "hold_differs")
    let_go(till, first.id)
    assert code(ask(till, card, 60, hold=first.id)) == (409, "hold_released")


def test_two_tills_at_once_get_the_points_once(new_till: NewTill, member: Member, conn: Connection) -> None:
    tills = [new_till() for _ in range(4)]
    for _ in range(5):
        card, account = member(points=50)
        with ThreadPoolExecutor(len(tills)) as pool:
            asked = list(pool.map(lambda till, card=card: ask(till, card, 50), tills))
        assert sorted(response.status_code for response in asked) == [200, 409, 409, 409]
        assert free(conn, account) == 0


def test_the_entry_captures_its_hold(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member(points=100)
    hold = held(till, card, 60)
    answer = spend(till, card, account, ("hold", hold.id, 50))
    assert [result.outcome for result in answer.results] == [Outcome.BOOKED]
    assert answer.balances[0].points == 100 - 50 + 95
    assert free(conn, account) == 145  # what the hold had too much is free again
    assert code(let_go(till, hold.id)) == (409, "hold_captured")
    assert state(taken(till, hold.id)) is HoldState.BOOKED
    assert debt_totals(conn) == (0, 0)


def test_a_hold_that_expired_frees_its_points(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member(points=100)
    held(till, card, 60, expires_s=30)
    assert free(conn, account) == 40
    assert free(conn, account, timedelta(seconds=31)) == 100


def test_a_captured_hold_waits_for_its_entry(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member(points=100)
    hold = held(till, card, 60, expires_s=30)
    assert state(taken(till, hold.id)) is HoldState.CAPTURED
    assert state(taken(till, hold.id)) is HoldState.CAPTURED
    assert free(conn, account, timedelta(hours=5)) == 40
    assert free(conn, account, CAPTURE_KEEPS + timedelta(seconds=1)) == 100


def _expired(conn: Connection, till: TestTill, card: str, points: int) -> HoldAnswer:
    """A hold made an hour ago that lasted a minute."""
    request = HoldRequest(id=str(uuid.uuid4()), card=card, points=points, session="bon", expires_s=60)
    return place(conn, till.terminal, request, datetime.now(UTC) - timedelta(hours=1))


def test_a_late_capture_whose_points_are_gone_is_booked_as_debt(
    new_till: NewTill, member: Member, conn: Connection
) -> None:
    slow, quick = new_till(), new_till()
    card, account = member(points=50)
    late = _expired(conn, slow, card, 50)
    found = held(quick, card, 50)
    assert code(ask(slow, card, 50)) == (409, "points_short")
    assert state(taken(slow, late.id)) is HoldState.LATE
    quick.chain.sale(card, (100,), account=account)  # both sell for next to nothing: nothing fills the balance
    authority = (Authority(kind=AuthorityKind.HOLD, id=found.id, points=50),)
    quick.chain.sale(card, (500,), account=account, rewards=("five-off",), authority=authority)
    assert quick.send().status_code == 200
    authority = (Authority(kind=AuthorityKind.HOLD, id=late.id, points=50),)
    slow.chain.sale(card, (500,), account=account, rewards=("five-off",), authority=authority)
    answer = BatchAnswer.decode(slow.send().content)
    assert [result.outcome for result in answer.results] == [Outcome.BOOKED]
    assert debt_totals(conn) == (1, 49)  # one point was earned
    (debt,) = debts(conn)
    assert (debt.account, debt.terminal, debt.seq, debt.points, debt.balance) == (account, slow.terminal, 1, 49, -49)
    slow.chain.void(slow.chain.entries[0])
    assert slow.send(slow.chain.batch(2)).status_code == 200
    assert debt_totals(conn) == (0, 0)


def test_a_late_capture_whose_points_are_there_is_no_debt(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member(points=50)
    late = _expired(conn, till, card, 50)
    spend(till, card, account, ("hold", late.id, 50))
    assert debt_totals(conn) == (0, 0)
    other = _expired(conn, till, card, 50)
    assert capture(conn, till.terminal, uuid.UUID(other.id), datetime.now(UTC)).state is HoldState.CAPTURED


@pytest.mark.parametrize("parts", [[("floor", None, 50)], []], ids=["floor", "an entry of old"])
def test_points_on_the_tills_own_word_that_are_not_there_are_debt(
    till: TestTill, member: Member, conn: Connection, parts: list[tuple[str, str | None, int]]
) -> None:
    card, account = member(points=20)
    authority = tuple(Authority(kind=AuthorityKind(kind), id=name, points=points) for kind, name, points in parts)
    till.chain.sale(card, (500,), account=account, rewards=("five-off",), authority=authority)
    answer = BatchAnswer.decode(till.send().content)
    assert [result.outcome for result in answer.results] == [Outcome.BOOKED]
    assert answer.balances[0].points == -30
    assert debt_totals(conn) == (1, 30)


def test_debt_is_what_others_had_set_aside_too(new_till: NewTill, member: Member, conn: Connection) -> None:
    """The balance alone would not show it: one till spends on its own word what the other holds."""
    one, other = new_till(), new_till()
    card, account = member(points=60)
    hold = held(other, card, 60)
    one.chain.sale(card, (500,), account=account, rewards=("five-off",))
    assert one.send().status_code == 200
    assert debt_totals(conn) == (1, 50)
    other.chain.sale(card, (500,), account=account, rewards=("five-off",), authority=(
        Authority(kind=AuthorityKind.HOLD, id=hold.id, points=50),
    ))  # fmt: skip
    assert other.send().status_code == 200
    assert debt_totals(conn) == (1, 50)  # whoever had a hold owes nothing


def test_one_hold_is_for_one_sale_of_its_own_till(new_till: NewTill, member: Member, conn: Connection) -> None:
    one, other = new_till(), new_till()
    card, account = member(points=50)
    hold = held(one, card, 50)
    authority = (Authority(kind=AuthorityKind.HOLD, id=hold.id, points=50),)
    one.chain.sale(card, (500,), account=account, rewards=("five-off",), authority=authority)
    one.chain.sale(card, (500,), account=account, rewards=("five-off",), authority=authority)
    assert one.send().status_code == 200
    assert debt_totals(conn) == (1, 50)
    other.chain.sale(card, (500,), account=account, rewards=("five-off",), authority=authority)
    assert other.send().status_code == 200
    assert debt_totals(conn) == (2, 100)


@pytest.mark.parametrize(
    ("changed", "answer"),
    [
        ({"points": 0}, (400, "malformed")),
        ({"points": -5}, (400, "malformed")),
        ({"points": 10**10}, (400, "malformed")),
        ({"points": "5"}, (400, "malformed")),
        ({"expires_s": 0}, (400, "malformed")),
        ({"expires_s": 3601}, (400, "malformed")),
        ({"id": "nonsense"}, (400, "malformed")),
        ({"card": "f" * 32}, (404, "unknown_card")),
        ({"points": 101}, (409, "points_short")),
    ],
    ids=str,
)
def test_what_cannot_be_held(
    till: TestTill, member: Member, conn: Connection, changed: dict[str, Any], answer: tuple[int, str]
) -> None:
    card, account = member(points=100)
    assert code(ask(till, **{"card": card, "points": 100, **changed})) == answer
    assert free(conn, account) == 100


def test_pending_points_are_not_held(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member(points=100)
    conn.execute(
        "INSERT INTO vesting (account_id, entry_id, vests_on, points) VALUES (%s, %s, '2099-01-01', 70)",
        (account, uuid.uuid4()),
    )
    assert code(ask(till, card, 31)) == (409, "points_short")
    assert held(till, card, 30).points == 30


def test_a_blocked_card_holds_nothing(till: TestTill, member: Member, conn: Connection) -> None:
    card, _ = member(points=100)
    conn.execute("UPDATE card SET blocked = true WHERE token = %s", (card,))
    assert code(ask(till, card, 1)) == (409, "card_blocked")


def test_another_terminals_hold_is_not_touched(new_till: NewTill, member: Member, conn: Connection) -> None:
    one, other = new_till(), new_till()
    card, account = member(points=100)
    hold = held(one, card, 60)
    for response in (taken(other, hold.id), let_go(other, hold.id), ask(other, card, 60, hold=hold.id)):
        assert code(response) == (403, "other_terminal")
    assert free(conn, account) == 40


def test_captures_that_cannot_be(till: TestTill, member: Member) -> None:
    card, _ = member(points=100)
    assert code(taken(till, str(uuid.uuid4()))) == (404, "unknown_hold")
    assert code(let_go(till, str(uuid.uuid4()))) == (404, "unknown_hold")
    assert code(taken(till, "nonsense")) == (400, "malformed")
    hold = held(till, card, 60)
    let_go(till, hold.id)
    assert code(taken(till, hold.id)) == (409, "hold_released")


def test_holds_long_over_are_forgotten(till: TestTill, member: Member, conn: Connection) -> None:
    card, _ = member(points=100)
    hold = held(till, card, 60)
    now = datetime.now(UTC)
    reclaim_due(conn, now + HOLD_KEPT)
    assert state(taken(till, hold.id)) is HoldState.CAPTURED
    reclaim_due(conn, now + HOLD_KEPT + CAPTURE_KEEPS + timedelta(hours=1))
    assert code(taken(till, hold.id)) == (404, "unknown_hold")
