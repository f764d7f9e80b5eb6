"""The programme's colour as the screen may use it: the header and the one button, always readable. Pure."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

LEAST_CONTRAST = 7.0
"""WCAG 2.2, 1.4.6: the primary action is read at arm's length."""
_STEP = 0.01
_WHITE, _INK = (255, 255, 255), (21, 25, 28)

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Brand:
    """A colour and what is written on it, as #rrggbb; at least `LEAST_CONTRAST` apart."""

    colour: str
    on_colour: str


def brand(colour: str) -> Brand:
    """`colour` (#rrggbb) as near to itself as `LEAST_CONTRAST` allows: darker under white, lighter under ink.

    The hue stays: what is corrected is the lightness alone.
    """
    asked = _rgb(colour)
    on = max((_WHITE, _INK), key=lambda text: contrast(asked, text))
    hue, light, saturation = colorsys.rgb_to_hls(*(part / 255 for part in asked))
    while contrast(asked, on) < LEAST_CONTRAST:
        # Ends at black under white and at white under ink, which are 21:1 and 17:1.
        light = max(0.0, light - _STEP) if on == _WHITE else min(1.0, light + _STEP)
        red, green, blue = colorsys.hls_to_rgb(hue, light, saturation)
        asked = (round(red * 255), round(green * 255), round(blue * 255))
    return Brand(_text(asked), _text(on))


def contrast(one: Rgb, other: Rgb) -> float:
    """The contrast of two colours by WCAG 2.2, "contrast ratio": 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Rgb) -> float:
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def _rgb(colour: str) -> Rgb:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _text(colour: Rgb) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)
