"""What lapses, reckoned in the database for many accounts at once: what following each account gives."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty.history import Kind, Movement, replay
from loyalty.lots import expire
from loyalty.programme_members import Expiry
from sync.hq.database import Connection, Database
from sync.hq.standing import reckoned, replayed, standings

BEGIN = date(2024, 1, 1)
TODAY = date(2026, 11, 21)
EXPIRIES = {
    0: Expiry(after_months=12),
    1: Expiry(after_months=12),
    2: Expiry(after_months=6),
    3: Expiry(after_months=12, end_of_year=True),
    4: Expiry(after_months=12, vesting_days=30),
    5: Expiry(),
}


@dataclass(frozen=True)
class Step:
    """Something that happens to an account so many days after what happened before."""

    what: str
    days: int
    earned: int
    spent: int
    version: int


STEPS = st.builds(
    Step,
    what=st.sampled_from(["sale", "sale", "sale", "night", "opening", "adjustment", "taken", "return", "void"]),
    days=st.integers(-40, 200),
    earned=st.integers(0, 60),
    spent=st.sampled_from([0, 0, 0, 5, 40, 200]),
    version=st.sampled_from([1, 1, 1, 2, 3, 4, 5, 9]),
)
PLAIN = st.builds(
    Step,
    what=st.sampled_from(["sale", "sale", "night"]),
    days=st.integers(0, 200),
    earned=st.integers(0, 60),
    spent=st.sampled_from([0, 0, 5, 40, 200]),
    version=st.just(1),
)


def history(steps: list[Step]) -> list[Movement]:
    """What is booked when these steps are taken: nights lapse what is past its day by then, or half of it."""
    made: list[Movement] = []
    day = BEGIN
    for step in steps:
        day += timedelta(days=step.days)
        name = str(uuid.uuid4())
        if step.what == "night":
            lots = replay(made, lambda version: EXPIRIES.get(version or 0, Expiry())).lots
            if past := expire(lots, day)[1]:
                gone = past if step.spent == 0 else max(1, past // 2)  # the other half is set aside at a till
                made.append(Movement(name, "expiry", day, -gone, 0))
        elif step.what == "taken":
            made.append(Movement(name, "adjustment", day, -step.earned, 0, step.version))
        elif step.what in {"return", "void"}:
            sales = [movement for movement in made if movement.kind == "sale"]
            if sales:
                sale = sales[step.earned % len(sales)]
                kind: Kind = "void" if step.what == "void" else "return"
                made.append(Movement(name, kind, day, -sale.earned, -sale.spent, sale.version, sale.id))
        elif step.what == "opening":
            made.append(Movement(name, "opening", day, step.earned, 0))
        elif step.what == "adjustment":
            made.append(Movement(name, "adjustment", day, step.earned, 0, step.version))
        else:
            made.append(Movement(name, "sale", day, step.earned, step.spent, step.version))
    return made


def book(conn: Connection, account: str, movements: list[Movement]) -> None:
    """Write them as they are booked."""
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ledger (account_id, entry_id, kind, terminal_id, epoch, seq, raw, business_date, points, "
            "points_earned, points_spent, programme_version, reverses, original) "
            "VALUES (%s, %s, %s, 't-1', 1, 1, '', %s, %s, %s, %s, %s, NULL, %s)",
            [
                (account, one.id, one.kind, one.day, one.earned - one.spent, one.earned, one.spent, one.version, one.of)
                for one in movements
            ],
        )


QUICK = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(histories=st.lists(st.lists(STEPS, max_size=8), min_size=1, max_size=6))
def test_what_is_reckoned_is_what_following_gives(database: Database, histories: list[list[Step]]) -> None:
    with database.connection() as conn, conn.transaction(force_rollback=True):
        names = [f"m{number}" for number in range(len(histories))]
        for name, steps in zip(names, histories, strict=True):
            book(conn, name, history(steps))
        assert standings(conn, names, EXPIRIES, TODAY) == replayed(conn, names, EXPIRIES, TODAY)


@QUICK
@given(histories=st.lists(st.lists(PLAIN, max_size=12), min_size=1, max_size=6))
def test_who_only_buys_and_spends_is_never_followed(database: Database, histories: list[list[Step]]) -> None:
    with database.connection() as conn, conn.transaction(force_rollback=True):
        names = [f"m{number}" for number in range(len(histories))]
        for name, steps in zip(names, histories, strict=True):
            book(conn, name, history(steps))
        found, odd = reckoned(conn, names, EXPIRIES, TODAY)
        assert odd == []
        assert found == replayed(conn, names, EXPIRIES, TODAY)


def sale(days_ago: int, earned: int = 0, spent: int = 0, version: int = 1) -> Movement:
    return Movement(str(uuid.uuid4()), "sale", TODAY - timedelta(days=days_ago), earned, spent, version)


def opening(days_ago: int, points: int) -> Movement:
    return Movement(str(uuid.uuid4()), "opening", TODAY - timedelta(days=days_ago), points, 0)


def expiry(days_ago: int, points: int) -> Movement:
    return Movement(str(uuid.uuid4()), "expiry", TODAY - timedelta(days=days_ago), -points, 0)


def returned(of: Movement) -> Movement:
    return Movement(str(uuid.uuid4()), "return", TODAY, -of.earned, -of.spent, of.version, of.id)


FIRST = sale(30, 50)


@pytest.mark.parametrize(
    ("movements", "coming"),
    [
        pytest.param([FIRST, sale(29, 50, version=2), sale(1, spent=40)], 10, id="the younger lapses first"),
        pytest.param([sale(10, 50), sale(20, spent=40)], 50, id="spent before it was there, and booked after"),
        pytest.param([sale(10, 50, version=4), sale(5, spent=40)], 50, id="spent while it waited"),
        pytest.param([opening(300, 50), expiry(100, 50)], 50, id="lapsed by another version than now"),
        pytest.param([FIRST, sale(20, 30), returned(FIRST)], 30, id="goods came back"),
    ],
)
def test_whose_oldest_points_are_not_first_is_followed(
    conn: Connection, movements: list[Movement], coming: int
) -> None:
    book(conn, "odd", movements)
    assert reckoned(conn, ["odd"], EXPIRIES, TODAY) == ({}, ["odd"])
    assert standings(conn, ["odd"], EXPIRIES, TODAY)["odd"].points == coming
