"""Reads an EAN-13 that is too blurred for edges: which digits, drawn as blurred as this, look most like the profile.

After Gallo and Manduchi, "Reading 1D barcodes with mobile phones using deformable templates" (IEEE PAMI, 2011). Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from drivers.decoding.rulers import (
    AROUND,
    BLURS,
    COARSE,
    FINE,
    FINER,
    QUIET,
    Floats,
    drawn,
    placings,
    sampled,
    spread,
    unit,
)

__all__ = ["MODULES", "Fit", "Reading", "decide", "fit_profile", "lead_of", "modules_of"]

# GS1 General Specifications 5.2.1.2: number set A; B is C read backwards, C is A with bars and spaces exchanged.
_SET_A = ("0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111", "0001011")
_SET_C = tuple("".join("10"[int(bit)] for bit in digit) for digit in _SET_A)
_SET_B = tuple(digit[::-1] for digit in _SET_C)
# Figure 5.2.1.2-2 there: which sets the six left digits take says what the first digit is.
_PARITY = ("AAAAAA", "AABABB", "AABBAB", "AABBBA", "ABAABB", "ABBAAB", "ABBBAA", "ABABAB", "ABABBA", "ABBABA")
MODULES = 95
"""Modules of an EAN-13 from its first bar to its last."""
_LEFT, _RIGHT = 3, 50
"""Modules before the first digit of each half."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How a profile fits: `left` (6, 2, 10) and `right` (6, 10) are likenesses, -1 to 1, of each digit at each place.

    `first` and `last` are where the bars begin and end, in pixels of the profile; `quality` is the mean likeness of the
    likeliest digits and of the guards, `guards` that of the worst of the three guards.
    """

    left: Floats
    right: Floats
    first: float
    last: float
    quality: float
    guards: float

    @property
    def ahead(self) -> bool:
        """False where the code stands on its head."""
        return self.first < self.last


@dataclass(frozen=True, slots=True)
class Reading:
    """The likeliest number whose check digit is right.

    `margin` is its likeness above the next such number's, `shortfall` below that of the likeliest digits without regard
    to the check; `quality` and `guards` as in `Fit`.
    """

    text: str
    margin: float
    shortfall: float
    quality: float
    guards: float


def modules_of(text: str) -> NDArray[np.uint8]:
    """Return the 95 modules of an EAN-13 of 13 digits, 1 for a bar."""
    sets = {"A": _SET_A, "B": _SET_B}
    left = "".join(sets[name][int(digit)] for name, digit in zip(_PARITY[int(text[0])], text[1:7], strict=True))
    right = "".join(_SET_C[int(digit)] for digit in text[7:])
    return np.array([int(bit) for bit in f"101{left}01010{right}101"], np.uint8)


def fit_profile(profile: Floats, first: float, last: float) -> Fit | None:
    """Fit `profile` (w,), brightness across bars thought to lie between `first` and `last` pixels.

    Either way round: `first` of the result is behind `last` when the code stands on its head. None where there are no
    bars to begin and end with.
    """
    module = (last - first) / MODULES
    begins, ends = placings(profile, first, last, module)
    if not begins.size:
        return None
    shape = np.array([[begin, end, 0.0, 0.0] for begin, end in zip(begins, ends, strict=True)], np.float32)
    return _refine(profile, _best(profile, spread(shape, COARSE, module), BLURS[1], 3), module)


def lead_of(text: str, profile: Floats, first: float, last: float) -> float:
    """Say how much likelier `text` looks, on bars from `first` to `last`, than any other number that passes its check.

    Such a number differs in two of the twelve drawn digits at least: their leads count, where they are smallest.
    """
    module = (last - first) / MODULES
    shapes = np.array([[first, last, 0, 0]], np.float32)
    for around in (COARSE, *_CROSSES):
        shapes = _best(profile, spread(shapes, around, module), BLURS[1], 1)
    sets = [int(name == "B") for name in _PARITY[int(text[0])]]
    found = []
    for blur in BLURS[::2]:
        left, right, _ = _likeness(profile, shapes, blur)
        leads = []
        for place, digit in enumerate(map(int, text[1:])):
            likeness = left[0, place].ravel().copy() if place < 6 else right[0, place - 6].copy()
            said = digit + 10 * sets[place] if place < 6 else digit
            leads.append(float(likeness[said] - np.delete(likeness, said).max()))
        found.append(sum(sorted(leads)[:2]))
    return max(found)


def decide(fits: list[Fit]) -> Reading:
    """Return what all `fits`, of bands of one code read the same way, say together."""
    left = np.mean([fit.left for fit in fits], axis=0)
    right = np.mean([fit.right for fit in fits], axis=0)
    # Best total for each check sum so far, modulo 10, for each first digit; then the same with what it consists of.
    best: list[tuple[float, str]] = []
    likeliest = -12.0
    for first, parity in enumerate(_PARITY):
        places = [left[place, int(name == "B")] for place, name in enumerate(parity)] + list(right)
        best += _best_valid(first, places)
        likeliest = max(likeliest, float(sum(place.max() for place in places)))
    best.sort(reverse=True)
    score, text = best[0]
    runner_up = next((other for other, number in best if number != text), -12.0)
    return Reading(
        text,
        float(score - runner_up),
        float(likeliest - score),
        float(np.mean([fit.quality for fit in fits])),
        float(np.mean([fit.guards for fit in fits])),
    )


def _best_valid(first: int, places: list[Floats]) -> list[tuple[float, str]]:
    """Return the two best totals, with their digits, of twelve digits after `first` that pass the check (modulo 10)."""
    # States: the sum so far. Each keeps its two best ways.
    ways: list[list[tuple[float, str]]] = [[] for _ in range(10)]
    ways[first] = [(0.0, str(first))]
    for place, likeness in enumerate(places):
        weight = 3 if place % 2 == 0 else 1
        after: list[list[tuple[float, str]]] = [[] for _ in range(10)]
        for digit in np.argsort(-likeness)[:5]:
            value = float(likeness[digit])
            for total in range(10):
                target = after[(total + weight * int(digit)) % 10]
                target += [(score + value, text + str(digit)) for score, text in ways[total]]
        ways = [sorted(way, reverse=True)[:2] for way in after]
    return ways[0]


# Where an engine has found the bars: both ends together, lean and bulge one at a time.
_CROSSES = tuple(
    np.array(
        [[b, e, 0, 0] for b in (-end, 0, end) for e in (-end, 0, end)]
        + [[0, 0, q, 0] for q in (-lean, lean)]
        + [[0, 0, 0, c] for c in (-bulge, bulge)],
        np.float32,
    )
    for end, lean, bulge in ((0.8, 0.06, 0.15), (0.6, 0.04, 0.1), (0.3, 0.02, 0.05))
)


def _best(profile: Floats, shapes: Floats, blur: float, count: int) -> Floats:
    scores = _quality(*_likeness(profile, shapes, blur))
    return shapes[np.argsort(-scores)[:count]]


def _refine(profile: Floats, shapes: Floats, module: float) -> Fit:
    for around in FINER[:-1]:
        shapes = _best(profile, spread(shapes, around, module), BLURS[1], 2)
    nearest = spread(shapes[:1], FINER[-1], module)
    options = []
    for blur in BLURS:
        left, right, guards = _likeness(profile, nearest, blur)
        scores = _quality(left, right, guards)
        best = int(np.argmax(scores))
        options.append((float(scores[best]), best, left[best], right[best], float(guards[best].min())))
    quality, best, left, right, guard = max(options, key=lambda option: option[0])
    return Fit(left, right, float(nearest[best, 0]), float(nearest[best, 1]), quality, guard)


def _quality(left: Floats, right: Floats, guards: Floats) -> Floats:
    total = left.max(axis=(2, 3)).sum(axis=1) + right.max(axis=2).sum(axis=1) + guards.sum(axis=1)
    return np.asarray(total / (12 + guards.shape[1]), np.float32)


def _likeness(profile: Floats, shapes: Floats, blur: float) -> tuple[Floats, Floats, Floats]:
    """Return likenesses of n placings: left digits (n, 6, 2, 10), right digits (n, 6, 10), guards (n, 3)."""
    dark = sampled(profile, shapes, MODULES)
    offset = QUIET * FINE
    templates = _templates(blur)
    width = (7 + 2 * AROUND) * FINE

    def windows(start: int) -> Floats:
        base = offset + (start - AROUND) * FINE
        index = base + 7 * FINE * np.arange(6)[:, None] + np.arange(width)[None, :]
        return unit(dark[:, index])

    left = windows(_LEFT) @ templates.left.T
    right = windows(_RIGHT) @ templates.right.T
    guards = [
        (unit(dark[:, offset + start * FINE : offset + end * FINE]) @ shape)
        for start, end, shape in (
            (-QUIET, 4, templates.start),
            (44, 51, templates.middle),
            (91, 95 + QUIET, templates.end),
        )
    ]
    return left.reshape(len(shapes), 6, 2, 10), right, np.stack(guards, axis=1)


@dataclass(frozen=True, slots=True)
class _Templates:
    left: Floats
    right: Floats
    start: Floats
    middle: Floats
    end: Floats


@cache
def _templates(blur: float) -> _Templates:
    left = [
        drawn("101" + digit + "01", 3 - AROUND, 7 + 2 * AROUND, blur) for digits in (_SET_A, _SET_B) for digit in digits
    ]
    right = [drawn("010" + digit + "10", 3 - AROUND, 7 + 2 * AROUND, blur) for digit in _SET_C]
    quiet = "0" * QUIET
    return _Templates(
        np.stack(left),
        np.stack(right),
        drawn("000" + quiet + "101" + "00", 3, QUIET + 4, blur),
        drawn("1" + "1" + "01010" + "1" + "1", 1, 7, blur),
        drawn("00" + "101" + quiet + "000", 1, QUIET + 4, blur),
    )
