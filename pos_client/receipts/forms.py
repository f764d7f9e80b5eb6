"""A receipt's parts as plain text, as a page, as a printer's bytes and as a picture of what those print."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

from drivers.printing.bars import ean_13, plain_code_128
from drivers.printing.escpos_job import Barcode, Cut, Drawing, Part, QrCode, Text, compose
from pos_client.receipts.layout import Columns

_ALIGN = {"left": str.ljust, "center": str.center, "right": str.rjust}
_STYLE = """
body { background: #e9e7e2; margin: 2rem; color: #1a1a1a; font: 15px/1.4 "DejaVu Sans Mono", Consolas, monospace }
main { background: #fff; width: fit-content; margin: auto; padding: 1.5rem; box-shadow: 0 2px 12px #0003 }
pre { margin: 0; font: inherit } .bold { font-weight: bold } .center { text-align: center } .right { text-align: right }
.double { font-size: 200%; line-height: 1.2 } svg, img { display: block; max-width: 100%; margin: .6rem auto }
"""
_BAR_HEIGHT = 60
"""Pixels."""


def as_text(parts: Sequence[Part], columns: Columns) -> str:
    """Plain text of `columns` characters a line; a bar code is its number, a short QR code its text."""
    lines: list[str] = []
    for part in parts:
        match part:
            case Text():
                pad = _ALIGN[part.align]
                lines += [pad(line, columns).rstrip() for line in part.text.removesuffix("\n").split("\n")]
            case Barcode():
                lines.append(part.data.center(columns).rstrip())
            case QrCode() if len(part.data) > columns:
                lines.append("[QR]".center(columns).rstrip())  # nobody types that many characters
            case QrCode():
                lines.append(part.data.center(columns).rstrip())
            case _:
                continue
    return "\n".join(lines) + "\n"


def as_html(parts: Sequence[Part], title: str, language: str) -> str:
    """A whole page, without anything fetched from elsewhere."""
    body = "\n".join(_element(part) for part in parts if not isinstance(part, Cut))
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body><main>\n{body}\n</main></body>\n</html>\n"
    )


def as_png(parts: Sequence[Part], columns: Columns, profile: str = "default") -> bytes:
    """A PNG picture of what the printer prints: drawn from its bytes, not from the parts.

    Raises:
        ValueError: this cannot be printed; BadDeviceSettings: an unknown profile.
    """
    import cv2

    from drivers.printing.picture import draw

    return bytes(cv2.imencode(".png", draw(compose(parts, profile), columns, profile))[1].tobytes())


def _element(part: Part) -> str:
    match part:
        case Text():
            names = " ".join(
                name
                for name, given in (("bold", part.bold), ("double", part.double), (part.align, part.align != "left"))
                if given
            )
            return f'<pre class="{names}">{html.escape(part.text.removesuffix(chr(10)))}</pre>'
        case Barcode():
            modules = ean_13(part.data) if part.symbology == "EAN-13" else plain_code_128(part.data)
            return _bars(modules, part.width) + f'<pre class="center">{html.escape(part.data)}</pre>'
        case QrCode():
            import segno

            drawn: str = segno.make(part.data, error="l", micro=False).svg_inline(scale=part.size)
            return drawn
        case Drawing():
            data = base64.b64encode(part.file).decode("ascii")
            return f'<img alt="" src="data:image/png;base64,{data}">'
        case _:
            return ""


def _bars(modules: str, width: int) -> str:
    """Bars as SVG; each run of dark modules is one rectangle on whole pixels."""
    rects, start = [], 0
    for run in modules.replace("10", "1 0").replace("01", "0 1").split(" "):
        if run[0] == "1":
            rects.append(f'<rect x="{start * width}" width="{len(run) * width}" height="{_BAR_HEIGHT}"/>')
        start += len(run)
    return f'<svg width="{len(modules) * width}" height="{_BAR_HEIGHT}" role="img">{"".join(rects)}</svg>'
