"""Whether an EAN-13 that an engine read is printed there: engines now and then read another one that passes its check.

Single lines are read again, then the whole another way, or the number is drawn and held against it. Cheapest first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import zxingcpp

from drivers.ean_fit import decide, doubt_of, fit_profile
from drivers.engines import Corners, by_pyzbar
from drivers.events import ScanDataType
from drivers.stripes import lines_across
from drivers.symbols import Box

if TYPE_CHECKING:
    from drivers.engines import Image
    from drivers.stripes import Profile

__all__ = ["is_printed"]

_EAN_13 = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.EAN13])
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


def is_printed(gray: Image, text: str, corners: Corners, box: Box) -> bool:
    """Say whether the EAN-13 `text`, 13 digits, that zxing-cpp read at `corners` of `gray` (h, w) is really there."""
    profiles, first, last = lines_across(gray, corners, _MIDDLE)
    said = [_read(profile) for profile in profiles]
    if said == [{text}] * len(_MIDDLE):
        return True
    profiles += lines_across(gray, corners, _OUTER)[0]
    said += [_read(profile) for profile in profiles[len(_MIDDLE) :]]
    agreeing = said.count({text})
    if any(each - {text} for each in said):
        return False
    if agreeing >= _AGREEING:
        return True
    near = _cut(gray, box)
    again = zxingcpp.read_barcodes(near, formats=_EAN_13, binarizer=zxingcpp.Binarizer.GlobalHistogram)
    if {each.text for each in again} == {text}:
        doubts = (doubt_of(text, profiles[line], first, last) for line in range(3))
        if agreeing or any(doubt <= _MOST_DOUBT for doubt in doubts):
            return True
    if {each.text for each in by_pyzbar(near, (ScanDataType.EAN_13,))} == {text}:
        return True
    for profile in profiles[:2]:
        fit = fit_profile(profile, first, last)
        if fit is not None:
            reading = decide([fit])
            if reading.text == text and reading.margin >= _FIT_MARGIN:
                return True
    return False


def _read(profile: Profile) -> set[str]:
    """Return the EAN-13s that zxing-cpp reads in one line's brightness alone."""
    low, high = float(profile.min()), float(profile.max())
    line = ((profile - low) * (255 / max(high - low, 1.0))).astype(np.uint8)
    drawn = np.ascontiguousarray(np.broadcast_to(line, (_DRAWN_ROWS, line.size)))
    found = zxingcpp.read_barcodes(drawn, formats=_EAN_13, try_rotate=False, try_downscale=False, try_invert=False)
    return {each.text for each in found}


def _cut(gray: Image, box: Box) -> Image:
    left, top, right, bottom = box
    margin = max(8, (right - left) // 12, (bottom - top) // 12)
    return np.ascontiguousarray(gray[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin])
