"""Images to symbols: both engines, configured formats only, ghosts refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import zxingcpp
from numpy.typing import NDArray

from drivers.decode import _by_pyzbar as by_second_engine
from drivers.decode import decode, parse_formats
from drivers.errors import BadDeviceSettings
from drivers.events import ScanDataType


def draw(text: str, symbology: str, scale: int = 4) -> NDArray[np.uint8]:
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat[symbology])
    return np.array(code.to_image(scale=scale), dtype=np.uint8)


@pytest.mark.parametrize(
    ("text", "symbology", "kind", "aim"),
    [
        ("4006381333931", "EAN13", "EAN-13", "]E0"),
        ("96385074", "EAN8", "EAN-8", "]E4"),
        ("SP00000123", "Code128", "CODE-128", "]C0"),
        ("S1.k7.57600123.04711815", "QRCode", "QR", "]Q1"),
        ("SP-1", "Code39", "CODE-39", "]A0"),
        ("SP-1", "DataMatrix", "DATA-MATRIX", "]d1"),
    ],
)
def test_each_kind(text: str, symbology: str, kind: str, aim: str) -> None:
    gray = draw(text, symbology)
    colour = np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), dtype=np.uint8)
    for image in (gray, colour):
        found = decode(image, parse_formats([kind]))
        assert [(symbol.kind, symbol.aim, symbol.text, symbol.data) for symbol in found] == [
            (kind, aim, text, text.encode())
        ]


def test_configured_formats_only() -> None:
    assert decode(draw("4006381333931", "EAN13"), [ScanDataType.QR]) == []


def test_binary_is_kept_and_control_characters_stay_themselves() -> None:
    found = decode(draw("8018\x1d1", "QRCode"), [ScanDataType.QR])
    assert [symbol.text for symbol in found] == ["8018\x1d1"]


def test_second_engine_agrees_with_the_first() -> None:
    for text, symbology in (("4006381333931", "EAN13"), ("SP00000123", "Code128"), ("S1.k7", "QRCode")):
        image = draw(text, symbology)
        first, second = decode(image), by_second_engine(image, parse_formats(["QR", "EAN-13", "CODE-128"]))
        if not second:
            pytest.skip("libzbar0 is not installed")
        assert [(s.kind, s.text) for s in first] == [(s.kind, s.text) for s in second]


def test_two_codes_apart_are_both_read_and_overlapping_ones_that_disagree_are_not() -> None:
    one, two = draw("SP00000001", "Code128", 2), draw("SP00000002", "Code128", 2)
    apart = np.full((700, one.shape[1]), 255, np.uint8)
    apart[50 : 50 + one.shape[0]] = one
    apart[450 : 450 + two.shape[0]] = two
    assert sorted(symbol.text for symbol in decode(apart)) == ["SP00000001", "SP00000002"]
    from drivers.decode import _contradict
    from drivers.symbols import Symbol

    left = Symbol(ScanDataType.EAN_13, "]E0", "1", b"1", (0, 0, 10, 10))
    assert _contradict(left, Symbol(ScanDataType.EAN_13, "]E0", "2", b"2", (5, 5, 20, 20)))
    assert not _contradict(left, Symbol(ScanDataType.EAN_13, "]E0", "2", b"2", (11, 0, 20, 10)))
    assert not _contradict(left, left)


def test_nothing_in_it() -> None:
    assert decode(np.zeros((0, 0), np.uint8)) == []
    assert decode(np.random.default_rng(1).integers(0, 255, (200, 200), np.uint8)) == []


def test_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadDeviceSettings, match=r"EAN-13.*got 'EAN13'"):
        parse_formats(["EAN13"])
    with pytest.raises(BadDeviceSettings, match="at least one"):
        parse_formats([])
