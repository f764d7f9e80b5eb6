"""Keyboard layouts: what arrives through the wrong one is what was on the card, for every layout and character."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import BadDeviceSettings
from drivers.formats.layouts import CARD_ALPHABET, LAYOUTS, layout_named, recover, typed_as, unrecoverable
from drivers.keyboard.keymap import EV_KEY, EVENT, Keys, type_text
from tests.support.missing import missing

NAMES = sorted(LAYOUTS)
XKB = Path("/usr/share/X11/xkb/symbols")


# Complaints of users: a scanner of US layout on a French or Belgian, and on a Turkish till.
@pytest.mark.parametrize(
    ("layout", "typed", "read"),
    [
        ("fr", "àà'HA\"", "004HQ3"),
        ("be-azerty", "àà'HA\"", "004HQ3"),
        ("tr", "& ş - :", "^ ; = ?"),
        ("de", "ö12´34_", ";12=34?"),
        ("de", "%Lß&ZCEÜ", "%L-^YCE{"),
        ("nl", "%L12^ÂNNA?", "%L12^^ANNA?"),
        ("nl", "ÉÇ", "'E'C"),
        ("fr", "ê", "[e"),
        # A dead key and a letter that has a mark of its own.
        ("de", "ǘ", "=["),
        ("us", "as it is é", "as it is é"),
    ],
)
def test_known_complaints(layout: str, typed: str, read: str) -> None:
    assert recover(typed, layout) == read


@pytest.mark.parametrize("layout", NAMES)
def test_the_whole_card_alphabet_comes_back_from_every_layout(layout: str) -> None:
    assert unrecoverable(layout) == ""


@pytest.mark.parametrize("layout", NAMES)
@given(text=st.text(CARD_ALPHABET, max_size=80))
def test_what_was_read_comes_back(layout: str, text: str) -> None:
    dead = {char for char in CARD_ALPHABET if LAYOUTS["us"].stroke(char) in LAYOUTS[layout].dead}
    # A dead key takes the space behind it along: that one is lost for good.
    for char in dead:
        text = text.replace(char + " ", char)
    assert recover(typed_as(text, layout), layout) == text


def test_the_lost_space_is_as_said() -> None:
    assert typed_as("^ X", "nl") == "^X"
    assert recover("^X", "nl") == "^X"


@pytest.mark.parametrize("layout", NAMES)
@pytest.mark.parametrize("reader", NAMES)
def test_a_reader_for_one_layout_on_a_till_with_another(reader: str, layout: str) -> None:
    # Track 2's characters come back, whatever the two layouts are; what does not come back is named.
    lost = unrecoverable(layout, reader)
    assert set(lost).isdisjoint("0123456789;=?"), lost
    track = ";9876000000000001=991?"
    assert recover(typed_as(track, layout, reader), layout, reader) == track


def test_what_does_not_come_back_is_named() -> None:
    assert unrecoverable("us", "fr") == "#<>@[\\]^", "a French reader types these with AltGr, or on a key the US lacks"


@pytest.mark.parametrize("layout", NAMES)
def test_key_codes_of_a_reader_for_that_layout(layout: str) -> None:
    text = "".join(char for char in CARD_ALPHABET + "\x1d\x02" if char < " " or LAYOUTS[layout].stroke(char))
    assert set(";=?%^+&@#0123456789") <= set(text)
    keys = Keys(layout)
    records = b"".join(type_text(text, layout=layout))
    assert (
        "".join(keys.press(code, value) for _, _, kind, code, value in EVENT.iter_unpack(records) if kind == EV_KEY)
        == text + "\r"
    )


def test_unknown_layouts_are_named() -> None:
    for call in (lambda: layout_named("dvorak"), lambda: recover("x", "dvorak"), lambda: Keys("dvorak")):
        with pytest.raises(BadDeviceSettings, match="us, nl, be-azerty, de, fr, tr, got 'dvorak'"):
            call()


def test_what_cannot_be_typed_is_refused_without_showing_it() -> None:
    with pytest.raises(ValueError, match="expected characters") as refused:
        typed_as("4Ω", "fr")
    assert "Ω" not in str(refused.value)


@given(st.text(max_size=60), st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_any_text_is_recovered_without_raising(text: str, layout: str, reader: str) -> None:
    assert isinstance(recover(text, layout, reader), str)


# -- beside X.Org's own tables ----------------------------------------------------------------------------------------

KEYSYMS = {
    "ampersand": "&", "eacute": "é", "quotedbl": '"', "apostrophe": "'", "parenleft": "(", "section": "§",
    "egrave": "è", "exclam": "!", "ccedilla": "ç", "agrave": "à", "parenright": ")", "degree": "°", "minus": "-",
    "underscore": "_", "dead_circumflex": "^", "dead_diaeresis": "¨", "dollar": "$", "asterisk": "*", "ugrave": "ù",
    "percent": "%", "twosuperior": "²", "threesuperior": "³", "mu": "µ", "sterling": "£", "comma": ",",
    "question": "?", "semicolon": ";", "period": ".", "colon": ":", "slash": "/", "equal": "=", "plus": "+",
    "less": "<", "greater": ">", "asciicircum": "^", "Scedilla": "Ş", "scedilla": "ş", "gbreve": "ğ", "Gbreve": "Ğ",
    "udiaeresis": "ü", "Udiaeresis": "Ü", "odiaeresis": "ö", "Odiaeresis": "Ö", "adiaeresis": "ä", "Adiaeresis": "Ä",
    "Ccedilla": "Ç", "dead_acute": "´", "dead_grave": "`", "numbersign": "#", "at": "@", "bracketleft": "[",
    "bracketright": "]", "braceleft": "{", "braceright": "}", "backslash": "\\", "bar": "|", "dead_tilde": "~",
}  # fmt: skip
ROWS = {"AE": (2, 12), "AD": (16, 12), "AC": (30, 11), "AB": (44, 10)}
PLACES = {f"{row}{at + 1:02}": first + at for row, (first, count) in ROWS.items() for at in range(count)}
PLACES |= {"TLDE": 41, "BKSL": 43, "LSGT": 86}
# US International's dead accents stand on keys that show the plain quote.
INTERNATIONAL = {"dead_acute": "'", "dead_diaeresis": '"'}


@pytest.mark.parametrize(
    ("layout", "file", "variant"),
    [
        ("nl", "us", "intl"),
        ("be-azerty", "be", "basic"),
        ("de", "de", "basic"),
        ("fr", "fr", "azerty"),
        ("tr", "tr", "basic"),
    ],
)
def test_tables_agree_with_xorg(layout: str, file: str, variant: str) -> None:
    if not XKB.is_dir():
        missing("no layouts of X.Org to compare with: apt install xkb-data")
    text = (XKB / file).read_text(encoding="utf-8")
    found = re.search(rf'xkb_symbols "{variant}" \{{(.*?)\n\}};', text, re.DOTALL)
    assert found is not None
    compared = 0
    for place, symbols in re.findall(r"key\s*<(\w+)>\s*\{\s*\[([^\]]*)\]", found.group(1)):
        for level, symbol in enumerate(symbols.replace(" ", "").replace("\t", "").split(",")[:2]):
            names = KEYSYMS | (INTERNATIONAL if layout == "nl" else {})
            char = symbol if len(symbol) == 1 else names.get(symbol)
            # The US layout has no use for the extra key, and ours gives it the backslash that X.Org does.
            if place not in PLACES or char is None:
                continue
            assert LAYOUTS[layout].keys.get((PLACES[place], level)) == char, f"{place} level {level}"
            compared += 1
    assert compared > 20
