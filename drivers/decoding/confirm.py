"""Whether a bar code that an engine read is printed there: now and then one reads another that passes its check.

Single lines are read again, then the whole another way, or an EAN-13 is drawn and held against it. Cheapest first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import zxingcpp

from drivers.decoding.ean_fit import decide, doubt_of, fit_profile
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

# Where lines are read, as shares of the height: three that do where all is well, and two more.
_MIDDLE = (0.5, 0.35, 0.65)
_OUTER = (0.2, 0.8)
# Of the five lines across the symbol, each read alone, this many must say the same, and none another.
_AGREEING = 2
_DRAWN_ROWS = 4
# By how much another digit may look likelier where another reading of the whole agrees: a number with one wrong digit
# and the check digit to match has 0.08 and more, one with two wrong digits mostly beyond 0.3.
_MOST_DOUBT = 0.3
# A fit without knowing the number gives this much more to the right one than to the next that passes the check.
_FIT_MARGIN = 0.15


def is_printed(gray: Image, symbol: Symbol, corners: Corners, box: Box) -> bool:
    """Say whether `symbol`, of a `WEAK` kind, that zxing-cpp read at `corners`, in `box`, of `gray` (h, w) is there."""
    text, formats = symbol.text, zxingcpp.BarcodeFormats([FORMATS[symbol.kind][0]])
    profiles, first, last = lines_across(gray, corners, _MIDDLE)
    said = [_read(profile, formats) for profile in profiles]
    if said == [{text}] * len(_MIDDLE):
        return True
    profiles += lines_across(gray, corners, _OUTER)[0]
    said += [_read(profile, formats) for profile in profiles[len(_MIDDLE) :]]
    agreeing = said.count({text})
    if any(each - {text} for each in said):
        return False
    if agreeing >= _AGREEING:
        return True
    near = _cut(gray, box)
    again = zxingcpp.read_barcodes(near, formats=formats, binarizer=zxingcpp.Binarizer.GlobalHistogram)
    twice = {each.text for each in again} == {text}
    if (twice and agreeing) or {each.text for each in by_pyzbar(near, (symbol.kind,))} == {text}:
        return True
    return symbol.kind is ScanDataType.EAN_13 and (
        (twice and any(doubt_of(text, profile, first, last) <= _MOST_DOUBT for profile in profiles[:3]))
        or any(_fits(text, profile, first, last) for profile in profiles[:2])
    )


def _fits(text: str, profile: Profile, first: float, last: float) -> bool:
    fit = fit_profile(profile, first, last)
    if fit is None:
        return False
    reading = decide([fit])
    return reading.text == text and reading.margin >= _FIT_MARGIN


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
