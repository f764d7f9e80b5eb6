"""Key codes and characters: our table beside the kernel's names, and typing read back."""

from __future__ import annotations

import pytest
from evdev import InputEvent, ecodes
from hypothesis import given
from hypothesis import strategies as st

from drivers.keyboard.keymap import EV_KEY, EVENT, Keys, type_text

US = "".join(chr(code) for code in range(0x20, 0x7F))


def read_back(records: bytes) -> str:
    keys = Keys()
    return "".join(keys.press(code, value) for _, _, kind, code, value in EVENT.iter_unpack(records) if kind == EV_KEY)


def test_every_character_of_the_us_keyboard() -> None:
    assert read_back(b"".join(type_text(US))) == US + "\r"


@given(st.text(US + "\t", max_size=60))
def test_typed_is_read(text: str) -> None:
    assert read_back(b"".join(type_text(text))) == text + "\r"


def test_codes_agree_with_the_kernel() -> None:
    # evdev carries the names of input-event-codes.h; the US meaning of each name is written on the keys.
    names = {
        "1": "KEY_1",
        "0": "KEY_0",
        "q": "KEY_Q",
        "a": "KEY_A",
        "z": "KEY_Z",
        ";": "KEY_SEMICOLON",
        "=": "KEY_EQUAL",
    }
    names |= {"/": "KEY_SLASH", "-": "KEY_MINUS", " ": "KEY_SPACE", "\\": "KEY_BACKSLASH", "`": "KEY_GRAVE"}
    for char, name in names.items():
        assert Keys().press(ecodes.ecodes[name], 1) == char
    for shift in (ecodes.KEY_LEFTSHIFT, ecodes.KEY_RIGHTSHIFT):
        keys = Keys()
        keys.press(shift, 1)
        assert [keys.press(code, 1) for code in (ecodes.KEY_5, ecodes.KEY_SLASH, ecodes.KEY_6)] == ["%", "?", "^"]
        keys.press(shift, 0)
        assert keys.press(ecodes.KEY_5, 1) == "5"
    assert Keys().press(ecodes.KEY_KP7, 1) == "7"
    assert Keys().press(ecodes.KEY_KPENTER, 1) == "\r"


def test_records_are_what_evdev_reads() -> None:
    down = next(type_text("a", at_s=7))[: EVENT.size]
    event = InputEvent(*EVENT.unpack(down))
    assert (event.sec, event.type, event.code, event.value) == (7, ecodes.EV_KEY, ecodes.KEY_A, 1)


def test_repeats_and_releases_type_nothing() -> None:
    assert Keys().press(ecodes.KEY_A, 2) == ""
    assert Keys().press(ecodes.KEY_A, 0) == ""
    assert Keys().press(ecodes.KEY_F1, 1) == ""


def test_what_cannot_be_typed_is_refused_without_showing_it() -> None:
    with pytest.raises(ValueError, match="expected characters") as refused:
        list(type_text("Käse"))
    assert "ä" not in str(refused.value)


def test_alt_and_the_keypad_type_any_ascii_character() -> None:
    # "Keypad emulation" in scanners' manuals: Alt held, three or four digits of the keypad.
    keys = Keys("fr")
    strokes = [(ecodes.KEY_LEFTALT, 1), (ecodes.KEY_KP0, 1), (ecodes.KEY_KP0, 0), (ecodes.KEY_KP6, 1)]
    strokes += [(ecodes.KEY_KP5, 1), (ecodes.KEY_LEFTALT, 0), (ecodes.KEY_KP5, 1)]
    assert "".join(keys.press(code, value) for code, value in strokes) == "A5"


def test_group_separator_is_control_and_bracket() -> None:
    assert read_back(b"".join(type_text("]C1\x1d8"))) == "]C1\x1d8\r"
    keys = Keys()
    keys.press(ecodes.KEY_LEFTCTRL, 1)
    assert keys.press(ecodes.KEY_RIGHTBRACE, 1) == "\x1d"
    assert keys.press(ecodes.KEY_5, 1) == ""
