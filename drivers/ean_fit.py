"""Reads an EAN-13 that is too blurred for edges: which digits, drawn as blurred as this, look most like the profile.

After Gallo and Manduchi, "Reading 1D barcodes with mobile phones using deformable templates" (IEEE PAMI 33, 2011). Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

__all__ = ["Fit", "Reading", "decide", "fit_profile", "modules_of"]

# GS1 General Specifications 5.2.1.2: number set A; B is C read backwards, C is A with bars and spaces exchanged.
_SET_A = ("0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111", "0001011")
_SET_C = tuple("".join("10"[int(bit)] for bit in digit) for digit in _SET_A)
_SET_B = tuple(digit[::-1] for digit in _SET_C)
# Figure 5.2.1.2-2 there: which sets the six left digits take says what the first digit is.
_PARITY = ("AAAAAA", "AABABB", "AABBAB", "AABBBA", "ABAABB", "ABBAAB", "ABBBAA", "ABABAB", "ABABBA", "ABBABA")
_MODULES = 95
_LEFT, _RIGHT = 3, 50
"""Modules before the first digit of each half."""

# Samples per module: bars as narrow as a module keep their shape, and one profile stays a few kilobytes.
_FINE = 4
# A digit is compared with one module more on each side, which is known: all left digits end in a bar, begin with a space.
_AROUND = 1
# Blurs tried, as the deviation of a Gaussian in modules.
_BLURS = (0.35, 0.6, 0.9, 1.25)
# The bars may begin and end this far from where the search saw them, in modules.
_SLACK = 9.0
_STEP = 0.5


@dataclass(frozen=True, slots=True)
class Fit:
    """How a profile fits: `left` (6, 2, 10) and `right` (6, 10) are likenesses, -1 to 1, of each digit at each place.

    `first` and `last` are where the bars begin and end, in pixels of the profile; `quality` is the mean likeness of the
    likeliest digits and of the guards.
    """

    left: Floats
    right: Floats
    first: float
    last: float
    quality: float


@dataclass(frozen=True, slots=True)
class Reading:
    """The likeliest number whose check digit is right; `margin` is its likeness above the next such number's."""

    text: str
    margin: float
    quality: float


def modules_of(text: str) -> NDArray[np.uint8]:
    """Return the 95 modules of an EAN-13 of 13 digits, 1 for a bar."""
    sets = {"A": _SET_A, "B": _SET_B}
    left = "".join(sets[name][int(digit)] for name, digit in zip(_PARITY[int(text[0])], text[1:7], strict=True))
    right = "".join(_SET_C[int(digit)] for digit in text[7:])
    return np.array([int(bit) for bit in f"101{left}01010{right}101"], np.uint8)


def fit_profile(profile: Floats, first: float, last: float) -> list[Fit]:
    """Fit `profile` (w,), brightness across bars thought to lie between `first` and `last` pixels; best reading ways.

    Returns the fit as it stands and the one turned round, each where it fits best.
    """
    return [
        _fit(profile, first, last),
        _fit(np.ascontiguousarray(profile[::-1]), profile.size - 1 - last, profile.size - 1 - first),
    ]


def decide(fits: list[Fit]) -> Reading:
    """Return what all `fits`, of bands of one code read the same way, say together."""
    left = np.mean([fit.left for fit in fits], axis=0)
    right = np.mean([fit.right for fit in fits], axis=0)
    # Best total for each check sum so far, modulo 10, for each first digit; then the same with what it consists of.
    best: list[tuple[float, str]] = []
    for first, parity in enumerate(_PARITY):
        places = [left[place, int(name == "B")] for place, name in enumerate(parity)] + list(right)
        best += _best_valid(first, places)
    best.sort(reverse=True)
    score, text = best[0]
    runner_up = next((other for other, number in best if number != text), -12.0)
    return Reading(text, float(score - runner_up), float(np.mean([fit.quality for fit in fits])))


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


def _fit(profile: Floats, first: float, last: float) -> Fit:
    module = (last - first) / _MODULES
    shifts = np.arange(-_SLACK, _SLACK + _STEP, _STEP, dtype=np.float32) * np.float32(module)
    begins, ends = (grid.ravel() for grid in np.meshgrid(first + shifts, last + shifts))
    scores = _scores(profile, begins, ends, _BLURS[1])
    best = int(np.argmax(scores))
    begin, end = float(begins[best]), float(ends[best])
    for step in (0.25, 0.12):
        near = np.array([-step, 0.0, step], np.float32) * np.float32(module)
        begins, ends = (grid.ravel() for grid in np.meshgrid(begin + near, end + near))
        options = [(_scores(profile, begins, ends, blur), blur) for blur in _BLURS]
        totals, blur = max(options, key=lambda option: float(option[0].max()))
        best = int(np.argmax(totals))
        begin, end = float(begins[best]), float(ends[best])
    left, right, guards = _likeness(profile, np.array([begin]), np.array([end]), blur)
    return Fit(left[0], right[0], begin, end, _quality(left, right, guards).item())


def _scores(profile: Floats, begins: Floats, ends: Floats, blur: float) -> Floats:
    return _quality(*_likeness(profile, begins, ends, blur))


def _quality(left: Floats, right: Floats, guards: Floats) -> Floats:
    total = left.max(axis=(2, 3)).sum(axis=1) + right.max(axis=2).sum(axis=1) + guards.sum(axis=1)
    return np.asarray(total / (12 + guards.shape[1]), np.float32)


def _likeness(profile: Floats, begins: Floats, ends: Floats, blur: float) -> tuple[Floats, Floats, Floats]:
    """Return likenesses of n placings: left digits (n, 6, 2, 10), right digits (n, 6, 10), guards (n, 3)."""
    marks = _samples_at()
    places = begins[:, None] + (ends - begins)[:, None] * (marks / _MODULES)[None, :]
    dark = -np.interp(places, np.arange(profile.size), profile).astype(np.float32)
    offset = int(_QUIET * _FINE)
    templates = _templates(blur)
    width = (7 + 2 * _AROUND) * _FINE

    def windows(start: int) -> Floats:
        base = offset + (start - _AROUND) * _FINE
        index = base + 7 * _FINE * np.arange(6)[:, None] + np.arange(width)[None, :]
        return _unit(dark[:, index])

    left = windows(_LEFT) @ templates.left.T
    right = windows(_RIGHT) @ templates.right.T
    guards = [
        (_unit(dark[:, offset + start * _FINE : offset + end * _FINE]) @ shape)
        for start, end, shape in ((-_QUIET, 4, templates.start), (44, 51, templates.middle), (91, 95 + _QUIET, templates.end))
    ]
    return left.reshape(len(begins), 6, 2, 10), right, np.stack(guards, axis=1)


_QUIET = 4
"""Modules of quiet zone that must look quiet; the standard asks for more, printers give less."""


@dataclass(frozen=True, slots=True)
class _Templates:
    left: Floats
    right: Floats
    start: Floats
    middle: Floats
    end: Floats


@cache
def _samples_at() -> Floats:
    count = (_MODULES + 2 * _QUIET) * _FINE
    return np.asarray((np.arange(count) + 0.5) / _FINE - _QUIET, np.float32)


@cache
def _templates(blur: float) -> _Templates:
    left = [_drawn("101" + digit + "01", 3, 7, blur) for digits in (_SET_A, _SET_B) for digit in digits]
    right = [_drawn("010" + digit + "10", 3, 7, blur) for digit in _SET_C]
    quiet = "0" * _QUIET
    return _Templates(
        np.stack(left),
        np.stack(right),
        _drawn("000" + quiet + "101" + "00", 3, _QUIET + 4, blur),
        _drawn("1" + "1" + "01010" + "1" + "1", 1, 7, blur),
        _drawn("00" + "101" + quiet + "000", 1, _QUIET + 4, blur),
    )


def _drawn(bits: str, start: int, count: int, blur: float) -> Floats:
    """Draw `count` modules of `bits` from `start`, blurred; digits get `_AROUND` modules more on each side."""
    line = np.repeat(np.array([float(bit) for bit in "0000" + bits + "0000"]), _FINE)
    reach = np.arange(-4 * _FINE, 4 * _FINE + 1) / _FINE
    kernel = np.exp(-0.5 * (reach / blur) ** 2)
    soft = np.convolve(line, kernel / kernel.sum(), mode="same")
    around = _AROUND if count == 7 and len(bits) == 12 else 0
    piece = soft[(4 + start - around) * _FINE : (4 + start + count + around) * _FINE]
    return _unit(piece.astype(np.float32))


def _unit(values: Floats) -> Floats:
    """Return `values` with mean 0 and length 1 along the last axis: lighting and contrast fall out."""
    centred = values - values.mean(axis=-1, keepdims=True)
    return np.asarray(centred / (np.linalg.norm(centred, axis=-1, keepdims=True) + 1e-3), np.float32)
