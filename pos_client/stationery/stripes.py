"""What an encoder writes on the magnetic stripes of cards: whole tracks with sentinels and check character."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from drivers.formats.tracks import TrackNumber, lrc

_MOST: dict[TrackNumber, int] = {1: 79, 2: 40}
"""ISO/IEC 7811-6: the longest track with both sentinels and the check character."""


def track(number: str) -> tuple[TrackNumber, str]:
    """Which track holds a card number, and that track with `;` or `%`, `?` and LRC (ISO/IEC 7811-6).

    Digits go on track 2, letters on track 1. Raises ValueError for a number too long for the track.
    """
    place: TrackNumber = 2 if number.isdigit() else 1
    framed = (";" if place == 2 else "%") + number + "?"
    framed += lrc(framed, place)
    if len(framed) > _MOST[place]:
        raise ValueError(f"expected at most {_MOST[place] - 3} characters for track {place}, got {len(number)}")
    return place, framed


def encoding_file(numbers: Iterable[str]) -> str:
    """CSV for an encoder: `number,track,data`, one card a line."""
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow(["number", "track", "data"])
    for number in numbers:
        writer.writerow([number, *track(number)])
    return made.getvalue()
