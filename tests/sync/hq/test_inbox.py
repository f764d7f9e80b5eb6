"""Decisions about parked entries: each carried out once, with who and why, and heard of by the tills of the store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from loyalty.cards import CardNumber
from loyalty.programme_members import OfflineMode, OfflinePolicy
from loyalty.resolution import Action, Resolution, actions_for
from sync.hq.database import Connection, Database
from sync.hq.enrolment import new_code
from sync.hq.inbox import resolve
from sync.hq.members import import_members
from sync.hq.nightly import run
from sync.hq.programmes import Programmes, publish
from sync.hq.proofs import proof
from sync.hq.received import Code
from sync.hq.waiting import Word
from sync.wire import BatchAnswer, Outcome
from sync.wire_mirror import ChangesPage, ParkedChange, ParkedState
from tests.support.entries import DAY, TestTill, programme
from tests.sync.hq.conftest import CARDS

Member = Callable[..., tuple[str, str]]
STRANGER = "f" * 32


@pytest.fixture(autouse=True)
def nothing_is_lost(conn: Connection) -> Any:
    """Σ ledger = balance for every account; everything received is booked, waits, or was decided about."""
    yield
    assert conn.execute(
        "SELECT account_id FROM balance FULL JOIN (SELECT account_id, sum(points) AS booked FROM ledger GROUP BY 1) l "
        "USING (account_id) WHERE coalesce(points, 0) <> coalesce(booked, 0)"
    ).fetchall() == []  # fmt: skip
    assert conn.execute(
        "SELECT count(*) FROM received r WHERE NOT EXISTS (SELECT FROM ledger l WHERE l.digest = r.digest) "
        "AND NOT EXISTS (SELECT FROM parked p WHERE p.digest = r.digest) "
        "AND NOT EXISTS (SELECT FROM resolution s "
        "WHERE (s.by_terminal, s.by_epoch, s.by_seq) = (r.terminal_id, r.epoch, r.seq))"
    ).fetchone() == (0,)  # fmt: skip


def sent(till: TestTill) -> BatchAnswer:
    """Send the whole journal again; the answer's last result is that of the newest entry."""
    response = till.send()
    assert response.status_code == 200, response.text
    return BatchAnswer.decode(response.content)


def heard(till: TestTill) -> dict[int, ParkedChange]:
    """The parked entries that the feed tells a till of, by number."""
    page = ChangesPage.decode(till.get("/v1/changes/till").content)
    return {change.seq: change for change in page.changes if isinstance(change, ParkedChange)}


def points(conn: Connection, account: str) -> int:
    row = conn.execute("SELECT points FROM balance WHERE account_id = %s", (account,)).fetchone()
    return int(row[0]) if row else 0


def decide(till: TestTill, seq: int, action: Action, account: str | None = None, at: TestTill | None = None) -> Any:
    """Put a decision about entry `seq` of `till` on the chain of `at` (the same till), send it: its result."""
    by = at or till
    by.chain.resolution(till.chain.decide(seq, action, account))
    return sent(by).results[-1]


def test_a_link_books_everything_of_the_card_once(till: TestTill, member: Member, conn: Connection) -> None:
    _, account = member(points=5)
    sale = till.chain.sale(STRANGER)
    till.chain.sale(STRANGER, (2500,))
    till.chain.void(sale)
    assert [result.code for result in sent(till).results] == ["unknown_card"] * 3
    till.chain.resolution(till.chain.decide(2, Action.LINK, account))
    till.chain.sale(STRANGER, (300,))  # in the same batch, after the link
    answer = sent(till)
    assert [result.outcome for result in answer.results[3:]] == [Outcome.BOOKED] * 2
    assert [(balance.account, balance.points) for balance in answer.balances] == [(account, 5 + 25 + 3)]
    assert points(conn, account) == 33
    assert sent(till).balances == answer.balances  # the answer was lost: nothing is done again
    assert points(conn, account) == 33
    assert conn.execute("SELECT count(*) FROM resolution").fetchone() == (1,)
    assert {change.state for change in heard(till).values()} == {ParkedState.LINKED}
    assert proof(conn, till.terminal, 1, DAY).parked == 0
    assert proof(conn, till.terminal, 1, DAY).proof.entries == 5


def test_an_approval_books_as_stated_with_who_and_why(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member(points=100)
    inflated = till.chain.sale(card).settlement.model_copy(update={"points_earned": 500})
    till.chain.sale(card, settlement=inflated, points=500)
    sent(till)
    waiting = heard(till)[2]
    assert (waiting.code, waiting.state, waiting.points, waiting.approver) == ("accrual_differs", "open", 500, None)
    assert (waiting.terminal, waiting.till, waiting.card) == (till.terminal, till.name, card)
    till.chain.resolution(till.chain.decide(2, Action.APPROVE), reason="actie in de krant", approver="Wil")
    answer = sent(till)
    assert answer.results[-1].outcome is Outcome.BOOKED
    assert [balance.points for balance in answer.balances] == [100 + 10 + 500]
    assert points(conn, account) == 610
    done = heard(till)[2]
    assert (done.state, done.approver, done.reason) == ("approved", "Wil", "actie in de krant")
    assert conn.execute("SELECT by_terminal, by_epoch, by_seq FROM resolution").fetchone() == (till.terminal, 1, 3)
    assert conn.execute("SELECT seq, raw FROM ledger WHERE points = 500").fetchone() == (2, till.chain.raws[1])


def test_a_reversal_books_nothing_and_is_done_with(till: TestTill, member: Member, conn: Connection) -> None:
    till.chain.sale(STRANGER)
    sent(till)
    assert decide(till, 1, Action.REVERSE).outcome is Outcome.BOOKED
    assert conn.execute("SELECT count(*) FROM ledger").fetchone() == (0,)
    assert heard(till)[1].state is ParkedState.REVERSED
    assert proof(conn, till.terminal, 1, DAY).parked == 0


def test_what_is_handed_to_head_office_is_decided_there(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member()
    till.chain.sale(card, programme_version=9)
    sent(till)
    assert decide(till, 1, Action.REFER).outcome is Outcome.BOOKED
    assert heard(till)[1].state is ParkedState.REFERRED
    assert proof(conn, till.terminal, 1, DAY).parked == 1  # it waits still
    late = decide(till, 1, Action.APPROVE)
    assert (late.outcome, late.code) == (Outcome.PARKED, "resolved_before")
    assert "handed to head office by Wil" in late.text
    assert points(conn, account) == 0
    with conn.transaction():
        word = Word(till.chain.decide(1, Action.APPROVE), "versie 9 was een proef", "Hoofdkantoor")
        assert resolve(conn, Programmes(), word) == (None, [account])
    assert points(conn, account) == 10
    assert (heard(till)[1].state, heard(till)[1].approver) == ("approved", "Hoofdkantoor")


def test_a_decision_that_cannot_be_carried_out_parks_with_its_reason(
    till: TestTill, member: Member, conn: Connection
) -> None:
    card, account = member()
    other_card, other = member()
    sale = till.chain.sale(card)
    till.chain.sale(STRANGER)
    till.chain.sale(card, id=sale.id)
    till.chain.raw(b"{}")
    till.chain.sale(card, programme_version=9)
    sent(till)
    for seq, action, owner, code, text in (
        (1, Action.REVERSE, None, Code.RESOLUTION_UNKNOWN, "nothing is parked as"),
        (2, Action.APPROVE, None, Code.RESOLUTION_REFUSED, "cannot be settled by approve: choose link or"),
        (2, Action.LINK, "nobody", Code.RESOLUTION_REFUSED, "no member 'nobody'"),
        (3, Action.APPROVE, None, Code.RESOLUTION_REFUSED, "id_twice cannot be settled"),
        (4, Action.APPROVE, None, Code.RESOLUTION_REFUSED, "unreadable cannot be settled"),
        (5, Action.LINK, account, Code.RESOLUTION_REFUSED, "cannot be settled by link"),
    ):
        result = decide(till, seq, action, owner)
        assert (result.outcome, result.code) == (Outcome.PARKED, code), text
        assert text in result.text
    assert decide(till, 2, Action.LINK, other).outcome is Outcome.BOOKED
    again = decide(till, 2, Action.LINK, account)
    assert (again.code, "was linked by Wil on" in again.text) == ("resolved_before", True)
    refused = [change for change in heard(till).values() if change.entry_kind == "resolution"]
    assert len(refused) == 7
    # A decision that came to nothing waits in the inbox like any other entry, and is taken from it like any other.
    assert decide(till, refused[0].seq, Action.REVERSE).outcome is Outcome.BOOKED
    assert (points(conn, account), points(conn, other)) == (10, 10)
    assert other_card != STRANGER


def test_a_repeat_of_what_is_booked_is_never_approved(till: TestTill, member: Member, conn: Connection) -> None:
    """Parked as a conflict, it may be approved, but the entry itself may be here already."""
    card, account = member()
    sale = till.chain.sale(card)
    till.chain.sale(card, id=sale.id)
    sent(till)
    conn.execute("UPDATE parked SET code = 'stream_conflict'")
    assert "booked already" in decide(till, 2, Action.APPROVE).text
    assert points(conn, account) == 10


def test_what_a_copied_till_sold_is_approved_or_linked(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member()
    till.chain.sale(card)
    sent(till)
    clone = type(till.chain)(till.terminal)
    clone.sale(card, (4000,))
    clone.sale(STRANGER, (700,))
    assert till.send(clone.batch()).status_code == 409
    waiting = [change for change in heard(till).values() if change.code == "stream_conflict"]
    assert [(change.epoch, change.points, change.card) for change in waiting] == [(0, 40, card), (0, 7, STRANGER)]
    assert till.send(clone.batch()).status_code == 409  # the copy comes again: nothing is parked twice
    assert conn.execute("SELECT count(*) FROM parked").fetchone() == (2,)
    first, second = (
        Resolution(terminal=till.terminal, epoch=0, seq=change.seq, digest=change.digest, action=action, account=owner)
        for change, action, owner in zip(waiting, (Action.APPROVE, Action.LINK), (None, account), strict=True)
    )
    till.chain.resolution(first)
    till.chain.resolution(second)
    answer = sent(till)
    assert [result.code for result in answer.results[-2:]] == [None, None]
    assert points(conn, account) == 10 + 40 + 7
    assert conn.execute("SELECT count(*) FROM parked WHERE resolved_at IS NULL").fetchone() == (0,)


def test_what_head_office_failed_on_is_booked_or_linked_by_its_bytes_alone(
    till: TestTill, member: Member, conn: Connection
) -> None:
    """Parked without being looked at: what the entry says is read when somebody decides."""
    card, account = member()
    till.chain.sale(card, programme_version=9)
    till.chain.sale(STRANGER)
    till.chain.sale(STRANGER)
    sent(till)
    conn.execute("UPDATE parked SET code = 'server_fault', card = NULL, kind = NULL, points = 0 WHERE seq < 3")
    assert decide(till, 1, Action.APPROVE).outcome is Outcome.BOOKED
    assert "link it to one first" in decide(till, 2, Action.APPROVE).text
    assert decide(till, 2, Action.LINK, account).outcome is Outcome.BOOKED
    assert points(conn, account) == 30  # with what waited for the same card
    assert {change.state for seq, change in heard(till).items() if seq <= 3} == {"approved", "linked"}


def test_what_is_booked_for_an_epoch_that_is_past_sets_no_points_aside_there(
    till: TestTill, member: Member, conn: Connection
) -> None:
    lease = OfflinePolicy(
        redeem=OfflineMode.LEASE, lease_points=100, lease_tills=2, lease_lifetime_s=86_400, lease_grace_s=3600
    )
    publish(conn, programme(2).model_copy(update={"offline": lease}))
    card, account = member()
    till.chain.sale(card)
    sent(till)
    assert conn.execute("SELECT epoch FROM lease").fetchall() == [(1,)]
    clone = type(till.chain)(till.terminal)
    clone.sale(card, (40_000,))
    assert till.send(clone.batch()).status_code == 409
    (waiting,) = (change for change in heard(till).values() if change.code == "stream_conflict")
    till.chain.resolution(
        Resolution(terminal=till.terminal, epoch=0, seq=waiting.seq, digest=waiting.digest, action=Action.APPROVE)
    )
    assert sent(till).results[-1].outcome is Outcome.BOOKED
    assert points(conn, account) == 410
    assert conn.execute("SELECT DISTINCT epoch FROM lease").fetchall() == [(1,)]


def test_only_tills_of_the_store_hear_of_it_and_decide(
    till: TestTill, new_till: Callable[[], TestTill], database: Database, conn: Connection
) -> None:
    neighbour, stranger = new_till(), TestTill(till.client)
    stranger.enrol(new_code(conn, "s02", "Markt", datetime.now(UTC))[0])
    till.chain.sale(STRANGER)
    sent(till)
    assert set(heard(neighbour)) == {1}
    assert heard(stranger) == {}
    result = decide(till, 1, Action.REVERSE, at=stranger)
    assert (result.code, "is of another store" in result.text) == ("other_store", True)
    assert decide(till, 1, Action.REVERSE, at=neighbour).outcome is Outcome.BOOKED
    assert heard(till)[1].state is ParkedState.REVERSED


def test_two_managers_at_once_count_once(
    till: TestTill, new_till: Callable[[], TestTill], member: Member, conn: Connection
) -> None:
    card, account = member()
    till.chain.sale(card, programme_version=9)
    sent(till)
    tills = [new_till() for _ in range(4)]
    for other in tills:
        other.chain.resolution(till.chain.decide(1, Action.APPROVE))
    start = threading.Barrier(4)

    def send(other: TestTill) -> str | None:
        start.wait(10)
        return sent(other).results[0].code

    with ThreadPoolExecutor() as pool:
        codes = list(pool.map(send, tills))
    assert sorted(codes, key=str) == [None, *["resolved_before"] * 3]
    assert points(conn, account) == 10


def test_a_card_that_is_imported_later_books_what_waited_for_it(
    till: TestTill, database: Database, conn: Connection
) -> None:
    number = "2977000000001"
    card = CardNumber.parse(number, CARDS).token(database.keys.card)
    sale = till.chain.sale(card)
    till.chain.sale(card, (700,), programme_version=9)
    till.chain.void(sale)
    till.chain.sale(STRANGER)
    sent(till)
    import_members(
        conn, database.keys.card, CARDS, ["card_number,first_name,tier,points", f"{number},Bo,basic,3"], today=DAY
    )
    (account,) = conn.execute("SELECT account_id FROM card WHERE token = %s", (card,)).fetchone() or ("",)
    assert points(conn, account) == 3
    states = {seq: (change.state, change.code) for seq, change in heard(till).items()}
    assert states == {
        1: ("linked", "unknown_card"),
        2: ("open", "unknown_programme"),  # the card was not all that was wrong with it
        3: ("linked", "unknown_card"),
        4: ("open", "unknown_card"),
    }


def test_an_import_beside_an_entry_of_its_card_leaves_nothing_behind(
    till: TestTill, database: Database, conn: Connection
) -> None:
    """Whoever is second, the import or the batch, sees what the first wrote: no entry waits for a known card."""
    for turn in range(12):
        number = f"2978{turn:09d}"
        card = CardNumber.parse(number, CARDS).token(database.keys.card)
        till.chain.sale(card)
        start = threading.Barrier(2)

        def load(number: str = number, start: threading.Barrier = start) -> None:
            lines = ["card_number,first_name,tier,points", f"{number},Bo,basic,0"]
            with database.connection() as other:
                start.wait(10)
                import_members(other, database.keys.card, CARDS, lines, today=DAY)

        def send(start: threading.Barrier = start) -> None:
            start.wait(10)
            sent(till)

        with ThreadPoolExecutor() as pool:
            for done in [pool.submit(load), pool.submit(send)]:
                done.result()
    assert conn.execute("SELECT count(*) FROM parked WHERE resolved_at IS NULL").fetchone() == (0,)
    assert conn.execute("SELECT sum(points) FROM balance").fetchone() == (120,)


def test_a_night_follows_what_a_manager_approved(till: TestTill, member: Member, database: Database) -> None:
    """An approved void of a sale that is not here gives points back that were never drawn."""
    card, account = member(points=60)
    sale = type(till.chain)(till.terminal).sale(card, (2000,), rewards=["five-off"])
    till.chain.void(sale)
    assert sent(till).results[-1].code == "void_unknown"
    assert decide(till, 1, Action.APPROVE).outcome is Outcome.BOOKED
    with database.connection() as conn:
        assert points(conn, account) == 60 - 15 + 50
        run(conn, database.programmes, DAY)


def test_every_reason_has_what_may_be_done_about_it() -> None:
    for code in Code:
        assert {Action.REVERSE, Action.REFER} <= actions_for(code)
    assert actions_for("a code from a later version") == {Action.REVERSE, Action.REFER}
