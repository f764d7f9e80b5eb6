"""The programme's colour: whatever it is, what is written on it can be read."""

from __future__ import annotations

import colorsys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pos_client.screen.brand import LEAST_CONTRAST, Rgb, brand, contrast


def rgb(text: str) -> Rgb:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_it_can_always_be_read(asked: Rgb) -> None:
    made = brand("#" + "".join(f"{part:02x}" for part in asked))
    assert contrast(rgb(made.colour), rgb(made.on_colour)) >= LEAST_CONTRAST


@pytest.mark.parametrize("colour", ["#0e4f4a", "#f2b705", "#15191c", "#ffffff"])
def test_a_colour_that_is_clear_enough_stays(colour: str) -> None:
    assert brand(colour).colour == colour


def test_the_hue_stays() -> None:
    corrected = brand("#c8102e").colour
    before, after = (colorsys.rgb_to_hls(*(part / 255 for part in rgb(text)))[0] for text in ("#c8102e", corrected))
    assert corrected != "#c8102e"
    assert abs(before - after) < 0.01


def test_contrast_is_that_of_wcag() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)
