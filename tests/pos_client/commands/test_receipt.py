"""`spaarpunt receipt`, beside a running till."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from pos_client.runtime import Runtime
from tests.pos_client.commands.test_inbox import Command, typed
from tests.pos_client.office.conftest import runtime, sell
from tests.support.till import SANNE

__all__ = ["runtime"]


@pytest.fixture
def run(tmp_path: Path) -> Command:
    return typed(tmp_path, 1)


def test_a_receipt_again(runtime: Runtime, run: Command, tmp_path: Path) -> None:
    number = sell(runtime, SANNE.card)
    shown = run("receipt", number).stdout
    assert "*** COPY ***" in shown
    assert "€ 23.40" in shown
    png, html = tmp_path / "a.png", tmp_path / "a.html"
    said = json.loads(
        run("receipt", number, "--png", str(png), "--html", str(html), "--json", "--columns", "32").stdout
    )
    assert said["receipt"] == number
    assert max(map(len, said["text"].splitlines())) == 32
    assert said["files"] == [str(png), str(html)]
    picture = cv2.imread(str(png), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    assert picture.shape[1] == 32 * 12 + 48
    assert number in html.read_text()
    assert f"drawn in {png}" in run("receipt", number, "--png", str(png)).stdout


def test_no_such_receipt(runtime: Runtime, run: Command, tmp_path: Path) -> None:
    assert "no receipt of this till has that number" in run("receipt", SANNE.card, code=1).output.replace("\n", " ")
    number = sell(runtime, SANNE.card)
    out = str(tmp_path / "none" / "a.png")
    assert "cannot be written" in run("receipt", number, "--png", out, code=1).output.replace("\n", " ")
