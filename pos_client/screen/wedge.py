"""What readers type into the cashier's page, for tills where no driver can take the keyboard: Windows, and tablets.

The page sends keys, not characters: which characters they are depends on the layout that the reader is programmed for,
and not on the computer's. From there on a scan is a scan, the payment guard included.
"""

from __future__ import annotations

from collections.abc import Sequence

from drivers.events import Event
from drivers.formats.framing import FrameError
from drivers.formats.swipes import SwipeFramer
from drivers.formats.tracks import looks_like_swipe
from drivers.keyboard.keymap import Keys
from drivers.keyboard.wedge import FEWEST_CHARACTERS
from drivers.recognition.guard import CardPattern
from drivers.recognition.recognise import frame_error_event, recognise_frame

MAX_KEYS = 6500
"""Presses and releases of the longest that is read: the code on a receipt, 1 990 characters with a shift around most,
and to spare. A swipe of three tracks has some 600."""

# Names of W3C's "UI Events KeyboardEvent code Values", and Linux's codes for the same keys (input-event-codes.h).
_ROWS = {
    2: "Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal",
    15: "Tab KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight Enter ControlLeft",
    30: "KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote Backquote ShiftLeft Backslash",
    44: "KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash ShiftRight NumpadMultiply AltLeft Space",
    71: "Numpad7 Numpad8 Numpad9 NumpadSubtract Numpad4 Numpad5 Numpad6 NumpadAdd",
    79: "Numpad1 Numpad2 Numpad3 Numpad0 NumpadDecimal",
    86: "IntlBackslash",
    96: "NumpadEnter ControlRight NumpadDivide",
    100: "AltRight",
}
CODES = {name: first + step for first, row in _ROWS.items() for step, name in enumerate(row.split())}
"""Linux key code of each key by its name in a browser."""

SWIPE_S = 0.3
"""The next track of a swipe comes within this; nobody swipes two cards in that time."""

_DEVICE = "screen"


class PageReader:
    """What readers type into the pages of one till. Tracks that each come with an Enter of their own are one swipe."""

    def __init__(self, layout: str, patterns: Sequence[CardPattern]) -> None:
        """`layout`: the one that the reader is programmed for."""
        self._layout = layout
        self._patterns = patterns
        self._framer = SwipeFramer()

    @property
    def waits(self) -> bool:
        """Whether a first track was typed, and others may follow: when none does within `SWIPE_S`, call `quiet`."""
        return self._framer.unfinished

    def typed(self, keys: object, received_at: int) -> list[Event] | None:
        """What was read by now; None where a hand was at work, or what came is no list of keys.

        Args:
            keys: `[name, 1 or 0]` for each key that went down or up, the Enter at the end included.
            received_at: `time.monotonic_ns()`.
        """
        if not isinstance(keys, list) or len(keys) > MAX_KEYS:
            return None
        reader = Keys(self._layout)
        text = ""
        for key in keys:
            match key:
                case [str(name), int(value)] if name in CODES:
                    text += reader.press(CODES[name], value)
        text = text.removesuffix("\r")
        if not looks_like_swipe(text) and len(text) < FEWEST_CHARACTERS:
            return None
        return self._events(self._framer.feed(f"{text}\r".encode()), received_at)

    def quiet(self, received_at: int) -> list[Event]:
        """Nothing followed: what waits is whole."""
        return self._events(self._framer.gap(), received_at)

    def _events(self, frames: list[bytearray | FrameError], received_at: int) -> list[Event]:
        return [
            frame_error_event(_DEVICE, frame)
            if isinstance(frame, FrameError)
            else recognise_frame(_DEVICE, frame, self._patterns, received_at)
            for frame in frames
        ]
