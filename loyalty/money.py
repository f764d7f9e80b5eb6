"""Integer arithmetic for money and points: every division names its rounding, every split adds up exactly."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class Rounding(StrEnum):
    """How a fraction of a point becomes whole points."""

    FLOOR = "floor"
    HALF_UP = "half_up"


FLOOR = Rounding.FLOOR  # a look-up in an enum takes longer than the division


def divide(numerator: int, denominator: int, rounding: Rounding) -> int:
    """Divide two integers under a named rounding.

    Half-up means away from zero at exactly one half, for positive and negative numerators alike.

    Raises:
        ZeroDivisionError: `denominator` is 0.
        ValueError: `denominator` is negative.
    """
    if denominator < 0:
        raise ValueError(f"expected a positive denominator, got {denominator}")
    if rounding is FLOOR:
        return numerator // denominator
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return magnitude if numerator >= 0 else -magnitude


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` over `weights` in proportion, in whole units that sum to `total` exactly.

    Largest remainder (Hamilton): each share is floored, and what is left goes one unit at a time to the largest
    remainders, earlier lines first on a tie. Weights may be negative (a line taken back) as long as their sum is
    positive.

    Args:
        total: units to split (points or minor units).
        weights: one integer per share.

    Raises:
        ValueError: the weights do not sum to a positive number while `total` is not 0.
    """
    whole = sum(weights)
    if total == 0:
        return [0] * len(weights)
    if whole <= 0:
        raise ValueError(f"expected weights with a positive sum, got {whole}")
    if len(weights) == 2:
        # Most splits are of two lines: the larger remainder gets the unit, which is the first share rounded half up.
        first = (2 * total * weights[0] + whole) // (2 * whole)
        return [first, total - first]
    parts = [total * weight for weight in weights]
    shares = [part // whole for part in parts]
    left = total - sum(shares)
    if left:
        remainders = [part % whole for part in parts]
        if left == 1:
            shares[remainders.index(max(remainders))] += 1
            return shares
        # The sort is stable, in reverse too: equal remainders stay in the order of the lines.
        for index in sorted(range(len(shares)), key=remainders.__getitem__, reverse=True)[:left]:
            shares[index] += 1
    return shares
