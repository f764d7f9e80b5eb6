"""Points by expiry: nearest first, restored with their original expiry, pending until vested."""

from __future__ import annotations

from datetime import date

import pytest

from loyalty.lots import Expiring, Lot, Lots, earn, expire, give_back, lot_of, next_to_lapse, spend, take_back
from loyalty.programme_members import Expiry

DAY = date(2026, 3, 31)
SOON = Lot("soon", 100, DAY, date(2026, 6, 30))
LATER = Lot("later", 200, DAY, date(2027, 6, 30))
EVER = Lot("ever", 50, DAY, None)
PENDING = Lot("pending", 500, date(2026, 4, 14), date(2026, 4, 30))


def of(*lots: Lot, debt: int = 0) -> Lots:
    have = Lots()
    for lot in lots:
        have = earn(have, lot)
    return Lots(have.lots, debt)


def left(have: Lots) -> dict[str, int]:
    return {lot.id: lot.points for lot in have.lots if lot.points}


@pytest.mark.parametrize(
    ("points", "after"),
    [
        (0, {"soon": 100, "later": 200, "ever": 50}),
        (99, {"soon": 1, "later": 200, "ever": 50}),
        (150, {"later": 150, "ever": 50}),
        (310, {"ever": 40}),
        (350, {}),
    ],
)
def test_the_lot_that_expires_first_is_spent_first(points: int, after: dict[str, int]) -> None:
    have, draws = spend(of(EVER, LATER, SOON), points, DAY)
    assert (left(have), have.debt, sum(draw.points for draw in draws)) == (after, 0, points)


def test_more_than_there_is_becomes_a_debt_that_the_next_points_fill() -> None:
    have, _ = spend(of(SOON), 130, DAY)
    assert (have.balance, have.debt, have.spendable(DAY)) == (-30, 30, 0)
    have = earn(have, Lot("next", 50, DAY, None))
    assert (left(have), have.debt, have.balance) == ({"next": 20}, 0, 20)


def test_pending_points_cannot_be_spent_and_a_return_cancels_them() -> None:
    have = of(PENDING, SOON)
    assert (have.balance, have.pending(DAY), have.spendable(DAY)) == (600, 500, 100)
    assert have.spendable(date(2026, 4, 14)) == 600
    spent, _ = spend(have, 150, DAY)
    assert (left(spent), spent.debt) == ({"pending": 500}, 50)
    cancelled, draws = take_back(have, "pending", 500)
    assert (left(cancelled), [draw.points for draw in draws]) == ({"soon": 100}, [500])


def test_a_return_takes_its_own_lot_first_and_then_what_expires_first() -> None:
    have = of(SOON, LATER)
    gone, _ = spend(have, 60, DAY)  # 40 of "soon" are left
    back, _ = take_back(gone, "soon", 100)
    assert (left(back), back.debt) == ({"later": 140}, 0)
    nothing, _ = take_back(of(), "unknown", 25)
    assert (nothing.balance, nothing.debt) == (-25, 25)


def test_given_back_with_the_original_expiry_last_drawn_first() -> None:
    have = of(SOON, LATER)
    spent, draws = spend(have, 150, DAY)
    part, out = give_back(spent, draws, 60)
    assert (left(part), sum(draw.points for draw in out)) == ({"soon": 10, "later": 200}, 90)
    assert next(lot for lot in part.lots if lot.id == "soon").expires_on == date(2026, 6, 30)
    with pytest.raises(ValueError, match="at most what was drawn, got 91"):
        give_back(part, out, 91)


def test_expiry_takes_what_is_past_its_last_day() -> None:
    have = of(SOON, LATER, EVER)
    assert expire(have, date(2026, 6, 30)) == (have, 0)
    kept, gone = expire(have, date(2026, 7, 1))
    assert (left(kept), gone) == ({"later": 200, "ever": 50}, 100)
    # Points that come back after their day are there, but not to be spent; the next night takes them.
    spent, draws = spend(have, 100, DAY)
    late, _ = give_back(spent, draws, 100)
    assert (late.balance, late.spendable(date(2026, 7, 1))) == (350, 250)


def test_what_a_lapsed_lot_paid_of_a_debt_comes_back_to_it() -> None:
    """10 spent too many; 15 earned pay it and leave 5, which lapse. The void brings the 10 back."""
    owing, draws = spend(of(), 10, DAY)
    have = earn(owing, Lot("a", 15, DAY, date(2026, 6, 30)))
    kept, gone = expire(have, date(2026, 7, 1))
    assert (kept.balance, gone) == (0, 5)
    back, _ = give_back(kept, draws, 10)
    assert (left(back), back.debt, expire(back, date(2026, 7, 1))[1]) == ({"a": 10}, 0, 10)


@pytest.mark.parametrize(
    ("expiry", "earned", "vests", "expires"),
    [
        ({}, DAY, DAY, None),
        ({"after_months": 12}, DAY, DAY, date(2027, 3, 31)),
        ({"after_months": 6}, date(2026, 8, 31), date(2026, 8, 31), date(2027, 2, 28)),
        ({"after_months": 18}, date(2026, 8, 31), date(2026, 8, 31), date(2028, 2, 29)),
        ({"after_months": 12, "end_of_year": True}, DAY, DAY, date(2027, 12, 31)),
        ({"after_months": 1}, date(2026, 12, 15), date(2026, 12, 15), date(2027, 1, 15)),
        ({"vesting_days": 14}, DAY, date(2026, 4, 14), None),
    ],
)
def test_dates_of_a_lot(expiry: dict[str, int | bool], earned: date, vests: date, expires: date | None) -> None:
    lot = lot_of("e", 10, earned, Expiry.model_validate(expiry))
    assert (lot.points, lot.vests_on, lot.expires_on) == (10, vests, expires)


def test_a_negative_amount_is_refused() -> None:
    with pytest.raises(ValueError, match="expected points to spend, got -1"):
        spend(of(), -1, DAY)


def test_what_lapses_next() -> None:
    have = of(LATER, SOON, EVER, Lot("same day", 7, DAY, SOON.expires_on))
    assert next_to_lapse(have, DAY) == Expiring(107, date(2026, 6, 30))
    assert next_to_lapse(have, date(2026, 6, 30)) == Expiring(107, date(2026, 6, 30)), "still to be spent that day"
    assert next_to_lapse(have, date(2026, 7, 1)) == Expiring(200, date(2027, 6, 30))
    spent, _ = spend(have, 107, DAY)
    assert next_to_lapse(spent, DAY) == Expiring(200, date(2027, 6, 30))
    assert next_to_lapse(of(EVER), DAY) is None


@pytest.mark.parametrize(
    ("day", "soon"), [("2026-04-30", False), ("2026-05-01", True), ("2026-06-30", True), ("2026-07-01", False)]
)
def test_when_a_member_is_told(day: str, soon: bool) -> None:
    assert Expiring(107, date(2026, 6, 30)).soon(date.fromisoformat(day)) is soon
    assert not Expiring(0, date(2026, 6, 30)).soon(date(2026, 6, 30))
