"""Division names its rounding; a split adds up exactly."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from loyalty.money import Rounding, apportion, divide

INTEGERS = st.integers(-(10**12), 10**12)
WEIGHTS = st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(lambda weights: sum(weights) > 0)


@pytest.mark.parametrize(
    ("numerator", "denominator", "floor", "half_up"),
    [
        (0, 7, 0, 0),
        # 0.995: a float rounds 0.995 × 100 = 99.49999… down to 99; in integers 995 / 10 is 99.5 and goes up.
        (995, 10, 99, 100),
        (994, 10, 99, 99),
        (49, 100, 0, 0),
        (50, 100, 0, 1),
        (99, 100, 0, 1),
        (150, 100, 1, 2),
        (250, 100, 2, 3),  # half-up, not half-even
        (-49, 100, -1, 0),
        (-50, 100, -1, -1),  # half away from zero
        (-150, 100, -2, -2),
        (-100, 100, -1, -1),
        (10**30 + 5, 10, 10**29, 10**29 + 1),  # past what a double can hold
    ],
)
def test_divide(numerator: int, denominator: int, floor: int, half_up: int) -> None:
    assert divide(numerator, denominator, Rounding.FLOOR) == floor
    assert divide(numerator, denominator, Rounding.HALF_UP) == half_up


@given(INTEGERS, st.integers(1, 10**6))
def test_divide_is_within_its_rounding_of_the_exact_quotient(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    assert 0 <= exact - divide(numerator, denominator, Rounding.FLOOR) < 1
    assert abs(exact - divide(numerator, denominator, Rounding.HALF_UP)) <= Fraction(1, 2)
    assert divide(-numerator, denominator, Rounding.HALF_UP) == -divide(numerator, denominator, Rounding.HALF_UP)


@pytest.mark.parametrize("rounding", Rounding)
def test_divide_refuses_what_is_no_divisor(rounding: Rounding) -> None:
    with pytest.raises(ZeroDivisionError):
        divide(1, 0, rounding)
    with pytest.raises(ValueError, match="expected a positive denominator, got -3"):
        divide(1, -3, rounding)


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        (10, [1, 1, 1], [4, 3, 3]),  # 3⅓ each; the unit left goes to the first of equal remainders
        (11, [1, 1, 1], [4, 4, 3]),
        (100, [1, 2, 3], [17, 33, 50]),  # 16⅔, 33⅓, 50: the largest remainder is the first
        (2, [1, 1, 1, 1], [1, 1, 0, 0]),
        (7, [0, 5, 0], [0, 7, 0]),  # a weight of nothing gets nothing
        (5, [300, -100], [8, -3]),  # 7½ and −2½, floored to 7 and −3: equal remainders, the first goes up
        (0, [0, 0], [0, 0]),
        (0, [], []),
        (-10, [1, 1, 1], [-3, -3, -4]),  # floors −4 each, two units back to the first two
    ],
)
def test_apportion(total: int, weights: list[int], shares: list[int]) -> None:
    assert apportion(total, weights) == shares


@pytest.mark.parametrize("weights", [[], [0, 0], [5, -5], [1, -2]])
def test_apportion_refuses_weights_that_share_nothing(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="expected weights with a positive sum"):
        apportion(3, weights)


@given(INTEGERS, st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=20))
def test_shares_sum_to_the_total_and_stay_within_one_unit_of_exact(total: int, weights: list[int]) -> None:
    whole = sum(weights)
    assume(whole > 0)
    shares = apportion(total, weights)
    assert sum(shares) == total
    for share, weight in zip(shares, weights, strict=True):
        assert abs(Fraction(total * weight, whole) - share) < 1


@given(st.integers(0, 10**9), WEIGHTS)
def test_a_larger_weight_never_gets_less(total: int, weights: list[int]) -> None:
    ranked = sorted(zip(weights, apportion(total, weights), strict=True), key=lambda pair: pair[0])
    for (small, less), (large, more) in pairwise(ranked):
        assert small == large or less <= more


@given(st.integers(0, 10**6), WEIGHTS, st.data())
def test_the_order_of_the_lines_decides_equal_remainders_only(
    total: int, weights: list[int], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(weights))))
    shares = apportion(total, weights)
    moved = apportion(total, [weights[index] for index in order])
    remainders = [total * weight % sum(weights) for weight in weights]
    for place, index in enumerate(order):
        if remainders.count(remainders[index]) == 1:
            assert moved[place] == shares[index]
        else:
            assert abs(moved[place] - shares[index]) <= 1


@given(st.integers(0, 10**6), WEIGHTS)
def test_of_equal_weights_the_earlier_one_has_the_unit_more(total: int, weights: list[int]) -> None:
    shares = apportion(total, weights)
    for first in range(len(weights)):
        for second in range(first + 1, len(weights)):
            if weights[first] == weights[second]:
                assert 0 <= shares[first] - shares[second] <= 1


@given(WEIGHTS, st.data())
def test_a_discount_never_takes_more_than_a_line_is_worth(weights: list[int], data: st.DataObject) -> None:
    total = data.draw(st.integers(0, sum(weights)))
    assert all(0 <= share <= weight for share, weight in zip(apportion(total, weights), weights, strict=True))
