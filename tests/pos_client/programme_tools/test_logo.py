"""The programme's logo: read beside the document, refused with the fix when it cannot be shown and printed."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image, ImageDraw

from loyalty.programme_members import MAX_LOGO_BYTES
from pos_client.cli import main
from pos_client.programme_tools.logo import logo_problem
from pos_client.programme_tools.reading import read_programme
from tests.support.till import PROGRAMME


def logo(width: int = 300, height: int = 120, colour: str = "#7a1020", kind: str = "PNG") -> bytes:
    """A mill of sorts, on a background that lets through what is behind it."""
    picture = Image.new("RGBA", (width, height), (255, 255, 255, 0))
    drawer = ImageDraw.Draw(picture)
    drawer.polygon([(width // 3, height), (width // 2, height // 3), (2 * width // 3, height)], fill=colour)
    for end in ((0.1, 0.05), (0.9, 0.6)):
        drawer.line([(width // 2, height // 3), (width * end[0], height * end[1])], fill=colour, width=height // 12 + 1)
    file = io.BytesIO()
    (picture.convert("RGB") if kind == "JPEG" else picture).save(file, kind)
    return file.getvalue()


def document(folder: Path, name: str = "molen.png") -> Path:
    path = folder / "programme.json"
    path.write_text(json.dumps({**PROGRAMME, "branding": {"logo": name}}), encoding="utf-8")
    return path


def check(path: Path, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["programme", "check", str(path)])
    assert result.exit_code == code, result.output
    return result.output


def test_it_goes_with_the_programme(tmp_path: Path) -> None:
    (tmp_path / "molen.png").write_bytes(logo())
    read = read_programme(str(document(tmp_path)))
    assert base64.b64decode(read.branding.logo_png or "") == logo()
    assert "can be published" in check(document(tmp_path))
    # What was published once is whole without the file.
    (tmp_path / "molen.png").unlink()
    published = tmp_path / "published.json"
    published.write_text(read.model_dump_json(), encoding="utf-8")
    assert read_programme(str(published)) == read


def test_a_programme_without_one_says_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "programme.json"
    path.write_text(json.dumps(PROGRAMME), encoding="utf-8")
    assert "logo_png" not in read_programme(str(path)).model_dump_json()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (logo(577), "expected 48 to 576 pixels by 24 to 240, got 577 by 120: scale it"),
        (logo(300, 23), "got 300 by 23"),
        (logo(kind="JPEG"), "export the logo as PNG"),
        (b"<svg/>", "export the logo as PNG"),
        (logo()[:-200], "expected a whole PNG"),
        (logo() + bytes(MAX_LOGO_BYTES), f"expected at most {MAX_LOGO_BYTES} bytes"),
        (logo(colour="#ffe680"), "use a darker version"),
    ],
    ids=["wide", "low", "jpeg", "svg", "cut", "large", "light"],
)
def test_a_bad_picture_is_refused_with_the_fix(tmp_path: Path, data: bytes, said: str) -> None:
    assert said in str(logo_problem(data))
    (tmp_path / "molen.png").write_bytes(data)
    shown = check(document(tmp_path), code=1).replace("\n", " ")
    assert f"branding.logo: molen.png: {logo_problem(data)}" in shown


def test_no_such_picture_and_no_such_kind(tmp_path: Path) -> None:
    assert "put it beside the document" in check(document(tmp_path), code=1).replace("\n", " ")
    assert "branding.logo" in check(document(tmp_path, "molen.svg"), code=1)
