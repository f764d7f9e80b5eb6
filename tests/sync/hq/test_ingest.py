"""Booking: exactly once whatever is repeated, and nothing that arrives is lost or blocks what follows."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty.ledger import Entry
from sync.hq.database import Connection
from sync.hq.proofs import proof
from sync.wire import BatchAnswer, Outcome, Problem, Result
from tests.support.entries import DAY, Chain, TestTill
from tests.support.postgres import Refusals

Member = Callable[..., tuple[str, str]]
STRANGER = "f" * 32


@pytest.fixture(autouse=True)
def ledger_equals_balances(conn: Connection) -> Any:
    """After every test of this file, for every account: Σ ledger = balance; and everything received is somewhere."""
    yield
    assert conn.execute(
        "SELECT account_id FROM balance FULL JOIN (SELECT account_id, sum(points) AS booked FROM ledger GROUP BY 1) l "
        "USING (account_id) WHERE coalesce(points, 0) <> coalesce(booked, 0)"
    ).fetchall() == []  # fmt: skip
    assert conn.execute(
        "SELECT (SELECT count(*) FROM received) = (SELECT count(*) FROM ledger WHERE kind <> 'opening') "
        "+ (SELECT count(*) FROM parked WHERE epoch > 0)"
    ).fetchone() == (True,)  # fmt: skip


def sent(till: TestTill, *args: Any, **changed: Any) -> BatchAnswer:
    response = till.send(till.chain.batch(*args, **changed))
    assert response.status_code == 200, response.text
    return BatchAnswer.decode(response.content)


def refused(till: TestTill, *args: Any, **changed: Any) -> Problem:
    response = till.send(till.chain.batch(*args, **changed))
    assert response.status_code == 409, response.text
    assert response.headers["content-type"] == "application/problem+json"
    return Problem.decode(response.content)


def codes(answer: BatchAnswer) -> list[str | None]:
    return [result.code for result in answer.results]


def count(conn: Connection, table: str) -> int:
    row = conn.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_the_same_bytes_again_are_duplicates_with_the_first_verdict(
    till: TestTill, member: Member, conn: Connection
) -> None:
    card, account = member()
    till.chain.sale(card, account=account)
    till.chain.sale(STRANGER)
    first = sent(till)
    again = sent(till)  # the answer was lost
    assert [result.outcome for result in first.results] == [Outcome.BOOKED, Outcome.PARKED]
    assert again.results == (
        Result(seq=1, outcome=Outcome.DUPLICATE),
        Result(seq=2, outcome=Outcome.DUPLICATE, code="unknown_card", text=first.results[1].text),
    )
    assert again.durable_to == 2
    assert again.balances == first.balances
    assert (count(conn, "ledger"), count(conn, "parked"), count(conn, "received")) == (1, 1, 2)


def test_a_batch_that_starts_below_the_watermark_books_only_what_is_new(till: TestTill, member: Member) -> None:
    card, account = member()
    for _ in range(5):
        till.chain.sale(card, account=account)
    sent(till, 1, 3)
    answer = sent(till, 2, 5)
    assert [result.outcome for result in answer.results] == [Outcome.DUPLICATE] * 2 + [Outcome.BOOKED] * 2
    assert [balance.points for balance in answer.balances] == [50]
    assert sent(till, 2, 2).durable_to == 5


def test_a_gap_is_answered_with_the_number_wanted(till: TestTill, member: Member, conn: Connection) -> None:
    card, _ = member()
    for _ in range(4):
        till.chain.sale(card)
    sent(till, 1, 1)
    problem = refused(till, 3, 4)
    assert (problem.code, problem.wanted_seq) == ("gap", 2)
    assert count(conn, "received") == 1
    assert count(conn, "evidence") == 0
    assert sent(till, 2, 4).durable_to == 4


def test_other_entries_under_known_numbers_are_kept_as_evidence(
    till: TestTill, member: Member, conn: Connection
) -> None:
    card, _ = member()
    till.chain.sale(card)
    till.chain.sale(card)
    sent(till)
    clone = Chain(till.terminal)
    clone.sale(card, (777,))
    clone.sale(card)
    clone.sale(card)
    for batch in (clone.batch(), clone.batch(3), clone.batch()):
        response = till.send(batch)
        assert (response.status_code, Problem.decode(response.content).code) == (409, "stream_conflict")
    kept = conn.execute("SELECT body, times FROM evidence ORDER BY times").fetchall()
    assert [(body, times) for body, times in kept] == [(clone.batch(3).encode(), 1), (clone.batch().encode(), 2)]
    till.chain.sale(card)
    assert sent(till).durable_to == 3  # the honest stream goes on


@pytest.mark.parametrize(
    "changed",
    [
        {"head_digest": "0" * 64},
        {"prev_digest": "1" * 64},
        {"to_seq": 3},
        {"epoch": 2},
        {"epoch": 10**30},
    ],
)
def test_a_batch_that_contradicts_itself_or_the_stream_books_nothing(
    till: TestTill, member: Member, conn: Connection, changed: dict[str, Any]
) -> None:
    card, _ = member()
    till.chain.sale(card)
    till.chain.sale(card)
    assert refused(till, **changed).code == "stream_conflict"
    assert (count(conn, "received"), count(conn, "evidence")) == (0, 1)
    assert sent(till).durable_to == 2


def test_numbers_beyond_any_journal_are_a_gap(till: TestTill, member: Member) -> None:
    till.chain.sale(member()[0])
    assert refused(till, from_seq=10**40, to_seq=10**40).wanted_seq == 1


def test_each_kind_of_parking(till: TestTill, member: Member, conn: Connection) -> None:
    card, _ = member(points=100)
    chain = till.chain
    settled = chain.sale(card).settlement
    inflated = settled.model_copy(update={"points_earned": 999})
    chain.sale(STRANGER)
    chain.sale(card, settlement=inflated, points=999)
    chain.sale(card, programme_version=7)
    chain.sale(card, rewards=["five-off"], amounts_minor=(2000,), programme="other")
    chain.raw(b'{"business_date":"2026-03-31", "kind":"party"}')
    chain.sale(card, seq=99)
    sale = chain.sale(card)
    chain.void(sale)
    chain.void(sale)
    chain.void(chain.sale(STRANGER))
    chain.void(chain.sale(card), reverses="019580a4-0000-7000-8000-000000000000")
    chain.sale(card, id=sale.id)
    chain.sale(card, id="not a uuid")
    chain.sale("871012300001")  # a number where a token belongs
    chain.sale(card, account="\u0000")
    answer = sent(till)
    assert codes(answer) == [
        None,
        "unknown_card",
        "accrual_differs",
        "unknown_programme",
        "unknown_programme",
        "unreadable",
        "misnumbered",
        None,
        None,
        "void_twice",
        "unknown_card",
        "unknown_card",
        None,
        "void_unknown",
        "id_twice",
        "unreadable",
        "unreadable",
        "unreadable",
    ]
    assert answer.durable_to == 18
    assert [balance.points for balance in answer.balances] == [100 + 10 + 10 - 10 + 10]
    stored = conn.execute("SELECT seq, raw FROM parked ORDER BY seq").fetchall()
    assert all(raw == chain.raws[seq - 1] for seq, raw in stored)
    assert not any("871012300001" in (result.text or "") for result in answer.results)

    day = proof(conn, till.terminal, 1, DAY)
    assert (day.proof.entries, day.parked) == (18, 14)
    readable = [entry for entry in chain.entries if entry.card in (card, STRANGER)]
    unsound = [entry for entry in readable if entry.id == "not a uuid" or entry.account == "\u0000"]
    earned = sum(
        (-1 if entry.reverses else 1) * entry.settlement.points_earned for entry in readable if entry not in unsound
    )
    assert day.proof.points_earned == earned
    assert day.proof.points_spent == 50
    assert (day.proof.last_seq, day.proof.head_digest) == (18, chain.digests[18].hex())


def test_a_card_linked_at_head_office_is_booked_though_the_till_did_not_know_it(till: TestTill, member: Member) -> None:
    card, account = member(points=5)
    till.chain.sale(card, account=None)
    answer = sent(till)
    assert codes(answer) == [None]
    assert [(balance.account, balance.points) for balance in answer.balances] == [(account, 15)]


def test_the_account_is_the_cards_now_else_the_one_the_till_named(till: TestTill, member: Member) -> None:
    card, account = member()
    _, other = member()
    till.chain.sale(card, account=other)
    till.chain.sale(STRANGER, account=other)
    till.chain.sale(STRANGER, account="nobody")
    answer = sent(till)
    assert codes(answer) == [None, None, "unknown_card"]
    assert {balance.account: balance.points for balance in answer.balances} == {account: 10, other: 10}


def test_a_void_takes_back_what_its_sale_booked_and_not_more(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member(points=50)
    sale = till.chain.sale(card, (2000,), account=account, rewards=["five-off"])
    sent(till)
    dearer = Chain("").sale(card, (90_000,)).settlement
    till.chain.void(sale, settlement=dearer, points=-dearer.points_delta)
    till.chain.void(sale)
    assert codes(sent(till)) == [None, "accrual_differs", None]
    assert conn.execute("SELECT points FROM balance").fetchone() == (50,)


def test_a_void_at_another_till_counts_once(new_till: Callable[[], TestTill], member: Member) -> None:
    card, account = member()
    tills = [new_till() for _ in range(4)]
    sale = tills[0].chain.sale(card, account=account)
    sent(tills[0])
    for till in tills[1:]:
        till.chain.void(sale)
    start = threading.Barrier(3)

    def send(till: TestTill) -> list[str | None]:
        start.wait(10)
        return codes(sent(till))

    with ThreadPoolExecutor() as pool:
        verdicts = list(pool.map(send, tills[1:]))
    assert sorted(verdicts, key=str) == [["void_twice"], ["void_twice"], [None]]


def test_two_tills_on_the_same_accounts_neither_deadlock_nor_lose(
    new_till: Callable[[], TestTill], member: Member, conn: Connection
) -> None:
    cards = [member() for _ in range(20)]
    tills = [new_till() for _ in range(3)]
    for turn, till in enumerate(tills):
        for number in range(120):
            # Each till meets the accounts in another order, and each of its batches begins with another.
            card, account = cards[(number * (1, 3, 19)[turn] + number // 20 + 7 * turn) % 20]
            till.chain.sale(card, (100 * (turn + 1),), account=account)
    refusals = Refusals(conn)

    def send(till: TestTill) -> None:
        for start in range(1, 121, 20):
            assert set(codes(sent(till, start, start + 19))) == {None}

    with ThreadPoolExecutor() as pool:
        list(pool.map(send, tills))
    assert refusals.of("40P01") == 0
    assert conn.execute("SELECT sum(points) FROM balance").fetchone() == (120 * (1 + 2 + 3),)


def test_one_till_twice_at_once_books_once(till: TestTill, member: Member, conn: Connection) -> None:
    card, _ = member()
    for _ in range(50):
        till.chain.sale(card)
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: sent(till), range(4)))
    outcomes = sorted(str(answer.results[0].outcome) for answer in answers)
    assert outcomes == ["booked", "duplicate", "duplicate", "duplicate"]
    assert count(conn, "ledger") == 50


def test_the_largest_batch(till: TestTill, member: Member) -> None:
    card, _ = member()
    for _ in range(500):
        till.chain.sale(card, (123,))
    response = till.post("/v1/entries", till.chain.batch().encode())
    assert response.status_code == 200
    assert BatchAnswer.decode(response.content).balances[0].points == 500


def test_proofs_are_by_business_date_and_empty_days_say_so(till: TestTill, member: Member, conn: Connection) -> None:
    card, _ = member()
    till.chain.sale(card, day=date(2026, 3, 30))
    till.chain.sale(card, (5000,), rewards=["five-off"])
    till.chain.sale(card, day=date(2026, 3, 30))
    sent(till)
    earlier = proof(conn, till.terminal, 1, date(2026, 3, 30)).proof
    assert (earlier.entries, earlier.points_earned, earlier.last_seq) == (2, 20, 3)
    day = proof(conn, till.terminal, 1, DAY).proof
    assert (day.entries, day.points_earned, day.points_spent, day.last_seq) == (1, 45, 50, 2)
    empty = proof(conn, till.terminal, 1, date(2026, 4, 1)).proof
    assert (empty.entries, empty.points_earned, empty.last_seq, empty.head_digest) == (0, 0, 0, "")
    assert proof(conn, till.terminal, 2, DAY).proof.entries == 0


# One entry's fields, mangled: whatever a broken till may journal, of types JSON can carry.
_values = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.lists(st.integers(), max_size=2)
_fields = st.sampled_from([*Entry.model_fields, "surprise"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mangled=st.lists(
        st.binary(max_size=80).map(lambda raw: raw.decode("latin-1").encode())
        | st.dictionaries(_fields, _values, min_size=1, max_size=3),
        min_size=1,
        max_size=8,
    )
)
def test_nothing_blocks_the_head(till: TestTill, member: Member, mangled: list[bytes | dict[str, Any]]) -> None:
    card, _ = member()
    start = len(till.chain.raws) + 1
    for item in mangled:
        if isinstance(item, bytes):
            till.chain.raw(item)
        else:
            good = Chain(till.terminal).sale(card).model_dump(mode="json")
            till.chain.raw(json.dumps({**good, **item}).encode())
    till.chain.sale(card)
    answer = sent(till, start)
    assert answer.durable_to == len(till.chain.raws)
    assert answer.results[-1].outcome is Outcome.BOOKED
    assert not any(result.outcome is Outcome.BOOKED for result in answer.results[:-1])
