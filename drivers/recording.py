"""A device's raw stream in a file, and back: what support asks for. Payment data is blanked before it is written.

JSON lines. The first is `{"spaarpunt_recording": 1, "kind": "serial"|"wedge"|"hid", "settings": {…}}`; each other one
`{"at": seconds since the start, "hex": the bytes as they came}`, with `"blanked": true` where digits were made 0 and
letters X. Bytes are written once it is known what they came to, and as they came only where every frame in them passed
the payment guard. A number of 12 digits or more that is neither a card of the shop's own nor an article is blanked as
well: it may be a bank card that lost a digit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from drivers.errors import BadDeviceSettings
from drivers.events import DataEvent, Event, ScanDataType
from drivers.formats.layouts import recover
from drivers.hid.device import HidSettings
from drivers.hid.reports import (
    MAGTEK,
    MAGTEK_REPORT_BYTES,
    HidLayout,
    MsrLayout,
    ScannerLayout,
    build_reader,
    layout_of,
)
from drivers.hid.source import DESCRIPTOR, RECORD, record
from drivers.keyboard.keymap import EV_KEY, EVENT, Keys
from drivers.keyboard.wedge import WedgeSettings
from drivers.lines import ssi
from drivers.lines.line import LineProtocol
from drivers.lines.serial_scanner import SerialSettings
from drivers.recognition.guard import CardPattern, match_loyalty
from drivers.recognition.reader import ReaderSettings

__all__ = ["RecordedSettings", "Recorder", "Recording", "read_recording"]

VERSION = 1
# A day of a busy scanner is 1 MB; a file beyond this is a device gone wild.
MAX_FILE_BYTES = 64 * 1024 * 1024
# Fewer digits than this in a row are a time, an amount or a part of a name.
_RUN = re.compile(r"[0-9]{6,}")
_PAN_SHORTEST = 12
_ARTICLES = {
    ScanDataType.EAN_13,
    ScanDataType.EAN_8,
    ScanDataType.GS1_128,
    ScanDataType.GS1_QR,
    ScanDataType.GS1_DATA_MATRIX,
    ScanDataType.DATABAR,
}
# What an AZERTY keyboard types for digits, beside letters with accents: a bank card may have come through one.
_AZERTY_DIGITS = "&\"'(-_!"
_BLANKS = bytes(
    ord("0")
    if 0x30 <= byte <= 0x39
    else ord("X")
    if chr(byte).isalpha() or byte > 0x7F or chr(byte) in _AZERTY_DIGITS
    else byte
    for byte in range(256)
)
# The keys that type letters, digits and signs (input-event-codes.h): blanked, all of them become the key of X or of 0.
_DIGIT_KEYS = {*range(2, 12), 71, 72, 73, 75, 76, 77, 79, 80, 81, 82}
_LETTER_KEYS = {*range(16, 26), *range(30, 39), *range(44, 51)}
_SIGN_KEYS = {12, 13, 26, 27, 39, 40, 41, 43, 51, 52, 53, 86}
_SHIFT_KEYS = {42, 54}
_KEY_0, _KEY_X = 11, 45

RecordedSettings = SerialSettings | WedgeSettings | HidSettings


class Recorder:
    """A `Tap` that writes to `path`. Use it as a context; raises OSError when the disk is full."""

    def __init__(self, path: Path, settings: RecordedSettings, patterns: Sequence[CardPattern], start_ns: int) -> None:
        self._patterns = tuple(patterns)
        self._start_ns = start_ns
        self._settings = settings
        self._chunks: list[tuple[bytes, int]] = []
        self._events: list[Event] = []
        self._written = 0
        self._file = path.open("x", encoding="ascii")
        kind, kept = _header(settings)
        self._write({"spaarpunt_recording": VERSION, "kind": kind, "settings": kept})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def raw(self, data: bytes, at_ns: int) -> None:
        """Take bytes; they wait in memory until it is known what they came to."""
        self._chunks.append((data, at_ns))

    def event(self, event: Event) -> None:
        """Take what they came to."""
        self._events.append(event)

    def rest(self) -> None:
        """Write what waits: as it came where it may be kept, else blanked."""
        chunks, self._chunks = self._chunks, []
        events, self._events = self._events, []
        if not chunks:
            return
        keep = self._may_be_kept([chunk for chunk, _ in chunks], events)
        for chunk, at_ns in chunks:
            line: dict[str, Any] = {"at": round((at_ns - self._start_ns) / 1e9, 4)}
            line |= {"hex": chunk.hex()} if keep else {"hex": self._blanked(chunk).hex(), "blanked": True}
            self._write(line)

    def close(self) -> None:
        """Write what is unfinished, blanked, and close the file."""
        self._events.clear()
        self.rest()
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        text = json.dumps(line) + "\n"
        if self._written + len(text) > MAX_FILE_BYTES:
            return
        self._written += len(text)
        self._file.write(text)
        self._file.flush()

    def _may_be_kept(self, chunks: list[bytes], events: list[Event]) -> bool:
        passed = []
        for event in events:
            if not isinstance(event, DataEvent):
                return False
            passed.append(event)
        # The digit of an AIM identifier stands right before the data's own.
        kept = [
            (event.aim or "") + event.scan_data.decode("latin-1")
            for event in passed
            if self._is_no_card_of_others(event)
        ]
        return bool(passed) and all(
            any(run in data for data in kept) for run in _RUN.findall(_text(self._settings, chunks))
        )

    def _is_no_card_of_others(self, event: DataEvent) -> bool:
        text = event.scan_data.decode("latin-1")
        if event.scan_data_type in _ARTICLES or match_loyalty(event.scan_data_label, self._patterns) is not None:
            return True
        return not re.search(rf"[0-9]{{{_PAN_SHORTEST},}}", re.sub(r"[ -]", "", text))

    def _blanked(self, chunk: bytes) -> bytes:
        match self._settings:
            case WedgeSettings(layout=layout):
                return _blank_keys(chunk, us=layout in ("us", "nl"))
            case HidSettings():
                return _blank_reports(chunk)
            case SerialSettings(protocol=LineProtocol.SSI):
                return _blank_packets(chunk)
            case SerialSettings():
                return chunk.translate(_BLANKS)


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording as read back. `chunks` are (seconds since the start, bytes)."""

    kind: str
    settings: dict[str, Any]
    chunks: tuple[tuple[float, bytes], ...]

    def settings_at(self, path: str) -> RecordedSettings:
        """Return the recorded device's settings with `path` in the place of its port. Raises BadDeviceSettings."""
        try:
            match self.kind:
                case "serial":
                    return SerialSettings(
                        path,
                        encoding=self.settings["encoding"],
                        layout=self.settings["layout"],
                        protocol=LineProtocol(self.settings["protocol"]),
                        prefix=bytes.fromhex(self.settings["prefix"]),
                        suffix=bytes.fromhex(self.settings["suffix"]),
                    )
                case "wedge":
                    reader = ReaderSettings(**self.settings["reader"])
                    return WedgeSettings(path, layout=self.settings["layout"], reader=reader)
                case _:
                    return HidSettings(path, layout=HidLayout(self.settings["layout"]))
        except (KeyError, TypeError, ValueError):
            raise BadDeviceSettings("the recording's first line is damaged", self.kind, "record it again") from None

    def play(self, send: Callable[[bytes], None], wait: Callable[[float], bool]) -> None:
        """Send each chunk at its time. `wait(seconds)` returns True to stop, as `threading.Event.wait` does."""
        at = 0.0
        for due, data in self.chunks:
            if wait(max(0.0, due - at)):
                return
            at = due
            send(data)


def read_recording(path: Path) -> Recording:
    """Read a recording. Raises BadDeviceSettings naming the line that is none, and OSError."""
    if path.stat().st_size > MAX_FILE_BYTES:
        raise BadDeviceSettings(f"expected at most {MAX_FILE_BYTES} bytes", str(path), "is this a recording?")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    number = 0
    try:
        first = json.loads(lines[0])
        if first["spaarpunt_recording"] != VERSION or first["kind"] not in ("serial", "wedge", "hid"):
            raise ValueError
        chunks = []
        for number, line in enumerate(lines[1:], start=1):  # noqa: B007 - the message below names it
            one = json.loads(line)
            chunks.append((float(one["at"]), bytes.fromhex(one["hex"])))
        return Recording(first["kind"], dict(first["settings"]), tuple(chunks))
    except (IndexError, KeyError, TypeError, ValueError):
        raise BadDeviceSettings(
            "not a recording of `spaarpunt devices record`", f"{path}, line {number + 1}", "give such a file"
        ) from None


def _header(settings: RecordedSettings) -> tuple[str, dict[str, Any]]:
    kept = {name: value.hex() if isinstance(value, bytes) else value for name, value in asdict(settings).items()}
    match settings:
        case SerialSettings():
            return "serial", kept
        case WedgeSettings():
            return "wedge", kept
        case HidSettings():
            return "hid", kept


def _text(settings: RecordedSettings, chunks: list[bytes]) -> str:
    """Return what can hold card data in the chunks of one group, as text."""
    match settings:
        case WedgeSettings(layout=layout):
            keys = Keys(layout)
            return "".join(
                keys.press(code, value)
                for chunk in chunks
                for _, _, kind, code, value in EVENT.iter_unpack(chunk)
                if kind == EV_KEY
            )
        case HidSettings():
            return "\n".join(
                data[1:].decode("latin-1") for chunk in chunks for kind, data in _records(chunk) if kind != DESCRIPTOR
            )
        case SerialSettings(protocol=LineProtocol.SSI):
            reader = ssi.PacketReader()
            packets = [one for chunk in chunks for one in reader.feed(chunk)]
            data = b"\n".join(one.data for one in packets if isinstance(one, ssi.Packet))
        case SerialSettings():
            data = b"".join(chunks)
    return recover(data.decode(settings.encoding, errors="replace"), settings.layout)


def _records(chunk: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 0
    while at + RECORD.size <= len(chunk):
        kind, length = RECORD.unpack_from(chunk, at)
        found.append((kind, chunk[at + RECORD.size : at + RECORD.size + length]))
        at += RECORD.size + length
    return found


def _blank_keys(chunk: bytes, *, us: bool) -> bytes:
    """Blank the keys. On other layouts digits stand on other keys, and signs are blanked with them."""
    out = bytearray()
    shifted = False
    for seconds, micros, kind, code, value in EVENT.iter_unpack(chunk):
        if kind == EV_KEY and code in _SHIFT_KEYS:
            shifted = value != 0
            blank = code
        elif kind == EV_KEY and us and code in _DIGIT_KEYS:
            # With shift they are the sentinels' row: `%` and `^` stand on 5 and 6.
            blank = code if shifted else _KEY_0
        elif kind == EV_KEY and code in _LETTER_KEYS | (set() if us else _DIGIT_KEYS | _SIGN_KEYS):
            blank = _KEY_X
        else:
            blank = code
        out += EVENT.pack(seconds, micros, kind, blank, value)
    return bytes(out)


def _blank_reports(chunk: bytes) -> bytes:
    """Blank what can be card data in each report, by its layout; all but the first byte where that is not known."""
    layout: ScannerLayout | MsrLayout | None = None
    out = b""
    for kind, data in _records(chunk):
        blanked = bytearray(data)
        if kind == DESCRIPTOR:
            layout = layout_of(data)
        else:
            known = layout or (MAGTEK if len(data) == MAGTEK_REPORT_BYTES else None)
            spans = build_reader(known).data_spans(data) if known else [(1, len(data))]
            for first, end in spans:
                blanked[first:end] = data[first:end].translate(_BLANKS)
        out += record(kind, bytes(blanked))
    return out


def _blank_packets(chunk: bytes) -> bytes:
    """Blank the data of whole packets, with a checksum that agrees again; a piece of one is blanked as it is."""
    out, at = bytearray(), 0
    while at < len(chunk):
        length = chunk[at]
        if length < 4 or at + length + 2 > len(chunk):
            out += chunk[at : at + 1] + chunk[at + 1 :].translate(_BLANKS)
            break
        # The first byte of DECODE_DATA is the symbology.
        body = chunk[at : at + 5] + chunk[at + 5 : at + length].translate(_BLANKS)
        out += body[:length] + ssi.checksum(body[:length])
        at += length + 2
    return bytes(out)
