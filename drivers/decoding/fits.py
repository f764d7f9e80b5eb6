"""Bars that no engine reads, drawn and held against a patch's bands: what fits well enough becomes votes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from drivers.decoding import code128_fit, ean_fit
from drivers.decoding.engines import by_zxing
from drivers.decoding.votes import Vote
from drivers.events import ScanDataType
from drivers.recognition.symbols import Box, Symbol

if TYPE_CHECKING:
    from drivers.decoding.engines import Image
    from drivers.decoding.stripes import Patch, Profile

__all__ = ["BAND_ORDER", "code_128", "drawn_out", "ean_13", "located"]

BAND_ORDER = (2, 3, 1, 4, 0, 5)
"""Bands in the order they are asked: from the middle, where neither text nor a finger is."""

# Below this likeness two bands show no EAN-13, no Code 128, and the other four are not asked.
_HOPELESS = 0.62
_HOPELESS_128 = 0.82
# What the joint reading of an EAN-13 must have, where both halves of its bands agree. On the hard set's work part right
# ones have a quality of 0.87 and more, no shortfall, and all but one in twenty a margin above 0.25; wrong ones of that
# quality stay below 0.2. Between the two it is one vote, which something else has to confirm.
_FIT_QUALITY = 0.86
_FIT_SHORTFALL = 0.02
_FIT_MARGIN = 0.25
_FIT_DOUBTFUL = 0.15
# The same for a Code 128: the likeliest characters must pass the check as they are, which one in 103 does by chance.
_128_QUALITY = 0.88
_128_SHORTFALL = 0.001
_128_MARGIN = 0.12
# Rows that a profile is drawn out to, for an engine that reads pictures.
_DRAWN_ROWS = 12
# Modules beside a code that is drawn for an engine to read.
_QUIET = 12


def ean_13(patch: Patch, number: int) -> Iterator[list[Vote]]:
    """Fit an EAN-13 to the bands of patch `number`; it votes when odd and even bands alone say the same."""
    fits: list[ean_fit.Fit] = []
    for count, band in enumerate(BAND_ORDER):
        fit = ean_fit.fit_profile(patch.bands[band], patch.first, patch.last)
        if fit is not None:
            fits.append(fit)
        if count == 1 and max((each.quality for each in fits), default=0.0) < _HOPELESS:
            return
        yield _agreed(fits, patch, number) if count in (1, 3, 5) else []


def _agreed(fits: Sequence[ean_fit.Fit], patch: Patch, number: int) -> list[Vote]:
    if not fits:
        return []
    ahead = max(fits, key=lambda fit: fit.quality).ahead
    same_way = sorted((fit for fit in fits if fit.ahead is ahead), key=lambda fit: -fit.quality)[:4]
    if len(same_way) < 2:
        return []
    joint = ean_fit.decide(same_way)
    halves = ean_fit.decide(same_way[::2]), ean_fit.decide(same_way[1::2])
    if any(half.text != joint.text for half in halves) or joint.margin < _FIT_DOUBTFUL:
        return []
    if joint.quality < _FIT_QUALITY or joint.shortfall > _FIT_SHORTFALL:
        return []
    symbol = Symbol(ScanDataType.EAN_13, "]E0", joint.text, joint.text.encode(), patch.box)
    return [Vote(symbol, (number, "fit"), weight=2 if joint.margin >= _FIT_MARGIN else 1)]


def code_128(patch: Patch, number: int) -> Iterator[list[Vote]]:
    """Fit a Code 128 to the bands of patch `number`; it votes when odd and even bands alone say the same."""
    fits: list[code128_fit.Fit128] = []
    for count, band in enumerate(BAND_ORDER):
        fit = code128_fit.fit_profile(patch.bands[band], patch.first, patch.last)
        if fit is not None:
            fits.append(fit)
        if count == 1 and max((each.quality for each in fits), default=0.0) < _HOPELESS_128:
            return
        yield _agreed_128(fits, patch, number) if count in (1, 3, 5) else []


def _agreed_128(fits: Sequence[code128_fit.Fit128], patch: Patch, number: int) -> list[Vote]:
    if not fits:
        return []
    best = max(fits, key=lambda fit: fit.quality)
    alike = [fit for fit in fits if fit.ahead is best.ahead and fit.likeness.shape == best.likeness.shape]
    alike = sorted(alike, key=lambda fit: -fit.quality)[:4]
    if len(alike) < 2:
        return []
    joint = code128_fit.decide(alike)
    if joint is None or joint.quality < _128_QUALITY or joint.shortfall > _128_SHORTFALL or joint.margin < _128_MARGIN:
        return []
    halves = code128_fit.decide(alike[::2]), code128_fit.decide(alike[1::2])
    if any(half is None or half.values != joint.values for half in halves):
        return []
    # What the characters say, shifts and function characters too, an engine reads off a clean drawing of them.
    clean = drawn_out(255.0 * (1 - np.pad(code128_fit.modules_of(joint.values), _QUIET).astype(np.float32)))
    read = by_zxing(clean, (ScanDataType.CODE_128,))
    return [Vote(located(symbol, patch.box), (number, "fit"), weight=2) for symbol, _ in read]


def drawn_out(profile: Profile) -> Image:
    """Return a picture of bars with the brightness of `profile`, its contrast stretched over all of 0 to 255."""
    low, high = np.percentile(profile, (1, 99))
    line = np.clip((profile - low) * (255 / max(float(high - low), 1.0)), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.tile(np.repeat(line, 2), (_DRAWN_ROWS, 1)))


def located(symbol: Symbol, box: Box) -> Symbol:
    """Return `symbol` with its place in the whole image."""
    return Symbol(symbol.kind, symbol.aim, symbol.text, symbol.data, box)
