"""`spaarpunt interpret`: what the drivers make of given bytes, for support. Opens no device and no database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from drivers.errors import DriverError
from drivers.events import DataEvent, ErrorEvent, Event, PaymentCardRefused, ScanDataType
from drivers.formats.framing import FrameError, Framer
from drivers.formats.layouts import LAYOUTS
from drivers.formats.swipes import SwipeFramer
from drivers.hid.reports import MAGTEK, MAGTEK_REPORT_BYTES, build_reader
from drivers.keyboard.keymap import EV_KEY, EV_SYN, EVENT, Keys
from drivers.recognition.guard import CardPattern, check_patterns, match_loyalty
from drivers.recognition.reader import FACTORY, ReaderSettings
from drivers.recognition.recognise import frame_error_event, recognise_frame, recognise_typed
from pos_client.commands.common import EXIT_PROBLEM, console, emit, fail, json_option, pass_config
from pos_client.config import Config
from pos_client.reckoning import card_patterns

MAX_INPUT_BYTES = 1_048_576
"""A day of scans; what is longer is no sample for support."""

_DEVICE = "interpret"


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--as",
    "source",
    type=click.Choice(["serial", "wedge", "msr", "typed"]),
    required=True,
    help="Who sent it: a scanner on a serial line, a reader that types, a magstripe reader, or a person at a field.",
)
@click.option("--hex", "hex_digits", help="The bytes in hexadecimal; spaces and colons do not count.")
@click.option("--text", help="The bytes as text, in UTF-8.")
@click.option(
    "--layout",
    type=click.Choice(list(LAYOUTS)),
    default="us",
    show_default=True,
    help="Keyboard layout: the till's where text came through it, the reader's where key codes are given.",
)
@json_option
@click.pass_context
@pass_config
def interpret(
    config: Config,
    context: click.Context,
    *,
    file: Path | None,
    source: str,
    hex_digits: str | None,
    text: str | None,
    layout: str,
    as_json: bool,
) -> None:
    """Say what the drivers make of the bytes in FILE, of --hex, or of --text.

    wedge takes text or `struct input_event` records; msr takes text or MagTek's reports of 337 bytes; for both, lines
    that are the tracks of one swipe are joined. The end of the bytes ends the last scan. Card formats come from the
    configuration; without any, no card is one of ours. The digits of a bank card are never shown.

    Exit code 0 when something was read or refused, 1 when nothing came out but errors.
    """
    data = _given(file, hex_digits, text)
    patterns = card_patterns(config.card_formats)
    try:
        check_patterns(patterns)
    except DriverError as error:
        raise click.UsageError(f"card_formats: {error}") from error
    events = [_as_data(event, patterns) for event in _events(source, data, layout, patterns)]
    emit({"events": events}, as_json, lambda: _show(events))
    if all(event["kind"] == "error" for event in events):
        context.exit(EXIT_PROBLEM)


def _given(file: Path | None, hex_digits: str | None, text: str | None) -> bytes:
    """The bytes to look at. What is wrong with them is said without showing them: they may be a bank card's."""
    if sum(each is not None for each in (file, hex_digits, text)) != 1:
        raise click.UsageError("expected one of FILE, --hex and --text")
    if text is not None:
        # What the shell handed over that is not UTF-8 goes back to the bytes it was.
        data = text.encode("utf-8", errors="surrogateescape")
    elif hex_digits is not None:
        try:
            data = bytes.fromhex(hex_digits.replace(":", " "))
        except ValueError:
            raise click.UsageError("--hex: expected pairs of hexadecimal digits, such as 5d 45 30") from None
    else:
        assert file is not None
        try:
            with file.open("rb") as stream:
                data = stream.read(MAX_INPUT_BYTES + 1)
        except OSError as error:
            fail(f"{file}: cannot be read: {error.strerror}; give a file with the bytes the device sent")
    if len(data) > MAX_INPUT_BYTES:
        fail(f"expected at most {MAX_INPUT_BYTES} bytes: give the part with the scan that puzzles")
    return data


def _events(source: str, data: bytes, layout: str, patterns: Sequence[CardPattern]) -> list[Event]:
    reader = ReaderSettings(layout=layout) if layout != "us" else FACTORY
    if source == "typed":
        lines = data.decode("utf-8", errors="replace").splitlines()
        return [recognise_typed(_DEVICE, line, patterns, 0, reader) for line in lines if line.strip()]
    if source == "wedge" and _are_records(data):
        # Key codes are the reader's own: its layout is all there is to know.
        data, reader = _typed(data, layout), FACTORY
    if source == "msr" and data and len(data) % MAGTEK_REPORT_BYTES == 0:
        reports = build_reader(MAGTEK)
        starts = range(0, len(data), MAGTEK_REPORT_BYTES)
        frames = [frame for at in starts for frame in reports.feed(data[at : at + MAGTEK_REPORT_BYTES])]
    else:
        # A stripe may come as a line for each track; a bar code is one line.
        framer = Framer() if source == "serial" else SwipeFramer()
        frames = framer.feed(data) + framer.finish()
    return [
        frame_error_event(_DEVICE, frame)
        if isinstance(frame, FrameError)
        else recognise_frame(_DEVICE, frame, patterns, 0, reader=reader)
        for frame in frames
    ]


def _are_records(data: bytes) -> bool:
    """Say whether `data` is records of the kernel: text has letters where they have a small event type."""
    return (
        bool(data)
        and len(data) % EVENT.size == 0
        and all(kind <= 0x1F and 0 <= micros < 1_000_000 for _, micros, kind, _, _ in EVENT.iter_unpack(data))
        and any(kind in (EV_KEY, EV_SYN) for _, _, kind, _, _ in EVENT.iter_unpack(data))
    )


def _typed(records: bytes, layout: str) -> bytes:
    keys = Keys(layout)
    return "".join(
        keys.press(code, value) for _, _, kind, code, value in EVENT.iter_unpack(records) if kind == EV_KEY
    ).encode()


def _as_data(event: Event, patterns: Sequence[CardPattern]) -> dict[str, Any]:
    """One event in the form that is printed."""
    found: dict[str, Any] = {
        "kind": "error",
        "symbology": None,
        "aim": None,
        "scan_data_label": None,
        "tracks": {"1": None, "2": None, "3": None},
        "errors": [],
    }
    match event:
        case PaymentCardRefused():
            found["kind"] = "payment_card_refused"
        case ErrorEvent():
            found["errors"] = [f"{event.code}: {event.text}"]
        case DataEvent():
            found |= {
                "kind": "data" if _explained(event, patterns) else "unknown",
                "symbology": str(event.scan_data_type),
                "aim": event.aim,
                "scan_data_label": event.scan_data_label,
            }
            if event.tracks is not None:
                found["tracks"] |= {str(number): track for number, track in event.tracks.present()}
                found["errors"] = [f"track {error.track}: {error.fault}" for error in event.tracks.errors]
    return found


def _explained(event: DataEvent, patterns: Sequence[CardPattern]) -> bool:
    """Say whether a card format, a symbology, a stripe or GS1 explains the event."""
    return (
        event.scan_data_type != ScanDataType.UNKNOWN
        or event.gs1 is not None
        or match_loyalty(event.scan_data_label, patterns) is not None
    )


def _show(events: list[dict[str, Any]]) -> None:
    if not events:
        console.print("nothing: no scan and no swipe in these bytes")
    for number, event in enumerate(events, start=1):
        lines = [f"{number}. {_WORDS[event['kind']]}"]
        if event["symbology"] is not None:
            lines.append(f"   symbology {event['symbology']}, AIM identifier {event['aim'] or 'none'}")
            lines.append(f"   label {event['scan_data_label']}")
        lines += [f"   track {track}: {data}" for track, data in event["tracks"].items() if data is not None]
        lines += [f"   {error}" for error in event["errors"]]
        console.print("\n".join(_printable(line) for line in lines), markup=False, highlight=False, soft_wrap=True)


def _printable(line: str) -> str:
    """`line` with control characters written out: what a scanner sends must not steer a terminal."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in line)


_WORDS = {
    "data": "read",
    "unknown": "read, but nothing says what it is: no card format, no symbology",
    "error": "error",
    "payment_card_refused": "a bank card: refused, and nothing of it kept",
}
