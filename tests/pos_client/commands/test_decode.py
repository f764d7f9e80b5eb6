"""`spaarpunt decode` over real picture files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import zxingcpp
from click.testing import CliRunner, Result

from pos_client.cli import main


def draw(path: Path, text: str, symbology: str) -> Path:
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat[symbology])
    assert cv2.imwrite(str(path), np.asarray(code.to_image(scale=4)))
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["decode", *map(str, arguments)])


def answers(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_one_object_a_line(tmp_path: Path) -> None:
    ean = draw(tmp_path / "ean.png", "4006381333931", "EAN13")
    qr = draw(tmp_path / "qr.jpg", "S1.k7.57600123", "QRCode")
    result = run(ean, qr, "--json")
    assert result.exit_code == 0
    first, second = answers(result)
    assert first["symbols"] == [
        {"symbology": "EAN-13", "aim": "]E0", "text": "4006381333931", "bytes_hex": b"4006381333931".hex()}
    ]
    assert first["file"] == str(ean)
    assert first["ms"] > 0
    assert second["symbols"][0]["text"] == "S1.k7.57600123"


def test_for_people(tmp_path: Path) -> None:
    result = run(draw(tmp_path / "ean.png", "4006381333931", "EAN13"))
    assert result.exit_code == 0
    assert "EAN-13" in result.stdout
    assert "4006381333931" in result.stdout


def test_nothing_in_the_picture(tmp_path: Path) -> None:
    blank = tmp_path / "blank.png"
    cv2.imwrite(str(blank), np.full((200, 200), 200, np.uint8))
    assert answers(run(blank, "--json"))[0]["symbols"] == []
    assert "nothing could be read" in run(blank).stdout


def test_an_unreadable_file_does_not_stop_the_others(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    empty = tmp_path / "empty.png"
    empty.touch()
    good = draw(tmp_path / "ean.png", "4006381333931", "EAN13")
    result = run(text, empty, tmp_path / "missing.png", tmp_path, good, "--json")
    assert result.exit_code == 1
    *bad, last = answers(result)
    assert [answer["symbols"] for answer in bad] == [[]] * 4
    assert [answer["error"] for answer in bad[:2]] == ["not a picture"] * 2
    assert all(answer["error"].startswith("cannot be read") for answer in bad[2:])
    assert len(last["symbols"]) == 1
    assert result.stderr.count("✗") == 4


def test_formats(tmp_path: Path) -> None:
    code39 = draw(tmp_path / "c39.png", "SP-1", "Code39")
    assert answers(run(code39, "--json"))[0]["symbols"] == []
    assert answers(run(code39, "--json", "--formats", "code-39, QR"))[0]["symbols"][0]["text"] == "SP-1"


@pytest.mark.parametrize("formats", ["EAN", "", "QR,PNG"])
def test_an_unknown_format_names_the_known_ones(tmp_path: Path, formats: str) -> None:
    result = run(draw(tmp_path / "ean.png", "4006381333931", "EAN13"), "--formats", formats)
    assert result.exit_code == 2
    assert "expected" in result.stderr
    if formats:
        assert "CODE-128, CODE-39" in result.stderr


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("symbology", ["QRCode", "Code128"])
def test_a_bank_card_number_is_never_printed(tmp_path: Path, symbology: str, as_json: bool) -> None:
    # The test number that card schemes publish; in no shop's own formats.
    result = run(draw(tmp_path / "card.png", "4111111111111111", symbology), *(["--json"] if as_json else []))
    assert result.exit_code == 0
    output = result.stdout + result.stderr
    assert "4111111" not in output
    assert b"4111111".hex() not in output
    assert "bank card" in output or answers(result)[0]["symbols"][0]["refused"] == "payment card"


def test_transparent_is_white(tmp_path: Path) -> None:
    code = np.asarray(zxingcpp.create_barcode("S1.k7", zxingcpp.BarcodeFormat.QRCode).to_image(scale=4))
    # Black everywhere; only where the modules are does it cover.
    picture = np.dstack([np.zeros((*code.shape, 3), np.uint8), 255 - code])
    cv2.imwrite(str(tmp_path / "qr.png"), picture)
    assert answers(run(tmp_path / "qr.png", "--json"))[0]["symbols"][0]["text"] == "S1.k7"
