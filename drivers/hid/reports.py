"""Reports of HID scanners and magstripe readers become frames. Pure.

Sources: USB-IF, HID Point of Sale Usage Tables 1.02 (pages 0x8C bar-code scanner, 0x8E magnetic stripe reader); for
MagTek's own report its Technical Reference Manual for USB HID swipe readers (99875191), "Magnetic Stripe Data".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from drivers.formats.framing import MAX_FRAME_BYTES, FrameError, FrameFault, wipe
from drivers.hid.descriptor import Field, find, input_fields

__all__ = [
    "MAGTEK",
    "MAGTEK_REPORT_BYTES",
    "SCANNER_PAGE",
    "STRIPE_PAGE",
    "TYPICAL_SCANNER",
    "HidLayout",
    "MsrLayout",
    "ReportReader",
    "ScannerLayout",
    "build_reader",
    "layout_of",
]

SCANNER_PAGE, STRIPE_PAGE = 0x8C, 0x8E
_GENERIC_DESKTOP, _BYTE_COUNT = 0x01, 0x3B
_SYMBOLOGY_1, _SYMBOLOGY_3, _DECODED_DATA, _CONTINUED = 0xFB, 0xFD, 0xFE, 0xFF
_TRACK_LENGTHS, _TRACK_DATA = (0x11, 0x12, 0x13), (0x21, 0x22, 0x23)
MAGTEK_REPORT_BYTES = 337
_SENTINELS = (b"%", b";", b"+")
# How a track begins, whichever reader sent it; and what a track that would not read is written as (see tracks).
_STARTS = b"%;@+#&"
_UNREADABLE = b"E?"


class HidLayout(StrEnum):
    """Which reports a device sends."""

    AUTO = "auto"
    """Ask the device: its report descriptor says."""
    SCANNER = "scanner"
    """HID-POS scanner with the report that most makers use."""
    MSR = "msr"
    """HID-POS magstripe reader; where what stands is in its descriptor only."""
    MAGTEK = "magtek"
    """MagTek's report of 337 bytes."""


@dataclass(frozen=True, slots=True)
class ScannerLayout:
    """Where things stand in a scanner's report, in bytes; `more_bit` is counted in bits from the report's start.

    `length` is None where the data runs to its end or the first zero byte; `report_id` 0 where there is none.
    """

    report_id: int
    length: int | None
    symbology: int | None
    data: int
    capacity: int
    more_bit: int | None


@dataclass(frozen=True, slots=True)
class MsrLayout:
    """Where things stand in a magstripe reader's report, in bytes: for tracks 1, 2, 3 status, length and data.

    `statuses` is empty where the reader sends none; a track is (first byte, capacity). `size` is the report's.
    """

    report_id: int
    statuses: tuple[int, ...]
    lengths: tuple[int, ...]
    tracks: tuple[tuple[int, int], ...]
    size: int


# Report id 2, length, AIM identifier (3), data (56), two bytes of the maker's, and a bit: more follows.
TYPICAL_SCANNER = ScannerLayout(2, 1, 2, 5, 56, 63 * 8)
MAGTEK = MsrLayout(0, (0, 1, 2), (3, 4, 5), ((7, 110), (117, 110), (227, 110)), MAGTEK_REPORT_BYTES)


class ReportReader(Protocol):
    """Reports of one device in, frames out: the same as a serial scanner or a wedge would have sent."""

    @property
    def unfinished(self) -> bool:
        """Whether more reports of one scan are to come."""

    def feed(self, report: bytes) -> list[bytearray | FrameError]:
        """Take one whole report; one that is none of ours gives nothing."""

    def gap(self) -> list[bytearray | FrameError]:
        """Nothing came for a while."""

    def reset(self) -> None:
        """Forget what has begun."""

    def data_spans(self, report: bytes) -> list[tuple[int, int]]:
        """Return (first, end) of each part of `report` that can hold card data."""


def build_reader(layout: ScannerLayout | MsrLayout) -> ReportReader:
    """Return the reader for a layout."""
    return _Scanner(layout) if isinstance(layout, ScannerLayout) else _Stripe(layout)


def layout_of(descriptor: bytes) -> ScannerLayout | MsrLayout | None:
    """Return the layout that a report descriptor states; None where it names neither scanner nor stripe data."""
    fields = input_fields(descriptor)
    data = find(fields, SCANNER_PAGE, _DECODED_DATA)
    if data is not None:
        symbology = find(fields, SCANNER_PAGE, _SYMBOLOGY_1)
        whole = symbology is not None and find(fields, SCANNER_PAGE, _SYMBOLOGY_3) is not None
        length = find(fields, _GENERIC_DESKTOP, _BYTE_COUNT)
        more = find(fields, SCANNER_PAGE, _CONTINUED)
        return ScannerLayout(
            data.report_id,
            length.byte if length is not None else None,
            symbology.byte if symbology is not None and whole else None,
            data.byte,
            data.size * data.count // 8,
            more.bit if more is not None else None,
        )
    lengths = [find(fields, STRIPE_PAGE, usage) for usage in _TRACK_LENGTHS]
    tracks = [find(fields, STRIPE_PAGE, usage) for usage in _TRACK_DATA]
    pairs = [(length, track) for length, track in zip(lengths, tracks, strict=True) if length and track]
    return _stripe_layout(pairs) if len(pairs) == len(_TRACK_DATA) else None


def _stripe_layout(pairs: list[tuple[Field, Field]]) -> MsrLayout:
    spans = tuple((track.byte, track.size * track.count // 8) for _, track in pairs)
    return MsrLayout(
        pairs[0][1].report_id,
        (),
        tuple(length.byte for length, _ in pairs),
        spans,
        max(first + capacity for first, capacity in spans),
    )


class _Scanner:
    def __init__(self, layout: ScannerLayout) -> None:
        self._at = layout
        self._parts = bytearray()

    @property
    def unfinished(self) -> bool:
        return bool(self._parts)

    def feed(self, report: bytes) -> list[bytearray | FrameError]:
        at = self._at
        if not report or (at.report_id and report[0] != at.report_id):
            return []
        if len(report) <= at.data:
            self.reset()
            return [FrameError(FrameFault.CUT)]
        data = report[at.data : at.data + at.capacity]
        if at.length is not None:
            if report[at.length] > len(data):
                self.reset()
                return [FrameError(FrameFault.CUT)]
            data = data[: report[at.length]]
        else:
            data = data.split(b"\0", 1)[0]
        if not self._parts and at.symbology is not None and report[at.symbology] == ord("]"):
            self._parts += report[at.symbology : at.symbology + 3]
        self._parts += data
        if len(self._parts) > MAX_FRAME_BYTES:
            self.reset()
            return [FrameError(FrameFault.TOO_LONG)]
        if self._more(report):
            return []
        whole, self._parts = self._parts, bytearray()
        # Some are set to send a CR as well, which a report does not need.
        while whole and whole[-1] in b"\r\n":
            del whole[-1]
        return [whole] if whole else []

    def gap(self) -> list[bytearray | FrameError]:
        begun = bool(self._parts)
        self.reset()
        return [FrameError(FrameFault.CUT)] if begun else []

    def reset(self) -> None:
        wipe(self._parts)
        self._parts = bytearray()

    def data_spans(self, report: bytes) -> list[tuple[int, int]]:
        return [(self._at.data, min(self._at.data + self._at.capacity, len(report)))]

    def _more(self, report: bytes) -> bool:
        bit = self._at.more_bit
        return bit is not None and bit // 8 < len(report) and bool(report[bit // 8] >> bit % 8 & 1)


class _Stripe:
    """A swipe is one report. It is handed on as a wedge would have typed it, so that one place reads tracks."""

    def __init__(self, layout: MsrLayout) -> None:
        self._at = layout

    @property
    def unfinished(self) -> bool:
        return False

    def feed(self, report: bytes) -> list[bytearray | FrameError]:
        at = self._at
        if not report or (at.report_id and report[0] != at.report_id):
            return []
        if len(report) < at.size:
            return [FrameError(FrameFault.CUT)]
        typed = bytearray()
        for track, (first, capacity) in enumerate(at.tracks):
            length = report[at.lengths[track]]
            if at.statuses and report[at.statuses[track]] & 1:
                typed += _SENTINELS[track] + _UNREADABLE
            elif length > capacity:
                wipe(typed)
                return [FrameError(FrameFault.CUT)]
            elif length:
                data = report[first : first + length]
                typed += data if data[0] in _STARTS else _SENTINELS[track] + data
                if b"?" not in data:
                    typed += b"?"
        return [typed] if typed else []

    def gap(self) -> list[bytearray | FrameError]:
        return []

    def reset(self) -> None:
        """Nothing is kept between reports."""

    def data_spans(self, report: bytes) -> list[tuple[int, int]]:
        return [(first, min(first + capacity, len(report))) for first, capacity in self._at.tracks]
