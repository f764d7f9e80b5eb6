"""What the hard tries are made of: finding, straightening, fitting, voting."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import zxingcpp
from barcode.charsets.code128 import CODES
from barcode.ean import EAN13
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from drivers.decoding import code128_fit
from drivers.decoding.confirm import is_printed
from drivers.decoding.decode import decode
from drivers.decoding.ean_fit import decide, fit_profile, lead_of, modules_of
from drivers.decoding.engines import Corners, by_zxing
from drivers.decoding.finders import laid_flat
from drivers.decoding.fits import _FIT_DOUBTFUL, _FIT_SHORTFALL
from drivers.decoding.focus import in_focus, smear_of
from drivers.decoding.squares import find_squares
from drivers.decoding.stripes import BANDS, find_patches
from drivers.decoding.votes import Ballot, Vote
from drivers.events import ScanDataType
from drivers.recognition.symbols import Box, Symbol
from tests.support.hard_set import KINDS, sample, samples

Floats = NDArray[np.float32]
NUMBERS = st.integers(0, 10**12 - 1).map(lambda number: str(EAN13(f"{number:012d}").get_fullcode()))
PIXELS = 5
QUIET = 12


def modules_128(text: str) -> str:
    line = np.asarray(zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.Code128).to_image(scale=1))[0]
    return "".join("0" if level else "1" for level in line).strip("0")


def profile_of(text: str, blur: float = 0.3) -> tuple[Floats, float, float]:
    """Draw `text` as brightness, `PIXELS` a module, blurred by a Gaussian of `blur` modules."""
    line = np.pad(modules_of(text), QUIET)
    sharp = np.repeat(230.0 - 200.0 * line, PIXELS).astype(np.float32)
    soft = np.asarray(cv2.GaussianBlur(sharp[None, :], (0, 0), blur * PIXELS)[0], np.float32)
    return soft, float(QUIET * PIXELS), float((QUIET + 95) * PIXELS)


@given(NUMBERS)
def test_modules_are_those_of_another_writer(text: str) -> None:
    theirs = EAN13(text).build()[0].replace("G", "1")
    assert "".join(map(str, modules_of(text))) == theirs


@settings(max_examples=15, deadline=None)
@example(text="0000000305716", blur=0.9, left=0, right=6, turned=True)  # many like digits under much blur
@given(NUMBERS, st.floats(0.2, 0.9), st.integers(-12, 12), st.integers(-12, 12), st.booleans())
def test_a_blurred_number_is_read_either_way_round(text: str, blur: float, left: int, right: int, turned: bool) -> None:
    profile, first, last = profile_of(text, blur)
    if turned:
        profile, first, last = profile[::-1].copy(), profile.size - last, profile.size - first
    fit = fit_profile(profile, first + left, last + right)
    assert fit is not None
    read = decide([fit])
    if (fit.ahead, read.text) != (not turned, text):
        assert blur > 0.6
        assert read.shortfall > _FIT_SHORTFALL  # so it counts for nothing
        assert read.margin < _FIT_DOUBTFUL


@given(st.text("ABCXYZ0123456789-", min_size=4, max_size=14))
def test_code_128_modules_are_those_of_another_writer(text: str) -> None:
    theirs = modules_128(text)
    values = [CODES.index(theirs[place : place + 11]) for place in range(0, len(theirs) - 13, 11)]
    assert "".join(map(str, code128_fit.modules_of(values))) == theirs


@settings(max_examples=12, deadline=None)
@given(
    st.text("ABCXYZ0123456789-", min_size=4, max_size=14),
    st.floats(0.2, 0.8),
    st.integers(-10, 10),
    st.integers(-10, 10),
    st.booleans(),
)
def test_a_blurred_code_128_is_read_whatever_its_length(
    text: str, blur: float, left: int, right: int, turned: bool
) -> None:
    modules = modules_128(text)
    line = np.pad(np.array([int(bit) for bit in modules], np.float32), QUIET)
    sharp = np.repeat(230.0 - 200.0 * line, PIXELS).astype(np.float32)
    profile = np.asarray(cv2.GaussianBlur(sharp[None, :], (0, 0), blur * PIXELS)[0], np.float32)
    if turned:
        profile = profile[::-1].copy()
    fit = code128_fit.fit_profile(profile, QUIET * PIXELS + left, (QUIET + len(modules)) * PIXELS + right)
    assert fit is not None
    assert fit.ahead is not turned
    reading = code128_fit.decide([fit])
    assert reading is not None
    assert "".join(map(str, code128_fit.modules_of(reading.values))) == modules


@pytest.mark.parametrize("number", [0, 55, 113, 208])
def test_a_code_128_too_soft_for_both_engines_is_read(number: int) -> None:
    each = sample("work", "CODE-128", number)
    kinds = (ScanDataType.CODE_128,)
    assert by_zxing(each.image, kinds) == []
    assert [(symbol.text, symbol.aim) for symbol in decode(each.image, kinds, 5.0)] == [(each.text, "]C0")]


@pytest.mark.parametrize("number", [59, 100, 39, 146, 218])
def test_a_qr_code_shaken_or_out_of_focus_is_read_once_it_is_brought_into_focus(number: int) -> None:
    each = sample("work", "QR", number)
    kinds = (ScanDataType.QR,)
    assert by_zxing(each.image, kinds) == []
    assert [symbol.text for symbol in decode(each.image, kinds, 10.0)] == [each.text]
    cut_out = find_squares(each.image)[0].upright
    sharp = {symbol.text for image in in_focus(cut_out) for symbol, _ in by_zxing(image, kinds)}
    assert sharp == {each.text}


@pytest.mark.parametrize("number", [53, 74, 107])
def test_a_qr_code_seen_from_far_aside_is_laid_flat(number: int) -> None:
    each = sample("work", "QR", number)
    kinds = (ScanDataType.QR,)
    assert by_zxing(each.image, kinds) == []
    found = {symbol.text for flat, _ in laid_flat(each.image) for symbol, _ in by_zxing(flat, kinds)}
    assert found == {each.text}
    assert [symbol.text for symbol in decode(each.image, kinds, 10.0)] == [each.text]


def test_where_no_finder_patterns_are_nothing_is_laid_flat() -> None:
    assert list(laid_flat(np.full((480, 640), 150, np.uint8))) == []
    assert list(laid_flat(sample("work", "EAN-13", 0).image)) == []


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 179), st.integers(9, 31))
def test_the_way_a_hand_moved_is_seen(degrees: int, length: int) -> None:
    modules = np.random.default_rng(3).integers(0, 2, (42, 42)).astype(np.uint8)
    picture = np.kron(modules * 200 + 20, np.ones((10, 10), np.uint8)).astype(np.uint8)
    assert smear_of(picture)[1] < 0.1
    size = 2 * (length // 2) + 3
    way = np.zeros((size, size), np.float32)
    for step in np.linspace(-length / 2, length / 2, 8 * size):
        across, down = step * np.cos(np.deg2rad(degrees)), step * np.sin(np.deg2rad(degrees))
        way[round(float(down)) + size // 2, round(float(across)) + size // 2] += 1
    direction, share = smear_of(np.asarray(cv2.filter2D(picture, -1, way / way.sum()), np.uint8))
    assert share > 0.2
    assert abs((np.rad2deg(direction) - degrees + 90) % 180 - 90) < 12


@settings(max_examples=15, deadline=None)
@given(NUMBERS, st.integers(0, 11), st.integers(1, 9))
def test_a_number_with_another_digit_does_not_look_like_what_is_printed(text: str, place: int, change: int) -> None:
    profile, first, last = profile_of(text)
    assert lead_of(text, profile, first, last) > 0.1
    digits = [*text[:12]]
    digits[place] = str((int(digits[place]) + change) % 10)
    assert lead_of(str(EAN13("".join(digits)).get_fullcode()), profile, first, last) < 0


@pytest.mark.parametrize("profile", [np.full(600, 200, np.float32), np.zeros(600, np.float32)])
def test_no_bars_no_fit(profile: Floats) -> None:
    assert fit_profile(profile, 60, 540) is None
    assert code128_fit.fit_profile(profile, 60, 540) is None


def test_an_ean_is_confirmed_and_a_ghost_is_not() -> None:
    confirmed = 0
    for each in samples("work", "EAN-13", 12):
        for symbol, corners in by_zxing(each.image, (ScanDataType.EAN_13,)):
            assert symbol.box is not None
            assert each.text is not None
            few = in_few_rows(corners)
            confirmed += is_printed(each.image, symbol, few, symbol.box)
            ghost = each.text[:5] + f"{(int(each.text[5:8]) + 137) % 1000:03d}" + each.text[8:12]
            wrong = str(EAN13(ghost).get_fullcode())
            assert not is_printed(each.image, read(wrong), few, symbol.box), each.name
    assert confirmed > 6


def in_few_rows(corners: Corners) -> Corners:
    """Draw `corners` together to four rows in their middle: where ghosts are read."""
    top_left, top_right, bottom_right, bottom_left = corners
    left, right = (top_left[1] + bottom_left[1]) // 2, (top_right[1] + bottom_right[1]) // 2
    middle_left, middle_right = (top_left[0] + bottom_left[0]) // 2, (top_right[0] + bottom_right[0]) // 2
    return (middle_left, left - 2), (middle_right, right - 2), (middle_right, right + 2), (middle_left, left + 2)


def test_bars_and_squares_are_found_where_they_are() -> None:
    picture = np.full((480, 640), 150, np.uint8)
    bars = sample("work", "EAN-13", 0)
    assert bars.text
    patches = find_patches(bars.image)
    assert patches
    assert all(len(patch.bands) == BANDS and patch.first < patch.last for patch in patches)
    assert find_patches(picture) == []
    assert find_squares(picture) == []
    assert find_squares(sample("work", "QR", 0).image)


def read(text: str, kind: ScanDataType = ScanDataType.EAN_13, box: Box = (0, 0, 10, 10)) -> Symbol:
    return Symbol(kind, None, text, text.encode(), box)


def elected(*votes: Vote) -> list[str]:
    ballot = Ballot()
    for vote in votes:
        ballot.add(vote)
    return [symbol.text for symbol in ballot.elected()]


def test_a_bar_code_needs_two_tries_that_share_no_pixels() -> None:
    assert elected(Vote(read("1"), "band 1")) == []
    assert elected(Vote(read("1"), "band 1"), Vote(read("1"), "band 1")) == []
    assert elected(Vote(read("1"), "band 1"), Vote(read("1"), "band 2")) == ["1"]


def test_a_square_code_needs_one() -> None:
    assert elected(Vote(read("1", ScanDataType.QR), "whole")) == ["1"]


def test_overlapping_readings_that_disagree_are_refused() -> None:
    both = [Vote(read("1"), "a"), Vote(read("1"), "b"), Vote(read("2"), "c")]
    assert elected(*both) == []
    assert elected(*both, Vote(read("1"), "d")) == ["1"]
    apart = [Vote(read("2", box=(50, 0, 60, 10)), "c"), Vote(read("2", box=(50, 0, 60, 10)), "d")]
    assert sorted(elected(*both[:2], *apart)) == ["1", "2"]


@given(st.lists(st.tuples(st.sampled_from("123"), st.integers(0, 6)), max_size=30))
def test_at_one_place_at_most_one_is_elected(votes: list[tuple[str, int]]) -> None:
    ballot = Ballot()
    for text, source in votes:
        ballot.add(Vote(read(text), source))
    assert len(ballot.elected()) <= 1
    known = {symbol.text for symbol in (*ballot.elected(), *ballot.doubtful())}
    assert known == {text for text, _ in votes}


def test_the_hard_set_is_the_same_each_time_and_its_parts_differ() -> None:
    for kind in KINDS:
        one, again = sample("work", kind, 5), sample("work", kind, 5)
        assert one.text == again.text
        assert np.array_equal(one.image, again.image)
        assert sample("held_out", kind, 5).text != one.text
