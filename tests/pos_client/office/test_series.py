"""A day over its hours: the weekday's mean, and the queue as it was."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from itertools import pairwise
from zoneinfo import ZoneInfo

from pos_client.office.series import STEP_MIN, Hour, hours, queue
from pos_client.runtime import Runtime
from sync.store import Store
from tests.pos_client.office.conftest import sell
from tests.support.till import SANNE

ZONE = ZoneInfo("Europe/Amsterdam")
DAY = date(2026, 3, 17)  # a Tuesday in winter time


def at(hour: int, minute: int = 0, day: date = DAY) -> int:
    return int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE).timestamp() * 1000)


def move(store: Store, seq: int, day: date, at_ms: int) -> None:
    """Pretend that entry `seq` was made at another time."""
    with store.transaction() as connection:
        connection.execute(
            "UPDATE journal SET business_date = ?, "
            "raw = CAST(json_set(CAST(raw AS TEXT), '$.clock.wall_ms', ?) AS BLOB) WHERE seq = ?",
            (day.isoformat(), at_ms, seq),
        )


def test_hours_beside_the_same_weekday(runtime: Runtime) -> None:
    sell(runtime, SANNE.card, minor=1000, reward="koffie")  # 10 points, 250 spent
    move(runtime.store, 1, DAY, at(9, 30))
    for seq, day in ((2, date(2026, 3, 10)), (3, date(2026, 3, 3)), (4, date(2026, 3, 11)), (5, date(2026, 2, 10))):
        sell(runtime, SANNE.card, minor=2000 if seq == 2 else 4000)  # 30, then 60
        move(runtime.store, seq, day, at(10, 59, day))
    assert hours(runtime.store, ZONE, DAY) == [
        Hour(9, 10, 250, 0, 0),
        Hour(10, 0, 0, 45, 0),  # of the two Tuesdays that had sales; not of a Wednesday, nor of five weeks ago
    ]


def test_hours_of_a_shop_that_never_sold(runtime: Runtime) -> None:
    assert hours(runtime.store, ZONE, DAY) == []


def test_the_first_tuesday_has_nothing_to_be_held_against(runtime: Runtime) -> None:
    sell(runtime, SANNE.card)
    move(runtime.store, 1, DAY, at(14))
    assert hours(runtime.store, ZONE, DAY) == [Hour(14, 34, 0, None, None)]


def test_the_queue_over_the_day(runtime: Runtime) -> None:
    for seq, minute in ((1, 0), (2, 20), (3, 40)):
        sell(runtime, SANNE.card)
        move(runtime.store, seq, DAY, at(9, minute))
    runtime.journal.acknowledge(1, 2, at_ms=at(10, 5))
    line = queue(runtime.store, ZONE, time(4), DAY, at(11))
    assert line[0].at_ms == at(4)
    assert line[-1].at_ms == at(11)
    assert {b.at_ms - a.at_ms for a, b in pairwise(line)} == {STEP_MIN * 60_000}
    said = {datetime.fromtimestamp(point.at_ms / 1000, UTC).astimezone(ZONE): point.entries for point in line}
    assert [said[datetime(2026, 3, 17, hour, minute, tzinfo=ZONE)] for hour, minute in (
        (8, 0), (9, 0), (9, 15), (9, 30), (9, 45), (10, 0), (10, 15), (11, 0)
    )] == [0, 1, 1, 2, 3, 3, 1, 1]  # fmt: skip


def test_a_queue_of_days_ago_is_still_there_in_the_morning(runtime: Runtime) -> None:
    for seq, day in ((1, date(2026, 3, 16)), (2, date(2026, 3, 16)), (3, DAY)):
        sell(runtime, SANNE.card)
        move(runtime.store, seq, day, at(9, 0, day))
    runtime.journal.acknowledge(1, 1, at_ms=at(10, 0, date(2026, 3, 16)))
    line = queue(runtime.store, ZONE, time(4), DAY, at(10))
    assert (line[0].entries, line[-1].entries) == (1, 2)
    runtime.journal.acknowledge(1, 3, at_ms=at(10, 10))
    assert queue(runtime.store, ZONE, time(4), DAY, at(10, 15))[-1].entries == 0


def test_a_day_of_rest_has_no_queue(runtime: Runtime) -> None:
    assert {point.entries for point in queue(runtime.store, ZONE, time(4), DAY, at(12))} == {0}
