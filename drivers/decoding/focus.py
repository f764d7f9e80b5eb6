"""Undoes what a lens out of focus or a moving hand did to a cut-out: candidates, for an engine to tell which is right.

Wiener's filter needs to know how the light was spread. A moving hand leaves few edges along its way, and that tells it
from a lens, and which way it went; how far is tried out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from drivers.decoding.engines import Image

__all__ = ["in_focus", "smear_of"]

# How much one direction's edges outweigh the other's (0 none, 1 all): on the hard set's work part 0.3 and more where a
# hand moved, below 0.15 where a lens was out of focus.
_SMEARED = 0.2
# Radii of the blur disk and lengths of the way, in pixels of a cut-out with 5 to 15 pixels a module. Wiener's filter
# forgives a tenth.
_RADII = (8.0, 6.0, 10.0, 7.0, 9.0, 12.0, 5.0, 11.0, 13.5, 4.0, 15.0, 17.0)
_LENGTHS = (12.0, 15.0, 9.0, 18.0, 22.0, 7.0, 27.0)
# Noise power over signal power, which Wiener's filter wants to know: a till's camera in good light, and in bad.
_NOISE_SHARES = (0.004, 0.015)
# What lies beyond the edge is spread in: mirrored, it is near enough.
_EDGE = 30


def smear_of(image: Image) -> tuple[float, float]:
    """Return the direction in which `image` (h, w) has fewest edges, in radians, and by what share (0 to 1)."""
    import cv2

    soft = cv2.GaussianBlur(image, (0, 0), 1.2).astype(np.float32)
    inner = soft[soft.shape[0] // 10 : -(soft.shape[0] // 10), soft.shape[1] // 10 : -(soft.shape[1] // 10)]
    across, down = cv2.Scharr(inner, cv2.CV_32F, 1, 0), cv2.Scharr(inner, cv2.CV_32F, 0, 1)
    xx, yy, xy = (float(np.mean(each)) for each in (across * across, down * down, across * down))
    direction = 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2
    return float(direction), float(np.hypot(xx - yy, 2 * xy) / (xx + yy + 1e-3))


def in_focus(image: Image) -> Iterator[Image]:
    """Yield `image`, a square cut-out, as it may have looked before it was spread, the likeliest spreads first."""
    padded = np.pad(image.astype(np.float32), _EDGE, mode="reflect")
    spectrum = np.fft.rfft2(padded)
    direction, share = smear_of(image)
    size = padded.shape[0]
    spreads = (_way(size, length, direction) for length in _LENGTHS)
    if share < _SMEARED:
        spreads = (_disk(size, radius) for radius in _RADII)
    for spread in spreads:
        transfer = np.fft.rfft2(spread / spread.sum())
        gathered = spectrum * np.conj(transfer)
        power = np.abs(transfer) ** 2
        for noise in _NOISE_SHARES:
            sharp = np.fft.irfft2(gathered / (power + noise), padded.shape)[_EDGE:-_EDGE, _EDGE:-_EDGE]
            yield np.clip(sharp, 0, 255).astype(np.uint8)


def _disk(size: int, radius: float) -> NDArray[np.float32]:
    across, down = _reach(size)
    return np.clip(radius + 0.5 - np.hypot(across, down), 0, 1)


def _way(size: int, length: float, direction: float) -> NDArray[np.float32]:
    across, down = _reach(size)
    along = across * np.cos(direction) + down * np.sin(direction)
    aside = down * np.cos(direction) - across * np.sin(direction)
    return np.asarray(np.clip(length / 2 + 0.5 - np.abs(along), 0, 1) * np.clip(1 - np.abs(aside), 0, 1), np.float32)


def _reach(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how far right and down each pixel lies from the first, the shorter way round."""
    line = np.arange(size, dtype=np.float32)
    line[line > size / 2] -= size
    return line[None, :], line[:, None]
