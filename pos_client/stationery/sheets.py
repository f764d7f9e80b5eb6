"""Sheets of A4 with cards, key tags, labels or coupons. Every bar lies on whole dots of a 300 dpi printer.

Sources: ISO/IEC 7810 (ID-1, 85.60 × 53.98 mm); GS1 General Specifications 5.2.3 (EAN-13 and its quiet zones);
ISO/IEC 15417 4.6 and ISO/IEC 18004 6.3.8 (quiet zones of Code 128 and QR).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from drivers.printing.bars import ean_13, short_code_128

DPI = 300
_POINT = 72 / DPI
"""PDF points in a dot."""
_PAGE = (2480, 3508)
"""A4 in dots, rounded down."""
_INK = "#000000"


class Symbology(StrEnum):
    """What a card's number is drawn as."""

    EAN_13 = "ean-13"
    CODE_128 = "code-128"
    QR = "qr"


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of sheet: the size of a piece, how many across and down, and the white between, in dots."""

    width: int
    height: int
    across: int
    down: int
    gap: int

    @property
    def a_sheet(self) -> int:
        return self.across * self.down


def _dots(mm: float) -> int:
    return round(mm / 25.4 * DPI)


SHAPES = {
    "card": Shape(_dots(85.60), _dots(53.98), 2, 5, _dots(5)),
    # Key tags of the size that hangs on a ring beside keys.
    "tag": Shape(_dots(54.0), _dots(28.0), 3, 9, _dots(3)),
    # 63.5 × 38.1 mm, 21 on a sheet: the commonest labels for office printers.
    "label": Shape(_dots(63.5), _dots(38.1), 3, 7, _dots(2.5)),
    "coupon": Shape(_dots(90.0), _dots(50.0), 2, 5, _dots(5)),
}


@dataclass(frozen=True, slots=True)
class Look:
    """What stands on each piece beside its code: a title, a line below it, the colour of the band as #rrggbb."""

    title: str
    line: str = ""
    colour: str = "#1f4e5f"


def modules_of(text: str, symbology: Symbology) -> list[str]:
    """The rows of modules that `text` is drawn as, "1" for dark; a bar code has one.

    Raises:
        ValueError: the symbology cannot hold it.
    """
    if symbology is Symbology.EAN_13:
        return [ean_13(text)]
    if symbology is Symbology.CODE_128:
        return [short_code_128(text)]
    import segno

    return ["".join("1" if dark else "0" for dark in row) for row in segno.make(text, error="m", micro=False).matrix]


def draw_sheets(
    texts: Sequence[str],
    shape: Shape,
    symbology: Symbology,
    look: Look,
    tell: Callable[[int], None] = lambda drawn: None,
) -> bytes:
    """A PDF with one piece for each of `texts`; `tell` is called with how many are drawn.

    Raises:
        ValueError: a text cannot be drawn, or its code does not fit the piece at a size that scanners read.
    """
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.pdfgen.canvas import Canvas

    for name in ("Vera", "VeraBd"):
        pdfmetrics.registerFont(TTFont(name, f"{name}.ttf"))
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=(_PAGE[0] * _POINT, _PAGE[1] * _POINT), invariant=True)
    canvas.setTitle(look.title)
    canvas.setCreator("Spaarpunt")
    left = (_PAGE[0] - shape.across * shape.width - (shape.across - 1) * shape.gap) // 2
    # A row of ID-1 cards with the same white between as beside them is higher than the sheet.
    gap_down = min(shape.gap, (_PAGE[1] - shape.down * shape.height) // (shape.down + 1))
    top = (_PAGE[1] + shape.down * shape.height + (shape.down - 1) * gap_down) // 2
    for number, text in enumerate(texts):
        place = number % shape.a_sheet
        if number and place == 0:
            canvas.showPage()
        row, column = divmod(place, shape.across)
        x = left + column * (shape.width + shape.gap)
        y = top - shape.height - row * (shape.height + gap_down)
        _Piece(canvas, x, y, shape).draw(text, modules_of(text, symbology), look)
        tell(number + 1)
    canvas.save()
    return file.getvalue()


class _Piece:
    """One card, at dots from the lower left corner of the sheet."""

    def __init__(self, canvas: Any, x: int, y: int, shape: Shape) -> None:
        self._canvas, self._x, self._y, self._shape = canvas, x, y, shape

    def draw(self, text: str, rows: list[str], look: Look) -> None:
        from reportlab.lib.colors import HexColor

        canvas, shape = self._canvas, self._shape
        band = shape.height * 3 // 10
        x, y, width, height = (value * _POINT for value in (self._x, self._y, shape.width, shape.height))
        canvas.saveState()
        outline = canvas.beginPath()
        # ISO/IEC 7810: corners of 3.18 mm.
        outline.roundRect(x, y, width, height, _dots(3.18) * _POINT)
        canvas.clipPath(outline, stroke=0, fill=0)
        canvas.setFillColor(HexColor(look.colour))
        canvas.rect(x, y + (shape.height - band) * _POINT, width, band * _POINT, stroke=0, fill=1)
        canvas.setFillColor(HexColor("#ffffff"))
        middle = self._y + shape.height - band // 2
        self._write(look.title, "VeraBd", band * 36 // 100, middle + (band // 20 if look.line else -band // 8))
        if look.line:
            self._write(look.line, "Vera", band * 20 // 100, middle - band * 3 // 10)
        canvas.restoreState()
        canvas.setStrokeColor(HexColor("#b8b8b8"))
        canvas.setLineWidth(0.4)
        canvas.roundRect(x, y, width, height, _dots(3.18) * _POINT, stroke=1, fill=0)
        canvas.setFillColor(HexColor(_INK))
        self._code(text, rows, shape.height - band)

    def _code(self, text: str, rows: list[str], room: int) -> None:
        size = min(room // 7, _dots(3.6))
        padding = size * 3 // 4
        high = room - size - 3 * padding
        flat = len(rows) == 1
        quiet = 22 if flat else 8
        across = self._shape.width // (len(rows[0]) + quiet)
        module = min(across, 4) if flat else min(across, high // len(rows), 8)
        # Three dots are a quarter of a millimetre, the least that cheap scanners read at arm's length.
        if module < 3:
            raise ValueError(
                f"expected a code of at most {self._shape.width // 3 - quiet} modules across on this piece, "
                f"got {len(rows[0])}: choose a larger piece, or a QR code"
            )
        high = high if flat else module * len(rows)
        x = self._x + (self._shape.width - module * len(rows[0])) // 2
        upper = self._y + room - padding - (0 if flat else (room - size - 3 * padding - high) // 2)
        for number, row in enumerate(rows):
            tall = high if flat else module
            self._row(row, x, upper - (number + 1) * tall, module, tall)
        self._write(text, "Vera", size, self._y + padding)

    def _row(self, row: str, x: int, y: int, module: int, tall: int) -> None:
        start = 0
        for run in row.replace("10", "1 0").replace("01", "0 1").split(" "):
            if run[0] == "1":
                left, wide = (x + start * module) * _POINT, len(run) * module * _POINT
                self._canvas.rect(left, y * _POINT, wide, tall * _POINT, stroke=0, fill=1)
            start += len(run)

    def _write(self, text: str, font: str, dots: int, y: int) -> None:
        """One line in the middle, smaller when it would not fit."""
        from reportlab.pdfbase.pdfmetrics import stringWidth

        size = dots * _POINT
        wide = stringWidth(text, font, size)
        most = (self._shape.width - _dots(6)) * _POINT
        size = size if wide <= most else size * most / wide
        self._canvas.setFont(font, size)
        self._canvas.drawCentredString((self._x + self._shape.width / 2) * _POINT, y * _POINT, text)
