"""Becoming a member and answering the question at the till: on the disk at once, with no line, and once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from loyalty.ledger import EntryKind
from pos_client.reckoning import TillError
from pos_client.runtime import Runtime
from tests.support.entries import basket
from tests.support.till import PROGRAMME, SANNE, UNKNOWN_CARD, make_runtime

TERMS = {"nl": "U spaart punten.", "en": "You earn points."}


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    made = make_runtime(tmp_path, programme={**PROGRAMME, "texts": {"terms": TERMS}})
    yield made
    made.store.close()


def present(runtime: Runtime, card: str) -> str:
    holder = runtime.till.present_card(card, "EAN-13")
    assert holder is not None
    return holder.card


def sale(runtime: Runtime, card: str = SANNE.card) -> str:
    present(runtime, card)
    session = runtime.till.open_session().session
    runtime.till.set_basket(session, basket(1000))
    runtime.till.bookings.commit(session)
    return session


def test_who_agreed_to_what_when_and_where(runtime: Runtime) -> None:
    card = present(runtime, UNKNOWN_CARD)
    assert not runtime.members.enrolled(card)
    entry = runtime.members.enrol(card, "en")
    assert (entry.kind, entry.consent, entry.programme_version, entry.terminal) == (
        EntryKind.ENROLMENT,
        "en",
        1,
        "till-0002",
    )
    assert (entry.points, entry.account, entry.basket.lines) == (0, None, ())
    assert runtime.members.enrolled(card)
    assert runtime.journal.head().queued == 1, "it waits for the line, like a sale"


def test_again_is_the_same_entry(runtime: Runtime) -> None:
    card = present(runtime, UNKNOWN_CARD)
    assert runtime.members.enrol(card, "nl") == runtime.members.enrol(card, "nl")
    assert runtime.journal.head().seq == 1


def test_a_member_does_not_become_one_again(runtime: Runtime) -> None:
    with pytest.raises(TillError, match="a member's already"):
        runtime.members.enrol(present(runtime, SANNE.card), "nl")


def test_nobody_agrees_to_nothing(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path / "till")
    try:
        with pytest.raises(TillError) as caught:
            runtime.members.enrol(present(runtime, UNKNOWN_CARD), "nl")
        assert caught.value.code == "no_terms"
    finally:
        runtime.store.close()


def test_sales_after_it_earn_and_an_enrolment_is_no_purchase(runtime: Runtime) -> None:
    card = present(runtime, UNKNOWN_CARD)
    runtime.members.enrol(card, "nl")
    assert runtime.mirror.standing(runtime.mirror.find(card)).counters == {}
    sale(runtime, UNKNOWN_CARD)
    assert runtime.mirror.find(card).queued == 10


def test_the_first_answer_counts(runtime: Runtime) -> None:
    session = sale(runtime)
    assert runtime.members.answer(session, 0).answer == 0
    assert runtime.members.answer(session, 10).answer == 0
    assert runtime.journal.find_all(session=session)[EntryKind.ANSWER].points == 0


def test_nobody_answers_for_no_sale(runtime: Runtime) -> None:
    with pytest.raises(TillError) as caught:
        runtime.members.answer("no such sale", 5)
    assert caught.value.code == "unknown_session"


def test_a_sale_is_found_by_its_receipt(runtime: Runtime) -> None:
    session = sale(runtime)
    entry = runtime.till.corrections.sale_of(session)
    assert runtime.till.corrections.sale_of(entry.id) == entry
    with pytest.raises(TillError) as caught:
        runtime.till.corrections.sale_of("another shop's")
    assert caught.value.code == "unknown_receipt"
    runtime.till.bookings.void(session)
    with pytest.raises(TillError) as caught:
        runtime.till.corrections.sale_of(entry.id)
    assert caught.value.code == "sale_voided"
