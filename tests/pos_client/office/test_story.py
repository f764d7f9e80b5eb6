"""An account's story: newest first, each entry explained, and where it stands with head office."""

from __future__ import annotations

from loyalty.cards import CardNumber
from loyalty.ledger import EntryKind
from pos_client.office.lookup import Lookup
from pos_client.office.story import Line, Standing, Stories
from pos_client.runtime import Runtime
from tests.pos_client.commands.test_inbox import parked
from tests.pos_client.office.conftest import sell
from tests.support.till import CARD_KEY, FORMATS, JORIS, SANNE, UNKNOWN_CARD, publish


def story(runtime: Runtime, card: str, language: str = "en") -> list[Line]:
    (person,) = Lookup(runtime.store, CARD_KEY, FORMATS).find(card).people
    return Stories(runtime.store, language).of(person)


def test_newest_first_with_explanations(runtime: Runtime) -> None:
    sold = sell(runtime, SANNE.card)
    sell(runtime, JORIS.card)
    runtime.till.corrections.adjust("a-1", SANNE.card, 50, reason="broken cup", approver="Wil")
    runtime.till.bookings.void(sold)
    lines = story(runtime, SANNE.card)
    assert [line.entry.kind for line in lines] == [EntryKind.VOID, EntryKind.ADJUSTMENT, EntryKind.SALE]
    assert lines[2].said == "€ 23.40 × 1 point per euro = 23; silver + 50 % = 11"
    assert (lines[1].entry.reason, lines[1].entry.approver, lines[1].said) == ("broken cup", "Wil", "")
    assert "punt per euro" in story(runtime, SANNE.card, "nl")[2].said


def test_where_an_entry_stands(runtime: Runtime) -> None:
    for _ in range(3):
        sell(runtime, SANNE.card)
    runtime.journal.acknowledge(1, 2)
    digest = runtime.journal.digest_at(1, 1)
    assert digest is not None
    publish(runtime.mirror, [parked(1, terminal="till-0002", digest=digest.hex())])
    assert [line.standing for line in story(runtime, SANNE.card)] == [
        Standing.QUEUED,
        Standing.CONFIRMED,
        Standing.PARKED,
    ]


def test_a_card_of_nobody_has_a_story_too(runtime: Runtime) -> None:
    sell(runtime, UNKNOWN_CARD)
    (line,) = story(runtime, UNKNOWN_CARD)
    assert line.entry.card == CardNumber.parse(UNKNOWN_CARD, FORMATS).token(CARD_KEY)


def test_an_entry_whose_programme_is_not_here_is_told_without_an_explanation(runtime: Runtime) -> None:
    sell(runtime, SANNE.card)
    with runtime.store.transaction() as connection:
        connection.execute("DELETE FROM programme")
    assert [line.said for line in story(runtime, SANNE.card)] == [""]
