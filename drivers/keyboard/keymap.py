"""Key codes to characters and back, for what types like a keyboard. Pure.

Source: Linux `include/uapi/linux/input-event-codes.h` (key codes), `input.h` (struct input_event).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from drivers.formats.layouts import ALTGR, PLAIN, SHIFT, layout_named

__all__ = ["EVENT", "EV_KEY", "EV_SYN", "SYN_DROPPED", "Keys", "type_text"]

# struct input_event { struct timeval time; __u16 type, code; __s32 value; } in the machine's own sizes.
EVENT = struct.Struct("llHHi")
EV_SYN, EV_KEY = 0x00, 0x01
SYN_DROPPED = 3
_SYN_REPORT = 0
_UP, _DOWN = 0, 1

_TAB, _ENTER, _SPACE, _KEYPAD_ENTER = 15, 28, 57, 96
_LEFT_CTRL, _RIGHT_CTRL, _LEFT_SHIFT, _RIGHT_SHIFT, _LEFT_ALT, _RIGHT_ALT = 29, 97, 42, 54, 56, 100
_MODIFIERS = {_LEFT_CTRL, _RIGHT_CTRL, _LEFT_SHIFT, _RIGHT_SHIFT, _LEFT_ALT, _RIGHT_ALT}
_TERMINATOR = "\r"
# Tab separates fields on some readers; both Enters end a swipe. They are where they are on every layout.
_FIXED = {_TAB: "\t", _ENTER: _TERMINATOR, _KEYPAD_ENTER: _TERMINATOR}
# The keypad, which some readers use for digits: the code of its first key of each row, then the row.
_KEYPAD = {
    first + step: char for first, row in ((71, "789-456+1230."), (98, "/"), (55, "*")) for step, char in enumerate(row)
}
# Alt and digits of the keypad type the character of that number, whatever the layout ("keypad emulation" in scanners'
# manuals). Only ASCII means the same everywhere.
_LAST_ASCII = 0x7F
# GS1's separator, which readers send as Ctrl and the key that types `]` on a US keyboard, whatever the layout.
_GS, _US_BRACKET = "\x1d", 27


class Keys:
    """Follows shift, Ctrl, Alt and AltGr, and gives the character of each key that goes down.

    `layout` is the one the *reader* is programmed for: key codes know nothing of the till's own. Raises
    BadDeviceSettings for a layout that there is not.
    """

    def __init__(self, layout: str = "us") -> None:
        self._layout = layout_named(layout)
        self._held: set[int] = set()
        self._dead = ""
        self._number = ""

    def press(self, code: int, value: int) -> str:
        """Take one EV_KEY event; return what it types: `""` for nothing, `"\\r"` for Enter, any Unicode by the layout.

        Repeats (value 2) type nothing: a reader never holds a key down, a book lying on the keyboard does. Ctrl makes
        control characters: readers send GS (0x1D) as Ctrl and `]`. A dead key waits for the next: before a space it
        types its accent, before anything else the accent and that.
        """
        if code in _MODIFIERS:
            return self._modifier(code, value)
        if value != _DOWN:
            return ""
        if _LEFT_ALT in self._held and code in _KEYPAD:
            # Four digits are more than any ASCII number has.
            self._number = (self._number + _KEYPAD[code])[-4:]
            return ""
        if code in _FIXED or code in _KEYPAD:
            return self._take_dead() + (_FIXED.get(code) or _KEYPAD[code])
        if self._held & {_LEFT_CTRL, _RIGHT_CTRL}:
            return self._control(code)
        return self._character(code)

    def _character(self, code: int) -> str:
        level = ALTGR if _RIGHT_ALT in self._held else SHIFT if self._held & {_LEFT_SHIFT, _RIGHT_SHIFT} else PLAIN
        char = self._layout.keys.get((code, level), "")
        if char and self._dead:
            return self._take_dead() + ("" if char == " " else char)
        if (code, level) in self._layout.dead:
            self._dead = char
            return ""
        return char

    def _control(self, code: int) -> str:
        char = self._layout.keys.get((code, PLAIN), "")
        if code == _US_BRACKET:
            return _GS
        return chr(ord(char) & 0x1F) if "a" <= char <= "z" else ""

    def _modifier(self, code: int, value: int) -> str:
        if value != _UP:
            self._held.add(code)
            return ""
        self._held.discard(code)
        if code != _LEFT_ALT or not self._number:
            return ""
        number, self._number = self._number, ""
        return chr(int(number)) if number.isdigit() and int(number) <= _LAST_ASCII else ""

    def _take_dead(self) -> str:
        accent, self._dead = self._dead, ""
        return accent


def type_text(text: str, at_s: int = 0, layout: str = "us") -> Iterator[bytes]:
    """Yield the `struct input_event` records of a reader that types `text` and Enter, one character per item.

    `at_s` is the time in the records, in whole seconds; `layout` the one the reader is programmed for. Control
    characters go as Ctrl and a key. Raises ValueError for a character that the layout cannot type; the message does not
    show it. Raises BadDeviceSettings for an unknown layout.
    """
    keys = layout_named(layout)
    for char in text + _TERMINATOR:
        strokes = _strokes(char, keys.stroke(char), layout)
        presses = []
        for code, modifier in strokes:
            stroke = [(code, _DOWN), (code, _UP)]
            presses += [(modifier, _DOWN), *stroke, (modifier, _UP)] if modifier else stroke
        yield b"".join(
            EVENT.pack(at_s, 0, EV_KEY, key, value) + EVENT.pack(at_s, 0, EV_SYN, _SYN_REPORT, 0)
            for key, value in presses
        )


def _strokes(char: str, stroke: tuple[int, int] | None, layout: str) -> list[tuple[int, int]]:
    """Return the keys that type `char`, each with the modifier held down (0 for none)."""
    fixed = next((code for code, typed in _FIXED.items() if typed == char), 0)
    if fixed:
        return [(fixed, 0)]
    if stroke is None and char < " " and chr(ord(char) | 0x60).isalpha():
        control = layout_named(layout).stroke(chr(ord(char) | 0x60))
        return [(control[0], _LEFT_CTRL)] if control else []
    if char == _GS:
        return [(_US_BRACKET, _LEFT_CTRL)]
    if stroke is None:
        raise ValueError(f"expected characters of the {layout} keyboard, got one that it has not")
    code, level = stroke
    keys = [(code, {PLAIN: 0, SHIFT: _LEFT_SHIFT, ALTGR: _RIGHT_ALT}[level])]
    # A space after a dead key makes it type its accent.
    return [*keys, (_SPACE, 0)] if stroke in layout_named(layout).dead else keys
