"""The report of a day: its figures are those that the proof compares, and it says how the proof went."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from pos_client.office.day import DayReport, ProofState, Tally, day_report
from pos_client.runtime import Runtime
from sync.terminal import wall_ms
from sync.wire import DayProof
from sync.wire_mirror import ParkedState
from tests.pos_client.commands.test_inbox import parked
from tests.pos_client.office.conftest import sell
from tests.support.till import JORIS, SANNE, publish


def today(runtime: Runtime) -> date:
    return runtime.till.reckoning.business_date(wall_ms())


def report(runtime: Runtime, day: date | None = None, language: str = "nl") -> DayReport:
    return day_report(runtime.store, runtime.terminal, day or today(runtime), language)


def test_what_a_day_came_to(runtime: Runtime) -> None:
    sell(runtime, SANNE.card, minor=2340)
    sell(runtime, SANNE.card, minor=1000, reward="koffie")
    sell(runtime, JORIS.card, minor=500)
    undone = sell(runtime, JORIS.card, minor=9000)
    runtime.till.bookings.void(undone)
    back = sell(runtime, JORIS.card, minor=300)
    runtime.till.corrections.return_goods("r-1", back, {"1": 1000})
    runtime.till.corrections.adjust("a-1", SANNE.card, -20, reason="mistake", approver="Wil")
    made = report(runtime)
    assert made.sales.count == 5
    assert made.members == 2
    assert made.paid_minor == 2340 + 750 + 500 + 300
    assert (made.voids, made.returns, made.adjustments) == (Tally(1, -90), Tally(1, -3), Tally(1, -20))
    assert [(given.name, given.count, given.points, given.minor) for given in made.given] == [
        ("Koffie gratis", 1, 250, 250)
    ]
    runtime.journal.acknowledge(1, runtime.journal.head().seq)
    proof = runtime.journal.proof(made.day)
    assert (made.entries, made.earned, made.spent) == (proof.entries, proof.points_earned, proof.points_spent)


def test_a_reward_that_was_taken_back_was_not_given(runtime: Runtime) -> None:
    runtime.till.bookings.void(sell(runtime, SANNE.card, minor=1000, reward="koffie"))
    assert report(runtime).given == ()


def test_a_day_without_anything(runtime: Runtime) -> None:
    made = report(runtime, today(runtime) - timedelta(days=1))
    assert (made.sales, made.paid_minor, made.proof, made.entries) == (Tally(), 0, ProofState.OPEN, 0)


def test_the_proof_of_a_day(runtime: Runtime) -> None:
    sell(runtime, SANNE.card)
    day = today(runtime)
    assert report(runtime).proof is ProofState.OPEN
    runtime.journal.acknowledge(1, 1)
    ours = runtime.journal.proof(day)
    runtime.proofs.record(day, DayProof(proof=ours, parked=0), 1_000)
    assert (report(runtime).proof, report(runtime).proof_checked_ms) == (ProofState.AGREES, 1_000)
    sell(runtime, SANNE.card)
    assert report(runtime).proof is ProofState.OPEN  # not compared since
    runtime.proofs.record(day, DayProof(proof=ours.model_copy(update={"points_spent": 9}), parked=0), 2_000)
    assert report(runtime).proof is ProofState.DIFFERS


def test_what_of_the_day_head_office_did_not_book(runtime: Runtime) -> None:
    sell(runtime, SANNE.card)
    digest = runtime.journal.digest_at(1, 1)
    assert digest is not None
    publish(runtime.mirror, [parked(1, terminal="till-0002", digest=digest.hex()), parked(2)])
    made = report(runtime)
    assert [(line.code, line.state) for line in made.parked] == [("accrual_differs", "open")]
    assert made.unbooked == 1


@pytest.mark.parametrize(
    ("state", "unbooked"),
    [(ParkedState.REFERRED, 1), (ParkedState.REVERSED, 1), (ParkedState.LINKED, 0), (ParkedState.APPROVED, 0)],
)
def test_what_was_decided_about_counts_by_what_came_of_it(runtime: Runtime, state: ParkedState, unbooked: int) -> None:
    sell(runtime, SANNE.card)
    digest = runtime.journal.digest_at(1, 1)
    assert digest is not None
    publish(runtime.mirror, [parked(1, state=state, terminal="till-0002", digest=digest.hex())])
    made = report(runtime)
    assert [line.state for line in made.parked] == [state]
    assert made.unbooked == unbooked
