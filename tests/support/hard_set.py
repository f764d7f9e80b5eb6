"""Pictures of codes that are hard to read, made from a seed: bent, badly lit, covered, and badly photographed labels.

Two parts that share no seed: `work`, to tune on, and `held_out`, for the published figure alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tests.support.labels import LABELS, MODULE, NEAR_CODES, Gray, pick

Part = Literal["work", "held_out"]
KINDS = ("QR", "EAN-13", "CODE-128")
NOTHING = "NOTHING"
"""The kind of a picture with no readable code of `KINDS` in it."""

FRAMES = ((640, 480), (800, 600), (1024, 768), (1280, 720))


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture: `text` is what its code of `kind` says, None where nothing may be read; `trouble` what ails it."""

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
        trouble = pick(chance, tuple(NEAR_CODES))
        return Sample(name, kind, None, trouble, _photograph(chance, NEAR_CODES[trouble](chance), "plain", kind))
    trouble = pick(chance, tuple(_TROUBLES))
    text, label = LABELS[kind](chance)
    return Sample(name, kind, text, trouble, _photograph(chance, label, trouble, kind))


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
        shot.turn += float(pick(chance, (90, 180, 270)))
    if trouble in _TROUBLES:
        _TROUBLES[trouble](shot, chance, kind)
    width, height = pick(chance, FRAMES)
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
    shot.turn += chance.uniform(15, 75) * pick(chance, (-1, 1))


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
            word = "".join(pick(chance, tuple("ABCDEHILMNORST abceilmnort0123456789")) for _ in range(14))
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
    return float(final * MODULE)


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
    corner = (columns, rows) if kind == "QR" else pick(chance, ((0, 0), (columns, 0), (0, rows), (columns, rows)))
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
        line[round(float(down)), round(float(across))] += 1
    return np.asarray(cv2.filter2D(picture, -1, line / line.sum()), np.float32)
