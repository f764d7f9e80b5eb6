"""A frame becomes an event: the one place where the payment guard stands between raw data and everything else. Pure.

Every driver hands its frames to `recognise_frame` or `recognise_symbol` and sends on what comes back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from drivers.events import DataEvent, ErrorEvent, Event, PaymentCardRefused, ScanDataType
from drivers.formats import gs1, tracks
from drivers.formats.framing import MAX_FRAME_BYTES, FrameError, FrameFault, split_aim, wipe
from drivers.formats.layouts import LAYOUTS, recover
from drivers.formats.tracks import TrackNumber, Tracks
from drivers.masking import raised_at
from drivers.recognition.guard import CardPattern, classify_digits, classify_label, match_label, match_loyalty
from drivers.recognition.reader import FACTORY, ReaderSettings
from drivers.recognition.symbols import Symbol, scan_data_type

__all__ = ["BANK_CARD_TEXT", "frame_error_event", "recognise_frame", "recognise_symbol", "recognise_typed"]

BANK_CARD_TEXT = "bank card: use the payment terminal"

# Bar codes, which hold ASCII alone on labels of a shop; what is drawn in two dimensions may hold any bytes.
_LINEAR = frozenset(
    {
        ScanDataType.CODE_128,
        ScanDataType.GS1_128,
        ScanDataType.CODE_39,
        ScanDataType.CODE_93,
        ScanDataType.CODABAR,
        ScanDataType.ITF,
        ScanDataType.DATABAR,
    }
)
_SENTINEL: dict[TrackNumber, str] = {1: "%", 2: ";", 3: "+"}
# Track 2 is the one that every reader reads; a number stands there first.
_TRACK_ORDER: tuple[TrackNumber, ...] = (2, 1, 3)
# What a bank card looks like that came through a layout nobody configured: the digits of an AZERTY keyboard without
# shift, or a track that begins as `;` does on a German or a Turkish one.
_DISGUISED = re.compile(r"[&é\"'(§è!çà_-]{12}|^[öş]")


def recognise_frame(
    device: str,
    frame: bytearray,
    patterns: Sequence[CardPattern],
    received_at: int,
    encoding: str = "utf-8",
    *,
    reader: ReaderSettings = FACTORY,
) -> Event:
    """Turn one frame of a scanner or a wedge into its event, and wipe the frame. Never raises.

    `received_at` is `time.monotonic_ns()` at the last byte. A byte that `encoding` cannot read becomes U+FFFD in the
    label; `scan_data` keeps it. `reader` says what to undo before anything is understood; `scan_data` is then the text
    so recovered, in UTF-8.
    """

    def read() -> Event:
        if reader == FACTORY:
            aim, data = split_aim(frame)
            text = data.decode(encoding, errors="replace")
        else:
            aim, data = split_aim(reader.undress(frame.decode(encoding, errors="replace")).encode())
            text = data.decode()
        if aim is None and tracks.looks_like_swipe(text):
            return _swipe(device, data, text, patterns, received_at)
        return _scan(device, Symbol(scan_data_type(aim), aim, text, data), patterns, received_at)

    try:
        return _contained(device, read)
    finally:
        wipe(frame)


def recognise_symbol(device: str, symbol: Symbol, patterns: Sequence[CardPattern], received_at: int) -> Event:
    """Turn one symbol that a camera decoded into its event. Never raises. `received_at` as in `DataEvent`."""
    return _contained(device, lambda: _scan(device, symbol, patterns, received_at))


def recognise_typed(
    device: str, text: str, patterns: Sequence[CardPattern], received_at: int, reader: ReaderSettings = FACTORY
) -> Event:
    """Turn what was typed into a field into its event: by a person, or by a reader that types. Never raises.

    A person's spaces and hyphens between groups do not count, and small letters are taken for capitals; the label is a
    card number of ours without them, or else the text as typed. A swipe and an AIM identifier mean what they mean in
    `recognise_frame`. `device` names the field; `received_at` is as in `DataEvent`.
    """

    def read() -> Event:
        typed = reader.undress(text.strip())
        if not typed:
            return ErrorEvent(device, "empty", "nothing was typed: type the number on the card")
        if len(typed) > MAX_FRAME_BYTES:
            return frame_error_event(device, FrameError(FrameFault.TOO_LONG))
        aim, data = split_aim(typed.encode())
        if aim is not None:
            return _scan(device, Symbol(scan_data_type(aim), aim, data.decode(), data), patterns, received_at)
        if tracks.looks_like_swipe(typed):
            return _swipe(device, data, typed, patterns, received_at)
        number = match_loyalty(typed.upper(), patterns)
        if number is None and (classify_digits(typed, ()) == "payment" or _disguised(typed)):
            return PaymentCardRefused(device, BANK_CARD_TEXT)
        label = number or typed
        return DataEvent(device, "typed", label.encode(), label, ScanDataType.UNKNOWN, None, None, received_at)

    return _contained(device, read)


def frame_error_event(device: str, error: FrameError) -> ErrorEvent:
    """Say for a person why a frame was dropped."""
    if error.fault is FrameFault.TOO_LONG:
        text = "more data than any card holds, without an end: set the scanner's suffix to CR"
    else:
        text = "the data stopped half-way: scan again; if it happens each time, set the scanner's suffix to CR"
    return ErrorEvent(device, error.fault.value, text)


def _contained(device: str, read: Callable[[], Event]) -> Event:
    """Run `read`; a defect in it must not carry card data out in an exception's text or in its frames' locals."""
    try:
        return read()
    except Exception as error:  # noqa: BLE001 - whatever it is, it may hold card data
        return ErrorEvent(
            device, "internal", f"{type(error).__name__} at {raised_at(error)}: scan again, and report this text"
        )


def _scan(device: str, symbol: Symbol, patterns: Sequence[CardPattern], received_at: int) -> Event:
    # Codabar's start and stop characters, A to D, are sent by some scanners: they are the symbol's, not the number's.
    text = symbol.text.strip("ABCDabcd") if symbol.kind is ScanDataType.CODABAR else symbol.text
    if symbol.aim is not None and _garbled(symbol):
        return ErrorEvent(device, "garbled", "the scanner's data made no sense: scan again")
    label = gs1.understand(text, symbol.aim)
    number = match_label(text, label, patterns)
    if number is None and (
        classify_label(text, symbol.aim, label, ()) == "payment" or (symbol.aim is None and _disguised(text))
    ):
        return PaymentCardRefused(device, BANK_CARD_TEXT)
    return DataEvent(
        device, "scan", symbol.data, number or symbol.text, symbol.kind, symbol.aim, None, received_at, label
    )


def _garbled(symbol: Symbol) -> bool:
    """Whether the line has changed what was on the label: letters in an EAN, or bytes that are none in a bar code."""
    if symbol.kind in {ScanDataType.EAN_13, ScanDataType.EAN_8}:
        return not (symbol.text.isascii() and symbol.text.isdigit())
    return symbol.kind in _LINEAR and "\ufffd" in symbol.text


def _disguised(text: str) -> bool:
    """Say whether `text` is a bank card as typed through a keyboard layout that is not the configured one."""
    if _DISGUISED.search(text) is None:
        return False
    return any(classify_digits(recover(text, layout), ()) == "payment" for layout in LAYOUTS)


def _swipe(device: str, data: bytes, text: str, patterns: Sequence[CardPattern], received_at: int) -> Event:
    swipe = tracks.parse(text)
    numbers: dict[TrackNumber, str] = {}
    payment: set[TrackNumber] = set()
    for number, content in swipe.present():
        raw = f"{_SENTINEL[number]}{content}?"
        own = match_loyalty(raw, patterns)
        if own is not None:
            numbers[number] = own
        elif classify_digits(raw, ()) == "payment":
            payment.add(number)
    if numbers:
        # A card of ours that carries a bank's track as well: what is the bank's is dropped, and with it the raw text.
        kept = Tracks(
            None if 1 in payment else swipe.track1,
            None if 2 in payment else swipe.track2,
            None if 3 in payment else swipe.track3,
            swipe.errors,
        )
        label = next(numbers[number] for number in _TRACK_ORDER if number in numbers)
        clean = not payment and not swipe.errors
        return DataEvent(
            device, "swipe", data if clean else label.encode(), label, ScanDataType.MSR, None, kept, received_at
        )
    if payment or classify_digits(text, ()) == "payment":
        return PaymentCardRefused(device, BANK_CARD_TEXT)
    stray = any(error.track == 0 for error in swipe.errors)
    if stray or not swipe.present():
        faults = ", ".join(
            f"track {error.track} {error.fault}" if error.track else error.fault for error in swipe.errors
        )
        return ErrorEvent(device, "unreadable-swipe", f"the card could not be read ({faults}): swipe again")
    label = next(
        _first_field(content) for wanted in _TRACK_ORDER for number, content in swipe.present() if number == wanted
    )
    # What came of a track at fault goes no further.
    return DataEvent(
        device, "swipe", label.encode() if swipe.errors else data, label, ScanDataType.MSR, None, swipe, received_at
    )


def _first_field(content: str) -> str:
    return content.split("=", 1)[0].split("^", 1)[0]
