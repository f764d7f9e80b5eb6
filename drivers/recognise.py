"""A frame becomes an event: the one place where the payment guard stands between raw data and everything else. Pure.

Every driver hands its frames to `recognise_frame` or `recognise_symbol` and sends on what comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from drivers import tracks
from drivers.events import DataEvent, ErrorEvent, Event, PaymentCardRefused, ScanDataType
from drivers.framing import FrameError, FrameFault, split_aim, wipe
from drivers.guard import CardPattern, classify_digits, classify_scan, match_loyalty
from drivers.masking import raised_at
from drivers.symbols import Symbol, scan_data_type
from drivers.tracks import TrackNumber, Tracks

__all__ = ["BANK_CARD_TEXT", "frame_error_event", "recognise_frame", "recognise_symbol"]

BANK_CARD_TEXT = "bank card: use the payment terminal"

_SENTINEL: dict[TrackNumber, str] = {1: "%", 2: ";", 3: "+"}
# Track 2 is the one that every reader reads; a number stands there first.
_TRACK_ORDER: tuple[TrackNumber, ...] = (2, 1, 3)


def recognise_frame(
    device: str, frame: bytearray, patterns: Sequence[CardPattern], received_at: int, encoding: str = "utf-8"
) -> Event:
    """Turn one frame of a scanner or a wedge into its event, and wipe the frame. Never raises.

    `received_at` is `time.monotonic_ns()` at the last byte. A byte that `encoding` cannot read becomes U+FFFD in the
    label; `scan_data` keeps it.
    """

    def read() -> Event:
        aim, data = split_aim(frame)
        text = data.decode(encoding, errors="replace")
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
    if classify_scan(symbol.text, symbol.aim, patterns) == "payment":
        return PaymentCardRefused(device, BANK_CARD_TEXT)
    return DataEvent(device, "scan", symbol.data, symbol.text, symbol.kind, symbol.aim, None, received_at)


def _swipe(device: str, data: bytes, text: str, patterns: Sequence[CardPattern], received_at: int) -> Event:
    swipe = tracks.parse(text)
    numbers: dict[TrackNumber, str] = {}
    payment: set[TrackNumber] = set()
    for number, content in swipe.present():
        raw = f"{_SENTINEL[number]}{content}?"
        own = match_loyalty(raw, patterns)
        if own is not None:
            numbers[number] = own
        elif classify_digits(raw, patterns) == "payment":
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
    if payment or classify_digits(text, patterns) == "payment":
        return PaymentCardRefused(device, BANK_CARD_TEXT)
    if swipe.errors or not swipe.present():
        faults = ", ".join(
            f"track {error.track} {error.fault}" if error.track else error.fault for error in swipe.errors
        )
        return ErrorEvent(device, "unreadable-swipe", f"the card could not be read ({faults}): swipe again")
    label = next(
        _first_field(content) for wanted in _TRACK_ORDER for number, content in swipe.present() if number == wanted
    )
    return DataEvent(device, "swipe", data, label, ScanDataType.MSR, None, swipe, received_at)


def _first_field(content: str) -> str:
    return content.split("=", 1)[0].split("^", 1)[0]
