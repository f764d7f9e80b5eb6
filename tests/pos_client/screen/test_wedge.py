"""Readers that type into the cashier's page: keys by their place, whatever the layout. `test_cashier` types them."""

from __future__ import annotations

from typing import Any

import pytest
from evdev import ecodes
from hypothesis import given
from hypothesis import strategies as st

from drivers.events import DataEvent, Event, PaymentCardRefused
from drivers.formats.layouts import LAYOUTS
from drivers.keyboard.keymap import EV_KEY, EVENT, type_text
from drivers.recognition.guard import CardPattern, luhn_valid
from pos_client.screen.wedge import CODES, MAX_KEYS, PageReader

NAMES = {code: name for name, code in CODES.items()}
PAN = "4111111111111111"


def keys_of(text: str, layout: str = "us") -> list[list[Any]]:
    """What the page sends of a reader programmed for `layout` that types `text` and Enter."""
    records = [record for piece in type_text(text, layout=layout) for record in EVENT.iter_unpack(piece)]
    return [[NAMES[code], value] for _, _, kind, code, value in records if kind == EV_KEY]


def read_keys(keys: object, layout: str, patterns: tuple[CardPattern, ...], received_at: int) -> Event | None:
    """What one line that was typed comes to, when nothing follows."""
    reader = PageReader(layout, patterns)
    events = reader.typed(keys, received_at)
    if events is None:
        return None
    (event,) = [*events, *reader.quiet(received_at)]
    assert not reader.waits
    return event


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_what_the_reader_read_is_read_for_every_layout(layout: str) -> None:
    event = read_keys(keys_of("004HQ3", layout), layout, (), 1)
    assert isinstance(event, DataEvent)
    assert (event.device, event.scan_data_label, event.received_at) == ("screen", "004HQ3", 1)


def test_a_swipe_and_a_bank_card() -> None:
    ours = (CardPattern("stripe card", "9528", 16),)
    swipe = read_keys(keys_of("%E?;9528000000000008?+E?"), "us", ours, 1)
    assert isinstance(swipe, DataEvent)
    assert (swipe.kind, swipe.scan_data_label) == ("swipe", "9528000000000008")
    for text in (PAN, f"%B{PAN}^DOE/JANE^26012011234?;{PAN}=26012011234?"):
        assert isinstance(read_keys(keys_of(text), "us", ours, 1), PaymentCardRefused)


def test_tracks_with_an_enter_each_are_one_swipe() -> None:
    reader = PageReader("us", (CardPattern("stripe card", "9528", 16),))
    assert reader.typed(keys_of("%L6035123456789012^DOE/JANE?"), 1) == []
    assert reader.waits
    assert reader.typed(keys_of(";9528000000000008?"), 2) == []
    (swipe,) = reader.quiet(3)
    assert isinstance(swipe, DataEvent)
    assert (swipe.kind, swipe.scan_data_label) == ("swipe", "9528000000000008")
    assert swipe.tracks is not None
    assert swipe.tracks.track1 is not None
    (alone,) = reader.typed(keys_of(";9528000000000008?"), 4) or []
    assert not reader.waits  # a track that opens no swipe is not waited for
    assert isinstance(alone, DataEvent)


def test_a_bank_card_with_an_enter_for_each_track_is_refused_once() -> None:
    reader = PageReader("us", ())
    assert reader.typed(keys_of(f"%B{PAN}^DOE/JANE^26012011234?"), 1) == []
    assert reader.typed(keys_of(f";{PAN}=26012011234?"), 2) == []
    (event,) = reader.quiet(3)
    assert isinstance(event, PaymentCardRefused)


def test_a_swipe_that_waits_goes_before_the_scan_after_it() -> None:
    reader = PageReader("us", ())
    assert reader.typed(keys_of("%L6035123456789012^DOE/JANE?"), 1) == []
    events = reader.typed(keys_of("8710400280507"), 2) or []
    assert [getattr(event, "kind", None) for event in events] == ["swipe", "scan"]
    assert not reader.waits


def test_keys_have_the_codes_that_linux_has() -> None:
    for name, code in CODES.items():
        for start, prefix in (("Key", "KEY_"), ("Digit", "KEY_"), ("Numpad", "KEY_KP")):
            rest = name.removeprefix(start)
            if rest != name and len(rest) == 1:
                assert ecodes.ecodes[prefix + rest] == code
    assert len(CODES) == len(NAMES)


@pytest.mark.parametrize("keys", [None, "12345678", {}, [1, 2], [["KeyA"]], [["KeyA", "1"]] * 9, [["Nokey", 1]] * 9])
def test_what_is_no_list_of_keys_is_nothing(keys: object) -> None:
    assert read_keys(keys, "us", (), 1) is None


def test_few_keys_are_a_hands_and_many_are_no_cards() -> None:
    assert read_keys(keys_of("12345"), "us", (), 1) is None
    assert read_keys([["Digit1", 1]] * (MAX_KEYS + 1), "us", (), 1) is None


@given(st.integers(10**14, 10**15 - 1), st.sampled_from(sorted(LAYOUTS)))
def test_no_bank_card_comes_through(number: int, layout: str) -> None:
    digits = f"4{number % 10**14:014d}"
    pan = next(digits + check for check in "0123456789" if luhn_valid(digits + check))
    event = read_keys(keys_of(pan, layout), layout, (), 1)
    assert isinstance(event, PaymentCardRefused)
    assert pan[:7] not in repr(event)


@given(st.lists(st.tuples(st.sampled_from(sorted(CODES)), st.integers(0, 2)).map(list), max_size=60))
def test_any_keys_at_all(keys: list[Any]) -> None:
    reader = PageReader("us", ())
    events = reader.typed(keys, 1) or []
    assert all(event.device == "screen" for event in [*events, *reader.quiet(1)])
