"""Phone numbers and e-mail addresses as keyed hashes: one for every way of writing them, none for anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.contacts import email_hash, phone_hash

KEY = bytes(range(32))


@pytest.mark.parametrize(
    "text", ["0612345678", "06-1234 5678", "+31 6 12345678", "0031 6 12345678", "(06) 12.34.56.78"]
)
def test_one_number_however_it_is_written(text: str) -> None:
    assert phone_hash(text, KEY) == phone_hash("+31612345678", KEY)


def test_a_number_with_a_short_area_is_one_with_and_without_its_country() -> None:
    assert phone_hash("02 123 45 67", KEY) == phone_hash("+32 2 123 45 67", KEY)


def test_an_address_is_one_in_any_case() -> None:
    assert email_hash(" Sanne@Voorbeeld.NL ", KEY) == email_hash("sanne@voorbeeld.nl", KEY)


def test_hashes_differ_by_key_and_kind() -> None:
    assert phone_hash("0612345678", KEY) != phone_hash("0612345678", bytes(32))
    assert phone_hash("0612345678", KEY) != phone_hash("0612345679", KEY)
    assert len(phone_hash("0612345678", KEY)) == len(email_hash("a@b.nl", KEY)) == 32


@pytest.mark.parametrize("text", ["", "1234567", "06x12345678", "٠٦١٢٣٤٥٦٧٨", "0" * 18])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="expected a phone number of 8 to 15 digits"):
        phone_hash(text, KEY)


@pytest.mark.parametrize(
    "text", ["", "sanne", "sanne@", "@voorbeeld.nl", "a b@c.nl", "a@b", "a@b.", f"{'a' * 250}@b.nl"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="expected an e-mail address"):
        email_hash(text, KEY)


@given(st.text(max_size=40))
def test_any_text_is_hashed_or_refused_without_being_repeated(text: str) -> None:
    for hashed in (phone_hash, email_hash):
        try:
            assert len(hashed(text, KEY)) == 32
        except ValueError as error:
            assert len(text) < 4 or text not in str(error)
