"""`spaarpunt programme` as a shop owner uses it: files in, sentences or JSON out, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pos_client.cli import main
from pos_client.samples import SAMPLES, sample

BASKET = {"lines": [{"line_id": "1", "sku": "TAART", "category": "taart", "gross_minor": 2340}]}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["programme", *arguments])


def answer(*arguments: str) -> Any:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def basket(tmp_path: Path) -> str:
    file = tmp_path / "basket.json"
    file.write_text(json.dumps(BASKET), encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("name", SAMPLES)
def test_check_is_content_with_the_samples(name: str, tmp_path: Path) -> None:
    file = tmp_path / "shop.toml"
    file.write_text(sample(name), encoding="utf-8")
    assert answer("check", str(file)) == {
        "file": str(file),
        "ok": True,
        "errors": [],
        "warnings": [],
        "programme": answer("try", "--programme", name, "--basket", json.dumps(BASKET))["programme"],
        "programme_version": 1,
    }
    assert "can be published" in run("check", str(file)).stdout


def test_check_names_every_error_with_its_path_and_fix(tmp_path: Path) -> None:
    file = tmp_path / "shop.toml"
    text = sample("bakery").replace("points = 1\n", "point = 1\n").replace("cost_points = 250", "cost_points = -1")
    file.write_text(text, encoding="utf-8")
    done = run("check", str(file), "--json")
    assert done.exit_code == 1
    problems = json.loads(done.stdout)["errors"]
    assert any(problem.startswith("earn.0.point:") and "did you mean 'points'?" in problem for problem in problems)
    assert any(problem.startswith("earn.0.points:") for problem in problems)
    assert any(problem.startswith("rewards.0.cost_points:") for problem in problems)
    assert run("check", str(file)).exit_code == 1


def test_check_warns_and_stays_at_exit_code_0(tmp_path: Path) -> None:
    file = tmp_path / "shop.toml"
    file.write_text(sample("bakery").replace("cost_points = 250", "cost_points = 1"), encoding="utf-8")
    data = answer("check", str(file))
    assert [warning["code"] for warning in data["warnings"]] == ["pays_for_itself"]
    # What it names can be tried as it stands.
    (warning,) = data["warnings"]
    tried = answer(
        "try", "--programme", str(file), "--basket", json.dumps(warning["basket"]),
        "--member", json.dumps(warning["member"]), "--at", warning["at"],
    )  # fmt: skip
    assert tried["points_total"] == warning["points"]
    assert "worth more than it costs to earn" in run("check", str(file)).stdout


def test_check_of_no_file(tmp_path: Path) -> None:
    done = run("check", str(tmp_path / "none.toml"))
    assert done.exit_code == 1
    assert "expected a file or one of the samples" in done.stderr


def test_try_in_words_and_in_json(basket: str) -> None:
    member = '{"tier": "zilver", "balance": 600}'
    data = answer("try", "--programme", "bakery", "--basket", basket, "--member", member)
    assert (data["points_total"], data["payable_minor"]) == (34, 2340)
    assert [reward["id"] for reward in data["redeemable"]] == ["koffie", "vijf-euro"]
    english = run("try", "--programme", "bakery", "--basket", basket, "--member", member, "--lang", "en").stdout
    assert "€ 23.40 × 1 point per euro = 23; silver + 50 % = 11" in english
    assert "can be had now: Free coffee, € 5 off" in english
    dutch = run("try", "--programme", "bakery", "--basket", basket, "--member", member, "--lang", "nl").stdout
    assert "nu te krijgen: Koffie gratis, € 5 korting" in dutch


def test_try_at_a_time(basket: str) -> None:
    for at, points in (("2026-11-24T11:59", 23 + 11), ("2026-11-24T12:00", 23), ("2026-11-24T10:59Z", 23 + 11)):
        assert answer("try", "--programme", "supermarket", "--basket", basket, "--at", at)["points_total"] == points


def test_try_a_return() -> None:
    back = {"basket": BASKET, "member": {"tier": "zilver"}, "returned": [{"line_id": "1", "quantity": 1000}]}
    data = answer("try", "--programme", "bakery", "--return", json.dumps(back))
    assert (data["points_total"], data["payable_minor"]) == (-34, -2340)
    assert data["lines"] == [{"line_id": "1", "points": -34}]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ([], 2, "expected --basket or --return, and not both"),
        (["--basket", "{}", "--return", "{}"], 2, "expected --basket or --return, and not both"),
        (["--return", "{}", "--at", "2026-11-24"], 2, "the member and the time of the sale stand in R"),
        (["--return", "{}"], 1, "JSON: basket: expected, but not there"),
        (["--basket", '{"lines": [{"sku": 3}]}'], 1, "JSON: lines.0.line_id: expected, but not there"),
        (["--basket", "none.json"], 1, "expected a file or the JSON itself"),
        (["--basket", '{"currency": "USD"}'], 1, "expected a basket in EUR, got USD"),
        (["--basket", "{}", "--at", "noon"], 2, "expected a time such as"),
        (["--basket", "{}", "--at", "0001-01-01"], 2, "expected a year from 1971"),
        (["--basket", "{}", "--member", '{"tier": "x"}'], 1, "tier: expected one of basis, zilver"),
    ],
)
def test_try_says_what_is_wrong(arguments: list[str], code: int, text: str) -> None:
    done = run("try", "--programme", "bakery", *arguments)
    assert done.exit_code == code
    assert text in " ".join(done.stderr.split())


def test_diff_in_words_and_in_json(tmp_path: Path) -> None:
    file = tmp_path / "new.toml"
    file.write_text(sample("bakery").replace("cost_points = 250", "cost_points = 300"), encoding="utf-8")
    (change,) = answer("diff", "bakery", str(file))["changes"]
    assert (change["path"], change["kind"], change["effect"]) == ("rewards.koffie", "changed", "worse")
    assert "dearer" in run("diff", "bakery", str(file), "--lang", "en").stdout
    assert "duurder" in run("diff", "bakery", str(file), "--lang", "nl").stdout
    assert run("diff", "bakery", "bakery", "--lang", "nl").stdout.strip() == "er verandert niets voor klanten"


def test_replay_in_words_and_in_json(tmp_path: Path) -> None:
    sales = tmp_path / "sales.csv"
    sales.write_text(
        "receipt,time,sku,category,quantity,amount,card\n"
        "1,2026-03-02 08:31:00,BROOD,brood,1,300.00,secret-card-1\n"
        "2,2026-03-03 08:31:00,BROOD,brood,1,100.00,secret-card-1\n",
        encoding="utf-8",
    )
    data = answer("replay", "--programme", "bakery", "--sales", str(sales))
    assert (data["points_issued"], data["liability_minor"], data["redeemed_minor"]) == (300 + 97, 147, 250)
    assert data["assumptions"]
    for language, text in (("en", "liability at the end"), ("nl", "schuld aan het eind")):
        shown = run("replay", "--programme", "bakery", "--sales", str(sales), "--lang", language)
        assert text in shown.stdout
        assert "secret-card" not in shown.output
    sales.write_text("a,b\n", encoding="utf-8")
    assert "line 1: expected the columns" in run("replay", "--programme", "bakery", "--sales", str(sales)).stderr
