"""Labels with codes, and things that look like codes and are none, drawn for the hard set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import segno
import zxingcpp
from barcode.ean import EAN13
from numpy.random import Generator
from numpy.typing import NDArray

Gray = NDArray[np.uint8]

MODULE = 6
"""Pixels per module of the drawing, before it is photographed."""


def pick(chance: Generator, choices: tuple[Any, ...]) -> Any:
    """Return one of `choices`."""
    return choices[int(chance.integers(len(choices)))]


def _digits(chance: Generator, count: int) -> str:
    return "".join(map(str, chance.integers(0, 10, count)))


def ean_text(chance: Generator) -> str:
    """Return a random EAN-13 with its check digit."""
    return str(EAN13(_digits(chance, 12)).get_fullcode())


def _qr_label(chance: Generator) -> tuple[str, Gray]:
    shapes = (
        lambda: f"S1.k{_digits(chance, 1)}.{_digits(chance, 10)}.{_digits(chance, 8)}",
        lambda: f"https://example.com/8018/{_digits(chance, 18)}?t={_digits(chance, 6)}",
        lambda: f"BEGIN:VCARD VERSION:3.0 N:{_digits(chance, 20)} ORG:{_digits(chance, 40)} END:VCARD",
        lambda: _digits(chance, int(chance.integers(8, 40))),
    )
    text = pick(chance, shapes)()
    code = segno.make(text, error=pick(chance, ("l", "m", "q", "h")), micro=False, boost_error=False)
    matrix = np.array([list(row) for row in code.matrix_iter(border=int(chance.integers(2, 5)))], np.uint8)
    return text, _enlarge(255 - matrix * 255)


def _bars(pattern: str, chance: Generator, caption: str) -> Gray:
    """Draw modules (`1` is a bar) with quiet zones, and the text below them as shops print it."""
    quiet = int(chance.integers(7, 14))
    line = np.array([255] * quiet + [0 if char == "1" else 255 for char in pattern] + [255] * quiet, np.uint8)
    high = int(chance.integers(22, 60)) * MODULE
    drawn = np.vstack(
        [np.tile(np.repeat(line, MODULE), (high, 1)), np.full((11 * MODULE, line.size * MODULE), 255, np.uint8)]
    )
    drawn = np.vstack([np.full((2 * MODULE, drawn.shape[1]), 255, np.uint8), drawn])
    size = drawn.shape[1] / (26.0 * max(len(caption), 8))
    cv2.putText(drawn, caption, (quiet * MODULE, drawn.shape[0] - 2 * MODULE), cv2.FONT_HERSHEY_SIMPLEX, size, 0, 3)
    return np.asarray(drawn, np.uint8)


def _ean_label(chance: Generator) -> tuple[str, Gray]:
    text = ean_text(chance)
    return text, _bars(EAN13(text).build()[0].replace("G", "1"), chance, text)


def _code128_label(chance: Generator) -> tuple[str, Gray]:
    text = pick(
        chance,
        (
            lambda: f"SP{_digits(chance, 8)}",
            lambda: _digits(chance, int(chance.integers(6, 18))),
            lambda: "".join(
                pick(chance, tuple("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789-")) for _ in range(chance.integers(5, 14))
            ),
        ),
    )()
    return text, _bars(_code128_modules(text), chance, text)


def _code128_modules(text: str) -> str:
    # Not python-barcode: 0.16 leaves the pair 99 at the start of a number out.
    line = np.asarray(zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.Code128).to_image(scale=1))[0]
    return "".join("0" if level else "1" for level in line).strip("0")


LABELS: dict[str, Callable[[Generator], tuple[str, Gray]]] = {
    "QR": _qr_label,
    "EAN-13": _ean_label,
    "CODE-128": _code128_label,
}


def _enlarge(modules: Gray) -> Gray:
    return np.asarray(np.kron(modules, np.ones((MODULE, MODULE), np.uint8)), np.uint8)


# What looks like a code and is none.


def _text_block(chance: Generator) -> Gray:
    page = np.full((500, 800), 245, np.uint8)
    for row in range(30, 490, int(chance.integers(22, 48))):
        line = "".join(pick(chance, tuple("abcdefghilmnoprstuvI|l1 ")) for _ in range(60))
        cv2.putText(
            page,
            line,
            (5, row),
            cv2.FONT_HERSHEY_PLAIN,
            float(chance.uniform(0.9, 2.2)),
            20,
            int(chance.integers(1, 4)),
        )
    return page


def _stripes(chance: Generator) -> Gray:
    widths = chance.integers(1, 5, 90) * MODULE if chance.random() < 0.6 else np.full(90, 2 * MODULE)
    line = np.concatenate([np.full(int(width), 255 * (place % 2), np.uint8) for place, width in enumerate(widths)])
    return np.asarray(np.pad(np.tile(line[:1200], (300, 1)), 60, constant_values=255), np.uint8)


def _wrong_check_digit(chance: Generator) -> Gray:
    text = ean_text(chance)
    pattern = EAN13(text).build()[0].replace("G", "1")
    # The last digit's seven modules, replaced: the check digit no longer fits, unless it happens to be the same one.
    digits = [place for place in range(10) if EAN13(f"{place:012d}").build()[0][85:92] != pattern[85:92]]
    wrong = EAN13(f"{pick(chance, tuple(digits)):012d}").build()[0].replace("G", "1")[85:92]
    return _bars(pattern[:85] + wrong + pattern[92:], chance, text)


def _half_code(chance: Generator) -> Gray:
    _, label = LABELS[pick(chance, ("EAN-13", "CODE-128"))](chance)
    gone = label.shape[1] * chance.uniform(0.3, 0.6)
    label[:, -int(gone) :] = int(chance.integers(0, 255))
    return label


def _half_qr(chance: Generator) -> Gray:
    _, label = _qr_label(chance)
    label[int(label.shape[0] * chance.uniform(0.35, 0.6)) :] = 255
    return label


def _random_modules(chance: Generator) -> Gray:
    size = int(chance.integers(21, 45))
    modules = chance.integers(0, 2, (size, size)).astype(np.uint8)
    finder = np.zeros((8, 8), np.uint8)
    finder[:7, :7] = 1
    finder[1:6, 1:6] = 0
    finder[2:5, 2:5] = 1
    modules[:8, :8], modules[:8, -8:], modules[-8:, :8] = finder, finder[:, ::-1], finder[::-1]
    return _enlarge(np.pad(255 - modules * 255, 4, constant_values=255).astype(np.uint8))


def _other_symbology(chance: Generator) -> Gray:
    kind, text = pick(
        chance,
        (
            (zxingcpp.BarcodeFormat.Code39, f"A{_digits(chance, 8)}"),
            (zxingcpp.BarcodeFormat.ITF, _digits(chance, 14)),
            (zxingcpp.BarcodeFormat.Codabar, f"A{_digits(chance, 10)}B"),
            (zxingcpp.BarcodeFormat.Code93, f"A{_digits(chance, 8)}"),
            (zxingcpp.BarcodeFormat.PDF417, _digits(chance, 30)),
            (zxingcpp.BarcodeFormat.DataMatrix, _digits(chance, 30)),
        ),
    )
    return np.array(zxingcpp.create_barcode(text, kind).to_image(scale=4), np.uint8)


NEAR_CODES: dict[str, Callable[[Generator], Gray]] = {
    "text": _text_block,
    "stripes": _stripes,
    "wrong check digit": _wrong_check_digit,
    "half a bar code": _half_code,
    "half a QR code": _half_qr,
    "random modules": _random_modules,
    "another symbology": _other_symbology,
}
