"""The picture of what is printed: every code in it is read again by our own decoder."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.decoding.decode import decode
from drivers.events import ScanDataType
from drivers.printing.bars import ean_13, plain_code_128, short_code_128
from drivers.printing.escpos_job import Barcode, Cut, OpenDrawer, QrCode, Text, compose
from drivers.printing.picture import Picture, draw


def paper(modules: str) -> Picture:
    row = np.repeat(np.array([0 if module == "1" else 255 for module in modules], np.uint8), 3)
    return np.pad(np.tile(row, (80, 1)), 40, constant_values=255)


def test_codes_are_read_again() -> None:
    parts = [Text("Bon\n"), Barcode("4006381333931"), Barcode("SP0001234569", "CODE-128", 2), QrCode("https://a.nl/1")]
    found = decode(draw(compose([*parts, Cut(), OpenDrawer()])))
    assert {(symbol.kind, symbol.text) for symbol in found} == {
        (ScanDataType.EAN_13, "4006381333931"),
        (ScanDataType.CODE_128, "SP0001234569"),
        (ScanDataType.QR, "https://a.nl/1"),
    }


def test_size_and_ink() -> None:
    plain, bold = draw(compose([Text("a\n")])), draw(compose([Text("a\n", bold=True)]))
    double = draw(compose([Text("a\n", double=True)]))
    assert plain.shape == bold.shape
    assert plain.shape[1] == 42 * 12 + 48
    assert double.shape[0] == plain.shape[0] + 24
    assert (bold < 128).sum() > (plain < 128).sum() > 0
    assert draw(compose([Text("a\n")]), columns=32).shape[1] == 32 * 12 + 48


def test_left_centre_and_right() -> None:
    def first_ink(align: str) -> int:
        picture = draw(compose([Text("HHHH\n", align)]))  # type: ignore[arg-type]
        return int(np.flatnonzero((picture < 128).any(axis=0))[0])

    assert first_ink("left") < first_ink("center") < first_ink("right")


def test_characters_of_several_code_pages_are_drawn() -> None:
    # A missing character would come out as the question mark that python-escpos puts in its place.
    question = draw(compose([Text("?\n")]))
    for char in "é€ß×Ω":
        drawn = draw(compose([Text(f"{char}\n")]))
        assert (drawn < 128).sum() > 0
        assert not np.array_equal(drawn, question), char


def test_a_line_wraps_at_the_edge() -> None:
    assert draw(compose([Text("x" * 43 + "\n")])).shape[0] == draw(compose([Text("x\nx\n")])).shape[0]


@pytest.mark.parametrize("stream", [b"\x1b@\x1cq", b"\x1dk\x05123\x00", b"\x1dv0\x00\x02\x00\x02\x00x", b"\x1bt\xff"])
def test_what_is_not_ours_is_refused(stream: bytes) -> None:
    with pytest.raises(ValueError, match="expected"):
        draw(stream)


def test_what_is_wider_than_the_paper_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 384 dots"):
        draw(compose([Barcode("ABCDEFGHJKMNPQRSTVWX", "CODE-128", 3)]), columns=32)


@settings(max_examples=60, deadline=None)
@given(
    st.text(alphabet=[chr(code) for code in range(32, 127)], min_size=6, max_size=20).filter(
        lambda text: text == text.strip()
    )
)
def test_code_128_says_what_it_was_made_of(text: str) -> None:
    import zxingcpp

    for modules in (plain_code_128(text), short_code_128(text)):
        (found,) = zxingcpp.read_barcodes(paper(modules), formats=zxingcpp.BarcodeFormat.Code128)
        assert found.text == text


def test_a_leading_99_is_kept() -> None:
    for digits in ("991234567890", "9912345678901", "990000000499", "9999999999"):
        assert [symbol.text for symbol in decode(paper(short_code_128(digits)))] == [digits]


@pytest.mark.parametrize("digits", ["291000012345", "2910000123450", "29100001234x6"])
def test_what_is_no_ean_13(digits: str) -> None:
    with pytest.raises(ValueError, match="13 digits"):
        ean_13(digits)


def test_what_is_no_code_128() -> None:
    for text in ("", "é", "a\n"):
        with pytest.raises(ValueError, match="printed ASCII"):
            plain_code_128(text)
