"""Keyboard layouts: which character each key types, and what was on the card when the wrong layout typed it. Pure.

A reader that types sends keys, not characters. Programmed for one layout (US, out of the factory) on a till that has
another, `004HQ3` arrives as `àà'HA"`. The tables are those of X.Org's xkeyboard-config `symbols/{us(intl),be,de,fr,tr}`
for the keys a reader uses; Windows agrees on them. `nl` is US International, which Dutch tills use; the old Dutch
national layout is sold no more. `tests/drivers/formats/test_layouts.py` compares with the installed tables.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from drivers.errors import BadDeviceSettings

__all__ = ["CARD_ALPHABET", "LAYOUTS", "Layout", "Stroke", "layout_named", "recover", "typed_as", "unrecoverable"]

PLAIN, SHIFT, ALTGR = 0, 1, 2
Stroke = tuple[int, int]
"""A key code (Linux input-event-codes.h) and a level: PLAIN, SHIFT or ALTGR."""

CARD_ALPHABET = "".join(chr(code) for code in range(0x20, 0x60))
"""What a card can hold: track 1's alphabet (ISO/IEC 7811-6), of which those of tracks 2 and 3 are a part."""

# The key codes in the order of the rows below: digits, upper, home with the key left of 1, lower, the key beside the
# left shift that US keyboards lack, and the space bar.
_CODES = (*range(2, 14), *range(16, 28), *range(30, 42), *range(43, 54), 86, 57)
_US = "1234567890-=qwertyuiop[]asdfghjkl;'`\\zxcvbnm,./"
_NONE = "\0"


@dataclass(frozen=True, slots=True)
class Layout:
    """One layout. `keys` says what a stroke types; a stroke in `dead` types it only together with the next one."""

    name: str
    keys: Mapping[Stroke, str]
    dead: frozenset[Stroke]
    _shown: Mapping[str, Stroke] = field(repr=False)

    def stroke(self, char: str) -> Stroke | None:
        """Return how a reader programmed for this layout types `char`: by a live key where there is one."""
        found = [stroke for stroke, typed in self.keys.items() if typed == char]
        return min(found, key=lambda stroke: (stroke in self.dead, stroke[1]), default=None)

    def struck(self, char: str) -> Stroke | None:
        """Return the stroke that showed `char`, if without AltGr: a reader for another layout uses no AltGr."""
        return self._shown.get(char)


def _layout(
    name: str, plain: str, shifted: str, altgr: Mapping[str, str] | None = None, dead: Mapping[str, str] | None = None
) -> Layout:
    """Build a layout from its rows, in the order of `_CODES`.

    `altgr` gives what the key at that place of a US keyboard types with AltGr; `dead` which of its characters are dead.
    """
    keys = {(code, PLAIN): char for code, char in zip(_CODES, plain, strict=True) if char != _NONE}
    keys |= {(code, SHIFT): char for code, char in zip(_CODES, shifted, strict=True) if char != _NONE}
    place = dict(zip(_US, _CODES, strict=False)) | {"<": 86}
    keys |= {(place[key], ALTGR): char for key, char in (altgr or {}).items()}
    dead_strokes = frozenset(
        stroke for stroke, char in keys.items() for key, marks in (dead or {}).items()
        if stroke[0] == place[key] and stroke[1] != ALTGR and char in marks
    )  # fmt: skip
    shown: dict[str, Stroke] = {}
    for stroke, char in keys.items():
        if stroke[1] != ALTGR:
            shown.setdefault(char, stroke)
    return Layout(name, keys, dead_strokes, shown)


_FRENCH_ALTGR = {"2": "~", "3": "#", "4": "{", "5": "[", "6": "|", "7": "`", "8": "\\", "9": "^", "0": "@"}
_FRENCH_ALTGR |= {"-": "]", "=": "}"}
_BELGIAN_ALTGR = {"1": "|", "2": "@", "3": "#", "6": "^", "9": "{", "0": "}", "[": "[", "]": "]", "<": "\\"}
_GERMAN_ALTGR = {"7": "{", "8": "[", "9": "]", "0": "}", "-": "\\", "q": "@", "]": "~", "<": "|"}
_TURKISH_ALTGR = {"3": "#", "4": "$", "7": "{", "8": "[", "9": "]", "0": "}", "-": "\\", "=": "|", "q": "@"}
_TURKISH_ALTGR |= {"]": "~", "1": ">", "`": "<"}

LAYOUTS: Mapping[str, Layout] = {
    layout.name: layout
    for layout in (
        _layout("us", _US + "\\ ", '!@#$%^&*()_+QWERTYUIOP{}ASDFGHJKL:"~|ZXCVBNM<>?| '),
        _layout(
            "nl",
            _US + "\\ ",
            '!@#$%^&*()_+QWERTYUIOP{}ASDFGHJKL:"~|ZXCVBNM<>?| ',
            dead={"6": "^", "'": "'\"", "`": "`~"},
        ),
        _layout(
            "be-azerty",
            "&é\"'(§è!çà)-azertyuiop^$qsdfghjklmù²µwxcvbn,;:=< ",
            "1234567890°_AZERTYUIOP¨*QSDFGHJKLM%³£WXCVBN?./+> ",
            _BELGIAN_ALTGR,
            dead={"[": "^¨"},
        ),
        _layout(
            "de",
            "1234567890ß´qwertzuiopü+asdfghjklöä^#yxcvbnm,.-< ",
            "!\"§$%&/()=?`QWERTZUIOPÜ*ASDFGHJKLÖÄ°'YXCVBNM;:_> ",
            _GERMAN_ALTGR,
            dead={"=": "´`", "`": "^"},
        ),
        _layout(
            "fr",
            "&é\"'(-è_çà)=azertyuiop^$qsdfghjklmù²*wxcvbn,;:!< ",
            "1234567890°+AZERTYUIOP¨£QSDFGHJKLM%" + _NONE + "µWXCVBN?./§> ",
            _FRENCH_ALTGR,
            dead={"[": "^¨"},
        ),
        _layout(
            "tr",
            '1234567890*-qwertyuıopğüasdfghjklşi",zxcvbnmöç.< ',
            "!'^+%&/()=?_QWERTYUIOPĞÜASDFGHJKLŞİé;ZXCVBNMÖÇ:> ",
            _TURKISH_ALTGR,
            # X.Org's Turkish has none here; Windows makes the circumflex of 3 dead.
            dead={"3": "^"},
        ),
    )
}
"""The layouts a configuration may name."""

# Unicode's combining marks, and the key that makes each.
_MARKS = {"\u0300": "`", "\u0301": "´'", "\u0302": "^", "\u0303": "~", "\u0308": '¨"', "\u0327": "'"}


def layout_named(name: str) -> Layout:
    """Return the layout of that name. Raises BadDeviceSettings naming those there are."""
    try:
        return LAYOUTS[name]
    except KeyError:
        raise BadDeviceSettings(
            f"expected a keyboard layout out of {', '.join(LAYOUTS)}, got {name!r}", "layout", "correct the name"
        ) from None


def recover(text: str, layout: str, reader: str = "us") -> str:
    """Return what the reader read, from what its keys typed on a till with `layout`.

    `reader` is the layout that the reader is programmed for. A letter that a dead key changed (`Â`) is taken apart
    again (`^A`). What no key of `layout` types stays as it is, control characters among it. Lost for good: a space
    behind a dead key, which the system swallows; see `unrecoverable` for characters that do not come back at all.
    Raises BadDeviceSettings for an unknown layout.
    """
    if layout == reader:
        return text
    shown, meant = layout_named(layout), layout_named(reader)
    return "".join(_recovered(char, shown, meant) for char in text)


def typed_as(text: str, layout: str, reader: str = "us") -> str:
    """Return what a till with `layout` shows when a reader programmed for `reader` types `text`.

    Dead keys as Windows treats them: with a space the accent alone, with a letter one letter where there is such a one,
    else both characters. Raises BadDeviceSettings for an unknown layout, and ValueError for a character that the reader
    cannot type (the message does not show it).
    """
    shown, meant = layout_named(layout), layout_named(reader)
    out: list[str] = []
    waiting = ""
    for char in text:
        stroke = meant.stroke(char)
        if stroke is None:
            if not char.isspace() and char.isprintable():
                raise ValueError(f"expected characters that a reader for {reader!r} types, got one that it does not")
            typed, is_dead = char, False
        else:
            typed, is_dead = shown.keys.get(stroke, ""), stroke in shown.dead
        if waiting:
            out.append(waiting if typed == " " else _combined(waiting, typed))
            waiting = ""
        elif is_dead:
            waiting = typed
        else:
            out.append(typed)
    return "".join(out) + waiting


@cache
def unrecoverable(layout: str, reader: str = "us", alphabet: str = CARD_ALPHABET) -> str:
    """Return the characters of `alphabet` that do not come back from a till with `layout`. Raises BadDeviceSettings."""
    meant = layout_named(reader)
    return "".join(
        char
        for char in alphabet
        if meant.stroke(char) is None or recover(typed_as(char, layout, reader), layout, reader) != char
    )


def _recovered(char: str, shown: Layout, meant: Layout) -> str:
    stroke = shown.struck(char)
    if stroke is not None:
        return meant.keys.get(stroke, char)
    apart = unicodedata.normalize("NFD", char)
    if apart[-1] not in _MARKS:
        return char
    accents = [shown.struck(mark) for mark in _MARKS[apart[-1]]]
    accent = next((each for each in accents if each in shown.dead), None)
    # The letter may have a mark of its own, which stays on it: `ü` is a key of a German keyboard.
    base = shown.struck(unicodedata.normalize("NFC", apart[:-1]))
    if accent is None or base is None:
        return char
    return meant.keys.get(accent, "") + meant.keys.get(base, "")


def _combined(accent: str, letter: str) -> str:
    for mark, keys in _MARKS.items():
        if accent in keys and letter:
            # NFC makes one character of the two where Unicode has one; the cedilla belongs to its letter alone.
            together = unicodedata.normalize("NFC", letter + mark)
            if len(together) == 1:
                return together
    return accent + letter
