"""When a till does its night's work."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from sync.night import Nights, Window, slot
from sync.store import Store

ZONE = ZoneInfo("Europe/Amsterdam")
WINDOW = Window(time(2, 0), time(5, 0), ZONE)


def ms(text: str) -> int:
    """Unix ms of a local time in Amsterdam."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [(time(2), time(5), 3), (time(23), time(1, 30), 2.5), (time(4), time(4), 24)],
)
def test_a_window_may_pass_midnight(start: time, end: time, hours: float) -> None:
    assert Window(start, end, ZONE).length == timedelta(hours=hours)


def test_slots_are_steady_and_spread_over_the_window() -> None:
    slots = [slot(f"t-{number:010x}", WINDOW.length) for number in range(3000)]
    assert slots == [slot(f"t-{number:010x}", WINDOW.length) for number in range(3000)]
    in_each = [0] * 12
    for into in slots:
        in_each[into // timedelta(minutes=15)] += 1
    assert max(in_each) < 2 * 3000 / 12
    assert min(in_each) > 3000 / 12 / 2


def test_each_night_is_done_once_at_its_moment(store: Store) -> None:
    nights = Nights(store, "t-1", WINDOW)
    at = timedelta(hours=2) + slot("t-1", WINDOW.length)
    moment = datetime(2026, 3, 10) + at
    nights.done(ms("2026-03-09T12:00"))
    before, after = (moment - timedelta(minutes=1)).isoformat(), (moment + timedelta(minutes=1)).isoformat()
    assert not nights.due(ms(before))
    assert nights.due(ms(after))
    assert nights.due(ms("2026-03-10T08:00"))  # it was off at night
    nights.done(ms(after))
    assert not nights.due(ms("2026-03-10T23:00"))
    assert nights.due(ms("2026-03-11T08:00"))


def test_a_new_till_and_a_night_on_which_clocks_change(store: Store) -> None:
    nights = Nights(store, "t-1", WINDOW)
    nights.begin(ms("2026-03-29T12:00"))
    assert not nights.due(ms("2026-03-29T23:59"))
    assert nights.due(ms("2026-03-30T06:00"))
    nights.begin(ms("2026-03-30T06:00"))  # a restart is no new till
    assert nights.due(ms("2026-03-30T06:00"))
