"""Single-use codes: the check character of ISO/IEC 7064, and that it finds what people mistype."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.codes import ALPHABET, check_character, make_code, read_code
from loyalty.errors import RewardRefused

DIGITS = "0123456789"
LETTERS_TOO = DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SERIALS = st.integers(0, 30**9 - 1)


@pytest.mark.parametrize(
    ("text", "alphabet", "check"),
    [
        # ISO/IEC 7064 MOD 11,10: 0794 with its check digit 5 is the standard's own example.
        ("0794", DIGITS, "5"),
        # MOD 11,10, from the documentation of python-stdnum's iso7064 module.
        ("79462", DIGITS, "3"),
        ("00200667308", DIGITS, "5"),
        # MOD 37,36: the GRid standard's example A1-2425G-ABC1234002-M (IFPI, Global Release Identifier, 2.1).
        ("A12425GABC1234002", LETTERS_TOO, "M"),
    ],
)
def test_check_characters_of_the_standard(text: str, alphabet: str, check: str) -> None:
    assert check_character(text, alphabet) == check


def test_the_alphabet_cannot_be_misread() -> None:
    assert len(set(ALPHABET)) == len(ALPHABET) == 30
    assert not set(ALPHABET) & set("0O1ILU")


@given(SERIALS)
def test_a_code_reads_back_however_it_is_typed(serial: int) -> None:
    code = make_code("SP", serial)
    assert len(code) == 12
    assert read_code(f" {code[:4]}-{code[4:8].lower()} {code[8:]}") == code


@given(SERIALS, st.integers(0, 11), st.sampled_from(ALPHABET))
def test_every_single_wrong_character_is_found(serial: int, place: int, wrong: str) -> None:
    code = make_code("SP", serial)
    if code[place] == wrong:
        return
    with pytest.raises(RewardRefused, match="mistyped"):
        read_code(code[:place] + wrong + code[place + 1 :])


@pytest.mark.parametrize("before", ALPHABET)
def test_all_swaps_of_neighbours_but_one_pair_are_found(before: str) -> None:
    """Whatever comes before, of the 435 pairs of characters at most one passes the other way round."""
    missed = {
        frozenset((first, second))
        for first in ALPHABET
        for second in ALPHABET
        if first != second and check_character(before + first + second) == check_character(before + second + first)
    }
    assert len(missed) <= 1


@pytest.mark.parametrize("text", ["", "SP", "SP2345", "0OIL1UUUU", "€" * 12, "2" * 21])
def test_what_is_no_code(text: str) -> None:
    with pytest.raises(RewardRefused) as caught:
        read_code(text)
    assert caught.value.code == "coupon_invalid"


def test_numbers_that_do_not_fit() -> None:
    assert len({make_code("SP", serial, 8) for serial in range(1000)}) == 1000
    for serial, length in ((30**5, 8), (-1, 12), (0, 7), (0, 21)):
        with pytest.raises(ValueError, match="expected a number that fits"):
            make_code("SP", serial, length)
