"""Card numbers: recognised, checked, masked, and turned into tokens."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from loyalty.cards import CardFormat, CardNumber, CheckDigit, check_digit, mask
from loyalty.errors import CardFormatError

EAN = CardFormat(name="customer card", prefix="2910", length=13, check=CheckDigit.GS1)
CODE_128 = CardFormat(name="pass", prefix="SP", length=12, check=CheckDigit.LUHN)
PLAIN = CardFormat(name="old card", prefix="77", length=9, check=CheckDigit.NONE)
FORMATS = (EAN, CODE_128, PLAIN)
VECTORS = Path(__file__).parents[1] / "vectors"


@pytest.mark.parametrize(
    ("number", "origin"),
    [
        ("6291041500213", "GS1, check digit calculator, worked example for GTIN-13"),
        ("376104250021234569", "GS1, check digit calculator, worked example for an SSCC"),
        ("9780306406157", "ISBN Users' Manual, worked example of an ISBN-13, which is an EAN-13"),
        ("96385074", "Wikipedia, 'EAN-8'"),
        ("036000291452", "Wikipedia, 'Universal Product Code', worked example"),
    ],
)
def test_gs1_check_digits(number: str, origin: str) -> None:
    assert check_digit(number[:-1], CheckDigit.GS1) == int(number[-1]), origin


@pytest.mark.parametrize(
    ("number", "origin"),
    [
        ("79927398713", "Wikipedia, 'Luhn algorithm', the older worked example"),
        ("17893729974", "Wikipedia, 'Luhn algorithm', worked example"),
        ("490154203237518", "Wikipedia, 'International Mobile Equipment Identity', worked check digit"),
        ("00", "a zero payload has check digit zero"),
    ],
)
def test_luhn_check_digits(number: str, origin: str) -> None:
    assert check_digit(number[:-1], CheckDigit.LUHN) == int(number[-1]), origin


def test_check_digit_refuses_what_it_cannot_compute() -> None:
    with pytest.raises(CardFormatError, match="expected only digits"):
        check_digit("12a4", CheckDigit.GS1)
    with pytest.raises(CardFormatError, match="expected only digits"):
        check_digit("١٢٣", CheckDigit.LUHN)  # digits, but not ASCII ones
    with pytest.raises(CardFormatError, match="no check digit"):
        check_digit("123", CheckDigit.NONE)


@pytest.mark.parametrize(
    ("text", "value", "format_name"),
    [
        # 291000000001, weights 3, 1, 3 … from the right: 1·3 + 1·1 + 9·3 + 2·1 = 33, so 7 makes it 40.
        ("2910000000017", "2910000000017", "customer card"),
        ("2910-0000 0001 7", "2910000000017", "customer card"),
        ("SP1789372996", None, None),  # 11 digits wanted, 10 came,
        ("sp0000000018", "SP0000000018", "pass"),
        ("77ABCDEFG", None, None),
        ("770000001", "770000001", "old card"),
    ],
)
def test_recognised(text: str, value: str | None, format_name: str | None) -> None:
    if value is None:
        with pytest.raises(CardFormatError):
            CardNumber.parse(text, FORMATS)
        return
    card = CardNumber.parse(text, FORMATS)
    assert (card.value, card.format_name) == (value, format_name)


@st.composite
def numbers(draw: st.DrawFn) -> tuple[CardFormat, str]:
    """A valid card of a format with a check digit."""
    card_format = draw(st.sampled_from([EAN, CODE_128]))
    count = card_format.length - len(card_format.prefix) - 1
    digits = draw(st.text("0123456789", min_size=count, max_size=count))
    payload = card_format.prefix + digits if card_format.prefix.isdigit() else digits
    return card_format, card_format.prefix + digits + str(check_digit(payload, card_format.check))


@given(numbers())
def test_a_whole_number_is_recognised_and_never_shown(card: tuple[CardFormat, str]) -> None:
    card_format, text = card
    number = CardNumber.parse(text, FORMATS)
    assert number.format_name == card_format.name
    for shown in (str(number), repr(number), f"{number}"):
        assert text[:-4] not in shown
    assert str(number) == "…" + text[-4:]


@given(numbers(), st.data())
def test_one_changed_digit_is_refused_and_the_error_keeps_the_number_to_itself(
    card: tuple[CardFormat, str], data: st.DataObject
) -> None:
    card_format, text = card
    place = data.draw(st.integers(len(card_format.prefix), len(text) - 1))
    other = data.draw(st.sampled_from("0123456789"))
    assume(other != text[place])
    changed = text[:place] + other + text[place + 1 :]
    with pytest.raises(CardFormatError) as caught:
        CardNumber.parse(changed, FORMATS)
    message = str(caught.value)
    assert changed not in message
    assert changed[len(card_format.prefix) :][:5] not in message.replace(changed[-4:], "")
    assert f"got {len(changed)} characters '…{changed[-4:]}'" in message
    assert f"{card_format.length} characters starting {card_format.prefix} ({card_format.name})" in message


@given(st.text("0123456789", min_size=13, max_size=19).filter(lambda text: not text.startswith(("2910", "77"))))
def test_nothing_is_shown_of_a_number_that_is_not_ours(pan: str) -> None:
    """A payment card's number may reach this far when somebody types it in."""
    with pytest.raises(CardFormatError) as caught:
        CardNumber.parse(pan, FORMATS)
    assert str(caught.value).endswith(f"got {len(pan)} characters")


@given(st.text(max_size=60))
def test_any_text_is_a_card_or_a_card_format_error(text: str) -> None:
    try:
        number = CardNumber.parse(text, FORMATS)
    except CardFormatError:
        return
    assert number.value.isascii()


def test_without_formats_nothing_is_a_card() -> None:
    with pytest.raises(CardFormatError, match=r"name them in \[\[card_formats\]\]"):
        CardNumber.parse("2910000000017", ())


def test_mask_shows_four_characters_at_most_and_none_of_a_short_text() -> None:
    assert mask("2910000000017") == "…0017"
    assert mask("12345678") == "…"


def test_a_card_number_cannot_be_changed() -> None:
    card = CardNumber.parse("770000001", FORMATS)
    with pytest.raises(dataclasses.FrozenInstanceError):
        card.value = "770000002"  # type: ignore[misc]


@pytest.mark.parametrize(
    "wrong", [{"prefix": "s p"}, {"prefix": "2"}, {"length": 5}, {"length": 49}, {"check": "verhoeff"}, {"extra": 1}]
)
def test_a_format_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CardFormat.model_validate({"name": "x", "prefix": "29", "length": 13, "check": "gs1", **wrong})


def token_vectors() -> list[tuple[str, str, str]]:
    rows = [row for row in (VECTORS / "card_tokens.txt").read_text().splitlines() if row and not row.startswith("#")]
    return [tuple(row.split()) for row in rows]  # type: ignore[misc]


@pytest.mark.parametrize(("key", "number", "token"), token_vectors())
def test_token_vectors(key: str, number: str, token: str) -> None:
    card_format = CardFormat(name="any", prefix=number[:2], length=len(number), check=CheckDigit.NONE)
    assert CardNumber.parse(number, [card_format]).token(bytes.fromhex(key)) == token


def test_a_token_wants_a_key_of_32_bytes() -> None:
    with pytest.raises(ValueError, match="expected a card key of 32 bytes, got 31"):
        CardNumber.parse("770000001", FORMATS).token(bytes(31))


@given(numbers(), numbers(), st.binary(min_size=32, max_size=32))
def test_tokens_differ_by_card_and_by_key(
    first: tuple[CardFormat, str], second: tuple[CardFormat, str], key: bytes
) -> None:
    one, two = CardNumber.parse(first[1], FORMATS), CardNumber.parse(second[1], FORMATS)
    assert (one.token(key) == two.token(key)) == (one.value == two.value)
    assert one.token(key) != one.token(bytes([key[0] ^ 1]) + key[1:])
    assert len(one.token(key)) == 32
