"""Rewards of which there are so many, and points that wait: counted as booked, stated to tills, never parked for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from click.testing import CliRunner

from loyalty.facts import Count, Facts
from loyalty.programme import Programme
from pos_client.cli import main
from sync.hq import vesting
from sync.hq.database import Connection, Database
from sync.hq.programmes import publish
from sync.hq.snapshot import begin, parts
from sync.hq.stock import Stock, stocks
from sync.snapshot import Snapshots
from sync.store import Store
from sync.wire import BatchAnswer
from sync.wire_mirror import AccountChange, ChangesPage, SnapshotPart, StockChange
from tests.support.entries import PROGRAMME_TOML, TestTill
from tests.sync.build import hear

Member = Callable[..., tuple[str, str]]

RULES = Programme.from_toml(
    PROGRAMME_TOML.replace("version = 1", "version = 2")
    + """
[[rewards]]
kind = "amount_off"
id = "mug"
name = { nl = "beker", en = "mug" }
cost_points = 10
discount_minor = 100
stock = 2
limit_per_basket = 3

[expiry]
vesting_days = 14
"""
)
TODAY = datetime.now(UTC).date()
TWO_LEFT = Facts(stock=(Count(counter="mug", count=2),))


@pytest.fixture(autouse=True)
def second_version(conn: Connection) -> None:
    publish(conn, RULES)


def sent(till: TestTill, start: int = 1) -> BatchAnswer:
    response = till.send(till.chain.batch(start))
    assert response.status_code == 200, response.text
    answer = BatchAnswer.decode(response.content)
    assert [result.code for result in answer.results if result.code] == []
    return answer


def page(till: TestTill) -> ChangesPage:
    return ChangesPage.decode(till.get("/v1/changes/till").content)


def pending(till: TestTill, account: str) -> int:
    return next(
        change.pending
        for change in page(till).changes
        if isinstance(change, AccountChange) and change.account == account
    )


def test_more_than_there_were_is_booked_and_shown(
    database: Database, database_url: str, conn: Connection, new_till: Callable[[], TestTill], member: Member
) -> None:
    token, account = member(points=100)
    one, other = new_till(), new_till()
    one.chain.sale(token, account=account, rewards=["mug", "mug"], rules=RULES, facts=TWO_LEFT)
    other.chain.sale(token, account=account, rewards=["mug"], rules=RULES, facts=TWO_LEFT)  # had not heard of it
    sent(one)
    assert stocks(conn, database.programmes) == (Stock("mug", 2, 2),)
    sent(other)
    (mug,) = stocks(conn, database.programmes)
    assert (mug.given, mug.left, mug.over) == (3, 0, 1)
    assert [change for change in page(one).changes if isinstance(change, StockChange)] == [
        StockChange(reward="mug", given=3)
    ]
    shown = CliRunner().invoke(main, ["hq", "stock", "--json", "--database-url", database_url])
    assert shown.exit_code == 1, shown.output
    assert json.loads(shown.stdout) == [{"reward": "mug", "stock": 2, "given": 3, "left": 0, "over": 1}]


def test_a_void_brings_a_reward_back(database: Database, conn: Connection, till: TestTill, member: Member) -> None:
    token, account = member(points=100)
    sale = till.chain.sale(token, account=account, rewards=["mug"], rules=RULES, facts=TWO_LEFT)
    till.chain.void(sale)
    till.chain.sale(token, account=account, rewards=["five-off"], rules=RULES)  # has no stock
    sent(till)
    assert stocks(conn, database.programmes) == (Stock("mug", 2, 0),)


def test_a_snapshot_brings_what_was_given_to_a_till(
    database: Database, conn: Connection, till: TestTill, member: Member, store: Store
) -> None:
    """From head office's tables over the bytes of the wire into a till's file; what is no longer counted goes."""
    token, account = member(points=100)
    till.chain.sale(token, account=account, rewards=["mug", "mug"], rules=RULES, facts=TWO_LEFT)
    sent(till)
    mirror = hear(store, StockChange(reward="an-old-one", given=5), StockChange(reward="mug", given=1))
    taking = Snapshots(store)
    for part in parts(database, till.terminal, begin(conn, "", "", "")):
        taking.apply(SnapshotPart.decode(part.encode()), 1)
    assert taking.place() is None
    assert (mirror.given("mug"), mirror.given("an-old-one")) == (2, 0)


def test_what_was_earned_waits_until_its_day(conn: Connection, till: TestTill, member: Member) -> None:
    token, account = member(points=100)
    till.chain.sale(token, [3000], account=account, rules=RULES, day=TODAY)
    till.chain.sale(token, [700], account=account, rules=RULES, day=TODAY - timedelta(days=5))
    (stated,) = sent(till).balances
    assert (stated.points, stated.pending) == (137, 37)
    assert pending(till, account) == 37
    assert vesting.release(conn, TODAY + timedelta(days=9)) == 1  # the 7 points of five days ago
    assert pending(till, account) == 30
    assert vesting.release(conn, TODAY + timedelta(days=9)) == 0
    assert vesting.release(conn, TODAY + timedelta(days=14)) == 1
    assert pending(till, account) == 0


def test_points_of_long_ago_do_not_wait(till: TestTill, member: Member) -> None:
    token, account = member(points=100)
    till.chain.sale(token, [3000], account=account, rules=RULES, day=date(2026, 3, 31))
    (stated,) = sent(till).balances
    assert (stated.points, stated.pending) == (130, 0)


def test_a_return_before_its_day_cancels_them(till: TestTill, member: Member) -> None:
    token, account = member()
    sale = till.chain.sale(token, [3000, 1000], account=account, rules=RULES, day=TODAY)
    till.chain.returned(sale, {"1": 1000})
    (stated,) = sent(till).balances
    assert (stated.points, stated.pending) == (10, 10)
    till.chain.sale(token, [500], account=account, rules=RULES, day=TODAY)
    gone = till.chain.sale(token, [2000], account=account, rules=RULES, day=TODAY)
    till.chain.void(gone)
    (stated,) = sent(till, 3).balances
    assert (stated.points, stated.pending) == (15, 15)


def test_never_more_waits_than_there_is(till: TestTill, member: Member) -> None:
    token, account = member(points=-20)
    till.chain.sale(token, [3000], account=account, rules=RULES, day=TODAY)
    (stated,) = sent(till).balances
    assert (stated.points, stated.pending) == (10, 10)
