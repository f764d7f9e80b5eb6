"""Customers who became members at a till, also one without a line: an account, once, and what waited for the card."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from loyalty.ledger import Entry, EntryKind
from loyalty.programme import Programme
from sync.hq.database import Connection
from sync.hq.programmes import publish
from sync.wire import BatchAnswer, Outcome
from sync.wire_mirror import AccountChange, CardChange, ChangesPage
from tests.support.entries import TestTill, programme

STRANGER = "e" * 32
TERMS = {"nl": "U spaart punten.", "en": "You earn points."}


@pytest.fixture
def rules(conn: Connection) -> Programme:
    """Version 2, with terms to agree to."""
    document = {**programme(2).model_dump(mode="json"), "texts": {"terms": TERMS}}
    made = Programme.from_document(document)
    publish(conn, made)
    return made


def word(till: TestTill, rules: Programme, kind: EntryKind, card: str = STRANGER, **changed: Any) -> Entry:
    """Append what a customer says: an enrolment or an answer."""
    return till.chain.word(kind, card, rules, **changed)


def enrol(till: TestTill, rules: Programme) -> Entry:
    return word(till, rules, EntryKind.ENROLMENT, consent="nl")


def sent(till: TestTill) -> BatchAnswer:
    response = till.send()
    assert response.status_code == 200, response.text
    return BatchAnswer.decode(response.content)


def test_a_card_becomes_a_members_and_its_sales_count(till: TestTill, conn: Connection, rules: Programme) -> None:
    before = till.chain.sale(STRANGER, (1000,), rules=rules)
    assert sent(till).results[-1].code == "unknown_card"
    entry = enrol(till, rules)
    till.chain.sale(STRANGER, (2500,), rules=rules)  # in the same batch, after it
    answer = sent(till)
    assert [result.outcome for result in answer.results[1:]] == [Outcome.BOOKED] * 2
    account = f"till-{entry.id}"
    assert [(balance.account, balance.points) for balance in answer.balances] == [(account, 35)]
    booked = conn.execute("SELECT kind, points FROM ledger WHERE account_id = %s ORDER BY seq", (account,)).fetchall()
    assert booked == [("sale", before.points), ("enrolment", 0), ("sale", 25)]
    page = ChangesPage.decode(till.get("/v1/changes/till").content)
    assert [(c.first_name, c.tier, c.points) for c in page.changes if isinstance(c, AccountChange)] == [
        (None, "basic", 35)
    ]
    assert [(c.token, c.account) for c in page.changes if isinstance(c, CardChange)] == [(STRANGER, account)]


def test_what_was_agreed_to_is_kept_as_the_till_wrote_it(till: TestTill, conn: Connection, rules: Programme) -> None:
    entry = enrol(till, rules)
    sent(till)
    row = conn.execute("SELECT raw, terminal_id FROM ledger WHERE kind = 'enrolment'").fetchone()
    assert row is not None
    kept = Entry.decode(bytes(row[0]))
    assert (kept.consent, kept.programme_version, kept.clock.wall_ms) == ("nl", 2, entry.clock.wall_ms)
    assert row[1] == till.terminal


def test_two_tills_without_a_line_make_one_member(
    till: TestTill, new_till: Callable[[], TestTill], conn: Connection, rules: Programme
) -> None:
    other = new_till()
    first, _ = enrol(till, rules), enrol(other, rules)
    till.chain.sale(STRANGER, (1000,), rules=rules)
    other.chain.sale(STRANGER, (500,), rules=rules)
    assert {result.outcome for result in (*sent(till).results, *sent(other).results)} == {Outcome.BOOKED}
    assert conn.execute("SELECT account_id FROM account").fetchall() == [(f"till-{first.id}",)]
    assert conn.execute("SELECT points FROM balance").fetchall() == [(15,)]


def test_an_enrolment_that_comes_again_does_nothing_again(till: TestTill, conn: Connection, rules: Programme) -> None:
    enrol(till, rules)
    first, again = sent(till), sent(till)
    assert again.results[-1].outcome is Outcome.DUPLICATE
    assert first.balances == again.balances
    assert conn.execute("SELECT count(*) FROM account").fetchone() == (1,)


def test_without_published_terms_nobody_agreed_to_anything(till: TestTill, conn: Connection, rules: Programme) -> None:
    enrol(till, programme())  # version 1 has none
    enrol(till, rules.model_copy(update={"version": 9}))
    assert [result.code for result in sent(till).results] == ["unknown_card"] * 2
    assert conn.execute("SELECT count(*) FROM account").fetchone() == (0,)


def test_an_answer_is_booked_to_the_member(
    till: TestTill, member: Callable[..., tuple[str, str]], conn: Connection, rules: Programme
) -> None:
    card, account = member(points=7)
    word(till, rules, EntryKind.ANSWER, card, answer=0)
    assert sent(till).results[-1].outcome is Outcome.BOOKED
    row = conn.execute("SELECT raw, points FROM ledger WHERE kind = 'answer'").fetchone()
    assert row is not None
    assert (Entry.decode(bytes(row[0])).answer, row[1]) == (0, 0)
    assert conn.execute("SELECT points FROM balance WHERE account_id = %s", (account,)).fetchone() == (7,)
