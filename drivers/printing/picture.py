"""What a printer would put on paper for the bytes that `compose` makes, as a picture: to look at, and to read back.

Source: Epson, ESC/POS Application Programming Guide. Only the commands that python-escpos emits for our parts are
known; any other is an error, so that nothing is left out of the picture silently.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from drivers.printing.bars import ean_13, plain_code_128
from drivers.printing.escpos_job import DOTS_PER_CHARACTER

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

__all__ = ["Picture", "draw"]

Picture = npt.NDArray[np.uint8]

_CHARACTER_DOTS = 24
_LINE_DOTS = 30
"""Epson's line spacing of 1/6 inch at 180 dots an inch."""
_MARGIN = 24
"""White on both sides: the paper is wider than what is printed."""
_MAX_DOTS = 40_000
"""Five metres of paper."""
_DARK, _WHITE = 0, 255
_ASCII = "".join(map(chr, range(128))) + "\N{REPLACEMENT CHARACTER}" * 128
"""A code page: which character each byte is. This one until a stream sets another."""
_INK_FROM = 110
"""Of 255: from where a dot of the drawn letter is printed, for letters as strong as those on thermal paper."""


@dataclass(slots=True)
class _Style:
    bold: bool = False
    wide: int = 1
    tall: int = 1
    align: int = 0


@dataclass(slots=True)
class _Paper:
    dots: int
    code_page: str = _ASCII
    style: _Style = field(default_factory=_Style)
    bar_height: int = 162
    bar_width: int = 3
    strips: list[Picture] = field(default_factory=list)
    line: list[Picture] = field(default_factory=list)

    def put(self, char: str) -> None:
        """Print one character; a full line wraps, as on the printer."""
        style = self.style
        if sum(cell.shape[1] for cell in self.line) + DOTS_PER_CHARACTER * style.wide > self.dots:
            self.feed()
        self.line.append(_cell(char, style.bold, style.wide, style.tall))

    def feed(self) -> None:
        """End the line."""
        height = max((cell.shape[0] for cell in self.line), default=_CHARACTER_DOTS)
        raised = [np.pad(cell, ((height - cell.shape[0], 0), (0, 0)), constant_values=_WHITE) for cell in self.line]
        strip = np.concatenate(raised, axis=1) if raised else np.full((height, 1), _WHITE, np.uint8)
        self.line = []
        self.place(np.pad(strip, ((0, _LINE_DOTS - _CHARACTER_DOTS), (0, 0)), constant_values=_WHITE))

    def place(self, picture: Picture) -> None:
        """Put a picture below what is there, aligned as set."""
        if picture.shape[1] > self.dots:
            raise ValueError(f"expected at most {self.dots} dots across, got {picture.shape[1]}")
        spare = self.dots - picture.shape[1]
        left = (0, spare // 2, spare)[self.style.align] + _MARGIN
        right = self.dots + 2 * _MARGIN - left - picture.shape[1]
        self.strips.append(np.pad(picture, ((0, 0), (left, right)), constant_values=_WHITE))

    def space(self, dots: int) -> None:
        """Leave paper white."""
        self.strips.append(np.full((dots, self.dots + 2 * _MARGIN), _WHITE, np.uint8))

    def bars(self, modules: str, text: str) -> None:
        """A bar code, with its text below."""
        row = np.array([_DARK if module == "1" else _WHITE for module in modules], np.uint8)
        self.place(np.tile(np.repeat(row, self.bar_width), (self.bar_height, 1)))
        self.style = _Style(align=self.style.align)
        for char in text:
            self.put(char)
        self.feed()

    def whole(self) -> Picture:
        """The paper as it came out."""
        if self.line:
            self.feed()
        self.strips.insert(0, np.full((_MARGIN, self.dots + 2 * _MARGIN), _WHITE, np.uint8))
        paper = np.concatenate(self.strips, axis=0)
        if paper.shape[0] > _MAX_DOTS:
            raise ValueError(f"expected a receipt of at most {_MAX_DOTS} dots, got {paper.shape[0]}")
        return paper


def draw(stream: bytes, columns: int = 42, profile: str = "default") -> Picture:
    """Return the receipt that `stream` prints: a grayscale array (h, w) of bytes, one for each dot.

    `columns` are characters of font A across; `profile` is the one that the stream was made with. Raises ValueError for
    a command that `compose` never makes, and for what does not fit the paper.
    """
    paper, pages = _Paper(columns * DOTS_PER_CHARACTER), _code_pages(profile)
    rest = memoryview(stream)
    while rest:
        rest = rest[_step(paper, bytes(rest[:260]), rest, pages) :]
    return paper.whole()


# Commands with one byte that only say what the next ones look like.
_SET = {b"\x1bE", b"\x1ba", b"\x1bt", b"\x1b!", b"\x1dh", b"\x1dw", b"\x1df", b"\x1dH", b"\x1bd"}
# The drawer's kick and the knife leave nothing to be seen: command and how many bytes it has.
_UNSEEN = {b"\x1bp": 5, b"\x1dV": 3}


def _step(paper: _Paper, head: bytes, rest: memoryview, pages: dict[int, str]) -> int:
    """Carry out one command; return how many bytes it had."""
    command = head[:2]
    if command in _SET and len(head) > 2:
        _set(paper, command, head[2], pages)
        return 3
    if command == b"\x1b@":
        paper.style, paper.code_page = _Style(), _ASCII
        return 2
    if command in _UNSEEN:
        return _UNSEEN[command]
    if command == b"\x1dk":
        return _bar_code(paper, head)
    if head[:3] == b"\x1dv0":
        return _raster(paper, rest)
    if head[0] < 0x20 and head[0] != 0x0A:
        raise ValueError(f"expected a command that our receipts use, got {head[:3].hex(' ')}")
    if head[0] == 0x0A:
        paper.feed()
    else:
        paper.put(paper.code_page[head[0]])
    return 1


def _raster(paper: _Paper, rest: memoryview) -> int:
    across, down = int.from_bytes(rest[4:6], "little"), int.from_bytes(rest[6:8], "little")
    rows = np.frombuffer(rest[8 : 8 + across * down], np.uint8)
    if rows.size != across * down:
        raise ValueError(f"expected {across * down} bytes of a picture, got {rows.size}")
    paper.place((_WHITE * (1 - np.unpackbits(rows.reshape(down, across), axis=1))).astype(np.uint8))
    return 8 + across * down


def _set(paper: _Paper, command: bytes, value: int, pages: dict[int, str]) -> None:
    style = paper.style
    match command:
        case b"\x1b!":
            style.bold, style.tall, style.wide = bool(value & 8), 1 + bool(value & 16), 1 + bool(value & 32)
        case b"\x1bE":
            style.bold = bool(value & 1)
        case b"\x1ba":
            style.align = value % 3
        case b"\x1bt":
            if value not in pages:
                raise ValueError(f"expected a code page of this profile, got {value}")
            paper.code_page = pages[value]
        case b"\x1dh":
            paper.bar_height = value
        case b"\x1dw":
            paper.bar_width = value
        case b"\x1bd":
            paper.space(value * _LINE_DOTS)


def _bar_code(paper: _Paper, head: bytes) -> int:
    kind = head[2]
    if kind == 2:
        digits = head[3 : head.index(b"\x00", 3)].decode("ascii")
        paper.bars(ean_13(digits), digits)
        return 3 + len(digits) + 1
    if kind == 73:
        length = head[3]
        text = head[4 : 4 + length].decode("ascii")
        if not text.startswith("{B") or len(text) != length:
            raise ValueError("expected Code 128 that begins in code set B")
        paper.bars(plain_code_128(text[2:]), text[2:])
        return 4 + length
    raise ValueError(f"expected EAN-13 or Code 128, got bar code {kind}")


@functools.cache
def _code_pages(profile: str) -> dict[int, str]:
    from escpos.capabilities import get_profile
    from escpos.codepages import CodePages

    pages: dict[int, str] = {}
    for number, name in get_profile(profile).profile_data["codePages"].items():
        if name == "Unknown":
            continue
        page = CodePages.get_encoding(name)
        if "python_encode" in page:
            upper = bytes(range(128, 256)).decode(page["python_encode"], errors="replace")
        elif "data" in page:
            upper = "".join(page["data"])
        else:
            # python-escpos cannot write this one, so no stream of ours has it.
            continue
        pages[int(number)] = _ASCII[:128] + upper.ljust(128)
    return pages


@functools.cache
def _font(size: int) -> FreeTypeFont:
    from PIL import ImageFont

    # The one font of even width that a library of ours brings along: the same picture on every machine.
    with as_file(files("barcode") / "fonts" / "DejaVuSansMono.ttf") as path:
        return ImageFont.truetype(str(path), size)


@functools.lru_cache(maxsize=1024)
def _cell(char: str, bold: bool, wide: int, tall: int) -> Picture:
    from PIL import Image, ImageDraw

    size: Any = (DOTS_PER_CHARACTER * wide, _CHARACTER_DOTS * tall)
    picture = Image.new("L", (DOTS_PER_CHARACTER * tall, _CHARACTER_DOTS * tall), _WHITE)
    drawer = ImageDraw.Draw(picture)
    for shift in range(1 + bold * tall):
        drawer.text((shift, 19 * tall), char, font=_font(20 * tall), fill=_DARK, anchor="ls")
    cell = np.asarray(picture if picture.size == size else picture.resize(size))
    return np.where(cell < _INK_FROM, _DARK, np.where(cell > 235, _WHITE, cell)).astype(np.uint8)
