"""A ruler laid along blurred bars: where they may begin and end, how it may bend, what a module then looks like.

After Gallo and Manduchi, "Reading 1D barcodes with mobile phones using deformable templates" (IEEE PAMI, 2011). Pure.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

__all__ = [
    "AROUND",
    "BLURS",
    "COARSE",
    "FINE",
    "FINER",
    "QUIET",
    "Floats",
    "drawn",
    "placings",
    "sampled",
    "spread",
    "unit",
]

FINE = 3
"""Samples per module: bars as narrow as a module keep their shape, and one profile stays a few kilobytes."""

AROUND = 1
"""Modules more on each side that a character is compared with: where each begins and ends with a known one."""

QUIET = 4
"""Modules of quiet zone that must look quiet; the standards ask for more, printers give less."""

BLURS = (0.35, 0.6, 0.9, 1.25)
"""Blurs tried, as the deviation of a Gaussian in modules."""

# Samples of a profile for each pixel, so that the nearest one is near enough.
_DENSE = 3
# Where the bars may begin, and where they may end: this many edges each.
_MOST_EDGES = 4

# Each row bends the ruler: begin, end in modules; lean (one side nearer), bulge (round a bottle) as parts of the width.
COARSE = np.array(
    [[0, 0, lean / 20, 0] for lean in range(-6, 7)]
    + [[0, 0, lean / 20, bulge] for lean in range(-2, 3) for bulge in (-0.15, -0.3, -0.45, -0.6)],
    np.float32,
)
FINER = (
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


def placings(profile: Floats, first: float, last: float, module: float) -> tuple[Floats, Floats]:
    """Return where bars thought to lie between `first` and `last` may begin, and where they then end, in pixels.

    Both ways round: a code on its head is one that begins at the other end. `module` is in pixels, roughly. Both empty
    where there are no bars to begin and end with.
    """
    soft = _smooth(profile, 0.5 * module)
    slope = np.diff(soft)
    reach = 0.3 * (last - first)
    quiet = 5 * module
    begins = _edges(-slope, soft, first - reach, first + reach, quiet)
    backwards = _edges(slope[::-1], soft[::-1], profile.size - 1 - last - reach, profile.size - 1 - last + reach, quiet)
    ends = profile.size - 1 - backwards
    begins, ends = (grid.ravel() for grid in np.meshgrid(begins, ends))
    fits = (ends - begins) > 0.5 * (last - first)
    return np.concatenate([begins[fits], ends[fits]]), np.concatenate([ends[fits], begins[fits]])


def sampled(profile: Floats, shapes: Floats, modules: int) -> Floats:
    """Return how dark `profile` (w,) is along rulers of `modules` modules and quiet zones: (n, samples).

    Each of `shapes` (n, 4): begin and end in pixels, lean (one side nearer) and bulge (round a bottle) as parts of the
    width.
    """
    count = (modules + 2 * QUIET) * FINE
    part = ((np.arange(count, dtype=np.float32) + 0.5) / FINE - QUIET) / modules
    begin, end, lean, bulge = (shapes[:, place, None] for place in range(4))
    inside = np.clip(part, 0, 1)
    bent = part + lean * inside * (1 - inside) + bulge * inside * (1 - inside) * (1 - 2 * inside)
    places = (begin + (end - begin) * bent) * _DENSE
    dense = -np.interp(np.arange(profile.size * _DENSE) / _DENSE, np.arange(profile.size), profile).astype(np.float32)
    return np.asarray(dense[np.clip(places + 0.5, 0, dense.size - 1).astype(np.int32)], np.float32)


def drawn(bits: str, start: int, count: int, blur: float) -> Floats:
    """Draw `count` modules of `bits`, 1 for a bar, from `start`, blurred by `blur` modules; as `unit` returns them."""
    line = np.repeat(np.array([float(bit) for bit in "0000" + bits + "0000"]), FINE)
    reach = np.arange(-4 * FINE, 4 * FINE + 1) / FINE
    kernel = np.exp(-0.5 * (reach / blur) ** 2)
    soft = np.convolve(line, kernel / kernel.sum(), mode="same")
    return unit(soft[(4 + start) * FINE : (4 + start + count) * FINE].astype(np.float32))


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


def spread(shapes: Floats, around: Floats, module: float) -> Floats:
    """Return every one of `shapes` (n, 4) moved by every row of `around` (m, 4)."""
    moved = around * np.array([module, module, 1, 1], np.float32)
    return np.asarray((shapes[:, None, :] + moved[None, :, :]).reshape(-1, 4), np.float32)


def unit(values: Floats) -> Floats:
    """Return `values` with mean 0 and length 1 along the last axis: lighting and contrast fall out."""
    centred = values - values.mean(axis=-1, keepdims=True)
    return np.asarray(centred / (np.linalg.norm(centred, axis=-1, keepdims=True) + 1e-3), np.float32)
