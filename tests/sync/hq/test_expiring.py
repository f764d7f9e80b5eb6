"""What lapses next: reckoned from the lots at night, less what is spent by day, told to tills near its day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from loyalty.lots import TOLD_AHEAD_DAYS
from loyalty.programme import Programme
from sync.hq.database import Connection, Database
from sync.hq.erasure import erase
from sync.hq.expiring import SPREAD_DAYS
from sync.hq.nightly import run
from sync.hq.programmes import publish
from sync.wire import BatchAnswer
from sync.wire_mirror import AccountChange, ChangesPage
from tests.support.entries import PROGRAMME_TOML, TestTill

Member = Callable[..., tuple[str, str]]
RULES = Programme.from_toml(PROGRAMME_TOML.replace("version = 1", "version = 2") + "\n[expiry]\nafter_months = 12\n")
MARCH = date(2026, 3, 31)
MAY = date(2026, 5, 10)


@pytest.fixture(autouse=True)
def second_version(conn: Connection) -> None:
    publish(conn, RULES)


def send(till: TestTill, start: int = 1) -> BatchAnswer:
    response = till.send(till.chain.batch(start))
    assert response.status_code == 200, response.text
    answer = BatchAnswer.decode(response.content)
    assert all(result.code is None for result in answer.results)
    return answer


def told(till: TestTill, cursor: str = "") -> tuple[list[tuple[date | None, int]], str]:
    """What the feed after `cursor` says of accounts."""
    page = ChangesPage.decode(till.get("/v1/changes/till", cursor=cursor).content)
    found = [(change.expires_on, change.expiring) for change in page.changes if isinstance(change, AccountChange)]
    return found, page.cursor


def bought(till: TestTill, member: Member) -> tuple[str, str]:
    """30 points of March and 40 of May, which lapse a year later."""
    card, account = member(points=0)
    till.chain.sale(card, (3000,), rules=RULES, day=MARCH)
    till.chain.sale(card, (4000,), rules=RULES, day=MAY)
    return card, account


def test_reckoned_at_night_and_spent_by_day(
    till: TestTill, member: Member, conn: Connection, database: Database
) -> None:
    card, _ = bought(till, member)
    send(till)
    assert told(till)[0] == [(None, 0)]
    run(conn, database.programmes, MAY)
    day = date(2027, 3, 31)
    assert told(till)[0] == [(day, 30)]
    till.chain.sale(
        card, (1000,), rules=RULES, rewards=["five-off"], day=MAY
    )  # 5 earned; 50 spent: all 30 and 20 of May
    assert [(each.expires_on, each.expiring) for each in send(till, 3).balances] == [(None, 0)]
    assert told(till)[0] == [(None, 0)], "not known until the night"
    run(conn, database.programmes, MAY + timedelta(days=1))
    assert told(till)[0] == [(date(2027, 5, 10), 25)]


def test_a_part_spent_leaves_the_rest(till: TestTill, member: Member, conn: Connection, database: Database) -> None:
    card, _ = member(points=0)
    till.chain.sale(card, (9000,), rules=RULES, day=MARCH)
    send(till)
    run(conn, database.programmes, MAY)
    till.chain.sale(card, (1000,), rules=RULES, rewards=["five-off"], day=MAY)
    assert [(each.expires_on, each.expiring) for each in send(till, 2).balances] == [(date(2027, 3, 31), 40)]


def test_far_off_it_waits_for_another_change_and_near_it_is_told_once(
    till: TestTill, member: Member, conn: Connection, database: Database
) -> None:
    bought(till, member)
    send(till)
    cursor = told(till)[1]
    run(conn, database.programmes, MAY)
    said, cursor = told(till, cursor)
    assert said == [], "eleven months before, no till has to hear of it by itself"
    last = date(2027, 3, 31)
    days = []
    for before in range(TOLD_AHEAD_DAYS + SPREAD_DAYS + 3, TOLD_AHEAD_DAYS - 5, -1):
        run(conn, database.programmes, last - timedelta(days=before))
        said, cursor = told(till, cursor)
        days += [before] * len(said)
        assert said in ([], [(last, 30)])
    assert len(days) == 1
    assert TOLD_AHEAD_DAYS <= days[0] < TOLD_AHEAD_DAYS + SPREAD_DAYS
    run(conn, database.programmes, last + timedelta(days=1))
    assert told(till, cursor)[0] == [(date(2027, 5, 10), 40)], "30 lapsed; the next are May's"


def test_a_programme_whose_points_stay(till: TestTill, member: Member, conn: Connection, database: Database) -> None:
    bought(till, member)
    send(till)
    run(conn, database.programmes, MAY)
    cursor = told(till)[1]
    for version in (1, 2):
        conn.execute("DELETE FROM programme WHERE version = %s", (version,))
    publish(conn, Programme.from_toml(PROGRAMME_TOML.replace("version = 1", "version = 3")))
    run(conn, database.programmes, MAY + timedelta(days=1))
    assert told(till, cursor)[0] == [(None, 0)]
    assert conn.execute("SELECT count(*) FROM expiring").fetchone() == (0,)


def test_an_erased_member_leaves_nothing(till: TestTill, member: Member, conn: Connection, database: Database) -> None:
    _, account = bought(till, member)
    send(till)
    run(conn, database.programmes, MAY)
    erase(conn, account, MAY)
    assert conn.execute("SELECT count(*) FROM expiring").fetchone() == (0,)
