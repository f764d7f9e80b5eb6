"""Leases at head office: granted where the member shops, never more than there is, back only when that is safe."""

from __future__ import annotations

import base64
import contextlib
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from loyalty.programme import OfflineMode, OfflinePolicy, Programme
from loyalty.spending import Authority, AuthorityKind
from sync.hq.available import available
from sync.hq.database import Connection, Database
from sync.hq.errors import HqError, Refused
from sync.hq.holds import capture, place, release
from sync.hq.leases import LeaseRow, Wish, grant, grant_anew, live, reclaim_due, revoke
from sync.hq.programmes import publish
from sync.hq.spending import debt_totals
from sync.wire import Problem
from sync.wire_mirror import ChangesPage, LeaseChange
from sync.wire_spending import Exposure, HoldAnswer, HoldRequest, LeasesClosed
from tests.support.entries import TestTill, programme
from tests.sync.hq.conftest import code

Member = Callable[..., tuple[str, str]]
NewTill = Callable[[], TestTill]

POLICY = OfflinePolicy(
    redeem=OfflineMode.LEASE, lease_points=100, lease_tills=2, lease_lifetime_s=86_400, lease_grace_s=3600
)
PASSED = timedelta(seconds=86_400 + 3600 + 1)


def rules(policy: OfflinePolicy = POLICY, version: int = 2) -> Programme:
    return programme(version).model_copy(update={"offline": policy})


@pytest.fixture
def leasing(conn: Connection) -> None:
    """The programme in force leases points."""
    publish(conn, rules())


def now() -> datetime:
    return datetime.now(UTC)


def free(conn: Connection, account: str) -> int:
    return available(conn, [account], now())[account]


def sell(till: TestTill, card: str, account: str, minor: int = 1000, **more: object) -> None:
    till.chain.sale(card, (minor,), account=account, rules=rules(), **more)  # type: ignore[arg-type]
    answer = till.send(till.chain.batch(len(till.chain.raws)))
    assert answer.status_code == 200, answer.text


def heard(till: TestTill) -> list[LeaseChange]:
    page = ChangesPage.decode(till.get("/v1/changes/till").content)
    return [change for change in page.changes if isinstance(change, LeaseChange)]


def close(till: TestTill, seq: int, *leases: str, epoch: int = 1) -> httpx.Response:
    return till.post("/v1/leases/closed", json.dumps({"epoch": epoch, "seq": seq, "leases": leases}).encode())


def by_account(conn: Connection, account: str) -> list[LeaseRow]:
    return [lease for lease in live(conn) if lease.account == account]


@pytest.mark.usefixtures("leasing")
def test_points_are_set_aside_where_the_member_shops_and_only_that_till_hears_of_it(
    new_till: NewTill, member: Member, conn: Connection
) -> None:
    here, elsewhere = new_till(), new_till()
    card, account = member(points=150)
    sell(here, card, account)
    (lease,) = heard(here)
    assert (lease.account, lease.terminal, lease.epoch, lease.points, lease.state) == (
        account, here.terminal, 1, 100, "active",
    )  # fmt: skip
    assert heard(elsewhere) == []
    assert free(conn, account) == 150 + 10 - 100
    response = elsewhere.post("/v1/holds", json.dumps(
        {"id": str(uuid.uuid4()), "card": card, "points": 61, "session": "b", "expires_s": 60}
    ).encode())  # fmt: skip
    assert Problem.decode(response.content).code == "points_short"


@pytest.mark.usefixtures("leasing")
def test_a_lease_is_signed_by_head_office(till: TestTill, member: Member, database: Database) -> None:
    sell(till, *member(points=150))
    (lease,) = heard(till)
    key = Ed25519PublicKey.from_public_bytes(database.keys.public)
    key.verify(base64.b64decode(lease.signature), lease.signed_bytes())
    dearer = replace(lease, points=101)
    with pytest.raises(InvalidSignature):
        key.verify(base64.b64decode(lease.signature), dearer.signed_bytes())
    with pytest.raises(InvalidSignature):
        other = Ed25519PrivateKey.generate().public_key()
        other.verify(base64.b64decode(lease.signature), lease.signed_bytes())


@pytest.mark.usefixtures("leasing")
def test_a_sale_draws_its_lease_down_and_a_spent_one_is_granted_anew(
    till: TestTill, member: Member, conn: Connection
) -> None:
    card, account = member(points=150)
    sell(till, card, account)
    (lease,) = heard(till)
    authority = (Authority(kind=AuthorityKind.LEASE, id=lease.id, points=50),)
    sell(till, card, account, 500, rewards=("five-off",), authority=authority)
    (drawn,) = by_account(conn, account)
    assert (drawn.lease, drawn.points, drawn.spent) == (lease.id, 100, 50)
    sell(till, card, account, 500, rewards=("five-off",), authority=authority)
    assert debt_totals(conn) == (0, 0)
    (fresh,) = by_account(conn, account)  # 60 points are left; a basket that cost nothing earned nothing
    assert (fresh.points, fresh.spent) == (60, 0)
    assert fresh.lease != lease.id
    assert free(conn, account) == 0


@pytest.mark.usefixtures("leasing")
def test_spending_beyond_a_lease_or_on_another_tills_is_debt(
    new_till: NewTill, member: Member, conn: Connection
) -> None:
    one, other = new_till(), new_till()
    card, account = member(points=100)
    sell(one, card, account, 100)
    (lease,) = heard(one)
    authority = (Authority(kind=AuthorityKind.LEASE, id=lease.id, points=50),)
    sell(other, card, account, 500, rewards=("five-off",), authority=authority)
    assert debt_totals(conn) == (1, 49)  # one point was earned and not leased out
    sell(one, card, account, 10_000)
    unknown = (Authority(kind=AuthorityKind.LEASE, id=str(uuid.uuid4()), points=50),)
    assert free(conn, account) == 51  # beside what is leased
    sell(one, card, account, 500, rewards=("five-off",), authority=unknown)
    assert debt_totals(conn) == (1, 49)
    sell(one, card, account, 500, rewards=("five-off",), authority=unknown)
    assert debt_totals(conn) == (2, 49 + 49)


@pytest.mark.parametrize("told", [False, True], ids=["never closed", "closed, but its entries are not here"])
@pytest.mark.usefixtures("leasing")
def test_time_alone_reclaims_nothing(till: TestTill, member: Member, conn: Connection, told: bool) -> None:
    card, account = member(points=100)
    sell(till, card, account, 100)
    (lease,) = by_account(conn, account)
    if told:
        assert close(till, 2, lease.lease).status_code == 200  # one entry more than head office has
    assert reclaim_due(conn, now() + 50 * PASSED) == 0
    assert by_account(conn, account)[0].lease == lease.lease


@pytest.mark.usefixtures("leasing")
def test_a_lease_is_reclaimed_when_its_time_is_over_and_the_stream_has_passed_it(
    till: TestTill, member: Member, conn: Connection
) -> None:
    card, account = member(points=100)
    sell(till, card, account, 100)
    (lease,) = by_account(conn, account)
    assert LeasesClosed.decode(close(till, 2, lease.lease).content).closed == 1
    assert reclaim_due(conn, now() + PASSED) == 0
    authority = (Authority(kind=AuthorityKind.LEASE, id=lease.lease, points=50),)
    sell(till, card, account, 500, rewards=("five-off",), authority=authority)  # entry 2 was still under way
    assert reclaim_due(conn, now() + PASSED - timedelta(minutes=1)) == 0
    assert reclaim_due(conn, now() + PASSED) == 1
    assert reclaim_due(conn, now() + PASSED) == 0
    assert free(conn, account) == 50  # the point earned meanwhile is in a lease of its own: the first was closed
    assert "gone" in {change.state for change in heard(till)}
    assert debt_totals(conn) == (0, 0)


@pytest.mark.usefixtures("leasing")
def test_a_terminal_in_its_next_epoch_has_dropped_its_leases(
    till: TestTill, member: Member, conn: Connection, database: Database
) -> None:
    card, account = member(points=100)
    sell(till, card, account, 100)
    (lease,) = by_account(conn, account)
    till.enrol(code(database))
    assert till.chain.epoch == 2
    assert Problem.decode(close(till, 0, lease.lease).content).code == "stream_conflict"
    assert LeasesClosed.decode(close(till, 0, lease.lease, epoch=2).content).closed == 0
    assert reclaim_due(conn, now() + PASSED) == 0  # what it spent in the epoch before may still be to come
    sell(till, *member(points=0), 100)
    assert reclaim_due(conn, now()) == 0
    assert reclaim_due(conn, now() + PASSED) == 1


@pytest.mark.usefixtures("leasing")
def test_an_operators_word_frees_a_lease_and_later_spending_is_debt(
    till: TestTill, member: Member, conn: Connection
) -> None:
    card, account = member(points=100)
    sell(till, card, account, 100)
    (lease,) = by_account(conn, account)
    assert revoke(conn, lease.lease, "head office", now()).points == 100
    assert free(conn, account) == 101
    assert [change.state for change in heard(till)] == ["gone"]
    with pytest.raises(HqError, match="no live lease"):
        revoke(conn, lease.lease, "head office", now())
    conn.execute("UPDATE balance SET points = 0 WHERE account_id = %s", (account,))
    conn.execute("UPDATE ledger SET points = 0 WHERE account_id = %s", (account,))
    authority = (Authority(kind=AuthorityKind.LEASE, id=lease.lease, points=50),)
    sell(till, card, account, 500, rewards=("five-off",), authority=authority)
    assert debt_totals(conn) == (1, 50)


def test_another_terminals_leases_cannot_be_closed(new_till: NewTill, member: Member, conn: Connection) -> None:
    publish(conn, rules())
    one, other = new_till(), new_till()
    card, account = member(points=100)
    sell(one, card, account)
    (lease,) = by_account(conn, account)
    assert LeasesClosed.decode(close(other, 0, lease.lease).content).closed == 0
    assert close(other, 0, "nonsense").status_code == 400
    assert close(other, 0).status_code == 400
    assert not by_account(conn, account)[0].closed


def test_the_night_sets_points_aside_at_the_tills_a_member_was_last_at(
    new_till: NewTill, member: Member, conn: Connection
) -> None:
    tills = [new_till() for _ in range(4)]
    card, account = member(points=250)
    for till in (tills[0], tills[1], tills[2], tills[0]):  # before leases: the capped programme
        till.chain.sale(card, (100,), account=account)
        assert till.send(till.chain.batch(len(till.chain.raws))).status_code == 200
    publish(conn, rules())
    assert grant_anew(conn, POLICY, now()) == 2
    found = {lease.terminal: lease.points for lease in by_account(conn, account)}
    assert found == {tills[0].terminal: 100, tills[2].terminal: 100}
    assert grant_anew(conn, POLICY, now()) == 0


def test_without_the_policy_nothing_is_set_aside(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member(points=100)
    till.chain.sale(card, (1000,), account=account)
    assert till.send().status_code == 200
    assert grant_anew(conn, OfflinePolicy(), now()) == 0
    assert live(conn) == []


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["grant", "sell", "spend", "close", "night", "hold", "capture", "let go", "book"]),
        st.integers(0, 2),
        st.integers(1, 120),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS, st.integers(0, 300))
def test_what_is_set_aside_never_exceeds_the_balance(
    database: Database, conn: Connection, member: Member, steps: list[tuple[str, int, int]], points: int
) -> None:
    """Whatever is granted, held, spent at tills, closed and reclaimed: Σ leases left + Σ holds ≤ balance, so no set of
    disconnected tills that spends all of them takes the balance below zero."""
    card, account = member(points=points)
    holds: list[HoldAnswer] = []
    terminals = [f"t-{uuid.uuid4().hex[:10]}" for _ in range(3)]
    for terminal in terminals:
        conn.execute("INSERT INTO stream (terminal_id, epoch, head_digest) VALUES (%s, 1, %s)", (terminal, bytes(32)))
    at = now()
    for step, number, amount in steps:
        at += timedelta(minutes=10 * amount)
        terminal = terminals[number]
        policy = POLICY.model_copy(update={"lease_points": amount, "lease_tills": 1 + number})
        mine = [lease for lease in by_account(conn, account) if lease.terminal == terminal]
        with conn.transaction():
            match step:
                case "grant":
                    grant(conn, policy, [Wish(account, terminal, 1)], at)
                case "sell":
                    conn.execute("UPDATE balance SET points = points + %s WHERE account_id = %s", (amount, account))
                case "spend" if mine:
                    spent = min(amount, mine[0].points - mine[0].spent)
                    conn.execute("UPDATE balance SET points = points - %s WHERE account_id = %s", (spent, account))
                    conn.execute(
                        "UPDATE lease SET spent = spent + %s WHERE lease_id::text = %s", (spent, mine[0].lease)
                    )
                case "close" if mine:
                    conn.execute("UPDATE lease SET closed_seq = 0 WHERE lease_id::text = %s", (mine[0].lease,))
        match step:
            case "night":
                reclaim_due(conn, at)
            case "hold":
                request = HoldRequest(
                    id=str(uuid.uuid4()), card=card, points=amount, session="bon", expires_s=1 + 1799 * number
                )
                with contextlib.suppress(Refused):
                    holds.append(place(conn, terminal, request, at))
            case "capture" | "let go" if holds:
                act = capture if step == "capture" else release
                with contextlib.suppress(Refused):  # of another terminal, or over
                    act(conn, terminal, uuid.UUID(holds[-1].id), at)
            case "book" if holds:  # its entry, while it stands
                spent = conn.execute(
                    "UPDATE hold SET state = 'booked' WHERE hold_id::text = %s AND state IN ('active', 'captured') "
                    "AND expires_at > %s RETURNING points",
                    (holds.pop().id, at),
                ).fetchone()
                if spent is not None:
                    conn.execute("UPDATE balance SET points = points - %s WHERE account_id = %s", (*spent, account))
        held = conn.execute(
            "SELECT coalesce(sum(points), 0)::bigint FROM hold WHERE account_id = %s "
            "AND state IN ('active', 'captured') AND expires_at > %s",
            (account, at),
        ).fetchone()
        assert held is not None
        left = sum(lease.points - lease.spent for lease in by_account(conn, account))
        (balance,) = conn.execute("SELECT points FROM balance WHERE account_id = %s", (account,)).fetchone() or (0,)
        assert left + held[0] <= balance
        assert available(conn, [account], at)[account] == balance - left - held[0]


def test_exposure_of_each_policy(new_till: NewTill, member: Member, conn: Connection) -> None:
    tills = [new_till() for _ in range(3)]
    _, poor = member(points=100)
    card, rich = member(points=1000)
    member(points=0)
    found = Exposure.decode(tills[0].get("/v1/exposure").content)
    # 200 points for a card a day, three business dates in 24 hours on the day that clocks change.
    assert (found.policy, found.tills, found.days) == ("capped", 3, 3)
    assert {row.account: row.points for row in found.accounts} == {poor: 3 * 100 - 100, rich: 3 * 600 - 1000}
    assert (found.chain_points, found.accounts_exposed) == (200 + 800, 2)
    publish(conn, rules(version=2))
    sell(tills[0], card, rich, 100)
    found = Exposure.decode(tills[0].get("/v1/exposure").content)
    assert (found.policy, found.chain_points, found.accounts, found.leased_points) == ("lease", 0, (), 100)
    publish(conn, rules(OfflinePolicy(), version=3))
    found = Exposure.decode(tills[0].get("/v1/exposure").content)
    assert (found.policy, found.chain_points, found.days) == ("never", 0, 0)


def test_exposure_counts_what_a_stale_mirror_still_believes(
    new_till: NewTill, member: Member, conn: Connection
) -> None:
    till = new_till()
    card, account = member(points=150)
    assert Exposure.decode(till.get("/v1/exposure").content).chain_points == 0  # one till alone sees what it spends
    new_till()
    for _ in range(3):
        till.chain.sale(card, (500,), account=account, rewards=("five-off",))
    assert till.send().status_code == 200
    (row,) = Exposure.decode(till.get("/v1/exposure").content).accounts
    assert row.points == 2 * 150  # both tills may still show 150
