"""A QR code seen from far aside is laid flat: the twelve corners of its three finder patterns say how it leans."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from drivers.decoding.engines import Image
    from drivers.recognition.symbols import Box

__all__ = ["laid_flat"]

Corners = NDArray[np.float32]

# ISO/IEC 18004: a finder pattern is 7 modules wide, 49 dark and light ones in all; its ring leaves 25 of them, its
# heart is 9. Sides go from 21 modules in steps of 4; past 73 the modules are too small to need this.
_FINDER = 7.0
_SIDES = range(21, 74, 4)
_RING_RATIO = (1.4, 3.5)
_HEART_RATIO = (1.8, 5.0)
_SMALLEST_HEART_PX2 = 12
# Windows in pixels within which light and dark are told apart: for small finder patterns and for large ones.
_WINDOWS = (31, 75)
# Of what looks like a finder pattern the largest few are combined; more are made up by a shelf's background.
_MOST_FINDERS = 6
# How far a corner may lie from where the others put it, in modules; and how many layings are tried, the best first.
_OFF_MODULES = 1.5
_MOST_LAID = 4
# The picture made: pixels a module, and modules of quiet zone.
_PIXELS, _QUIET = 8, 4


def laid_flat(gray: Image) -> Iterator[tuple[Image, Box]]:
    """Yield pictures of the QR codes of `gray` (h, w) as if seen from above, and where each was, likeliest first."""
    import cv2

    found = sorted(_finders(gray), key=lambda corners: -float(cv2.contourArea(corners)))[:_MOST_FINDERS]
    layings = [laying for three in permutations(found, 3) for laying in _layings(three)]
    layings.sort(key=lambda laying: laying[0])
    for _, side, warp in layings[:_MOST_LAID]:
        from_pixels = np.array([[1 / _PIXELS, 0, -_QUIET], [0, 1 / _PIXELS, -_QUIET], [0, 0, 1]])
        size = (side + 2 * _QUIET) * _PIXELS
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        flat = cv2.warpPerspective(gray, warp @ from_pixels, (size, size), flags=how, borderMode=cv2.BORDER_REPLICATE)
        whole = np.array([[[0, 0], [side, 0], [side, side], [0, side]]], np.float32)
        there = cv2.perspectiveTransform(whole, warp)[0]
        low, high = there.min(axis=0), there.max(axis=0)
        yield np.asarray(flat, np.uint8), (int(low[0]), int(low[1]), int(high[0]), int(high[1]))


def _finders(gray: Image) -> list[Corners]:
    """Return the four corners (4, 2) of each dark ring with a dark heart."""
    import cv2

    found: list[Corners] = []
    soft = cv2.GaussianBlur(gray, (0, 0), 0.8)
    for window in _WINDOWS:
        kind = cv2.ADAPTIVE_THRESH_GAUSSIAN_C
        dark = cv2.adaptiveThreshold(soft, 255, kind, cv2.THRESH_BINARY_INV, window, 5)
        outlines, tree = cv2.findContours(dark, cv2.RETR_TREE, cv2.CHAIN_APPROX_NONE)
        if tree is None:
            continue
        inside = tree[0][:, 2]
        for outer, inner in enumerate(inside):
            heart = inside[inner] if inner >= 0 else -1
            if heart < 0:
                continue
            whole, hole, core = (float(cv2.contourArea(outlines[each])) for each in (outer, inner, heart))
            if core < _SMALLEST_HEART_PX2 or not _HEART_RATIO[0] < hole / core < _HEART_RATIO[1]:
                continue
            if not _RING_RATIO[0] < whole / hole < _RING_RATIO[1]:
                continue
            hull = cv2.convexHull(outlines[outer])
            corners = cv2.approxPolyDP(hull, 0.06 * cv2.arcLength(hull, True), True)[:, 0].astype(np.float32)
            middle = corners.mean(axis=0)
            near = 0.3 * np.sqrt(whole)
            if len(corners) == 4 and all(np.linalg.norm(middle - other.mean(axis=0)) > near for other in found):
                found.append(corners)
    return found


def _layings(three: tuple[Corners, ...]) -> Iterator[tuple[float, int, NDArray[np.float64]]]:
    """Yield (corners' error in modules, modules a side, warp from modules to pixels) of a code with these `three`.

    They are taken as the finder patterns top left, top right and bottom left.
    """
    import cv2

    middle, right, below = (corners.mean(axis=0) for corners in three)
    axes = np.stack([right - middle, below - middle], axis=1).astype(np.float64)
    # Turned the other way they would be a mirror's.
    if np.linalg.det(axes) < 1:
        return
    ordered = []
    for corners in three:
        local = (corners - corners.mean(axis=0)) @ np.linalg.inv(axes).T
        order = [int(np.argmax(local @ np.array(towards))) for towards in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        if len(set(order)) < 4:
            return
        ordered.append(corners[order])
    seen = np.concatenate(ordered)
    module = np.sqrt(min(float(cv2.contourArea(corners)) for corners in three)) / _FINDER
    square = np.array([[0, 0], [_FINDER, 0], [_FINDER, _FINDER], [0, _FINDER]], np.float32)
    for side in _SIDES:
        far = side - _FINDER
        drawn = np.concatenate(
            [square, square + np.array([far, 0], np.float32), square + np.array([0, far], np.float32)]
        )
        warp, _ = cv2.findHomography(drawn, seen)
        if warp is None:
            continue
        off = float(np.abs(cv2.perspectiveTransform(drawn[None], warp)[0] - seen).max()) / module
        if off <= _OFF_MODULES:
            yield off, side, np.asarray(warp, np.float64)
