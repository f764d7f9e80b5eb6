"""Magnetic-stripe tracks out of the text a keyboard wedge or a serial reader types. Pure.

Layouts: ISO/IEC 7811-6 (alphabets, lengths, LRC) and ISO/IEC 7813 (fields). What a wedge adds (one start sentinel for
each track, `E` for a track that would not read) is common practice among readers, not a standard.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from operator import xor
from typing import Literal

from drivers.masking import mask

__all__ = [
    "START_SENTINELS",
    "TrackError",
    "TrackFault",
    "TrackNumber",
    "Tracks",
    "lone_track",
    "looks_like_swipe",
    "lrc",
    "parse",
]

TrackNumber = Literal[1, 2, 3]

# Track 2 may start with `@`, track 3 with `+`, `#` (AAMVA) or `&`, by the reader's settings. On the card itself tracks
# 2 and 3 share `;`: a second `;` is therefore track 3. `@`, `#` and `&` stand for tracks encoded as track 1 is, in 7
# bits a character, as on driving licences (AAMVA DL/ID Card Design Standard, annex on magnetic stripes).
START_SENTINELS: dict[str, TrackNumber] = {"%": 1, ";": 2, "@": 2, "+": 3, "#": 3, "&": 3}
_SEVEN_BIT_STARTS = "@#&"
_END = "?"
_SURE_STARTS = ("%", ";")
_TAIL = re.compile(r"[0-:=]*[?][0-?]?")
_UNREADABLE = "E"
# ISO/IEC 7811-6: the longest track with start sentinel, end sentinel and LRC.
_LONGEST: dict[TrackNumber, int] = {1: 79, 2: 40, 3: 107}
# ISO/IEC 7811-6: six bits from 0x20 on track 1, four bits from 0x30 on tracks 2 and 3.
_LOWEST: dict[TrackNumber, int] = {1: 0x20, 2: 0x30, 3: 0x30}
_IN_ALPHABET: dict[TrackNumber, re.Pattern[str]] = {
    1: re.compile(r"[ -_]*"),
    2: re.compile(r"[0-?]*"),
    3: re.compile(r"[0-?]*"),
}
# A track 3 is told from a track 2 by its sentinel; the LRC is always computed over the one on the card.
_CARD_SENTINEL: dict[TrackNumber, str] = {1: "%", 2: ";", 3: ";"}


class TrackFault(StrEnum):
    """Why a track cannot be used."""

    UNREADABLE = "unreadable"
    """The reader said so with `E`."""
    NO_END = "no-end"
    """No end sentinel: the swipe was cut."""
    ALPHABET = "alphabet"
    """A character that the track cannot hold: a wrong keyboard layout, or noise."""
    TOO_LONG = "too-long"
    """More characters than fit on the stripe."""
    LRC = "lrc"
    """The check character does not agree."""
    STRAY = "stray"
    """Characters outside any track."""


@dataclass(frozen=True, slots=True)
class TrackError:
    """One fault. `track` is 0 where the fault belongs to no track. Carries no card data."""

    track: Literal[0, 1, 2, 3]
    fault: TrackFault


@dataclass(frozen=True, slots=True, repr=False)
class Tracks:
    """The tracks of one swipe, without sentinels and LRC; None where a track was absent or at fault.

    `errors` says which were at fault. The repr is masked.
    """

    track1: str | None = None
    track2: str | None = None
    track3: str | None = None
    errors: tuple[TrackError, ...] = ()

    def __repr__(self) -> str:
        shown = ", ".join(f"track{number}={mask(data)!r}" for number, data in self.present())
        return f"Tracks({shown}, errors={self.errors!r})"

    def present(self) -> list[tuple[TrackNumber, str]]:
        """Return (number, data) of the tracks that were read, in the order of the stripe."""
        every: list[tuple[TrackNumber, str | None]] = [(1, self.track1), (2, self.track2), (3, self.track3)]
        return [(number, data) for number, data in every if data is not None]


def looks_like_swipe(text: str) -> bool:
    """Say whether `text`, which came without AIM identifier, is a swipe or the tail of one that lost its head.

    `%` and `;` start no bar code worth reading; the other start sentinels (`+` starts a telephone number) need an end
    sentinel as well. A tail ends in `?`, or `?` and an LRC, and holds nothing but what track 2 can hold.
    """
    if text[:1] in _SURE_STARTS:
        return True
    return (text[:1] in START_SENTINELS and _END in text) or _TAIL.fullmatch(text) is not None


def lrc(track: str, number: TrackNumber) -> str:
    """Return the check character of `track`, which runs from start sentinel through end sentinel (ISO/IEC 7811-6).

    `lrc(";0001234567?", 2)` is `"4"`.
    """
    base = _LOWEST[number]
    return chr(base + reduce(xor, (ord(char) - base for char in track), 0))


def lone_track(line: bytes | bytearray, after: int = 0) -> int:
    """Return which track `line` is, if it is one whole track and nothing else, with its LRC or without; else 0.

    `after` is the number of the track before it in the same swipe: a `;` behind track 2 is track 3.
    """
    if not 2 < len(line) <= max(_LONGEST.values()) or line.find(b"?") not in (len(line) - 1, len(line) - 2):
        return 0
    number = START_SENTINELS.get(chr(line[0]), 0)
    return 3 if number == 2 and after == 2 else number


def parse(text: str) -> Tracks:
    """Take the tracks out of one swipe as typed, without its terminator. Never raises: faults are in `errors`.

    `text` is `%T1?;T2?+T3?`, each part optional and each with or without its LRC after `?`. A track at fault is None
    and named in `errors`; the good ones beside it are delivered.
    """
    found: dict[TrackNumber, str] = {}
    errors: list[TrackError] = []
    seen: set[TrackNumber] = set()
    at = 0
    while at < len(text):
        start = text[at]
        number = START_SENTINELS.get(start)
        if number is None:
            errors.append(TrackError(0, TrackFault.STRAY))
            break
        if number == 2 and 2 in seen:
            number = 3
        if number in seen:
            errors.append(TrackError(number, TrackFault.STRAY))
            break
        seen.add(number)
        end = text.find(_END, at)
        if end < 0:
            errors.append(TrackError(number, TrackFault.NO_END))
            break
        data = text[at + 1 : end]
        after = end + 1
        fault = _fault_in(data, number, start)
        if fault is not TrackFault.UNREADABLE:
            # Computed only where one may have been sent: most readers send none.
            expected = _expected_lrcs(data, number, start) if fault is None and after < len(text) else ""
            sent, used = _lrc_sent(text, after, expected)
            after += used
            if fault is None and sent is False:
                fault = TrackFault.LRC
        if fault is None:
            found[number] = data
        else:
            errors.append(TrackError(number, fault))
        at = after
    return Tracks(found.get(1), found.get(2), found.get(3), tuple(errors))


def _fault_in(data: str, number: TrackNumber, start: str) -> TrackFault | None:
    if data == _UNREADABLE:
        return TrackFault.UNREADABLE
    # Two sentinels and the LRC take their places on the stripe as well.
    if len(data) > _LONGEST[number] - 3:
        return TrackFault.TOO_LONG
    if _IN_ALPHABET[1 if start in _SEVEN_BIT_STARTS else number].fullmatch(data) is None:
        return TrackFault.ALPHABET
    return None


def _expected_lrcs(data: str, number: TrackNumber, start: str) -> str:
    """Return the check characters that agree: one, or two where the start sentinel leaves the encoding open."""
    five_bit = _IN_ALPHABET[2].fullmatch(data) is not None
    expected = lrc(f"{_CARD_SENTINEL[number]}{data}{_END}", number) if number == 1 or five_bit else ""
    return expected + (lrc(f"%{data}{_END}", 1) if start in _SEVEN_BIT_STARTS else "")


def _lrc_sent(text: str, at: int, expected: str) -> tuple[bool | None, int]:
    """Look for a check character at `at`: (None, 0) for none, (agrees, 1) for one.

    A start sentinel can itself be the LRC. It is taken for one only where the text ends or another start follows.
    """
    if at >= len(text):
        return None, 0
    follows = text[at + 1 : at + 2]
    if text[at] in START_SENTINELS:
        is_lrc = text[at] in expected and (not follows or follows in START_SENTINELS)
        return (True, 1) if is_lrc else (None, 0)
    return text[at] in expected, 1
