"""AIM identifiers (ISO/IEC 15424) and the kind of symbol they name."""

from __future__ import annotations

import pytest

from drivers.recognition.symbols import Symbol, scan_data_type


@pytest.mark.parametrize(
    ("aim", "kind"),
    [
        ("]E0", "EAN-13"),
        ("]E3", "EAN-13"),
        ("]E4", "EAN-8"),
        ("]C0", "CODE-128"),
        ("]C1", "GS1-128"),
        ("]A0", "CODE-39"),
        ("]F0", "CODABAR"),
        ("]G0", "CODE-93"),
        ("]I0", "ITF"),
        ("]I1", "ITF"),
        ("]e0", "DATABAR"),
        ("]L0", "PDF417"),
        ("]Q1", "QR"),
        ("]Q3", "GS1-QR"),
        ("]d1", "DATA-MATRIX"),
        ("]d2", "GS1-DATA-MATRIX"),
        ("]z0", "AZTEC"),
        ("]M0", "UNKNOWN"),
        ("]y9", "UNKNOWN"),
        (None, "UNKNOWN"),
    ],
)
def test_kinds(aim: str | None, kind: str) -> None:
    assert scan_data_type(aim) == kind


def test_repr_is_masked() -> None:
    assert "2800000000" not in repr(Symbol(scan_data_type("]E0"), "]E0", "2800000000015", b"2800000000015"))
