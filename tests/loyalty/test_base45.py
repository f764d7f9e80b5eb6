"""Base45 against RFC 9285."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty import base45

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

# RFC 9285, sections 4.3 and 4.4.
VECTORS = [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"), (b"ietf!", "QED8WEX0")]


@pytest.mark.parametrize(("data", "text"), [*VECTORS, (b"", ""), (b"\xff\xff", "FGW"), (b"\xff", "U5")])
def test_vectors(data: bytes, text: str) -> None:
    assert base45.encode(data) == text
    assert base45.decode(text) == data


# RFC 9285 sections 4 and 6: ":::" is above 65535, GGW is 65536; a lone character; characters outside the alphabet.
@pytest.mark.parametrize("text", ["GGW", ":::", "::", "V5", "A", "BB8A", "bb8", "BB8\n", "BB=", "٣٣٣", "\x00\x00\x00"])
def test_what_stands_for_no_bytes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        base45.decode(text)


@given(st.binary(max_size=200))
def test_there_and_back(data: bytes) -> None:
    text = base45.encode(data)
    assert base45.decode(text) == data
    assert set(text) <= set(ALPHABET)
    # A scanner that trims its line must not change a code.
    assert text == text.rstrip(" ")


@given(st.text(st.sampled_from(ALPHABET), max_size=40))
def test_no_two_texts_stand_for_the_same_bytes(text: str) -> None:
    try:
        data = base45.decode(text)
    except ValueError:
        return
    assert base45.encode(data) == text


@given(st.text(max_size=40))
def test_any_text_is_decoded_or_refused(text: str) -> None:
    try:
        base45.decode(text)
    except ValueError as error:
        assert len(text) < 4 or text not in str(error)
