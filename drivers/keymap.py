"""Key codes to characters and back, for what types like a keyboard. Pure.

The US layout only: readers leave the factory with it.

Source: Linux `include/uapi/linux/input-event-codes.h` (key codes), `input.h` (struct input_event).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["EVENT", "EV_KEY", "EV_SYN", "SYN_DROPPED", "Keys", "type_text"]

# struct input_event { struct timeval time; __u16 type, code; __s32 value; } in the machine's own sizes.
EVENT = struct.Struct("llHHi")
EV_SYN, EV_KEY = 0x00, 0x01
SYN_DROPPED = 3
_SYN_REPORT = 0
_UP, _DOWN = 0, 1

_ENTER = 28
_KEYPAD_ENTER = 96
_LEFT_SHIFT, _RIGHT_SHIFT = 42, 54
_TERMINATOR = "\r"

# Each row: the code of its first key, then what the keys type without and with shift.
_ROWS: tuple[tuple[int, str, str], ...] = (
    (2, "1234567890-=", "!@#$%^&*()_+"),
    (16, "qwertyuiop[]", "QWERTYUIOP{}"),
    (30, "asdfghjkl;'`", 'ASDFGHJKL:"~'),
    (43, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
    (57, " ", " "),
    # The keypad, which some readers use for digits.
    (71, "789-456+1230.", "789-456+1230."),
    (98, "/", "/"),
    (55, "*", "*"),
)
_CHARACTERS: dict[int, tuple[str, str]] = {
    first + step: (plain, shifted)
    for first, plains, shifteds in _ROWS
    for step, (plain, shifted) in enumerate(zip(plains, shifteds, strict=True))
}
# Tab separates fields on some readers; both Enters end a swipe.
_CHARACTERS |= {15: ("\t", "\t"), _ENTER: (_TERMINATOR, _TERMINATOR), _KEYPAD_ENTER: (_TERMINATOR, _TERMINATOR)}
_KEYPAD_FIRST = 55
_STROKES: dict[str, tuple[int, bool]] = {}
for _code, (_plain, _shifted) in _CHARACTERS.items():
    if _code < _KEYPAD_FIRST or _code == 57:
        _STROKES.setdefault(_plain, (_code, False))
        _STROKES.setdefault(_shifted, (_code, True))


class Keys:
    """Follows the shift keys and gives the character of each key that goes down."""

    def __init__(self) -> None:
        self._shifts: set[int] = set()

    def press(self, code: int, value: int) -> str:
        """Take one EV_KEY event; return the character it types, `""` for none, `"\\r"` for Enter.

        Repeats (value 2) type nothing: a reader never holds a key down, a book lying on the keyboard does.
        """
        if code in (_LEFT_SHIFT, _RIGHT_SHIFT):
            if value == _UP:
                self._shifts.discard(code)
            else:
                self._shifts.add(code)
            return ""
        if value != _DOWN or code not in _CHARACTERS:
            return ""
        plain, shifted = _CHARACTERS[code]
        return shifted if self._shifts else plain


def type_text(text: str, at_s: int = 0) -> Iterator[bytes]:
    """Yield the `struct input_event` records of a reader that types `text` and Enter, one key stroke per item.

    `at_s` is the time in the records, in whole seconds. Raises ValueError for a character the US layout cannot type;
    the message does not show it.
    """
    for char in text + _TERMINATOR:
        if char not in _STROKES:
            raise ValueError("expected characters of the US keyboard, got one that it has not")
        code, shift = _STROKES[char]
        stroke = [(code, _DOWN), (code, _UP)]
        if shift:
            stroke = [(_LEFT_SHIFT, _DOWN), *stroke, (_LEFT_SHIFT, _UP)]
        yield b"".join(
            EVENT.pack(at_s, 0, EV_KEY, key, value) + EVENT.pack(at_s, 0, EV_SYN, _SYN_REPORT, 0)
            for key, value in stroke
        )
