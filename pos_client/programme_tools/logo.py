"""The programme's logo: the picture beside the document, checked and carried within it."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from loyalty.errors import ProgrammeError
from loyalty.programme import Programme
from loyalty.programme_members import MAX_LOGO_BYTES

WIDTHS, HEIGHTS = range(48, 577), range(24, 241)
"""Pixels, which are dots on paper: 576 are as wide as paper of 80 mm, 240 are 3 cm high."""


def with_logo(programme: Programme, folder: Path) -> Programme:
    """`programme` with the picture that `branding.logo` names, from `folder`; as it is when it names none.

    Raises:
        ProgrammeError: there is no such picture, or it cannot be shown and printed; with the fix.
    """
    name = programme.branding.logo
    if name is None or programme.branding.logo_png is not None:
        return programme
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        told = error.strerror or "cannot be read"
        raise ProgrammeError([f"branding.logo: {folder / name}: {told}: put it beside the document"]) from error
    if problem := logo_problem(data):
        raise ProgrammeError([f"branding.logo: {name}: {problem}"])
    document = programme.model_dump(mode="json")
    document["branding"]["logo_png"] = base64.b64encode(data).decode("ascii")
    return Programme.from_document(document)


def logo_problem(data: bytes) -> str | None:
    """What is wrong with a picture, and the fix; None for one that every screen shows and every printer prints."""
    from PIL import Image, UnidentifiedImageError

    if len(data) > MAX_LOGO_BYTES:
        return (
            f"expected at most {MAX_LOGO_BYTES} bytes, got {len(data)}: save it with fewer colours, or smaller "
            f"({WIDTHS[-1]} pixels wide at the most)"
        )
    try:
        # The size comes from the header: nothing large is unpacked before it is known.
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            width, height = picture.size
            if width not in WIDTHS or height not in HEIGHTS:
                return (
                    f"expected {WIDTHS[0]} to {WIDTHS[-1]} pixels by {HEIGHTS[0]} to {HEIGHTS[-1]}, "
                    f"got {width} by {height}: scale it"
                )
            paper = Image.new("RGBA", picture.size, "white")
            dark = Image.alpha_composite(paper, picture.convert("RGBA")).convert("L").histogram()[:128]
            if sum(dark) * 100 < width * height:
                return "nothing of it is dark enough to print in black and white: use a darker version of it"
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return "expected a whole PNG picture, which every screen and printer takes: export the logo as PNG"
    return None
