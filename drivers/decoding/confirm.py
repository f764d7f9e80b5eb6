"""Whether a bar code that an engine read is printed there: now and then one reads another that passes its check.

What the engine itself read in rows far apart is. Else an EAN-13 is drawn and held against the picture; what is left is
read again: single lines, then the whole another way. Cheapest first.
"""

from __future__ import annotations

from math import dist
from typing import TYPE_CHECKING

import numpy as np
import zxingcpp

from drivers.decoding.ean_fit import lead_of
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

# The engine says between which rows it read a symbol; two at least it reads. Noise and glare that make it err do so in
# neighbouring rows, blur in all rows where a module is hardly more than a pixel. Of 16 wrong readings in 3 950 hard
# pictures, those of more than two pixels a module span up to 21 pixels and 0.06 of their width; four in five right
# ones pass all three.
_FAR_PX = 24
_FAR_SHARE = 0.1
_NARROW_PX = 190

# How much likelier an EAN-13 must look than any other. Of the readings in few rows there, right ones have 0.1 and more,
# but for one in twenty that a tilt distorts; wrong ones -0.35 and less.
_LEAD = 0.05

# Where lines are read, as shares of the height: three that do where all is well, and two more.
_MIDDLE = (0.5, 0.35, 0.65)
_OUTER = (0.2, 0.8)
# Of the five lines across the symbol, each read alone, this many must say the same, and none another.
_AGREEING = 2
_DRAWN_ROWS = 4


def is_printed(gray: Image, symbol: Symbol, corners: Corners, box: Box) -> bool:
    """Say whether `symbol`, of a `WEAK` kind, that zxing-cpp read at `corners`, in `box`, of `gray` (h, w) is there."""
    top_left, top_right, bottom_right, bottom_left = corners
    height = min(dist(top_left, bottom_left), dist(top_right, bottom_right))
    width = max(dist(top_left, top_right), dist(bottom_left, bottom_right))
    if width >= _NARROW_PX and height >= max(_FAR_PX, _FAR_SHARE * width):
        return True
    profiles, first, last = lines_across(gray, corners, _MIDDLE)
    if symbol.kind is ScanDataType.EAN_13:
        looks_so = lead_of(symbol.text, np.mean(profiles, axis=0), first, last) >= _LEAD
        if looks_so or width < _NARROW_PX:
            return looks_so
    return _reads_again(gray, symbol, profiles + lines_across(gray, corners, _OUTER)[0], box)


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
