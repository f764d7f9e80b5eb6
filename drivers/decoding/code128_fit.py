"""Reads a Code 128 too blurred for edges: which characters, drawn as blurred as this, look most like the profile.

As `ean_fit` does, but how many characters there are is not known beforehand: the start and the stop say so. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from barcode.charsets.code128 import CODES, STOP
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

__all__ = ["Fit128", "Reading128", "decide", "fit_profile", "modules_of"]

# ISO/IEC 15417: a character is three bars and three spaces in 11 modules, the stop 13 with its last bar; values 103 to
# 105 start, and the check is the sum of value times place, modulo 103.
_CHARACTER, _STOP = 11, 13
_STARTS = slice(103, 106)
_MODULUS = 103
# Characters with start and check: fewer carry no card number, more are not resolved where this is needed.
_FEWEST, _MOST = 4, 24
# Placings that the start and the stop alone leave over.
_MOST_PLACINGS = 10
# Characters that are considered at each place: what looks less like it than the eighth is never right.
_LIKELIEST = 8


@dataclass(frozen=True, slots=True)
class Fit128:
    """How a profile fits: `likeness` (characters, 106), -1 to 1, of each value at each place.

    `first` and `last` are where the bars begin and end, in pixels of the profile; `quality` is the mean likeness of the
    likeliest characters and of the stop.
    """

    likeness: Floats
    first: float
    last: float
    quality: float

    @property
    def ahead(self) -> bool:
        """False where the code stands on its head."""
        return self.first < self.last


@dataclass(frozen=True, slots=True)
class Reading128:
    """The likeliest values, start and check included, whose check is right.

    `margin` is their likeness above the next such values', `shortfall` below that of the likeliest values without
    regard to the check; `quality` as in `Fit128`.
    """

    values: tuple[int, ...]
    margin: float
    shortfall: float
    quality: float


def modules_of(values: Sequence[int]) -> NDArray[np.uint8]:
    """Return the modules of a Code 128 of these values, start and check included, 1 for a bar; the stop is added."""
    return np.array([int(bit) for bit in "".join(CODES[value] for value in values) + STOP + "11"], np.uint8)


def fit_profile(profile: Floats, first: float, last: float) -> Fit128 | None:
    """Fit `profile` (w,), brightness across bars thought to lie between `first` and `last` pixels, either way round.

    None where there are no bars to begin and end with.
    """
    begins, ends = placings(profile, first, last, (last - first) / 130)
    if not begins.size:
        return None
    shapes = np.stack([begins, ends, np.zeros_like(begins), np.zeros_like(begins)], axis=1).astype(np.float32)
    options: list[tuple[float, int, Floats]] = []
    for characters in range(_FEWEST, _MOST + 1):
        guards = _ends(profile, shapes, characters, BLURS[1])
        options += [(float(guards[n]), characters, shapes[n : n + 1]) for n in np.argsort(-guards)[:2]]
    options.sort(key=lambda option: -option[0])
    coarse = []
    for _, characters, shape in options[:_MOST_PLACINGS]:
        module = float(abs(shape[0, 1] - shape[0, 0])) / _modules(characters)
        bent = spread(shape, COARSE, module)
        scores = _quality(*_likeness(profile, bent, characters, BLURS[1]))
        best = int(np.argmax(scores))
        coarse.append((float(scores[best]), characters, bent[best : best + 1]))
    coarse.sort(key=lambda option: -option[0])
    return max(
        (_refine(profile, shape, characters) for _, characters, shape in coarse[:2]), key=lambda fit: fit.quality
    )


def decide(fits: Sequence[Fit128]) -> Reading128 | None:
    """Return what all `fits`, of bands of one code read the same way and as long, say together."""
    likeness = np.mean([fit.likeness for fit in fits], axis=0)
    likeliest = float(likeness[0, _STARTS].max() + likeness[1:, :_MODULUS].max(axis=1).sum())
    ways: dict[int, list[tuple[float, tuple[int, ...]]]] = {}
    for start in range(_STARTS.start, _STARTS.stop):
        ways.setdefault(start % _MODULUS, []).append((float(likeness[0, start]), (start,)))
    for place, row in enumerate(likeness[1:-1], start=1):
        after: dict[int, list[tuple[float, tuple[int, ...]]]] = {}
        for value in map(int, np.argsort(-row[:_MODULUS])[:_LIKELIEST]):
            for total, known in ways.items():
                target = after.setdefault((total + place * value) % _MODULUS, [])
                target += [(score + float(row[value]), (*values, value)) for score, values in known]
        ways = {total: sorted(known, reverse=True)[:2] for total, known in after.items()}
    whole = sorted(
        (
            (score + float(likeness[-1, total]), (*values, total))
            for total, known in ways.items()
            for score, values in known
        ),
        reverse=True,
    )
    if not whole:
        return None
    score, values = whole[0]
    runner_up = whole[1][0] if len(whole) > 1 else -float(len(likeness))
    return Reading128(values, score - runner_up, likeliest - score, float(np.mean([fit.quality for fit in fits])))


def _modules(characters: int) -> int:
    return _CHARACTER * characters + _STOP


def _refine(profile: Floats, shapes: Floats, characters: int) -> Fit128:
    module = float(abs(shapes[0, 1] - shapes[0, 0])) / _modules(characters)
    for around in FINER[:-1]:
        shapes = spread(shapes, around, module)
        scores = _quality(*_likeness(profile, shapes, characters, BLURS[1]))
        shapes = shapes[np.argsort(-scores)[:1]]
    shapes = spread(shapes, FINER[-1], module)
    options = []
    for blur in BLURS:
        likeness, stop = _likeness(profile, shapes, characters, blur)
        scores = _quality(likeness, stop)
        best = int(np.argmax(scores))
        options.append((float(scores[best]), best, likeness[best]))
    quality, best, likeness = max(options, key=lambda option: option[0])
    return Fit128(likeness, float(shapes[best, 0]), float(shapes[best, 1]), quality)


def _quality(likeness: Floats, stop: Floats) -> Floats:
    total = likeness[:, 0, _STARTS].max(axis=1) + likeness[:, 1:, :_MODULUS].max(axis=2).sum(axis=1) + stop
    return np.asarray(total / (likeness.shape[1] + 1), np.float32)


def _ends(profile: Floats, shapes: Floats, characters: int, blur: float) -> Floats:
    """Return how much the two ends of n placings look like a start and a stop (n,), -2 to 2."""
    dark = sampled(profile, shapes, _modules(characters))
    start, stop = _guards(blur)
    begin = unit(dark[:, : start.shape[1]]) @ start.T
    return np.asarray(begin.max(axis=1) + unit(dark[:, -stop.size :]) @ stop, np.float32)


def _likeness(profile: Floats, shapes: Floats, characters: int, blur: float) -> tuple[Floats, Floats]:
    """Return likenesses of n placings: characters (n, characters, 106), the stop (n,)."""
    dark = sampled(profile, shapes, _modules(characters))
    start, stop = _guards(blur)
    width = (_CHARACTER + 2 * AROUND) * FINE
    index = (QUIET - AROUND) * FINE + _CHARACTER * FINE * np.arange(characters)[:, None] + np.arange(width)[None, :]
    likeness = unit(dark[:, index]) @ _templates(blur).T
    likeness[:, 0, _STARTS] = unit(dark[:, : start.shape[1]]) @ start.T
    return likeness, unit(dark[:, -stop.size :]) @ stop


@cache
def _templates(blur: float) -> Floats:
    """Return the drawn characters (106, samples): each begins with a bar, and ends with a space that a bar follows."""
    width = _CHARACTER + 2 * AROUND
    return np.stack([drawn("000" + code + "11", 3 - AROUND, width, blur) for code in CODES])


@cache
def _guards(blur: float) -> tuple[Floats, Floats]:
    quiet = "0" * QUIET
    starts = [drawn("000" + quiet + code + "11", 3, QUIET + _CHARACTER + 1, blur) for code in CODES[_STARTS]]
    return np.stack(starts), drawn("00" + STOP + "11" + quiet + "000", 1, 1 + _STOP + QUIET, blur)
