"""The dark and light modules of bar codes, by python-barcode: for receipts as pictures and for cards on paper. Pure."""

from __future__ import annotations

from barcode.charsets import code128
from barcode.codex import Code128
from barcode.ean import EuropeanArticleNumber13
from barcode.errors import BarcodeError

__all__ = ["ean_13", "plain_code_128", "short_code_128"]


def ean_13(digits: str) -> str:
    """The 95 modules of EAN-13 (ISO/IEC 15420), "1" for dark, of 13 digits. Raises ValueError."""
    if len(digits) != 13 or not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"expected 13 digits for EAN-13, got {len(digits)} characters")
    drawn = EuropeanArticleNumber13(digits)
    if drawn.get_fullcode() != digits:
        raise ValueError("expected 13 digits that end in their check digit, got another one")
    # Upper-case G marks bars that reach into the text in some drawings; here a bar is a bar.
    return str(drawn.build()[0]).replace("G", "1")


def plain_code_128(text: str) -> str:
    """The modules of Code 128 (ISO/IEC 15417) in code set B throughout, as a receipt printer draws it for `{B`.

    Raises ValueError for a character that code set B has not.
    """
    if not text or any(char not in code128.B or ord(char) > 126 for char in text):
        raise ValueError("expected printed ASCII characters for Code 128, got none or others")
    return _drawn([code128.START_CODES["B"], *(code128.B[char] for char in text)])


def _drawn(values: list[int]) -> str:
    """The modules of these values, the start's first, with check character and stop (ISO/IEC 15417, 4.3)."""
    check = (values[0] + sum(place * value for place, value in enumerate(values[1:], 1))) % 103
    return "".join(code128.CODES[value] for value in (*values, check)) + str(code128.STOP) + "11"


def short_code_128(text: str) -> str:
    """The modules of Code 128 with pairs of digits in code set C, where that is shorter. Raises as `plain_code_128`."""
    plain_code_128(text)
    if text.startswith("99") and text.isdigit():
        # python-barcode takes these two digits for the change to code set C, and leaves them out.
        even = len(text) // 2 * 2
        pairs = [int(text[place : place + 2]) for place in range(0, even, 2)]
        # Value 100 in code set C is the change to B.
        last = [100, code128.B[text[-1]]] if even != len(text) else []
        return _drawn([code128.START_CODES["C"], *pairs, *last])
    try:
        return str(Code128(text).build()[0])
    except BarcodeError as error:
        raise ValueError("this cannot be drawn as Code 128") from error
