"""Reads what the engines do not: finds where a code may be, and tries it straightened, sharpened and evened out.

Each try yields its votes (`drivers.decoding.votes`); whoever asks stops when enough agree, or when the time is up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from drivers.decoding.engines import LINEAR, by_pyzbar, by_zxing
from drivers.decoding.fits import BAND_ORDER, code_128, drawn_out, ean_13, located
from drivers.decoding.focus import in_focus
from drivers.decoding.squares import Square, find_squares
from drivers.decoding.stripes import Patch, find_patches
from drivers.decoding.votes import Vote
from drivers.events import ScanDataType

if TYPE_CHECKING:
    from drivers.decoding.engines import Image

__all__ = ["tries"]


def tries(gray: Image, formats: Sequence[ScanDataType]) -> Iterator[list[Vote]]:
    """Yield the votes of one try after another on `gray` (h, w): bars and squares in turn, likeliest tries first."""
    linear = [kind for kind in formats if kind in LINEAR]
    square = [kind for kind in formats if kind not in LINEAR]
    ways = ([_bars(gray, linear)] if linear else []) + ([_squares(gray, square)] if square else [])
    while ways:
        for way in list(ways):
            votes = next(way, None)
            if votes is None:
                ways.remove(way)
            else:
                yield votes


# Bars.


def _bars(gray: Image, formats: Sequence[ScanDataType]) -> Iterator[list[Vote]]:
    patches = find_patches(gray)
    yield []
    for number, patch in enumerate(patches):
        yield _engines_on(patch, number, formats)
        yield from _bands(patch, number, formats)
    for number, patch in enumerate(patches):
        if ScanDataType.EAN_13 in formats:
            yield from ean_13(patch, number)
        if ScanDataType.CODE_128 in formats:
            yield from code_128(patch, number)


def _engines_on(patch: Patch, number: int, formats: Sequence[ScanDataType]) -> list[Vote]:
    """Let both engines read the straightened patch: two sources, as they share no code."""
    tall = np.ascontiguousarray(np.repeat(patch.upright, 2, axis=0) if len(patch.upright) < 40 else patch.upright)
    votes = [Vote(located(symbol, patch.box), (number, "zxing")) for symbol, _ in by_zxing(tall, formats)]
    return votes + [Vote(located(symbol, patch.box), (number, "pyzbar")) for symbol in by_pyzbar(tall, formats)]


def _bands(patch: Patch, number: int, formats: Sequence[ScanDataType]) -> Iterator[list[Vote]]:
    """Let zxing-cpp read each band's mean row, as it is and sharpened."""
    import cv2

    module = (patch.last - patch.first) / 95
    for band in BAND_ORDER:
        profile = patch.bands[band]
        found: list[Vote] = []
        for deviation, amount in ((0.0, 0.0), (module, 1.5), (1.6 * module, 3.0)):
            line = profile
            if amount:
                soft = cv2.GaussianBlur(profile[None, :], (0, 0), deviation)[0]
                line = profile + amount * (profile - soft)
            read = by_zxing(drawn_out(line), formats)
            found += [Vote(located(symbol, patch.box), (number, band)) for symbol, _ in read]
            if found:
                break
        yield found


# Squares.

_Treatment = Callable[["Image"], "Image"]


def _squares(gray: Image, formats: Sequence[ScanDataType]) -> Iterator[list[Vote]]:
    squares = find_squares(gray)
    yield []
    # Small codes in a large frame, whatever the search made of them: the engine's own search, on twice the pixels.
    if gray.size <= _MOST_DOUBLED:
        yield _read(_scaled(gray, 2.0), None, formats)
    yield from _treated(squares, _TREATMENTS, formats)
    for square in squares[:_MOST_REFOCUSED]:
        for sharp in in_focus(square.upright):
            yield _read(sharp, square, formats, with_pyzbar=True)
    yield from _treated(squares, _LAST_TREATMENTS, formats)


def _treated(
    squares: Sequence[Square], treatments: Sequence[tuple[_Treatment, bool]], formats: Sequence[ScanDataType]
) -> Iterator[list[Vote]]:
    for treatment, with_pyzbar in treatments:
        for square in squares:
            yield _read(treatment(square.upright), square, formats, with_pyzbar)


_MOST_REFOCUSED = 2
"""Cut-outs that are brought into focus: it takes twenty tries each."""


_MOST_DOUBLED = 1_000_000
"""Pixels of an image that is still doubled whole: 1280×720 is, a photograph of twelve million is not."""


def _read(
    image: Image, square: Square | None, formats: Sequence[ScanDataType], with_pyzbar: bool = False
) -> list[Vote]:
    found = [symbol for symbol, _ in by_zxing(image, formats)]
    if with_pyzbar and not found:
        found = by_pyzbar(image, formats)
    return [Vote(located(symbol, square.box) if square else symbol, "square") for symbol in found]


def _scaled(image: Image, factor: float) -> Image:
    import cv2

    how = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=how), np.uint8)


def _sharpened(deviation: float, amount: float) -> _Treatment:
    def treat(image: Image) -> Image:
        import cv2

        soft = cv2.GaussianBlur(image, (0, 0), deviation)
        return np.asarray(cv2.addWeighted(image, 1 + amount, soft, -amount, 0), np.uint8)

    return treat


def _black_and_white(window: int, offset: int) -> _Treatment:
    """Light and shade are judged within `window` pixels: glare and moiré do not reach across."""

    def treat(image: Image) -> Image:
        import cv2

        soft = cv2.GaussianBlur(image, (0, 0), 2)
        kind = cv2.ADAPTIVE_THRESH_GAUSSIAN_C
        return np.asarray(cv2.adaptiveThreshold(soft, 255, kind, cv2.THRESH_BINARY, window, offset), np.uint8)

    return treat


def _softened(deviation: float) -> _Treatment:
    def treat(image: Image) -> Image:
        import cv2

        return np.asarray(cv2.GaussianBlur(image, (0, 0), deviation), np.uint8)

    return treat


def _evened(image: Image) -> Image:
    import cv2

    return np.asarray(cv2.createCLAHE(4.0, (8, 8)).apply(image), np.uint8)


def _unrolled(bend: float, upright: bool, sag: float = 0.0) -> _Treatment:
    """Take the code off a bottle: `bend` is half the angle it takes there, in radians; `sag` its bow, in heights."""

    def treat(image: Image) -> Image:
        import cv2

        size = image.shape[0]
        even = np.linspace(-1, 1, size, dtype=np.float32)
        place = (np.sin(bend * even) / np.sin(bend) + 1) / 2 * (size - 1)
        across, down = np.meshgrid(place, np.arange(size))
        down = down + sag * size * (1 - even**2)[None, :]
        if not upright:
            across, down = down.T, across.T
        grid = np.ascontiguousarray(across, np.float32), np.ascontiguousarray(down, np.float32)
        return np.asarray(cv2.remap(image, *grid, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)

    return treat


# In the order of what each adds on the hard set for its time; True where pyzbar is asked too.
_TREATMENTS: tuple[tuple[_Treatment, bool], ...] = (
    (lambda image: image, True),
    (_black_and_white(61, 0), True),
    (lambda image: _scaled(image, 0.5), False),
    (_sharpened(3, 2), False),
    (_unrolled(0.9, upright=False), False),
    (_unrolled(0.9, upright=True), False),
    (_softened(2.5), True),
    (_sharpened(8, 7), True),
    (_evened, False),
)
_LAST_TREATMENTS: tuple[tuple[_Treatment, bool], ...] = (
    (_unrolled(1.1, upright=False, sag=-0.05), True),
    (_unrolled(1.1, upright=True, sag=-0.05), True),
    (_unrolled(1.1, upright=False, sag=0.05), True),
    (_unrolled(1.1, upright=True, sag=0.05), True),
    (_black_and_white(101, 12), True),
    (_black_and_white(101, -5), True),
)
