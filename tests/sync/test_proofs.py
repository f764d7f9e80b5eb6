"""The proof of the day: what is compared, kept and compared again."""

from __future__ import annotations

from datetime import timedelta

from sync.journal import Journal
from sync.proofs import Proofs
from sync.store import Store
from sync.wire import DayProof
from tests.sync.build import DAY, draft, void_of

NEXT = DAY + timedelta(days=1)


def test_a_day_in_figures(journal: Journal) -> None:
    sale = journal.append(draft(1000))
    journal.append(draft(2000, rewards=("five-off",)))
    journal.append(void_of(sale))
    journal.append(draft(9900, business_date=NEXT))
    journal.acknowledge(1, 4)
    proof = journal.proof(DAY)
    # 10 + 15 − 10 earned, 50 spent; the void counts as an entry, and its points negative.
    assert (proof.terminal, proof.epoch, proof.entries) == ("t-1", 1, 3)
    assert (proof.points_earned, proof.points_spent) == (15, 50)
    tail_digest = journal.proof(NEXT)
    assert (tail_digest.entries, tail_digest.last_seq) == (1, 4)
    assert tail_digest.head_digest == journal.head().digest.hex()
    assert (proof.last_seq, len(proof.head_digest)) == (3, 64)


def test_a_day_without_entries(journal: Journal) -> None:
    proof = journal.proof(DAY)
    assert (proof.entries, proof.last_seq, proof.head_digest) == (0, 0, "")


def test_only_what_head_office_acknowledged_is_compared(journal: Journal) -> None:
    for _ in range(3):
        journal.append(draft())
    assert journal.proof(DAY).entries == 0
    journal.acknowledge(1, 2)
    assert journal.proof(DAY).entries == 2


def test_days_are_compared_until_they_agree_and_again_after_new_entries(store: Store, journal: Journal) -> None:
    proofs = Proofs(store, journal)
    assert (proofs.open_days(), proofs.latest()) == ([], None)
    journal.append(draft(business_date=NEXT))
    journal.append(draft())
    journal.acknowledge(1, 2)
    assert proofs.open_days() == [(1, DAY), (1, NEXT)]

    ours = journal.proof(DAY)
    wrong = ours.model_copy(update={"points_earned": ours.points_earned + 1})
    result = proofs.record(DAY, DayProof(proof=wrong, parked=2), 1000)
    assert (result.agrees, result.ours, result.theirs, result.parked) == (False, ours, wrong, 2)
    assert proofs.open_days() == [(1, DAY), (1, NEXT)]

    assert proofs.record(DAY, DayProof(proof=ours, parked=0), 2000).agrees
    assert proofs.open_days() == [(1, NEXT)]
    assert proofs.latest() == proofs.record(DAY, DayProof(proof=ours, parked=0), 3000)

    journal.append(draft())  # a late sale of that day
    journal.acknowledge(1, 3)
    assert proofs.open_days() == [(1, DAY), (1, NEXT)]


def test_every_figure_counts(store: Store, journal: Journal) -> None:
    journal.append(draft())
    journal.acknowledge(1, 1)
    ours = journal.proof(DAY)
    proofs = Proofs(store, journal)
    for name, value in (
        ("terminal", "t-2"),
        ("epoch", 2),
        ("entries", 2),
        ("points_earned", 0),
        ("points_spent", 1),
        ("last_seq", 2),
        ("head_digest", "0" * 64),
    ):
        assert not proofs.record(DAY, DayProof(proof=ours.model_copy(update={name: value}), parked=0), 1).agrees, name
