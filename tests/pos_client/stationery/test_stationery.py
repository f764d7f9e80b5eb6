"""Printed sheets: drawn by pypdfium2 as a printer would, every code on them read by our own decoder."""

from __future__ import annotations

from typing import Any

import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.decoding.decode import decode
from drivers.events import ScanDataType
from drivers.formats.tracks import parse
from loyalty.cards import CardFormat, CardNumber, CheckDigit
from loyalty.errors import CardFormatError
from pos_client.stationery.sheets import DPI, SHAPES, Look, Symbology, draw_sheets
from pos_client.stationery.stripes import encoding_file, track
from tests.support.till import CODE_128_FORMAT, EAN_FORMAT, FORMATS, STRIPE_FORMAT

ALL = (ScanDataType.EAN_13, ScanDataType.CODE_128, ScanDataType.QR)
NINES = CardFormat(name="negens", prefix="99", length=12, check=CheckDigit.LUHN)
SCALE = DPI / 72 * 0.999999
"""One dot of the sheet to one of the picture: a hair below, since the width is rounded up to whole dots."""
LOOK = Look("Molenpunten", "Bakkerij De Molen")


def pages(pdf: bytes) -> list[Any]:
    return [page.render(scale=SCALE, grayscale=True).to_numpy() for page in pypdfium2.PdfDocument(pdf)]


@pytest.mark.parametrize(
    ("shape", "symbology", "form"),
    [
        ("card", Symbology.EAN_13, EAN_FORMAT),
        ("card", Symbology.CODE_128, STRIPE_FORMAT),
        ("card", Symbology.CODE_128, NINES),
        ("tag", Symbology.CODE_128, CODE_128_FORMAT),
        ("label", Symbology.QR, EAN_FORMAT),
    ],
)
def test_every_code_is_read_back(shape: str, symbology: Symbology, form: CardFormat) -> None:
    numbers = [form.number(serial) for serial in range(41, 41 + SHAPES[shape].a_sheet + 1)]
    drawn: list[int] = []
    sheets = pages(draw_sheets(numbers, SHAPES[shape], symbology, LOOK, drawn.append))
    found = [sorted(symbol.text for symbol in decode(sheet, ALL, 5)) for sheet in sheets]
    assert found == [sorted(numbers[:-1]), numbers[-1:]]
    assert drawn == list(range(1, len(numbers) + 1))


def test_bars_lie_on_whole_dots() -> None:
    number = EAN_FORMAT.number(7)
    document = pypdfium2.PdfDocument(draw_sheets([number], SHAPES["card"], Symbology.EAN_13, LOOK))
    edges = [[bound * DPI / 72 for bound in thing.get_bounds()] for thing in document[0].get_objects()]
    bars = [(left, right) for left, low, right, high in edges if high - low > right - left]
    assert len(bars) == 30
    assert [edge for bar in bars for edge in bar if abs(edge - round(edge)) > 0.01] == []
    assert {round(right - left) for left, right in bars} <= {4, 8, 12, 16}


def test_a_card_has_the_size_of_a_card() -> None:
    # ISO/IEC 7810: 85.60 × 53.98 mm.
    card = SHAPES["card"]
    assert (card.width / DPI * 25.4, card.height / DPI * 25.4) == pytest.approx((85.60, 53.98), abs=0.05)
    assert card.a_sheet == 10


def test_a_code_too_wide_for_its_piece() -> None:
    with pytest.raises(ValueError, match="choose a larger piece, or a QR code"):
        draw_sheets(["A" * 20], SHAPES["tag"], Symbology.CODE_128, LOOK)


@pytest.mark.parametrize("form", FORMATS)
@given(serial=st.integers(0, 10**6))
def test_numbers_are_of_their_format(form: CardFormat, serial: int) -> None:
    assert CardNumber.parse(form.number(serial), FORMATS).format_name == form.name


def test_serials_that_do_not_fit() -> None:
    for serial in (-1, 10**8):
        with pytest.raises(CardFormatError, match="from 0 to 99999999"):
            EAN_FORMAT.number(serial)
    assert CardFormat(name="los", prefix="AB", length=6, check=CheckDigit.NONE).number(7) == "AB0007"


@given(serial=st.integers(0, 10**6))
def test_stripes_are_read_by_the_drivers(serial: int) -> None:
    number = STRIPE_FORMAT.number(serial)
    place, framed = track(number)
    assert (place, parse(framed).track2, parse(framed).errors) == (2, number, ())
    place, framed = track(CODE_128_FORMAT.number(serial))
    assert (place, parse(framed).track1, parse(framed).errors) == (1, CODE_128_FORMAT.number(serial), ())


def test_an_encoding_file() -> None:
    first, line = encoding_file([STRIPE_FORMAT.number(1)]).splitlines()
    assert first == "number,track,data"
    assert line == f"{STRIPE_FORMAT.number(1)},2,{track(STRIPE_FORMAT.number(1))[1]}"
    with pytest.raises(ValueError, match="at most 37 characters for track 2"):
        track("1" * 38)
