"""Decisions about parked entries taken back: what they did is undone, or a plain sentence says why it stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from loyalty.programme_members import OfflineMode, OfflinePolicy
from loyalty.resolution import Action, Resolution
from sync.hq.database import Connection
from sync.hq.inbox import resolve
from sync.hq.programmes import Programmes, publish
from sync.hq.proofs import proof
from sync.hq.spending import debt_totals
from sync.hq.waiting import Word
from sync.wire import Outcome
from sync.wire_mirror import ParkedState
from tests.support.entries import DAY, TestTill, programme
from tests.sync.hq.test_inbox import STRANGER, decide, heard, nothing_is_lost, points, sent

__all__ = ["nothing_is_lost"]

Member = Callable[..., tuple[str, str]]


def undo(till: TestTill, seq: int, undoes: Action, at: TestTill | None = None) -> Any:
    """Take the decision `undoes` about entry `seq` of `till` back at `at` (the same till): its result."""
    by = at or till
    by.chain.resolution(till.chain.decide(seq, Action.UNDO, undoes=undoes), reason="verkeerde knop", approver="Bo")
    return sent(by).results[-1]


def stands(result: Any, why: str) -> None:
    """The decision stands, and the text says why."""
    assert (result.outcome, result.code) == (Outcome.PARKED, "resolution_refused")
    assert why in result.text, result.text


def decided(conn: Connection) -> list[tuple[Any, ...]]:
    return conn.execute("SELECT action, approver, reason FROM resolution ORDER BY number").fetchall()


def test_an_approval_is_taken_back_with_its_points_and_counters(
    till: TestTill, member: Member, conn: Connection
) -> None:
    card, account = member(points=100)
    inflated = till.chain.sale(card).settlement.model_copy(update={"points_earned": 500})
    till.chain.sale(card, settlement=inflated, points=500)
    sent(till)
    assert decide(till, 2, Action.APPROVE).outcome is Outcome.BOOKED
    assert points(conn, account) == 610
    counters = conn.execute("SELECT name, count FROM counter ORDER BY name").fetchall()
    till.chain.resolution(till.chain.decide(2, Action.UNDO, undoes=Action.APPROVE), reason="verkeerde", approver="Bo")
    answer = sent(till)
    assert answer.results[-1].outcome is Outcome.BOOKED
    assert [balance.points for balance in answer.balances] == [110]
    assert points(conn, account) == 110
    assert sent(till).balances == answer.balances  # the answer was lost: nothing is done again
    assert points(conn, account) == 110
    done = heard(till)[2]
    assert (done.state, done.approver, done.reason) == (ParkedState.REVERSED, "Bo", "verkeerde")
    assert decided(conn) == [("approve", "Wil", "klopt"), ("undo", "Bo", "verkeerde")]
    # Both bookings stand: the second has the bytes of the manager's entry.
    booked = conn.execute("SELECT seq, kind, points FROM ledger WHERE seq IN (2, 4) ORDER BY seq").fetchall()
    assert booked == [(2, "sale", 500), (4, "void", -500)]
    assert conn.execute("SELECT raw FROM ledger WHERE seq = 4").fetchone() == (till.chain.raws[3],)
    assert conn.execute("SELECT name, count FROM counter ORDER BY name").fetchall() <= counters
    assert proof(conn, till.terminal, 1, DAY).parked == 0
    stands(undo(till, 2, Action.APPROVE), "the last word on this entry is undo by Bo")
    assert decide(till, 2, Action.APPROVE).code == "resolved_before"


def test_points_that_were_spent_are_not_taken_back(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member()
    till.chain.sale(card, (6000,), programme_version=9)
    sent(till)
    decide(till, 1, Action.APPROVE)
    till.chain.sale(card, (2000,), rewards=["five-off"])
    assert sent(till).results[-1].outcome is Outcome.BOOKED
    assert points(conn, account) == 60 - 50 + 15
    stands(undo(till, 1, Action.APPROVE), "its 60 points were spent since")
    assert points(conn, account) == 25
    assert heard(till)[1].state is ParkedState.APPROVED
    assert len(decided(conn)) == 1


def test_points_that_are_set_aside_at_a_till_become_a_debt_as_with_any_void(
    till: TestTill, member: Member, conn: Connection
) -> None:
    lease = OfflinePolicy(
        redeem=OfflineMode.LEASE, lease_points=100, lease_tills=2, lease_lifetime_s=86_400, lease_grace_s=3600
    )
    publish(conn, programme(2).model_copy(update={"offline": lease}))
    card, account = member()
    till.chain.sale(card, (8000,), programme_version=9)
    sent(till)
    decide(till, 1, Action.APPROVE)
    assert conn.execute("SELECT sum(points - spent) FROM lease WHERE state = 'active'").fetchone() == (80,)
    assert undo(till, 1, Action.APPROVE).outcome is Outcome.BOOKED
    assert points(conn, account) == 0
    assert debt_totals(conn) == (1, 80)


def test_what_came_after_the_approval_lets_it_stand(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member(points=100)
    sale = till.chain.sale(card, programme_version=9)
    till.chain.void(sale)
    assert [result.code for result in sent(till).results] == ["unknown_programme", "void_unknown"]
    decide(till, 1, Action.APPROVE)
    decide(till, 2, Action.APPROVE)
    stands(undo(till, 1, Action.APPROVE), "it was undone since")
    stands(undo(till, 2, Action.APPROVE), "only sales are taken back here")
    assert points(conn, account) == 100


def test_what_was_reversed_waits_again_and_is_decided_anew(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member()
    till.chain.sale(card, programme_version=9)
    sent(till)
    decide(till, 1, Action.REVERSE)
    assert undo(till, 1, Action.REVERSE).outcome is Outcome.BOOKED
    waiting = heard(till)[1]
    assert (waiting.state, waiting.code, waiting.approver) == (ParkedState.OPEN, "unknown_programme", "Bo")
    assert proof(conn, till.terminal, 1, DAY).parked == 1
    stands(undo(till, 1, Action.REVERSE), "the last word on this entry is undo")
    assert decide(till, 1, Action.APPROVE).outcome is Outcome.BOOKED
    assert points(conn, account) == 10
    assert [action for action, _, _ in decided(conn)] == ["reverse", "undo", "approve"]


def test_what_was_reversed_is_booked_when_its_card_became_known_meanwhile(
    till: TestTill, member: Member, conn: Connection
) -> None:
    _, account = member()
    till.chain.sale(STRANGER)
    till.chain.sale(STRANGER, (2500,))
    sent(till)
    decide(till, 1, Action.REVERSE)
    decide(till, 2, Action.LINK, account)
    assert points(conn, account) == 25
    assert undo(till, 1, Action.REVERSE).outcome is Outcome.BOOKED
    assert points(conn, account) == 35
    assert heard(till)[1].state is ParkedState.LINKED


def test_a_link_to_the_wrong_member_is_taken_back_whole(till: TestTill, member: Member, conn: Connection) -> None:
    _, wrong = member(points=5)
    _, right = member(points=7)
    till.chain.sale(STRANGER)
    till.chain.sale(STRANGER, (2500,))
    sent(till)
    decide(till, 2, Action.LINK, wrong)
    assert points(conn, wrong) == 40
    assert undo(till, 2, Action.LINK).outcome is Outcome.BOOKED
    assert points(conn, wrong) == 5
    assert conn.execute("SELECT 1 FROM card WHERE token = %s", (STRANGER,)).fetchone() is None
    assert [heard(till)[seq].state for seq in (1, 2)] == [ParkedState.OPEN] * 2
    assert proof(conn, till.terminal, 1, DAY).parked == 2
    stands(decide(till, 2, Action.LINK, wrong), "booked to this member before and taken back")
    assert decide(till, 2, Action.LINK, right).outcome is Outcome.BOOKED
    assert (points(conn, wrong), points(conn, right)) == (5, 42)
    assert [heard(till)[seq].state for seq in (1, 2)] == [ParkedState.LINKED] * 2
    assert proof(conn, till.terminal, 1, DAY).parked == 1  # the link that was refused


def test_a_link_stands_once_the_card_was_used(till: TestTill, member: Member, conn: Connection) -> None:
    _, account = member()
    till.chain.sale(STRANGER)
    sent(till)
    decide(till, 1, Action.LINK, account)
    till.chain.sale(STRANGER, (300,))
    sent(till)
    stands(undo(till, 1, Action.LINK), "the card was used since it was linked")
    assert points(conn, account) == 13


def test_what_was_handed_over_or_decided_by_head_office_stands(
    till: TestTill, new_till: Callable[[], TestTill], member: Member, conn: Connection
) -> None:
    card, account = member()
    neighbour = new_till()
    till.chain.sale(card, programme_version=9)
    sent(till)
    decide(till, 1, Action.REFER)
    stands(undo(till, 1, Action.REFER, at=neighbour), "Wil handed this entry to head office, which decides")
    with conn.transaction():
        word = Word(till.chain.decide(1, Action.APPROVE), "mag", "Hoofdkantoor")
        assert resolve(conn, Programmes(), word) == (None, [account])
    stands(undo(till, 1, Action.APPROVE), "head office (Hoofdkantoor) decided about this entry")
    assert points(conn, account) == 10


def test_what_was_handed_over_and_booked_since_stands(till: TestTill, member: Member, conn: Connection) -> None:
    """Its card became known while head office had it, and before the manager's undo came."""
    _, account = member()
    till.chain.sale(STRANGER)
    till.chain.sale(STRANGER, (2500,))
    sent(till)
    decide(till, 1, Action.REFER)
    decide(till, 2, Action.LINK, account)
    assert points(conn, account) == 35
    stands(undo(till, 1, Action.REFER), "it was booked meanwhile")
    assert points(conn, account) == 35
    assert heard(till)[1].state is ParkedState.LINKED


@pytest.mark.parametrize("first", [Action.APPROVE, Action.REVERSE, Action.REFER, Action.LINK])
def test_a_decision_withdrawn_before_it_was_sent_comes_to_nothing(
    till: TestTill, member: Member, conn: Connection, first: Action
) -> None:
    """Both come in one batch, in the order in which they were made."""
    card, account = member()
    till.chain.sale(STRANGER if first is Action.LINK else card, programme_version=1 if first is Action.LINK else 9)
    sent(till)
    till.chain.resolution(till.chain.decide(1, first, account if first is Action.LINK else None))
    till.chain.resolution(till.chain.decide(1, Action.UNDO, undoes=first))
    assert [result.outcome for result in sent(till).results[1:]] == [Outcome.BOOKED] * 2
    assert points(conn, account) == 0
    assert heard(till)[1].state is (ParkedState.REVERSED if first is Action.APPROVE else ParkedState.OPEN)


def test_another_decision_that_came_between_is_not_taken_back(
    till: TestTill, new_till: Callable[[], TestTill], member: Member, conn: Connection
) -> None:
    card, account = member()
    neighbour = new_till()
    till.chain.sale(card, programme_version=9)
    sent(till)
    assert decide(till, 1, Action.APPROVE, at=neighbour).outcome is Outcome.BOOKED
    assert decide(till, 1, Action.REVERSE).code == "resolved_before"
    stands(undo(till, 1, Action.REVERSE), "the last word on this entry is approve by Wil")
    assert points(conn, account) == 10


def test_an_undo_says_what_it_takes_back() -> None:
    named = {"terminal": "t-1", "epoch": 1, "seq": 1, "digest": "0" * 64}
    for wrong in ({"action": "undo"}, {"action": "undo", "undoes": "undo"}, {"action": "refer", "undoes": "approve"}):
        with pytest.raises(ValidationError, match="the decision that is taken back on every undo"):
            Resolution.model_validate({**named, **wrong})
