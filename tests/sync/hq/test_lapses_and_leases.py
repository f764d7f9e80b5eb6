"""Points that are set aside at a till: a night leaves them until that is over, and what takes them back is a debt."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from loyalty.ledger import Entry
from loyalty.programme import OfflineMode, OfflinePolicy, Programme
from loyalty.programme_members import Expiry
from loyalty.spending import Authority, AuthorityKind
from sync.hq.database import Connection, Database
from sync.hq.leases import LeaseRow, live, reclaim_due
from sync.hq.nightly import Night, run
from sync.hq.programmes import publish
from sync.hq.spending import debt_totals
from sync.wire import BatchAnswer
from sync.wire_spending import LeasesClosed
from tests.support.entries import TestTill, programme

Member = Callable[..., tuple[str, str]]

RULES: Programme = programme(2).model_copy(
    update={
        "offline": OfflinePolicy(
            redeem=OfflineMode.LEASE, lease_points=100, lease_tills=1, lease_lifetime_s=86_400, lease_grace_s=3600
        ),
        "expiry": Expiry(after_months=12),
    }
)
OVER = timedelta(seconds=86_400 + 3600 + 1)
MARCH = date(2026, 3, 31)
PAST = date(2027, 4, 1)


@pytest.fixture(autouse=True)
def leasing(conn: Connection) -> None:
    publish(conn, RULES)


def send(till: TestTill) -> None:
    response = till.send(till.chain.batch(len(till.chain.raws)))
    assert response.status_code == 200, response.text
    assert all(result.code is None for result in BatchAnswer.decode(response.content).results)


def sell(till: TestTill, card: str, minor: int, day: date = MARCH, lease: LeaseRow | None = None) -> Entry:
    """Book a sale; with a lease, one that spends 50 points of it."""
    authority = (Authority(kind=AuthorityKind.LEASE, id=lease.lease, points=50),) if lease else ()
    rewards = ["five-off"] if lease else []
    sale = till.chain.sale(card, (minor,), rules=RULES, day=day, rewards=rewards, authority=authority)
    send(till)
    return sale


def balance(conn: Connection, account: str) -> int:
    row = conn.execute(
        "SELECT b.points, (SELECT sum(points) FROM ledger l WHERE l.account_id = b.account_id) FROM balance b "
        "WHERE account_id = %s",
        (account,),
    ).fetchone()
    assert row is not None
    assert row[0] == row[1]
    return int(row[0])


def lease_of(conn: Connection, account: str) -> LeaseRow:
    (lease,) = [lease for lease in live(conn) if lease.account == account]
    return lease


def give_up(till: TestTill, conn: Connection, lease: LeaseRow) -> None:
    """The till closes the lease, and its time and grace go by."""
    message = {"epoch": 1, "seq": len(till.chain.raws), "leases": [lease.lease]}
    assert LeasesClosed.decode(till.post("/v1/leases/closed", json.dumps(message).encode()).content).closed == 1
    assert reclaim_due(conn, datetime.now(UTC) + OVER) == 1


def test_a_night_takes_what_is_free_and_the_rest_when_the_lease_is_over(
    till: TestTill, member: Member, conn: Connection, database: Database
) -> None:
    card, account = member(points=0)
    sell(till, card, 13_000)  # 130 points, of which 100 are set aside at this till
    lease = lease_of(conn, account)
    assert run(conn, database.programmes, PAST).lapsed_points == 30
    assert run(conn, database.programmes, PAST) == Night()
    assert run(conn, database.programmes, PAST + timedelta(days=1)) == Night()
    assert balance(conn, account) == 100
    give_up(till, conn, lease)
    assert run(conn, database.programmes, PAST + timedelta(days=2)).lapsed_points == 100
    assert balance(conn, account) == 0
    assert run(conn, database.programmes, PAST + timedelta(days=2)) == Night()


def test_what_the_till_spends_of_a_lease_meanwhile_is_there(
    till: TestTill, member: Member, conn: Connection, database: Database
) -> None:
    """100 of March are past their day and set aside. 50 are spent: from March's, and not from what June brings."""
    card, account = member(points=0)
    sell(till, card, 10_000)
    lease = lease_of(conn, account)
    assert run(conn, database.programmes, PAST) == Night()
    sell(till, card, 4000, day=PAST)
    sell(till, card, 500, day=PAST, lease=lease)
    assert (balance(conn, account), debt_totals(conn)) == (90, (0, 0))
    give_up(till, conn, lease)
    assert run(conn, database.programmes, PAST + timedelta(days=1)).lapsed_points == 50
    assert balance(conn, account) == 40


def test_a_return_of_points_that_are_set_aside_is_a_debt(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member(points=0)
    coat = sell(till, card, 8000)
    lease = lease_of(conn, account)
    till.chain.returned(coat, {"1": 500})
    send(till)
    assert (balance(conn, account), debt_totals(conn)) == (40, (1, 40))  # the till may still spend all 80
    sell(till, card, 500, lease=lease)
    assert (balance(conn, account), debt_totals(conn)) == (-10, (1, 40))


def test_a_void_of_points_that_are_set_aside_is_a_debt(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member(points=0)
    coat = sell(till, card, 6000)
    sell(till, card, 3000)
    till.chain.void(coat)
    send(till)
    assert (balance(conn, account), debt_totals(conn)) == (30, (1, 30))


def test_a_return_that_takes_what_nobody_set_aside_is_none(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member(points=500)
    coat = sell(till, card, 8000)
    till.chain.returned(coat, {"1": 1000})
    send(till)
    assert (balance(conn, account), debt_totals(conn)) == (500, (0, 0))
