"""What is known of a member and a moment."""

from __future__ import annotations

from datetime import date

import pytest

from loyalty.facts import UNKNOWN, Count, Facts, birthday_windows, counted, stock_left


@pytest.mark.parametrize(
    ("month", "day", "today", "windows"),
    [
        (3, 31, date(2026, 3, 31), ("day", "week", "month")),
        (3, 31, date(2026, 3, 28), ("week", "month")),
        (3, 31, date(2026, 3, 27), ("month",)),
        (3, 31, date(2026, 4, 3), ("week",)),
        (3, 31, date(2026, 4, 4), ()),
        (1, 1, date(2026, 12, 30), ("week",)),
        (12, 31, date(2026, 1, 2), ("week",)),
        (2, 29, date(2026, 2, 28), ("day", "week", "month")),
        (2, 29, date(2028, 2, 28), ("week", "month")),
        (2, 29, date(2028, 2, 29), ("day", "week", "month")),
    ],
)
def test_birthdays(month: int, day: int, today: date, windows: tuple[str, ...]) -> None:
    assert birthday_windows(month, day, today) == windows


def test_no_such_day() -> None:
    with pytest.raises(ValueError, match="day is out of range"):
        birthday_windows(2, 30, date(2026, 1, 1))


def test_what_is_not_known_takes_no_bytes() -> None:
    assert UNKNOWN.model_dump_json() == '{"at_ms":0}'
    known = Facts(at_ms=5, earned_today=3, counters=(Count(counter="c", count=2),))
    assert Facts.model_validate_json(known.model_dump_json()) == known
    assert (counted(known, "c"), counted(known, "d"), stock_left(known, "c")) == (2, 0, None)
