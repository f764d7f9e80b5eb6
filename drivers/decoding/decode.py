"""An image becomes the symbols in it: zxing-cpp first, then pyzbar, then, as far as the time goes, `hard`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drivers.decoding.confirm import WEAK, is_printed
from drivers.decoding.engines import FORMATS, by_pyzbar, by_zxing
from drivers.decoding.hard import tries
from drivers.decoding.votes import Ballot, Vote, overlap
from drivers.errors import BadDeviceSettings
from drivers.events import ScanDataType
from drivers.recognition.symbols import Symbol

if TYPE_CHECKING:
    from drivers.decoding.engines import Image

__all__ = ["DEFAULT_FORMATS", "STILL_LIMIT_S", "Findings", "decode", "examine", "parse_formats"]

DEFAULT_FORMATS: tuple[ScanDataType, ...] = (ScanDataType.QR, ScanDataType.EAN_13, ScanDataType.CODE_128)

STILL_LIMIT_S = 1.0
"""Seconds for one photograph that the engines cannot read: a person who waits for an answer waits that long."""

# pyzbar takes 60 ms for a million pixels; a photograph of twelve million would take the whole limit.
_MOST_FOR_PYZBAR = 1_500_000


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in one image: `sure` counts; `doubtful` was read once, and another frame may confirm it."""

    sure: list[Symbol]
    doubtful: list[Symbol]


def parse_formats(names: Sequence[str]) -> tuple[ScanDataType, ...]:
    """Return the formats of those names. Raises BadDeviceSettings for an unknown name, or none at all."""
    known = {str(kind): kind for kind in FORMATS}
    for name in names:
        if name not in known:
            raise BadDeviceSettings(
                f"expected symbologies out of {', '.join(known)}, got {name!r}", "formats", "correct the name"
            )
    if not names:
        raise BadDeviceSettings("expected at least one symbology, got none", "formats", "name those your cards carry")
    return tuple(known[name] for name in names)


def decode(
    image: Image, formats: Sequence[ScanDataType] = DEFAULT_FORMATS, limit_s: float = STILL_LIMIT_S
) -> list[Symbol]:
    """Return the symbols of the given `formats` in `image`, a grayscale (h, w) or BGR (h, w, 3) array of bytes.

    `limit_s` seconds after the start no new try begins; a try takes up to 50 ms.
    Symbols that overlap and disagree are all left out: one of them is a ghost, and nothing tells which.
    """
    return examine(image, formats, limit_s).sure


def examine(
    image: Image, formats: Sequence[ScanDataType] = DEFAULT_FORMATS, limit_s: float = STILL_LIMIT_S
) -> Findings:
    """Return what `decode` returns, and beside it what it did not trust. Arguments as there."""
    began = time.monotonic()
    if not image.size:
        return Findings([], [])
    ballot = Ballot()
    sure = _first_engine(image, formats, ballot)
    if sure or limit_s <= 0:
        return Findings(sure, ballot.doubtful())
    sure = _second_engine(image, formats, ballot)
    if not sure:
        gray = image if image.ndim == 2 else np.ascontiguousarray(image[:, :, 1])
        for votes in tries(gray, formats):
            for vote in votes:
                ballot.add(vote)
            sure = ballot.elected()
            if sure or time.monotonic() - began > limit_s:
                break
    return Findings(sure, [] if sure else ballot.doubtful())


def _first_engine(image: Image, formats: Sequence[ScanDataType], ballot: Ballot) -> list[Symbol]:
    """Return what zxing-cpp reads and a second look confirms; the rest gets one vote."""
    gray = image if image.ndim == 2 else image[:, :, 1]
    found = by_zxing(image, formats)
    # A kind that needs no second look cannot be told from its ghost either: both are left to the vote.
    printed = [
        symbol
        for symbol, corners in found
        if symbol.kind not in WEAK or symbol.box is None or is_printed(gray, symbol, corners, symbol.box)
    ]
    sure = []
    for symbol, _ in found:
        if symbol in printed and not any(_contradict(symbol, other) for other in printed):
            sure.append(symbol)
        else:
            ballot.add(Vote(symbol, "zxing"))
    return sure


def _second_engine(image: Image, formats: Sequence[ScanDataType], ballot: Ballot) -> list[Symbol]:
    """Return what pyzbar reads and needs no second vote; bar codes get theirs."""
    shrunk = max(1.0, float(np.sqrt(image.shape[0] * image.shape[1] / _MOST_FOR_PYZBAR)))
    for symbol in by_pyzbar(_smaller(image, shrunk) if shrunk > 1 else image, formats):
        left, top, right, bottom = (round(side * shrunk) for side in symbol.box or (0, 0, 0, 0))
        ballot.add(
            Vote(Symbol(symbol.kind, symbol.aim, symbol.text, symbol.data, (left, top, right, bottom)), "pyzbar")
        )
    return ballot.elected()


def _smaller(image: Image, shrunk: float) -> Image:
    import cv2

    # Each pixel is the mean of those it stands for: every n-th one alone would lose bars, or make some up.
    size = round(image.shape[1] / shrunk), round(image.shape[0] / shrunk)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _contradict(one: Symbol, other: Symbol) -> bool:
    return one.text != other.text and overlap(one, other)
