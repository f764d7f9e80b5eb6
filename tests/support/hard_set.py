"""Pictures of codes that are hard to read, made from a seed: what is printed, bent, lit, covered, and photographed badly.

Two parts that share no seed: `work`, to tune on, and `held_out`, for the published figure alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import segno
import zxingcpp
from barcode.codex import Code128
from barcode.ean import EAN13
from numpy.random import Generator
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Part = Literal["work", "held_out"]
KINDS = ("QR", "EAN-13", "CODE-128")
NOTHING = "NOTHING"
"""The kind of a picture with no readable code of `KINDS` in it."""

FRAMES = ((640, 480), (800, 600), (1024, 768), (1280, 720))
_MODULE = 6
"""Pixels per module of the drawing, before it is photographed."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture: `text` is what the code of `kind` says, None where nothing may be read; `trouble` is what ails it."""

    name: str
    kind: str
    text: str | None
    trouble: str
    image: Gray


def samples(part: Part, kind: str, count: int) -> Iterator[Sample]:
    """Yield the first `count` pictures of one kind (`KINDS` or `NOTHING`) of one part; the same ones each time."""
    for number in range(count):
        yield sample(part, kind, number)


def sample(part: Part, kind: str, number: int) -> Sample:
    """Return picture `number` of one kind of one part."""
    name = f"{part}/{kind}/{number:04d}"
    chance = np.random.default_rng(zlib.crc32(name.encode()))
    if kind == NOTHING:
        trouble = _pick(chance, tuple(_NEAR_CODES))
        return Sample(name, kind, None, trouble, _photograph(chance, _NEAR_CODES[trouble](chance), "plain", kind))
    trouble = _pick(chance, tuple(_TROUBLES))
    text, label = _LABELS[kind](chance)
    return Sample(name, kind, text, trouble, _photograph(chance, label, trouble, kind))


def _pick(chance: Generator, choices: tuple[Any, ...]) -> Any:
    return choices[int(chance.integers(len(choices)))]


# What is printed.


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
    text = _pick(chance, shapes)()
    code = segno.make(text, error=_pick(chance, ("l", "m", "q", "h")), micro=False, boost_error=False)
    matrix = np.array([list(row) for row in code.matrix_iter(border=int(chance.integers(2, 5)))], np.uint8)
    return text, _enlarge(255 - matrix * 255)


def _bars(pattern: str, chance: Generator, caption: str) -> Gray:
    """Draw modules (`1` is a bar) with quiet zones, and the text below them as shops print it."""
    quiet = int(chance.integers(7, 14))
    line = np.array([255] * quiet + [0 if char == "1" else 255 for char in pattern] + [255] * quiet, np.uint8)
    high = int(chance.integers(22, 60)) * _MODULE
    drawn = np.vstack(
        [np.tile(np.repeat(line, _MODULE), (high, 1)), np.full((11 * _MODULE, line.size * _MODULE), 255, np.uint8)]
    )
    drawn = np.vstack([np.full((2 * _MODULE, drawn.shape[1]), 255, np.uint8), drawn])
    size = drawn.shape[1] / (26.0 * max(len(caption), 8))
    cv2.putText(drawn, caption, (quiet * _MODULE, drawn.shape[0] - 2 * _MODULE), cv2.FONT_HERSHEY_SIMPLEX, size, 0, 3)
    return np.asarray(drawn, np.uint8)


def _ean_label(chance: Generator) -> tuple[str, Gray]:
    text = ean_text(chance)
    return text, _bars(EAN13(text).build()[0].replace("G", "1"), chance, text)


def _code128_label(chance: Generator) -> tuple[str, Gray]:
    text = _pick(
        chance,
        (
            lambda: f"SP{_digits(chance, 8)}",
            lambda: _digits(chance, int(chance.integers(6, 18))),
            lambda: "".join(
                _pick(chance, tuple("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789-")) for _ in range(chance.integers(5, 14))
            ),
        ),
    )()
    return text, _bars(Code128(text).build()[0], chance, text)


_LABELS: dict[str, Callable[[Generator], tuple[str, Gray]]] = {
    "QR": _qr_label,
    "EAN-13": _ean_label,
    "CODE-128": _code128_label,
}


def _enlarge(modules: Gray) -> Gray:
    return np.asarray(np.kron(modules, np.ones((_MODULE, _MODULE), np.uint8)), np.uint8)


# What looks like a code and is none.


def _text_block(chance: Generator) -> Gray:
    page = np.full((500, 800), 245, np.uint8)
    for row in range(30, 490, int(chance.integers(22, 48))):
        line = "".join(_pick(chance, tuple("abcdefghilmnoprstuvI|l1 ")) for _ in range(60))
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
    widths = chance.integers(1, 5, 90) * _MODULE if chance.random() < 0.6 else np.full(90, 2 * _MODULE)
    line = np.concatenate([np.full(int(width), 255 * (place % 2), np.uint8) for place, width in enumerate(widths)])
    return np.asarray(np.pad(np.tile(line[:1200], (300, 1)), 60, constant_values=255), np.uint8)


def _wrong_check_digit(chance: Generator) -> Gray:
    text = ean_text(chance)
    pattern = EAN13(text).build()[0].replace("G", "1")
    other = EAN13(ean_text(chance)).build()[0].replace("G", "1")
    # The last digit's seven modules, replaced: the check digit no longer fits, unless it happens to be the same one.
    digits = [place for place in range(10) if EAN13(f"{place:012d}").build()[0][85:92] != pattern[85:92]]
    wrong = EAN13(f"{_pick(chance, tuple(digits)):012d}").build()[0].replace("G", "1")[85:92]
    del other
    return _bars(pattern[:85] + wrong + pattern[92:], chance, text)


def _half_code(chance: Generator) -> Gray:
    _, label = _LABELS[_pick(chance, ("EAN-13", "CODE-128"))](chance)
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
    kind, text = _pick(
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


_NEAR_CODES: dict[str, Callable[[Generator], Gray]] = {
    "text": _text_block,
    "stripes": _stripes,
    "wrong check digit": _wrong_check_digit,
    "half a bar code": _half_code,
    "half a QR code": _half_qr,
    "random modules": _random_modules,
    "another symbology": _other_symbology,
}


# How it is photographed.


@dataclass(slots=True)
class _Shot:
    """How badly: radii and amounts in pixels of the frame, except `defocus`, in modules."""

    fill: float = 0.0
    turn: float = 0.0
    tilt: float = 0.0
    defocus: float = 0.0
    motion: float = 0.0
    noise: float = 3.0
    jpeg: int = 85
    black: float = 30.0
    white: float = 225.0
    shade: float = 0.25
    glare: bool = False
    bend: float = 0.0
    moire: bool = False
    finger: bool = False


def _photograph(chance: Generator, label: Gray, trouble: str, kind: str) -> Gray:
    shot = _Shot(
        fill=chance.uniform(0.35, 0.75),
        turn=chance.normal(0, 6),
        tilt=chance.uniform(0, 0.12),
        defocus=abs(chance.normal(0, 0.15)),
        noise=chance.uniform(1, 5),
        jpeg=int(chance.integers(60, 95)),
        black=chance.uniform(15, 70),
        white=chance.uniform(180, 245),
        shade=chance.uniform(0, 0.35),
    )
    if chance.random() < 0.25:
        shot.turn += float(_pick(chance, (90, 180, 270)))
    _TROUBLES.get(trouble, lambda _shot, _chance, _kind: None)(shot, chance, kind)
    width, height = _pick(chance, FRAMES)
    if shot.bend:
        label = _bent(label, shot.bend)
    if shot.finger:
        label = _covered(label, chance, kind)
    if shot.moire:
        label = _on_a_screen(label, chance)
    scene = _background(chance, width, height)
    module = _place(scene, label, shot, chance)
    picture = scene.astype(np.float32)
    picture = shot.black + picture * ((shot.white - shot.black) / 255)
    across, down = np.meshgrid(np.linspace(-0.5, 0.5, width), np.linspace(-0.5, 0.5, height))
    angle = chance.uniform(0, 2 * np.pi)
    picture *= (1 - shot.shade * (0.5 + np.cos(angle) * across + np.sin(angle) * down)).astype(np.float32)
    if shot.glare:
        _glare(picture, chance)
    if shot.defocus:
        picture = _defocused(picture, shot.defocus * module)
    if shot.motion:
        picture = _moved(picture, shot.motion * module, chance)
    if shot.moire:
        picture = _colour_stripes(picture, chance)
    picture += chance.normal(0, shot.noise, picture.shape)
    done = np.clip(picture, 0, 255).astype(np.uint8)
    _, packed = cv2.imencode(".jpg", done, [cv2.IMWRITE_JPEG_QUALITY, shot.jpeg])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)


def _turned(shot: _Shot, chance: Generator, kind: str) -> None:
    shot.turn += chance.uniform(15, 75) * _pick(chance, (-1, 1))


def _tilted(shot: _Shot, chance: Generator, kind: str) -> None:
    shot.tilt = chance.uniform(0.25, 0.5)


def _out_of_focus(shot: _Shot, chance: Generator, kind: str) -> None:
    shot.defocus = chance.uniform(0.7, 1.6)


def _shaken(shot: _Shot, chance: Generator, kind: str) -> None:
    shot.motion = chance.uniform(1.0, 2.6)


def _noisy(shot: _Shot, chance: Generator, kind: str) -> None:
    shot.noise, shot.white, shot.black = chance.uniform(12, 32), chance.uniform(120, 180), chance.uniform(30, 60)


def _squeezed(shot: _Shot, chance: Generator, kind: str) -> None:
    shot.jpeg, shot.fill = int(chance.integers(5, 18)), chance.uniform(0.22, 0.45)


def _glaring(shot: _Shot, chance: Generator, kind: str) -> None:
    shot.glare = True


def _curved(shot: _Shot, chance: Generator, kind: str) -> None:
    shot.bend = chance.uniform(0.7, 1.25)


def _faint(shot: _Shot, chance: Generator, kind: str) -> None:
    shot.black = chance.uniform(90, 150)
    shot.white = shot.black + chance.uniform(14, 40)


def _under_a_finger(shot: _Shot, chance: Generator, kind: str) -> None:
    shot.finger = True


def _phone(shot: _Shot, chance: Generator, kind: str) -> None:
    shot.moire = True
    shot.glare = chance.random() < 0.4


def _small(shot: _Shot, chance: Generator, kind: str) -> None:
    shot.fill = chance.uniform(0.07, 0.13) if kind == "QR" else chance.uniform(0.13, 0.24)


def _far_and_soft(shot: _Shot, chance: Generator, kind: str) -> None:
    _small(shot, chance, kind)
    shot.fill *= 1.5
    shot.defocus = chance.uniform(0.4, 0.9)


_TROUBLES: dict[str, Callable[[_Shot, Generator, str], None]] = {
    "turned": _turned,
    "tilted": _tilted,
    "out of focus": _out_of_focus,
    "shaken": _shaken,
    "noisy": _noisy,
    "squeezed": _squeezed,
    "glare": _glaring,
    "curved": _curved,
    "faint": _faint,
    "under a finger": _under_a_finger,
    "phone": _phone,
    "small": _small,
    "far and soft": _far_and_soft,
}


def _background(chance: Generator, width: int, height: int) -> Gray:
    """Return a table, a shelf or a package: soft blotches, then text, boxes or stripes."""
    coarse = chance.uniform(60, 240, (6, 8)).astype(np.float32)
    scene = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255), np.uint8)
    for _ in range(int(chance.integers(0, 14))):
        place = (int(chance.integers(0, width)), int(chance.integers(0, height)))
        shade = int(chance.integers(0, 256))
        style = chance.random()
        if style < 0.5:
            word = "".join(_pick(chance, tuple("ABCDEHILMNORST abceilmnort0123456789")) for _ in range(14))
            cv2.putText(
                scene,
                word,
                place,
                cv2.FONT_HERSHEY_DUPLEX,
                float(chance.uniform(0.4, 2)),
                shade,
                int(chance.integers(1, 4)),
            )
        elif style < 0.8:
            end = (place[0] + int(chance.integers(20, 300)), place[1] + int(chance.integers(20, 200)))
            cv2.rectangle(scene, place, end, shade, -1)
        else:
            step = int(chance.integers(4, 18))
            for offset in range(0, int(chance.integers(60, 250)), step):
                cv2.line(
                    scene, (place[0] + offset, place[1]), (place[0] + offset, place[1] + 90), shade, max(1, step // 3)
                )
    return scene


def _place(scene: Gray, label: Gray, shot: _Shot, chance: Generator) -> float:
    """Put `label` into `scene`, turned and tilted; return how many pixels a module takes there."""
    height, width = scene.shape
    rows, columns = label.shape
    scale = min(shot.fill * width / columns, 0.95 * height / rows)
    angle = np.deg2rad(shot.turn)
    corners = np.array([[-columns, -rows], [columns, -rows], [columns, rows], [-columns, rows]], float) / 2 * scale
    lean = np.deg2rad(chance.uniform(0, 360))
    # Seen from a point, not from infinity: what leans away shrinks.
    depth = 1 + shot.tilt * (corners @ [np.cos(lean), np.sin(lean)]) / (np.abs(corners).max())
    corners = corners / depth[:, None]
    corners = corners @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    low, high = corners.min(axis=0), corners.max(axis=0)
    shrink = min(1.0, 0.97 * width / (high[0] - low[0]), 0.97 * height / (high[1] - low[1]))
    corners, low, high = corners * shrink, low * shrink, high * shrink
    room = np.array([width, height]) - (high - low)
    corners = corners - low + chance.uniform(0, 1, 2) * room
    source = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
    warp = cv2.getPerspectiveTransform(source, corners.astype(np.float32))
    # Shrinking by sampling alone would alias: the lens and the sensor average.
    final = scale * shrink
    if final < 0.7:
        label = np.asarray(cv2.GaussianBlur(label, (0, 0), 0.35 / final), np.uint8)
    drawn = cv2.warpPerspective(label, warp, (width, height), flags=cv2.INTER_LINEAR)
    cover = cv2.warpPerspective(np.full(label.shape, 255, np.uint8), warp, (width, height))
    np.copyto(scene, drawn, where=cover > 127)
    return float(final * _MODULE)


def _bent(label: Gray, bend: float) -> Gray:
    """Wrap the label around a bottle whose axis stands upright; `bend` is half the angle it takes, in radians."""
    rows, columns = label.shape
    place = np.linspace(-np.sin(bend), np.sin(bend), columns)
    across = (np.arcsin(place) / bend + 1) / 2 * (columns - 1)
    sag = (np.cos(np.arcsin(place)) - np.cos(bend)) * columns * 0.06
    grid_x = np.tile(across.astype(np.float32), (rows, 1))
    grid_y = (np.arange(rows)[:, None] - sag[None, :]).astype(np.float32)
    return np.asarray(cv2.remap(label, grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _covered(label: Gray, chance: Generator, kind: str) -> Gray:
    """Lay a fingertip over a corner: of a QR code beside its finder patterns, of bars over part of their height."""
    rows, columns = label.shape
    skin = int(chance.integers(90, 190))
    radius = int(min(rows, columns) * (chance.uniform(0.12, 0.22) if kind == "QR" else chance.uniform(0.3, 0.6)))
    corner = (columns, rows) if kind == "QR" else _pick(chance, ((0, 0), (columns, 0), (0, rows), (columns, rows)))
    return np.asarray(cv2.circle(label.copy(), corner, radius, skin, -1), np.uint8)


def _on_a_screen(label: Gray, chance: Generator) -> Gray:
    """Draw the label out of a screen's pixels, with the dark gaps between them."""
    pitch = int(chance.integers(3, 6))
    grid = np.ones(label.shape, np.float32)
    grid[::pitch] *= chance.uniform(0.4, 0.8)
    grid[:, ::pitch] *= chance.uniform(0.4, 0.8)
    return np.asarray(label * grid, np.uint8)


def _colour_stripes(picture: NDArray[np.float32], chance: Generator) -> NDArray[np.float32]:
    """Beat the screen's grid against the sensor's: two slanted waves of a few pixels."""
    height, width = picture.shape
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    for _ in range(2):
        angle, length = chance.uniform(0, np.pi), chance.uniform(3, 14)
        wave = np.sin((np.cos(angle) * across + np.sin(angle) * down) * 2 * np.pi / length + chance.uniform(0, 6))
        picture = picture * (1 + chance.uniform(0.05, 0.16) * wave).astype(np.float32)
    return picture


def _glare(picture: NDArray[np.float32], chance: Generator) -> None:
    """Let a lamp shine back: a soft ellipse near the middle, white in its heart."""
    height, width = picture.shape
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    middle = (width * chance.uniform(0.3, 0.7), height * chance.uniform(0.3, 0.7))
    radii = width * chance.uniform(0.05, 0.18), height * chance.uniform(0.08, 0.3)
    distance = ((across - middle[0]) / radii[0]) ** 2 + ((down - middle[1]) / radii[1]) ** 2
    picture += (chance.uniform(120, 260) * np.exp(-distance)).astype(np.float32)


def _defocused(picture: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    size = 2 * int(np.ceil(radius)) + 1
    across, down = np.meshgrid(*[np.arange(size) - size // 2] * 2)
    disk = np.clip(radius + 0.5 - np.hypot(across, down), 0, 1).astype(np.float32)
    if disk.sum() <= 0:
        return picture
    return np.asarray(cv2.filter2D(picture, -1, disk / disk.sum()), np.float32)


def _moved(picture: NDArray[np.float32], length: float, chance: Generator) -> NDArray[np.float32]:
    size = 2 * int(np.ceil(length / 2)) + 1
    line = np.zeros((size, size), np.float32)
    angle = chance.uniform(0, np.pi)
    for step in np.linspace(-length / 2, length / 2, 4 * size):
        across, down = step * np.cos(angle) + size // 2, step * np.sin(angle) + size // 2
        line[int(round(down)), int(round(across))] += 1
    return np.asarray(cv2.filter2D(picture, -1, line / line.sum()), np.float32)
