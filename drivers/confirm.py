"""Whether an EAN-13 that an engine read is printed there: engines now and then read another one that passes its check.

The number is drawn and held against the picture, or read again another way. Cheapest first.
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

__all__ = ["is_printed"]

_EAN_13 = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.EAN13])
# By how much another digit may look likelier: nothing where the look alone decides, some where another reading agrees.
# A wrong number of the hard set's has 0.08 and more, one of two wrong digits mostly beyond 0.3.
_NO_DOUBT = 0.0
_SOME_DOUBT = 0.35
# A fit without knowing the number gives this much more to the right one than to the next that passes the check.
_FIT_MARGIN = 0.15


def is_printed(gray: Image, text: str, corners: Corners, box: Box) -> bool:
    """Say whether the EAN-13 `text`, 13 digits, that zxing-cpp read at `corners` of `gray` (h, w) is really there."""
    profiles, first, last = lines_across(gray, corners)
    doubts = []
    for profile in (profiles[2], profiles[0], profiles[4]):
        doubts.append(doubt_of(text, profile, first, last))
        if doubts[-1] <= _NO_DOUBT:
            return True
    near = _cut(gray, box)
    again = zxingcpp.read_barcodes(
        near,
        formats=zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.EAN13]),
        binarizer=zxingcpp.Binarizer.GlobalHistogram,
    )
    if min(doubts) <= _SOME_DOUBT and {each.text for each in again} == {text}:
        return True
    if {each.text for each in by_pyzbar(near, (ScanDataType.EAN_13,))} == {text}:
        return True
    for profile in (profiles[1], profiles[3]):
        fit = fit_profile(profile, first, last)
        if fit is not None:
            reading = decide([fit])
            if reading.text == text and reading.margin >= _FIT_MARGIN:
                return True
    return False


def _cut(gray: Image, box: Box) -> Image:
    left, top, right, bottom = box
    margin = max(8, (right - left) // 12, (bottom - top) // 12)
    return np.ascontiguousarray(gray[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin])
