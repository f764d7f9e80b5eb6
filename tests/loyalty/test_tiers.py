"""Tiers: what counts, from when, and how members go up and down."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from loyalty.programme import Programme
from loyalty.programme_members import TierPolicy
from loyalty.tiers import Activity, qualifying, reached, reviewed, upgraded, window
from tests.loyalty.build import TEXT, programme

TODAY = date(2026, 3, 31)


def rules(**policy: Any) -> Programme:
    tiers = [
        {"id": name, "name": TEXT, "threshold": need} for name, need in (("basic", 0), ("silver", 100), ("gold", 500))
    ]
    return programme(tiers=tiers, tier_policy={"by": "points", **policy})


@pytest.mark.parametrize(
    ("policy", "today", "expected"),
    [
        ({"by": "points"}, TODAY, (date(2026, 1, 1), date(2026, 12, 31))),
        ({"by": "points", "window": "rolling"}, TODAY, (date(2025, 4, 1), TODAY)),
        ({"by": "points", "window": "rolling", "months": 1}, TODAY, (date(2026, 3, 1), TODAY)),
        ({"by": "points", "window": "rolling", "months": 3}, date(2026, 5, 31), (date(2026, 3, 1), date(2026, 5, 31))),
    ],
)
def test_windows(policy: dict[str, Any], today: date, expected: tuple[date, date]) -> None:
    assert window(TierPolicy.model_validate(policy), today) == expected


HISTORY = [
    Activity(date(2025, 12, 31), points=1000, spend_minor=100_000, visits=1),
    Activity(date(2026, 1, 1), points=60, spend_minor=6000, visits=1),
    Activity(date(2026, 3, 1), points=50, spend_minor=5000, visits=1),
    Activity(date(2026, 3, 2), points=-20, spend_minor=-2000),
]


@pytest.mark.parametrize(("by", "amount"), [("points", 90), ("spend", 9000), ("visits", 2)])
def test_what_qualifies(by: str, amount: int) -> None:
    assert qualifying(TierPolicy.model_validate({"by": by}), HISTORY, TODAY) == amount
    assert qualifying(TierPolicy.model_validate({"by": by}), HISTORY[3:], TODAY) == 0


def test_up_at_once_and_never_down_in_between() -> None:
    assert [reached(rules(), amount) for amount in (0, 99, 100, 499, 500)] == [
        "basic", "basic", "silver", "silver", "gold",
    ]  # fmt: skip
    assert upgraded(rules(), "basic", 500) == "gold"
    assert upgraded(rules(), "gold", 0) == "gold"
    assert upgraded(rules(), "of-a-later-version", 100) == "silver"
    assert upgraded(programme(), "silver", 10_000) == "silver"


@pytest.mark.parametrize(
    ("downgrade", "amount", "expected"),
    [
        ("one_step", 0, "silver"),
        ("one_step", 499, "silver"),
        ("one_step", 500, "gold"),
        ("by_balance", 0, "basic"),
        ("by_balance", 100, "silver"),
        ("never", 0, "gold"),
    ],
)
def test_down_at_the_end_of_the_period(downgrade: str, amount: int, expected: str) -> None:
    assert reviewed(rules(downgrade=downgrade), "gold", amount) == expected


def test_the_lowest_has_nowhere_to_go() -> None:
    assert reviewed(rules(), "basic", 0) == "basic"
    assert reviewed(rules(), "basic", 600) == "gold"
    assert reviewed(programme(), "gold", 0) == "gold"
