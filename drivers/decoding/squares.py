"""Where in an image a two-dimensional code may be: an area full of edges that run both ways, cut out upright."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from drivers.decoding.engines import Image

__all__ = ["SIDE", "Square", "find_squares"]

SIDE = 420
"""Pixels across a cut-out, margin included: six for each module of a 57-module code, twelve for a 25-module one."""

# The search runs on a small copy, with windows of about three modules of a code that fills a tenth or a third of it.
_SEARCH_SIDE = 320
_WINDOWS = (5, 11)
_MOST_SQUARES = 4
# Beyond the edges on each side: the quiet zone, and room for a corner that the search missed.
_MARGIN = 0.18
# A code's sides differ by perspective alone; text lines and shelves are longer.
_LONGEST_RATIO = 2.6


@dataclass(frozen=True, slots=True)
class Square:
    """A cut-out (`SIDE`, `SIDE`) of bytes, and where it came from: left, top, right, bottom in pixels of the image."""

    upright: Image
    box: tuple[int, int, int, int]


def find_squares(gray: Image) -> list[Square]:
    """Return the areas of `gray` (h, w) that look like two-dimensional codes, the most likely first; at most four."""
    import cv2

    scale = min(1.0, _SEARCH_SIDE / max(gray.shape))
    small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else gray
    soft = np.asarray(small, np.float32)
    across, down = cv2.Scharr(soft, cv2.CV_32F, 1, 0), cv2.Scharr(soft, cv2.CV_32F, 0, 1)
    found: list[tuple[float, NDArray[np.float32]]] = []
    for window in _WINDOWS:
        size = (window, window)
        xx, yy, xy = (cv2.blur(each, size) for each in (across * across, down * down, across * down))
        # The weaker of the two directions (Shi and Tomasi): a single edge has none.
        weaker = (xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy * xy)
        for share in (0.12, 0.3):
            mask = (weaker > max(50.0**2, share * float(np.percentile(weaker, 99)))).astype(np.uint8)
            opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
            found += _areas(np.asarray(opened, np.uint8), np.asarray(weaker, np.float32))
    found.sort(key=lambda each: -each[0])
    squares: list[Square] = []
    taken: list[tuple[float, float, float]] = []
    for _, corners in found:
        middle = corners.mean(axis=0) / scale
        reach = float(np.linalg.norm(corners[2] - corners[0])) / scale / 2
        if any(np.hypot(middle[0] - x, middle[1] - y) < 0.25 * reach and 0.75 < reach / r < 1.33 for x, y, r in taken):
            continue
        taken.append((float(middle[0]), float(middle[1]), reach))
        squares.append(_cut(gray, corners / scale))
        if len(squares) == _MOST_SQUARES:
            break
    return squares


def _areas(mask: Image, weaker: NDArray[np.float32]) -> list[tuple[float, NDArray[np.float32]]]:
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    areas = []
    order = np.argsort(-stats[1:, cv2.CC_STAT_AREA])[: 2 * _MOST_SQUARES] + 1
    for number in order if count > 1 else ():
        if stats[number, cv2.CC_STAT_AREA] < 80:
            break
        rows, columns = np.nonzero(labels == number)
        hull = cv2.convexHull(np.stack([columns, rows], axis=1).astype(np.int32))
        box = cv2.minAreaRect(hull)
        long, short = max(box[1]), min(box[1])
        if short < 8 or long / short > _LONGEST_RATIO:
            continue
        solid = len(rows) / (long * short)
        weight = float(solid * len(rows) * np.sqrt(weaker[rows, columns].mean()) * (short / long))
        areas.append((weight, np.asarray(cv2.boxPoints(box), np.float32)))
    return areas


def _cut(gray: Image, corners: NDArray[np.float32]) -> Square:
    import cv2

    middle = corners.mean(axis=0)
    wider = (middle + (corners - middle) * (1 + 2 * _MARGIN)).astype(np.float32)
    goal = np.array([[0, 0], [SIDE, 0], [SIDE, SIDE], [0, SIDE]], np.float32)
    warp = cv2.getPerspectiveTransform(wider, goal)
    ratio = SIDE / max(float(np.linalg.norm(wider[1] - wider[0])), 1.0)
    source = cv2.GaussianBlur(gray, (0, 0), 0.4 / ratio) if ratio < 0.7 else gray
    upright = cv2.warpPerspective(source, warp, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    low, high = wider.min(axis=0), wider.max(axis=0)
    return Square(np.asarray(upright, np.uint8), (int(low[0]), int(low[1]), int(high[0]), int(high[1])))
