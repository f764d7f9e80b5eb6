"""`spaarpunt cards print` as a shop types it."""

from __future__ import annotations

import json
from pathlib import Path

import pypdfium2
import pytest

from drivers.decoding.decode import decode
from drivers.events import ScanDataType
from loyalty.codes import read_code
from tests.pos_client.commands.test_inbox import Command, typed
from tests.pos_client.stationery.test_stationery import SCALE
from tests.support.till import EAN_FORMAT, STRIPE_FORMAT

SAMPLE = Path(__file__).parents[3] / "pos_client" / "samples" / "bakery.toml"


@pytest.fixture
def run(tmp_path: Path) -> Command:
    return typed(tmp_path, 1)


def read(file: Path, kind: ScanDataType) -> list[str]:
    sheets = [page.render(scale=SCALE).to_numpy() for page in pypdfium2.PdfDocument(file)]
    return sorted(symbol.text for sheet in sheets for symbol in decode(sheet, (kind,), 5))


def test_cards(run: Command, tmp_path: Path) -> None:
    out = tmp_path / "cards.pdf"
    asked = ("cards", "print", "--format", EAN_FORMAT.name, "--from", "500", "--count", "12", "--out", str(out))
    made = json.loads(run(*asked, "--programme", str(SAMPLE), "--json").stdout)
    numbers = [EAN_FORMAT.number(serial) for serial in range(500, 512)]
    assert (made["count"], made["sheets"], made["code"]) == (12, 2, "ean-13")
    assert (made["first"], made["last"]) == (numbers[0], numbers[-1])
    assert read(out, ScanDataType.EAN_13) == numbers
    assert out.stat().st_mode & 0o077 == 0
    assert "is kept" in run(*asked, code=1).output.replace("\n", " ")


def test_stripes(run: Command, tmp_path: Path) -> None:
    out, stripes = tmp_path / "a.pdf", tmp_path / "a.csv"
    asked = ("cards", "print", "--format", STRIPE_FORMAT.name, "--from", "1", "--count", "2", "--title", "Pas")
    shown = run(*asked, "--out", str(out), "--stripes", str(stripes)).output
    assert "2 on 1 sheets" in shown
    assert [line.split(",")[0] for line in stripes.read_text().splitlines()[1:]] == [
        STRIPE_FORMAT.number(1),
        STRIPE_FORMAT.number(2),
    ]
    assert read(out, ScanDataType.CODE_128) == [STRIPE_FORMAT.number(1), STRIPE_FORMAT.number(2)]


def test_coupons(run: Command, tmp_path: Path) -> None:
    out = tmp_path / "coupons.pdf"
    run("cards", "print", "--coupons", "KX", "--count", "10", "--title", "€ 5 korting", "--out", str(out))
    codes = read(out, ScanDataType.CODE_128)
    assert len(set(codes)) == 10
    assert all(read_code(code) == code and code.startswith("KX") for code in codes)


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        (("--count", "1"), 2, "give --format NAME"),
        (("--count", "1", "--format", "klantenkaart"), 2, "needs --from"),
        (("--count", "1", "--format", "wat", "--from", "1"), 1, "no card format 'wat'"),
        (("--count", "2", "--format", "klantenkaart", "--from", "99999999"), 1, "from 0 to 99999999"),
        (("--count", "1", "--coupons", "0I"), 1, "expected a prefix"),
        (("--count", "1", "--coupons", "KX", "--length", "7"), 1, "expected a length of 8 to 20"),
        (("--count", "20000", "--coupons", "KXAB", "--length", "8"), 1, "could be guessed"),
        (("--count", "1", "--coupons", "KX", "--stripes", "x"), 2, "a coupon has no stripe"),
        (("--count", "1", "--format", "klantenkaart", "--from", "1"), 1, "cannot be written"),
        (("--count", "1", "--format", "spaarpas", "--from", "1", "--code", "ean-13"), 1, "expected 13 digits"),
    ],
)
def test_what_is_wrong(run: Command, tmp_path: Path, asked: tuple[str, ...], code: int, said: str) -> None:
    out = tmp_path / "none" / "x.pdf"
    result = run("cards", "print", *asked, "--out", str(out), code=code)
    assert said in " ".join(result.output.replace("│", "").split())
    assert not out.exists()
