"""The night at head office: points lapse in the order of their days, and tiers go up at once and down in time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from loyalty.programme import Programme
from sync.hq.database import Connection, Database
from sync.hq.nightly import Night, run
from sync.hq.programmes import publish
from sync.wire import BatchAnswer
from tests.support.entries import PROGRAMME_TOML, TestTill

Member = Callable[..., tuple[str, str]]

TIERS = """
[tier_policy]
by = "points"
window = "rolling"
months = 12

[expiry]
after_months = 12
"""
RULES = Programme.from_toml(
    PROGRAMME_TOML.replace("version = 1", "version = 2").replace(
        'name = { nl = "Goud", en = "Gold" }', 'name = { nl = "Goud", en = "Gold" }\nthreshold = 100'
    )
    + TIERS
)
MARCH = date(2026, 3, 31)
YEAR_LATER = date(2027, 3, 31)


@pytest.fixture(autouse=True)
def second_version(conn: Connection) -> None:
    publish(conn, RULES)


def send(till: TestTill) -> None:
    response = till.send()
    assert response.status_code == 200, response.text
    assert all(result.code is None for result in BatchAnswer.decode(response.content).results)


def balance(conn: Connection, account: str) -> int:
    row = conn.execute(
        "SELECT b.points, (SELECT sum(points) FROM ledger l WHERE l.account_id = b.account_id) FROM balance b "
        "WHERE account_id = %s",
        (account,),
    ).fetchone()
    assert row is not None
    assert row[0] == row[1]  # the ledger adds up to the balance, lapsed points included
    return int(row[0])


def tier(conn: Connection, account: str) -> str:
    row = conn.execute("SELECT tier FROM account WHERE account_id = %s", (account,)).fetchone()
    assert row is not None
    return str(row[0])


def test_points_lapse_the_day_after_their_last_and_only_once(
    till: TestTill, member: Member, conn: Connection, database: Database
) -> None:
    card, account = member(points=0)
    till.chain.sale(card, (3000,), rules=RULES, day=MARCH)  # 30
    till.chain.sale(card, (4000,), rules=RULES, day=MARCH + timedelta(days=40))  # 40
    spent = till.chain.sale(card, (1000,), rules=RULES, rewards=["five-off"], day=MARCH + timedelta(days=41))
    send(till)
    assert balance(conn, account) == 30 + 40 + 5 - 50
    # The 50 points took the 30 of March whole and 20 of May's: nothing lapses in March.
    assert run(conn, database.programmes, YEAR_LATER + timedelta(days=1)) == Night()
    till.chain.void(spent)
    send(till)
    # The void gave the 30 back to March, with their day of then.
    assert run(conn, database.programmes, YEAR_LATER) == Night()
    night = run(conn, database.programmes, YEAR_LATER + timedelta(days=1))
    assert (night.lapsed_accounts, night.lapsed_points, balance(conn, account)) == (1, 30, 40)
    assert run(conn, database.programmes, YEAR_LATER + timedelta(days=1)) == Night()
    assert run(conn, database.programmes, YEAR_LATER + timedelta(days=400)).lapsed_points == 40
    assert balance(conn, account) == 0


def test_a_return_takes_from_its_own_lot(till: TestTill, member: Member, conn: Connection, database: Database) -> None:
    card, account = member(points=0)
    till.chain.sale(card, (3000,), rules=RULES, day=MARCH)
    later = till.chain.sale(card, (4000,), rules=RULES, day=MARCH + timedelta(days=40))
    till.chain.returned(later, {"1": 1000})
    send(till)
    assert balance(conn, account) == 30
    assert run(conn, database.programmes, YEAR_LATER + timedelta(days=1)).lapsed_points == 30


def test_tiers_rise_with_the_sale_and_fall_after_their_period(
    till: TestTill, member: Member, conn: Connection, database: Database
) -> None:
    card, account = member(points=0, tier="basic")
    today = date.today()
    till.chain.sale(card, (9900,), rules=RULES, day=today)
    send(till)
    assert tier(conn, account) == "basic"
    till.chain.sale(card, (100,), rules=RULES, day=today)
    send(till)
    assert tier(conn, account) == "gold"
    # A year later nothing of it counts any more; until then gold stays.
    assert run(conn, database.programmes, today + timedelta(days=364)).tiers_changed == 0
    night = run(conn, database.programmes, today + timedelta(days=367))
    assert (tier(conn, account), night.tiers_changed) == ("gold", 0)  # the sales were on the period's first day
    assert run(conn, database.programmes, today + timedelta(days=740)).tiers_changed == 1
    assert tier(conn, account) == "basic"


def test_a_lot_that_came_late_lapses_though_its_night_is_over(
    till: TestTill, member: Member, conn: Connection, database: Database
) -> None:
    card, account = member(points=0)
    assert run(conn, database.programmes, YEAR_LATER + timedelta(days=30)) == Night()
    till.chain.sale(card, (3000,), rules=RULES, day=MARCH)  # the till was out of touch for more than a year
    send(till)
    assert run(conn, database.programmes, YEAR_LATER + timedelta(days=30)).lapsed_points == 30
    assert balance(conn, account) == 0


def test_points_that_a_return_brings_back_past_their_day_lapse_the_night_after(
    till: TestTill, member: Member, conn: Connection, database: Database
) -> None:
    card, account = member(points=0)
    till.chain.sale(card, (5000,), rules=RULES, day=MARCH)
    coat = till.chain.sale(card, (9000,), rules=RULES, rewards=["five-off"], day=YEAR_LATER - timedelta(days=1))
    send(till)
    assert balance(conn, account) == 85
    night = YEAR_LATER + timedelta(days=10)
    assert run(conn, database.programmes, night) == Night()  # all of March's was spent
    till.chain.returned(coat, {"1": 1000})
    send(till)
    assert balance(conn, account) == 50  # the customer has them today
    assert run(conn, database.programmes, night + timedelta(days=1)).lapsed_points == 50
    assert balance(conn, account) == 0


def test_goods_come_back_whose_points_have_lapsed(
    till: TestTill, member: Member, conn: Connection, database: Database
) -> None:
    card, account = member(points=0)
    coat = till.chain.sale(card, (3000,), rules=RULES, day=MARCH)
    till.chain.sale(card, (2000,), rules=RULES, day=YEAR_LATER)
    send(till)
    assert run(conn, database.programmes, YEAR_LATER + timedelta(days=1)).lapsed_points == 30
    till.chain.returned(coat, {"1": 1000})
    send(till)
    assert balance(conn, account) == -10  # what was earned is taken back, whatever became of it since


def test_a_new_version_goes_through_everything_again(
    till: TestTill, member: Member, conn: Connection, database: Database
) -> None:
    member(points=70)  # brought along on 31 March 2026: lapses by the newest version
    assert run(conn, database.programmes, MARCH + timedelta(days=100)) == Night()
    shorter = RULES.model_copy(update={"version": 3, "expiry": RULES.expiry.model_copy(update={"after_months": 2})})
    publish(conn, shorter)
    assert run(conn, database.programmes, MARCH + timedelta(days=100)).lapsed_points == 70


def test_the_rest_is_done_when_the_newest_programme_is_of_later_software(
    till: TestTill, member: Member, conn: Connection, database: Database
) -> None:
    card, account = member(points=70)
    till.chain.sale(card, (3000,), rules=RULES, day=MARCH)
    send(till)
    conn.execute("INSERT INTO programme VALUES (9, 'spaarpunt', '{\"format\": 2}')")
    night = run(conn, database.programmes, YEAR_LATER + timedelta(days=1))
    # What version 2 said of its own points holds; what was brought along goes by the version that cannot be read.
    assert (night.lapsed_points, night.unreadable) == (30, 9)
    assert balance(conn, account) == 70
