"""Reads an EAN-13 that is too blurred for edges: which digits, drawn as blurred as this, look most like the profile.

After Gallo and Manduchi, "Reading 1D barcodes with mobile phones using deformable templates" (IEEE PAMI, 2011). Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

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

# Samples per module: bars as narrow as a module keep their shape, and one profile stays a few kilobytes.
_FINE = 3
# A digit is compared with one module more on each side, which is known: left digits end in a bar, begin with a space.
_AROUND = 1
# Blurs tried, as the deviation of a Gaussian in modules.
_BLURS = (0.35, 0.6, 0.9, 1.25)
# Samples of a profile for each pixel, so that the nearest one is near enough.
_DENSE = 3
# Where the bars may begin, and where they may end: this many edges each.
_MOST_EDGES = 4


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
    soft = _smooth(profile, 0.5 * module)
    slope = np.diff(soft)
    reach = 0.3 * (last - first)
    quiet = 5 * module
    begins = _edges(-slope, soft, first - reach, first + reach, quiet)
    backwards = _edges(slope[::-1], soft[::-1], profile.size - 1 - last - reach, profile.size - 1 - last + reach, quiet)
    ends = profile.size - 1 - backwards
    begins, ends = (grid.ravel() for grid in np.meshgrid(begins, ends))
    fits = (ends - begins) > 0.5 * (last - first)
    if not fits.any():
        return None
    # A code on its head is one that begins at the other end.
    begins, ends = np.concatenate([begins[fits], ends[fits]]), np.concatenate([ends[fits], begins[fits]])
    shape = np.array([[begin, end, 0.0, 0.0] for begin, end in zip(begins, ends, strict=True)], np.float32)
    return _refine(profile, _best(profile, _spread(shape, _COARSE, module), _BLURS[1], 3), module)


def lead_of(text: str, profile: Floats, first: float, last: float) -> float:
    """Say how much likelier `text` looks, on bars from `first` to `last`, than any other number that passes its check.

    Such a number differs in two of the twelve drawn digits at least: their leads count, where they are smallest.
    """
    module = (last - first) / MODULES
    shapes = np.array([[first, last, 0, 0]], np.float32)
    for around in (_COARSE, *_CROSSES):
        shapes = _best(profile, _spread(shapes, around, module), _BLURS[1], 1)
    sets = [int(name == "B") for name in _PARITY[int(text[0])]]
    found = []
    for blur in _BLURS[::2]:
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


# Each row bends the ruler: begin, end in modules; lean (one side nearer), bulge (round a bottle) as parts of the width.
_COARSE = np.array(
    [[0, 0, lean / 20, 0] for lean in range(-6, 7)]
    + [[0, 0, lean / 20, bulge] for lean in range(-2, 3) for bulge in (-0.15, -0.3, -0.45, -0.6)],
    np.float32,
)
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
_FINER = (
    np.array(
        [
            [b, e, q, c]
            for b in (-0.8, 0, 0.8)
            for e in (-0.8, 0, 0.8)
            for q in (-0.06, 0, 0.06)
            for c in (-0.15, 0, 0.15)
        ],
        np.float32,
    ),
    np.array(
        [
            [b, e, q, c]
            for b in (-0.4, 0, 0.4)
            for e in (-0.4, 0, 0.4)
            for q in (-0.03, 0, 0.03)
            for c in (-0.07, 0, 0.07)
        ],
        np.float32,
    ),
    np.array(
        [
            [b, e, q, c]
            for b in (-0.2, 0, 0.2)
            for e in (-0.2, 0, 0.2)
            for q in (-0.015, 0, 0.015)
            for c in (-0.03, 0, 0.03)
        ],
        np.float32,
    ),
)


def _smooth(profile: Floats, deviation: float) -> Floats:
    reach = np.arange(-int(3 * deviation) - 1, int(3 * deviation) + 2)
    kernel = np.exp(-0.5 * (reach / max(deviation, 0.3)) ** 2)
    padded = np.pad(profile, reach.size // 2, mode="edge")
    return np.asarray(np.convolve(padded, kernel / kernel.sum(), mode="valid"), np.float32)


def _edges(rise: Floats, soft: Floats, low: float, high: float, quiet: float) -> Floats:
    """Return where `rise` peaks between `low` and `high` after `quiet` pixels without bars: the quietest few."""
    peak = (rise[1:-1] > rise[:-2]) & (rise[1:-1] >= rise[2:]) & (rise[1:-1] > 0.12 * max(float(rise.max()), 1e-3))
    at = np.nonzero(peak)[0] + 1
    at = at[(at >= max(low, 2)) & (at <= high)]
    contrast = float(np.percentile(soft, 95) - np.percentile(soft, 5)) + 1e-3
    before = [soft[max(0, int(x - quiet)) : max(1, int(x - 0.15 * quiet))] for x in at]
    unrest = np.array([np.ptp(piece) / contrast for piece in before], np.float32)
    return np.asarray(at[np.argsort(unrest)[:_MOST_EDGES]] + 0.5, np.float32)


def _spread(shapes: Floats, around: Floats, module: float) -> Floats:
    """Return every one of `shapes` (n, 4) moved by every row of `around` (m, 4)."""
    moved = around * np.array([module, module, 1, 1], np.float32)
    return np.asarray((shapes[:, None, :] + moved[None, :, :]).reshape(-1, 4), np.float32)


def _best(profile: Floats, shapes: Floats, blur: float, count: int) -> Floats:
    scores = _quality(*_likeness(profile, shapes, blur))
    return shapes[np.argsort(-scores)[:count]]


def _refine(profile: Floats, shapes: Floats, module: float) -> Fit:
    for around in _FINER[:-1]:
        shapes = _best(profile, _spread(shapes, around, module), _BLURS[1], 2)
    nearest = _spread(shapes[:1], _FINER[-1], module)
    options = []
    for blur in _BLURS:
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
    part = _samples_at() / MODULES
    begin, end, lean, bulge = (shapes[:, place, None] for place in range(4))
    inside = np.clip(part, 0, 1)
    bent = part + lean * inside * (1 - inside) + bulge * inside * (1 - inside) * (1 - 2 * inside)
    places = (begin + (end - begin) * bent) * _DENSE
    dense = -np.interp(np.arange(profile.size * _DENSE) / _DENSE, np.arange(profile.size), profile).astype(np.float32)
    dark = dense[np.clip(places + 0.5, 0, dense.size - 1).astype(np.int32)]
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
        for start, end, shape in (
            (-_QUIET, 4, templates.start),
            (44, 51, templates.middle),
            (91, 95 + _QUIET, templates.end),
        )
    ]
    return left.reshape(len(shapes), 6, 2, 10), right, np.stack(guards, axis=1)


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
    count = (MODULES + 2 * _QUIET) * _FINE
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
