"""Pruning: only whole days that both sides agree on, a month after head office had them; the chain goes on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sync.health import broken_chain
from sync.journal import Journal
from sync.proofs import Proofs
from sync.prune import AT_ONCE, KEPT, prune
from sync.store import Store
from sync.wire import DayProof
from tests.sync.build import DAY, account, card, draft, hear

NOON = 1_790_000_000_000
DAY_MS = 86_400_000
LATER = NOON + KEPT.days * DAY_MS


def sold(journal: Journal, count: int, day: int = 0) -> None:
    for _ in range(count):
        journal.append(draft(business_date=DAY + timedelta(days=day)))


def agree(store: Store, journal: Journal) -> None:
    proofs = Proofs(store, journal)
    for epoch, day in proofs.open_days():
        assert proofs.record(day, DayProof(proof=journal.proof(day, epoch), parked=0), NOON).agrees


def left(store: Store) -> list[int]:
    return [row[0] for row in store.rows("SELECT seq FROM journal ORDER BY seq")]


def test_a_month_after_it_was_acknowledged_a_day_goes(store: Store, journal: Journal) -> None:
    mirror = hear(store, account(100), card())
    sold(journal, 3)
    sold(journal, 2, day=1)
    journal.acknowledge(1, 3, at_ms=NOON)
    journal.acknowledge(1, 5, at_ms=NOON + DAY_MS)
    mirror.confirm((), 1, 5)
    hear(store, account(150), seq=5)
    agree(store, journal)
    assert prune(store, Proofs(store, journal), LATER - DAY_MS) == 0
    assert prune(store, Proofs(store, journal), LATER) == 3
    assert left(store) == [4, 5]
    assert prune(store, Proofs(store, journal), LATER + DAY_MS) == 2
    assert (left(store), journal.head().seq, journal.head().queued) == ([], 5, 0)
    assert broken_chain(store._connection) is None
    assert Proofs(store, journal).open_days() == []
    entry = journal.append(draft())
    tail = journal.tail()
    assert tail is not None
    assert (tail.from_seq, entry.seq) == (6, 6)
    assert broken_chain(store._connection) is None
    assert mirror.find(entry.card).balance == 160


def test_what_must_stay_stays(store: Store, journal: Journal) -> None:
    sold(journal, 2)
    sold(journal, 2, day=1)
    sold(journal, 1)  # the first day again, after the clock was set back
    journal.acknowledge(1, 4, at_ms=NOON)
    agree(store, journal)
    assert prune(store, Proofs(store, journal), LATER) == 0  # entry 5 of the first day was not acknowledged
    journal.acknowledge(1, 5, at_ms=NOON)
    assert prune(store, Proofs(store, journal), LATER) == 0  # and the day was not compared with it
    agree(store, journal)
    assert prune(store, Proofs(store, journal), LATER) == 5


def test_a_day_that_differs_and_what_comes_after_it_stay(store: Store, journal: Journal) -> None:
    sold(journal, 2)
    sold(journal, 2, day=1)
    sold(journal, 2, day=2)
    journal.acknowledge(1, 6, at_ms=NOON)
    agree(store, journal)
    with store.transaction() as connection:
        connection.execute("UPDATE day_proof SET agrees = 0 WHERE business_date = ?", (str(DAY + timedelta(days=1)),))
    assert prune(store, Proofs(store, journal), LATER) == 2
    assert left(store) == [3, 4, 5, 6]


def test_more_than_goes_at_once(store: Store, journal: Journal) -> None:
    for _ in range(AT_ONCE // 100 + 1):
        journal.append_all([draft() for _ in range(100)])
    journal.acknowledge(1, AT_ONCE + 100, at_ms=NOON)
    agree(store, journal)
    assert prune(store, Proofs(store, journal), LATER) == AT_ONCE + 100
    assert left(store) == []


@pytest.mark.parametrize("to", [0, 2, 3, 4])
def test_only_what_is_still_here_can_be_sent_again(store: Store, journal: Journal, to: int) -> None:
    sold(journal, 3)
    sold(journal, 2, day=1)
    journal.acknowledge(1, 5, at_ms=NOON)
    agree(store, journal)
    with store.transaction() as connection:
        connection.execute("UPDATE acked_day SET seq = 3")
    assert prune(store, Proofs(store, journal), LATER) == 3
    assert journal.rewind(1, to) is (to >= 3)
    assert journal.head().acked_seq == (to if to >= 3 else 5)
