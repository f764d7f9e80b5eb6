"""What a receipt is made of, the ESC/POS bytes for it, and what a printer's status bytes mean. Pure.

Sources: Epson, ESC/POS Application Programming Guide: DLE EOT n (real-time status), ESC p (drawer pulse). The commands
themselves are python-escpos's.
"""

from __future__ import annotations

import contextlib
import difflib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal

from drivers.errors import BadDeviceSettings

__all__ = [
    "Barcode",
    "Cut",
    "Drawing",
    "OpenDrawer",
    "Part",
    "PrinterStatus",
    "QrCode",
    "Text",
    "Trouble",
    "compose",
    "read_status",
    "status_request",
    "unknown_profile",
]

# A receipt of 1 000 lines is 4 m of paper: beyond that something is wrong with the caller.
MAX_PARTS = 1000
MAX_TEXT = 10_000
DOTS_PER_CHARACTER = 12
"""Font A of every common receipt printer: 12 by 24 dots."""
# A receipt as a picture: width and height in dots. At 8 dots a millimetre that is 2.5 m of paper.
MAX_DRAWING = (2_000, 20_000)
_QR_SIZES = range(1, 17)


@dataclass(frozen=True, slots=True)
class Text:
    """Lines of text; `\\n` ends one. A character that no code page of the printer has becomes `?`."""

    text: str
    align: Literal["left", "center", "right"] = "left"
    bold: bool = False
    double: bool = False


@dataclass(frozen=True, slots=True)
class Barcode:
    """A one-dimensional code, drawn by the printer, with its text below. `width` is dots a module."""

    data: str
    symbology: Literal["EAN-13", "EAN-8", "CODE-128", "CODE-39", "CODABAR", "ITF"] = "EAN-13"
    width: Literal[2, 3, 4, 5, 6] = 3


@dataclass(frozen=True, slots=True)
class QrCode:
    """A QR code, drawn here and sent as a picture: the same on every printer. `size` is dots a module, 1 to 16."""

    data: str
    size: int = 6


@dataclass(frozen=True, slots=True)
class Cut:
    """Feed to the knife and cut."""


@dataclass(frozen=True, slots=True)
class OpenDrawer:
    """Kick the cash drawer at `pin` 2 or 5 of the printer's socket."""

    pin: Literal[2, 5] = 2


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture, as the bytes of a PNG or JPEG file; what is wider than the paper of `dots` across is made smaller."""

    file: bytes
    dots: int


Part = Text | Barcode | QrCode | Drawing | Cut | OpenDrawer
_BARCODES = {"EAN-13": "EAN13", "EAN-8": "EAN8", "CODE-39": "CODE39", "CODABAR": "NW7", "ITF": "ITF"}


def compose(parts: Sequence[Part], profile: str = "default") -> bytes:
    """Return the bytes that print `parts`. `profile` is a model of python-escpos's list, such as `TM-T88III`.

    Raises BadDeviceSettings for an unknown profile, and ValueError for what cannot be printed.
    """
    # A third of a second: only a till with a printer pays it.
    from escpos.exceptions import Error
    from escpos.printer import Dummy

    if len(parts) > MAX_PARTS:
        raise ValueError(f"expected at most {MAX_PARTS} parts in a receipt, got {len(parts)}")
    try:
        paper = Dummy(profile=profile)
    except KeyError:
        raise unknown_profile(profile) from None
    paper.hw("INIT")
    try:
        # python-escpos prints remarks on standard output, which is for answers.
        with contextlib.redirect_stdout(io.StringIO()):
            for part in parts:
                _print(paper, part)
    except Error as error:
        raise ValueError(f"this cannot be printed: {type(error).__name__}") from None
    return bytes(paper.output)


def unknown_profile(profile: str) -> BadDeviceSettings:
    """The refusal of a model that is not in python-escpos's list, with the name that comes nearest."""
    from escpos.capabilities import CAPABILITIES

    near = difflib.get_close_matches(profile, CAPABILITIES["profiles"], n=1)
    hint = f"the nearest known is {near[0]!r}; else " if near else ""
    return BadDeviceSettings(
        f"expected a printer profile of python-escpos, got {profile!r}", "profile", f'{hint}leave it out for "default"'
    )


def _print(paper: Any, part: Part) -> None:
    match part:
        case Text():
            if len(part.text) > MAX_TEXT:
                raise ValueError(f"expected at most {MAX_TEXT} characters in one text, got {len(part.text)}")
            paper.set(
                align=part.align,
                bold=part.bold,
                double_height=part.double,
                double_width=part.double,
                normal_textsize=not part.double,
            )
            paper.text(part.text)
        case Barcode():
            paper.set(align="center")
            if part.symbology == "CODE-128":
                # Code set B holds all of ASCII that is printed; function B is the one that knows Code 128.
                paper.barcode("{B" + part.data, "CODE128", width=part.width, function_type="B")
            else:
                paper.barcode(part.data, _BARCODES[part.symbology], width=part.width, function_type="A")
        case QrCode():
            if part.size not in _QR_SIZES:
                raise ValueError(f"expected a module size from 1 to 16 dots, got {part.size}")
            paper.set(align="center")
            paper.qr(part.data, size=part.size)
        case Drawing():
            paper.set(align="center")
            paper.image(_black_and_white(part), impl="bitImageRaster")
        case Cut():
            paper.cut()
        case OpenDrawer():
            paper.cashdraw(part.pin)


def _black_and_white(part: Drawing) -> Any:
    """The picture in dots, as tall as its width asks. Grey becomes what is nearer: receipts are text."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(part.file), formats=("PNG", "JPEG")) as picture:
            # Asked before a dot of it is unpacked: a small file can hold a picture of gigabytes.
            wide, tall = picture.size
            if wide > MAX_DRAWING[0] or tall > MAX_DRAWING[1]:
                raise ValueError(
                    f"expected a picture of at most {MAX_DRAWING[0]} by {MAX_DRAWING[1]}, got {wide} by {tall}"
                )
            if picture.mode != "L":
                # What is see-through is paper.
                behind = Image.new("RGBA", picture.size, "white")
                grey = Image.alpha_composite(behind, picture.convert("RGBA")).convert("L")
            else:
                grey = picture.copy()
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ValueError("expected a picture as PNG or JPEG, got something else") from error
    if wide > part.dots:
        grey = grey.resize((part.dots, max(1, round(tall * part.dots / wide))))
    return grey.point(lambda level: 255 * (level > 127)).convert("1")


# The n of DLE EOT n.
_REQUESTS = {"printer": 1, "cause": 2, "paper": 4}
# Bits 0, 1, 4 and 7 of every real-time status byte are fixed: that tells it from anything else on the line.
_FIXED_MASK, _FIXED = 0x93, 0x12


class Trouble(IntEnum):
    """What keeps a printer from printing, the most helpful first."""

    PAPER_OUT = 1
    COVER_OPEN = 2
    ERROR = 3
    OFFLINE = 4


@dataclass(frozen=True, slots=True)
class PrinterStatus:
    """What the printer said of itself. Whether the drawer's pin 3 is high when open depends on the drawer."""

    trouble: Trouble | None
    paper_low: bool
    drawer_pin_high: bool


def status_request(which: Literal["printer", "cause", "paper"]) -> bytes:
    """Return DLE EOT n, which a printer answers with one byte even when it is offline."""
    return bytes([0x10, 0x04, _REQUESTS[which]])


def read_status(printer: bytes, cause: bytes, paper: bytes) -> PrinterStatus | None:
    """Return what three answers say; None when one is missing or is no status byte (its fixed bits are wrong)."""
    if not all(len(answer) == 1 and answer[0] & _FIXED_MASK == _FIXED for answer in (printer, cause, paper)):
        return None
    first, second, third = printer[0], cause[0], paper[0]
    trouble = None
    if third & 0x60 or second & 0x20:
        trouble = Trouble.PAPER_OUT
    elif second & 0x04:
        trouble = Trouble.COVER_OPEN
    elif second & 0x40:
        trouble = Trouble.ERROR
    elif first & 0x08:
        trouble = Trouble.OFFLINE
    return PrinterStatus(trouble, bool(third & 0x0C), bool(first & 0x04))
