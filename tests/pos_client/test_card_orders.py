"""A manager blocks a card, lets it in again or replaces it: here at once, and still so when older word comes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from loyalty.card_orders import CardAction, CardOrder
from loyalty.cards import CardNumber
from loyalty.ledger import EntryKind
from pos_client.reckoning import TillError
from pos_client.runtime import Runtime
from sync.mirror import Holder
from tests.support.till import (
    CARD_KEY,
    EAN_FORMAT,
    FORMATS,
    JORIS,
    SANNE,
    UNKNOWN_CARD,
    card_text,
    make_runtime,
    member_changes,
    publish,
)

NEW = card_text(EAN_FORMAT, 4_444_444)


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    made = make_runtime(tmp_path / "till")
    yield made
    made.store.close()


def token(card: str) -> str:
    return CardNumber.parse(card, FORMATS).token(CARD_KEY)


def holder(runtime: Runtime, card: str) -> Holder:
    return runtime.mirror.find(token(card))


def order(runtime: Runtime, card: str, action: CardAction, new: str | None = None, its_id: str = "o-1") -> None:
    runtime.till.corrections.order_card(its_id, token(card), action, new_card_text=new, reason="lost", approver="Wil")


def test_a_blocked_card_is_refused_at_once(runtime: Runtime) -> None:
    order(runtime, SANNE.card, CardAction.BLOCK)
    assert holder(runtime, SANNE.card).blocked
    assert runtime.till.present_card(SANNE.card, "EAN-13") is None
    entry = runtime.journal.find_all(session="o-1")[EntryKind.ADJUSTMENT]
    assert (entry.points, entry.reason, entry.approver) == (0, "lost", "Wil")
    assert entry.order == CardOrder(action=CardAction.BLOCK)
    order(runtime, SANNE.card, CardAction.BLOCK)
    assert runtime.journal.head().seq == 1  # the same id is the same order


def test_a_card_that_is_found_again(runtime: Runtime) -> None:
    order(runtime, SANNE.card, CardAction.BLOCK)
    order(runtime, SANNE.card, CardAction.UNBLOCK, its_id="o-2")
    assert not holder(runtime, SANNE.card).blocked


def test_another_card_in_its_place(runtime: Runtime) -> None:
    order(runtime, SANNE.card, CardAction.REPLACE, NEW)
    assert holder(runtime, SANNE.card).blocked
    assert (holder(runtime, NEW).account, holder(runtime, NEW).blocked) == (SANNE.account, False)
    assert holder(runtime, NEW).balance == 1284


@pytest.mark.parametrize(
    ("card", "action", "new", "code"),
    [
        (SANNE.card, CardAction.REPLACE, JORIS.card, "card_taken"),
        (SANNE.card, CardAction.REPLACE, SANNE.card, "card_taken"),
        (SANNE.card, CardAction.REPLACE, None, "new_card_wanted"),
        (SANNE.card, CardAction.BLOCK, NEW, "new_card_wanted"),
        (UNKNOWN_CARD, CardAction.BLOCK, None, "member_unknown"),
    ],
)
def test_what_cannot_be_ordered(runtime: Runtime, card: str, action: CardAction, new: str | None, code: str) -> None:
    with pytest.raises(TillError) as caught:
        order(runtime, card, action, new)
    assert caught.value.code == code
    assert runtime.journal.head().seq == 0


def test_older_word_from_head_office_takes_nothing_back(runtime: Runtime) -> None:
    order(runtime, SANNE.card, CardAction.BLOCK)
    publish(runtime.mirror, member_changes([SANNE]))  # stated before head office heard of the order
    assert holder(runtime, SANNE.card).blocked
    publish(runtime.mirror, member_changes([SANNE]), includes_seq=1)  # it heard, and somebody there let the card in
    assert not holder(runtime, SANNE.card).blocked


def test_the_last_order_counts_when_older_word_comes(runtime: Runtime) -> None:
    order(runtime, SANNE.card, CardAction.BLOCK)
    order(runtime, SANNE.card, CardAction.UNBLOCK, its_id="o-2")
    publish(runtime.mirror, member_changes([SANNE]))
    assert not holder(runtime, SANNE.card).blocked
