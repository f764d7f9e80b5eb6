"""Cards blocked and replaced on a store manager's word: once, only the member's own cards, told to every till."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from loyalty.card_orders import CardAction, CardOrder
from sync.hq.database import Connection
from sync.wire import BatchAnswer, Outcome
from sync.wire_mirror import CardChange, ChangesPage
from tests.support.entries import TestTill

Member = Callable[..., tuple[str, str]]
NEW = "ab" * 16


def heard(till: TestTill) -> dict[str, CardChange]:
    page = ChangesPage.decode(till.get("/v1/changes/till").content)
    return {change.token: change for change in page.changes if isinstance(change, CardChange)}


def sent(till: TestTill) -> BatchAnswer:
    response = till.send()
    assert response.status_code == 200, response.text
    return BatchAnswer.decode(response.content)


def test_blocked_and_let_in_again(till: TestTill, member: Member) -> None:
    card, account = member(10)
    till.chain.order(CardOrder(action=CardAction.BLOCK), card, account)
    assert [result.outcome for result in sent(till).results] == [Outcome.BOOKED]
    assert heard(till)[card].blocked
    till.chain.order(CardOrder(action=CardAction.UNBLOCK), card, account)
    assert [result.outcome for result in sent(till).results] == [Outcome.DUPLICATE, Outcome.BOOKED]
    assert not heard(till)[card].blocked


def test_replaced(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member(10)
    till.chain.order(CardOrder(action=CardAction.REPLACE, new_card=NEW), card, account)
    answer = sent(till)
    assert [(balance.account, balance.points) for balance in answer.balances] == [(account, 10)]
    assert (heard(till)[card].blocked, heard(till)[NEW].account, heard(till)[NEW].blocked) == (True, account, False)
    assert conn.execute(
        "SELECT count(*) FROM ledger WHERE account_id = %s AND kind = 'adjustment'", (account,)
    ).fetchone() == (1,)


def test_a_card_that_somebody_has_meanwhile_stays_theirs(till: TestTill, member: Member) -> None:
    card, account = member(10)
    other, owner = member(20)
    till.chain.order(CardOrder(action=CardAction.REPLACE, new_card=other), card, account)
    sent(till)
    assert (heard(till)[card].blocked, heard(till)[other].account) == (True, owner)


@pytest.mark.parametrize("action", [CardAction.BLOCK, CardAction.UNBLOCK])
def test_a_card_of_nobody_is_parked(till: TestTill, member: Member, action: CardAction) -> None:
    member(10)
    till.chain.order(CardOrder(action=action), "f" * 32, "m-nobody")
    (result,) = sent(till).results
    assert (result.outcome, result.code) == (Outcome.PARKED, "unknown_card")
