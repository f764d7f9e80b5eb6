"""What is wrong with a reader, judged by what it sent while somebody scanned a card: in words for a shop assistant.

Pure: it is given bytes and events, and holds them no longer than the call.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from drivers.events import DataEvent, ErrorEvent, Event, PaymentCardRefused
from drivers.formats import tracks
from drivers.formats.framing import FrameFault, split_aim
from drivers.formats.layouts import LAYOUTS, recover
from drivers.keyboard.keymap import EV_KEY, EVENT, Keys
from drivers.keyboard.wedge import WedgeSettings
from drivers.lines import ssi
from drivers.lines.line import LineProtocol
from drivers.lines.serial_scanner import SerialSettings
from drivers.recognition.guard import CardPattern, match_loyalty
from drivers.recording import RecordedSettings

__all__ = ["Finding", "Listener", "diagnose"]

# What a scan may hold beside printable characters: HT, LF, CR, STX, ETX, GS, RS, EOT.
_USUAL_CONTROLS = b"\t\n\r\x02\x03\x1d\x1e\x04"
# At a wrong rate most bytes are noise; a right one has none but for a byte here and there.
_NOISE_SHARE = 0.2
# Bytes looked at: some hundred scans.
_MOST_BYTES = 65_536
_CUT = (FrameFault.CUT.value, FrameFault.TOO_LONG.value)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. `code` is stable; `text` says what it is and what to do; no card data in either."""

    code: str
    good: bool
    text: str


class Listener:
    """A `Tap` that keeps what came, for `diagnose`. Drop it soon: it holds raw data."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.events: list[Event] = []

    def raw(self, data: bytes, at_ns: int) -> None:
        """Keep bytes, up to a limit."""
        self.data += data[: max(0, _MOST_BYTES - len(self.data))]

    def event(self, event: Event) -> None:
        """Keep what they came to."""
        self.events.append(event)

    def rest(self) -> None:
        """Nothing to do."""


def diagnose(settings: RecordedSettings, heard: Listener, patterns: Sequence[CardPattern]) -> list[Finding]:
    """Say what the stream and its events mean, the most telling first. At least one finding."""
    if not heard.data:
        return [
            Finding(
                "silent",
                False,
                "nothing came: scan a card while it listens; look at the cable, and whether the scanner is set to the "
                "right mode (docs/devices.md)",
            )
        ]
    found: list[Finding] = []
    if isinstance(settings, SerialSettings):
        found += _line(settings, bytes(heard.data), heard.events, patterns)
    elif isinstance(settings, WedgeSettings):
        found += _keys(settings, bytes(heard.data), heard.events, patterns)
    found += _results(heard.events, patterns)
    return found or [
        Finding(
            "nothing-understood",
            False,
            "something came, and no scan in it: too slow or too short for a reader, or not a reader at all",
        )
    ]


def _results(events: Sequence[Event], patterns: Sequence[CardPattern]) -> list[Finding]:
    scans = [event for event in events if isinstance(event, DataEvent)]
    own = sum(_is_own(event.scan_data_label, patterns) for event in scans)
    found = []
    if scans:
        found.append(Finding("reads", True, f"{len(scans)} read, of which {own} cards of your own"))
    if any(isinstance(event, PaymentCardRefused) for event in events):
        found.append(Finding("bank-card", True, "a bank card was presented and refused, as it should be"))
    codes = sorted({event.code for event in events if isinstance(event, ErrorEvent)} - set(_CUT))
    if codes:
        texts = {event.code: event.text for event in events if isinstance(event, ErrorEvent)}
        found += [Finding(code, False, texts[code]) for code in codes]
    return found


def _line(
    settings: SerialSettings, data: bytes, events: Sequence[Event], patterns: Sequence[CardPattern]
) -> list[Finding]:
    packets = ssi.PacketReader().feed(data)
    is_ssi = any(isinstance(one, ssi.Packet) for one in packets)
    if is_ssi and settings.protocol is not LineProtocol.SSI:
        return [
            Finding("is-ssi", False, 'the scanner sends SSI packets: set `protocol = "ssi"`, or the scanner to RS-232')
        ]
    texts = [event.scan_data_label for event in events if isinstance(event, DataEvent)]
    disguised = [finding for text in texts if (finding := _disguised(text, patterns))][:1]
    if disguised:
        return disguised
    noise = sum(not (0x20 <= byte < 0x7F or byte in _USUAL_CONTROLS) for byte in data)
    if not is_ssi and noise > len(data) * _NOISE_SHARE:
        return [
            Finding(
                "wrong-baud",
                False,
                f"what comes is noise, as at a wrong speed: the configuration says {settings.wire.baudrate} baud; set "
                "the scanner's baud rate, 8 data bits, no parity, 1 stop bit, or correct `baudrate`, `data_bits` and "
                "`parity`",
            )
        ]
    if not is_ssi and settings.protocol is LineProtocol.SSI:
        return [
            Finding("not-ssi", False, 'the scanner sends plain text: set `protocol = "plain"`, or the scanner to SSI')
        ]
    if any(isinstance(event, ErrorEvent) and event.code in _CUT for event in events):
        return [_suffix(settings, data)]
    return []


def _suffix(settings: SerialSettings, data: bytes) -> Finding:
    last = data[-1:]
    if last in (b"\r", b"\n", b"\x03") and settings.suffix:
        return Finding("wrong-suffix", False, 'the scanner ends a scan with CR or LF: set `suffix = ""`')
    if last == b"\t":
        return Finding(
            "wrong-suffix", False, 'the scanner ends a scan with TAB: set `suffix = "\\t"`, or its suffix to CR'
        )
    if re.search(rb"[\r\n\x03]", data):
        return Finding(
            "cut", False, "some scans stop half-way: look at the cable, and switch on the scanner's flow control"
        )
    return Finding("no-suffix", False, 'data comes, but nothing ends it: scan the scanner\'s "add CR suffix" code')


def _disguised(text: str, patterns: Sequence[CardPattern]) -> Finding | None:
    """Look for a card of our own behind a prefix, or behind another keyboard layout."""
    if _is_own(text, patterns):
        return None
    for at in range(1, min(17, len(text))):
        if _is_own(text[at:], patterns):
            return Finding(
                "wrong-prefix",
                False,
                f"the scanner puts {at} characters before the number: switch its prefix off, or set `prefix` to them",
            )
    for layout in LAYOUTS:
        if _is_own(recover(text, layout), patterns):
            return Finding(
                "wrong-layout",
                False,
                f"the number comes as a {layout} keyboard types it: set the scanner's keyboard country to USA, "
                f'or set `layout = "{layout}"`',
            )
    return None


def _keys(
    settings: WedgeSettings, data: bytes, events: Sequence[Event], patterns: Sequence[CardPattern]
) -> list[Finding]:
    if any(isinstance(event, DataEvent) and _is_own(event.scan_data_label, patterns) for event in events):
        return []
    for layout in LAYOUTS:
        keys = Keys(layout)
        typed = "".join(
            keys.press(code, value) for _, _, kind, code, value in EVENT.iter_unpack(data) if kind == EV_KEY
        )
        if layout != settings.layout and any(_is_sound(text, patterns) for text in typed.split("\r")):
            return [Finding("wrong-layout", False, f'the reader is set to another keyboard: set `layout = "{layout}"`')]
    if any(isinstance(event, ErrorEvent) and event.code in _CUT for event in events):
        return [Finding("no-suffix", False, "keys come, but no Enter ends them: set the reader's suffix to Enter (CR)")]
    return []


def _is_sound(text: str, patterns: Sequence[CardPattern]) -> bool:
    if not text:
        return False
    if tracks.looks_like_swipe(text):
        swipe = tracks.parse(text)
        return bool(swipe.present()) and not swipe.errors
    return _is_own(split_aim(text.encode())[1].decode(errors="replace"), patterns)


def _is_own(text: str, patterns: Sequence[CardPattern]) -> bool:
    return match_loyalty(text, patterns) is not None
