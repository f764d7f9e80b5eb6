"""Where in an image bars may be, and their brightness across: the ground for reading bar codes that engines miss.

A bar code is an area where all edges run the same way. It is found by the structure tensor (Bigün and Granlund, 1987),
turned upright, and averaged along its bars in bands: noise goes down by the root of the rows, the widths stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from drivers.decoding.engines import Corners, Image

__all__ = ["BANDS", "Patch", "Profile", "find_patches", "lines_across"]

Profile = NDArray[np.float32]

BANDS = 6
"""Disjoint strips of a patch: what two of them say was read twice."""

# The search runs on a small copy: bars that vanish at this size would not be read either. A photograph of many
# megapixels is searched on a larger copy too: what is a tenth of it is sharp enough to be read.
_SEARCH_SIDE = 480
_LARGE_SIDE = 1440
_LARGE = 1800
# Windows over which edges must agree, in pixels of the small copy: one for small codes, one for bars far apart.
_WINDOWS = (9, 19)
# How much one direction must outweigh the other (0 none, 1 all).
_COHERENCE = 0.45
# Patches of one search worth the time; a shelf has more stripes than that, a card has one.
_MOST_PATCHES = 4
# Pixels across an upright patch, quiet zones included: about five for each module of an EAN-13.
_PATCH_WIDTH = 720
_PATCH_HEIGHT = 96
# Beyond the bars on each side, as a share of their width: the quiet zone, and what the search cut off.
_MARGIN = 0.16


@dataclass(frozen=True, slots=True)
class Patch:
    """An area of bars, turned so that they stand upright.

    `upright` is (h, w) bytes; `bands` its `BANDS` profiles of mean brightness, each (w,); `box` is where in the image:
    left, top, right, bottom in pixels; the bars themselves begin near `first` and end near `last`, pixels in a profile.
    """

    upright: Image
    bands: tuple[Profile, ...]
    box: tuple[int, int, int, int]
    first: float
    last: float


def lines_across(gray: Image, corners: Corners, heights: Sequence[float]) -> tuple[list[Profile], float, float]:
    """Return profiles across the symbol with these `corners`, and where in them its bars begin and end, in pixels.

    One for each of `heights`, shares of the symbol's height from its top. `corners` are top left, top right, bottom
    right and bottom left, as the symbol is read.
    """
    top_left, top_right, bottom_right, bottom_left = np.array(corners, np.float32)
    width = max(float(np.linalg.norm(top_right - top_left)), float(np.linalg.norm(bottom_right - bottom_left)), 1.0)
    count = int(np.clip(1.3 * width, 300, 560))
    along = np.linspace(-_MARGIN / 2, 1 + _MARGIN / 2, count, dtype=np.float32)[None, :, None]
    # Three rows beside each other for one profile: the sensor's noise is less in their mean.
    down = (np.array(heights, np.float32)[:, None] + np.array([-0.03, 0.0, 0.03], np.float32)).reshape(-1, 1, 1)
    start = top_left + (bottom_left - top_left) * down
    end = top_right + (bottom_right - top_right) * down
    rows = _sampled(gray, start + (end - start) * along)
    profiles = rows.reshape(len(heights), 3, count).mean(axis=1)
    scale = (count - 1) / (1 + _MARGIN)
    return list(profiles), _MARGIN / 2 * scale, (1 + _MARGIN / 2) * scale


def _sampled(gray: Image, points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the brightness of `gray` at `points` (…, 2), x and y, between pixels too; beyond the edge, the edge's."""
    height, width = gray.shape
    x, y = np.clip(points[..., 0], 0, width - 1.001), np.clip(points[..., 1], 0, height - 1.001)
    left, top = x.astype(np.int32), y.astype(np.int32)
    right, below = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, down = x - left, y - top
    upper = gray[top, left] * (1 - across) + gray[top, right] * across
    lower = gray[below, left] * (1 - across) + gray[below, right] * across
    return np.asarray(upper * (1 - down) + lower * down, np.float32)


def find_patches(gray: Image) -> list[Patch]:
    """Return the areas of `gray` (h, w) that look like bars, the most likely first.

    At most four; of a photograph more than 1800 pixels wide or high, at most eight.
    """
    sides = (_SEARCH_SIDE, _LARGE_SIDE) if max(gray.shape) > _LARGE else (_SEARCH_SIDE,)
    patches: list[Patch] = []
    taken: list[tuple[float, float]] = []
    # In turn from each search: neither's weights say anything about the other's.
    for same_rank in zip_longest(*(_search(gray, side) for side in sides)):
        for points, angle in filter(None, same_rank):
            patch, middle, reach = _cut(gray, points, angle)
            if patch is None or any(np.hypot(middle[0] - x, middle[1] - y) < reach for x, y in taken):
                continue
            taken.append(middle)
            patches.append(patch)
            if len(patches) == _MOST_PATCHES * len(sides):
                return patches
    return patches


def _search(gray: Image, side: int) -> list[tuple[NDArray[np.float64], float]]:
    """Return (points (n, 2) as x and y in `gray`, angle in radians) of areas of parallel edges, the heaviest first."""
    import cv2

    scale = min(1.0, side / max(gray.shape))
    small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else gray
    soft = cv2.GaussianBlur(small, (0, 0), 0.8).astype(np.float32)
    across = np.asarray(cv2.Scharr(soft, cv2.CV_32F, 1, 0), np.float32)
    down = np.asarray(cv2.Scharr(soft, cv2.CV_32F, 0, 1), np.float32)
    found = [area for window in _WINDOWS for area in _areas(across, down, window)]
    found.sort(key=lambda each: -each[0])
    return [(points / scale, angle) for _, points, angle in found]


def _areas(across: Profile, down: Profile, window: int) -> list[tuple[float, NDArray[np.int32], float]]:
    """Return (weight, points (n, 2) as x and y, angle across the bars in radians) of each area of parallel edges."""
    import cv2

    size = (window, window)
    xx, yy, xy = (cv2.blur(each, size) for each in (across * across, down * down, across * down))
    energy = xx + yy
    coherence = np.sqrt((xx - yy) ** 2 + 4 * xy * xy) / (energy + 1e-3)
    lively = energy > max(60.0**2, 0.15 * float(np.percentile(energy[::2, ::2], 98)))
    mask = ((coherence > _COHERENCE) & lively).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    areas = []
    order = np.argsort(-stats[1:, cv2.CC_STAT_AREA])[: 2 * _MOST_PATCHES] + 1
    for number in order if count > 1 else ():
        if stats[number, cv2.CC_STAT_AREA] < 60:
            break
        left, top, width, height = (int(side) for side in stats[number, :4])
        rows, columns = np.nonzero(labels[top : top + height, left : left + width] == number)
        rows, columns = rows + top, columns + left
        angle = 0.5 * np.arctan2(2 * xy[rows, columns].sum(), (xx - yy)[rows, columns].sum())
        # Edges of one direction: a neighbour that runs another way was swept in with it.
        local = 0.5 * np.arctan2(2 * xy[rows, columns], (xx - yy)[rows, columns])
        near = np.abs((local - angle + np.pi / 2) % np.pi - np.pi / 2) < np.deg2rad(20)
        if near.sum() < 60:
            continue
        points = np.stack([columns[near], rows[near]], axis=1)
        weight = float(
            near.sum() * np.sqrt(np.mean(energy[rows[near], columns[near]])) * coherence[rows, columns].mean()
        )
        areas.append((weight, points, float(angle)))
    return areas


def _cut(gray: Image, points: NDArray[np.float64], angle: float) -> tuple[Patch | None, tuple[float, float], float]:
    """Return the patch around `points`, its middle, and how near another one's middle is the same code."""
    import cv2

    along = np.array([np.cos(angle), np.sin(angle)])
    aside = np.array([-along[1], along[0]])
    wide, high = points @ along, points @ aside
    left, right = np.percentile(wide, (0.5, 99.5))
    top, bottom = np.percentile(high, (6, 94))
    middle = along * (left + right) / 2 + aside * (top + bottom) / 2
    place = (float(middle[0]), float(middle[1]))
    width, height = right - left, bottom - top
    if width < 40 or height < 3:
        return None, place, 0.0
    margin = _MARGIN * width
    start = along * (left - margin) + aside * top
    step = (width + 2 * margin) / _PATCH_WIDTH
    rows = int(np.clip(height / min(step, 1.0), 2 * BANDS, _PATCH_HEIGHT))
    lower = aside * height / rows
    warp = np.array([[along[0] * step, lower[0], start[0]], [along[1] * step, lower[1], start[1]]])
    turned = cv2.warpAffine(
        gray,
        warp,
        (_PATCH_WIDTH, rows),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    upright = np.asarray(turned, np.uint8)
    corners = np.array([start, start + along * _PATCH_WIDTH * step, start + aside * height])
    corners = np.vstack([corners, corners[1] + aside * height])
    low, up = corners.min(axis=0), corners.max(axis=0)
    box = (int(low[0]), int(low[1]), int(up[0]), int(up[1]))
    first, last = margin / step, (margin + width) / step
    bands = tuple(_straight(band) for band in np.array_split(upright, BANDS))
    return Patch(upright, bands, box, first, last), place, max(height, 0.25 * width)


def _straight(band: Image) -> Profile:
    """Return the mean row of `band` after leaning it until its bars stand upright: of all leans the crispest."""
    import cv2

    rows, columns = band.shape
    best, crispest = band.mean(axis=0), -1.0
    for lean in (0.0, -0.12, 0.12, -0.25, 0.25, -0.4, 0.4):
        if rows < 3 and lean:
            break
        warp = np.array([[1.0, lean, -lean * (rows - 1) / 2], [0.0, 1.0, 0.0]])
        leaned = cv2.warpAffine(band, warp, (columns, rows), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        mean = leaned.mean(axis=0)
        crisp = float(np.abs(np.diff(mean)).sum())
        if crisp > crispest * 1.002:
            best, crispest = mean, crisp
    return np.asarray(best, np.float32)
