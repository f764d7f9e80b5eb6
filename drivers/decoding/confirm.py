"""Whether a bar code that an engine read is printed there: now and then one reads another that passes its check.

What the engine itself read in sharp rows far apart is. Else an EAN-13 is drawn and held against the picture; what is
left is read again: single lines, then the whole another way. Cheapest first.
"""

from __future__ import annotations

from math import dist
from typing import TYPE_CHECKING

import numpy as np
import zxingcpp

from drivers.decoding.ean_fit import MODULES, lead_of
from drivers.decoding.engines import FORMATS, Corners, by_pyzbar
from drivers.decoding.stripes import lines_across
from drivers.events import ScanDataType
from drivers.recognition.symbols import Box, Symbol

if TYPE_CHECKING:
    from drivers.decoding.engines import Image
    from drivers.decoding.stripes import Profile

__all__ = ["WEAK", "is_printed"]

WEAK = frozenset(
    {ScanDataType.EAN_13, ScanDataType.EAN_8, ScanDataType.ITF, ScanDataType.CODABAR, ScanDataType.CODE_39}
)
"""Kinds whose check passes one wrong reading in ten, or that have none. Code 128 lets one in 103 pass, and its own
structure hardly any of those: of zxing-cpp's readings on the hard set none was wrong."""

# The engine says between which rows it read a symbol; two at least it reads. Noise and glare make it err in few rows
# beside each other: of 16 wrong readings in 3 950 hard pictures all but a blurred one span at most 21 pixels, and 0.06
# of their width.
_FAR_PX = 24
_FAR_SHARE = 0.1
# Blur makes it err alike in all rows. How much of the contrast an edge takes in a module: 0.63 to 0.88 where it did so.
_SHARP = 1.0
# An EAN-13 has 60 edges; the steepest of them are noise or ink, and the flattest beside narrow bars.
_TYPICAL_EDGE = 40

# How much likelier an EAN-13 must look than any other. Of the readings in few rows there, right ones have 0.06 and
# more, but for one in twenty that a tilt distorts; wrong ones -0.35 and less.
_LEAD = 0.05

# Where lines are read, as shares of the height: three that do where all is well, and two more.
_MIDDLE = (0.5, 0.35, 0.65)
_OUTER = (0.2, 0.8)
# Of the five lines across the symbol, each read alone, this many must say the same, and none another.
_AGREEING = 2
_DRAWN_ROWS = 4


def is_printed(gray: Image, symbol: Symbol, corners: Corners, box: Box) -> bool:
    """Say whether `symbol`, of a `WEAK` kind, that zxing-cpp read at `corners`, in `box`, of `gray` (h, w) is there."""
    profiles, first, last = lines_across(gray, corners, _MIDDLE[:1])
    if symbol.kind is ScanDataType.EAN_13:
        sharp = _sharpness(profiles[0], first, last) >= _SHARP
        if sharp and _far_apart(corners):
            return True
        profiles = lines_across(gray, corners, _MIDDLE)[0]
        if lead_of(symbol.text, np.mean(profiles, axis=0), first, last) >= _LEAD:
            return True
        if not sharp:
            return False
    return _reads_again(gray, symbol, lines_across(gray, corners, _MIDDLE + _OUTER)[0], box)


def _far_apart(corners: Corners) -> bool:
    """Say whether the first and the last row in which a symbol was read share no noise."""
    top_left, top_right, bottom_right, bottom_left = corners
    height = min(dist(top_left, bottom_left), dist(top_right, bottom_right))
    return height >= max(_FAR_PX, _FAR_SHARE * max(dist(top_left, top_right), dist(bottom_left, bottom_right)))


def _sharpness(profile: Profile, first: float, last: float) -> float:
    """Return the share of its contrast that an EAN-13 rises or falls by in a module, at a typical edge."""
    bars = profile[int(first) : int(last) + 1]
    steps = np.partition(np.abs(np.diff(bars)), -_TYPICAL_EDGE)
    return float(steps[-_TYPICAL_EDGE] * (last - first) / MODULES / max(float(np.ptp(bars)), 1.0))


def _reads_again(gray: Image, symbol: Symbol, profiles: list[Profile], box: Box) -> bool:
    text, formats = symbol.text, zxingcpp.BarcodeFormats([FORMATS[symbol.kind][0]])
    said = [_read(profile, formats) for profile in profiles]
    if any(each - {text} for each in said):
        return False
    agreeing = said.count({text})
    if agreeing >= _AGREEING:
        return True
    near = _cut(gray, box)
    again = zxingcpp.read_barcodes(near, formats=formats, binarizer=zxingcpp.Binarizer.GlobalHistogram)
    twice = {each.text for each in again} == {text}
    return (twice and agreeing > 0) or {each.text for each in by_pyzbar(near, (symbol.kind,))} == {text}


def _read(profile: Profile, formats: zxingcpp.BarcodeFormats) -> set[str]:
    """Return what zxing-cpp reads in one line's brightness alone."""
    low, high = float(profile.min()), float(profile.max())
    line = ((profile - low) * (255 / max(high - low, 1.0))).astype(np.uint8)
    drawn = np.ascontiguousarray(np.broadcast_to(line, (_DRAWN_ROWS, line.size)))
    found = zxingcpp.read_barcodes(drawn, formats=formats, try_rotate=False, try_downscale=False, try_invert=False)
    return {each.text for each in found}


def _cut(gray: Image, box: Box) -> Image:
    left, top, right, bottom = box
    margin = max(8, (right - left) // 12, (bottom - top) // 12)
    return np.ascontiguousarray(gray[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin])
