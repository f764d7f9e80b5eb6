"""The whole road over real HTTP: enrol, send, follow the changes, prove the day."""

from __future__ import annotations

from collections.abc import Callable

from sync.hq.database import Connection
from sync.wire import BatchAnswer, DayProof, Outcome
from sync.wire_mirror import AccountChange, CardChange, ChangesPage, ProgrammeChange
from tests.support.entries import DAY, TestTill, programme

Member = Callable[..., tuple[str, str]]


def test_a_morning(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member(points=60, tier="gold")
    till.chain.sale(card, (1250, 999), account=account, tier="gold")  # 22 base, 22 bonus
    till.chain.sale(card, (2000,), account=account, tier="gold", rewards=["five-off"])  # 30 earned, 50 spent
    till.chain.void(till.chain.sale(card, (100,), account=account))

    answer = BatchAnswer.decode(till.send().content)
    assert [result.outcome for result in answer.results] == [Outcome.BOOKED] * 4
    assert (answer.durable_to, answer.applied_to) == (4, 4)
    assert [(balance.account, balance.points) for balance in answer.balances] == [(account, 60 + 44 + 30 - 50)]

    page = ChangesPage.decode(till.get("/v1/changes/till", cursor="").content)
    assert [type(change) for change in page.changes] == [ProgrammeChange, CardChange, AccountChange]
    assert page.changes[0] == ProgrammeChange(document=programme().model_dump(mode="json"))
    assert page.changes[1] == CardChange(token=card, account=account, blocked=False)
    assert page.changes[2] == AccountChange(account=account, first_name="Anna", tier="gold", points=84)
    assert (page.epoch, page.includes_seq, page.more) == (1, 4, False)
    assert page.cursor == answer.feeds["till"]
    again = ChangesPage.decode(till.get("/v1/changes/till", cursor=page.cursor).content)
    assert (again.changes, again.cursor) == ((), page.cursor)

    day = DayProof.decode(till.get(f"/v1/proofs/{DAY}").content)
    assert day.parked == 0
    assert (day.proof.entries, day.proof.points_earned, day.proof.points_spent) == (4, 74, 50)
    assert (day.proof.last_seq, day.proof.head_digest) == (4, till.chain.digests[4].hex())
    assert conn.execute("SELECT sum(points) FROM ledger").fetchone() == (84,)
