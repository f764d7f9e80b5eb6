"""`spaarpunt balance`, `history` and `report`: beside a running till, for people and for programs."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from pos_client.runtime import Runtime
from sync.wire_mirror import AccountChange
from tests.pos_client.commands.test_inbox import Command, typed
from tests.pos_client.office.conftest import EMAIL, PHONE, runtime, sell
from tests.support.till import SANNE, UNKNOWN_CARD, publish

__all__ = ["runtime"]


@pytest.fixture
def run(tmp_path: Path) -> Command:
    return typed(tmp_path, 1)


def test_balance_by_card_e_mail_and_receipt(runtime: Runtime, run: Command) -> None:
    receipt = sell(runtime, SANNE.card)
    for who in (SANNE.card, EMAIL, receipt):
        found = json.loads(run("balance", who, "--json").stdout)
        assert (found["first_name"], found["balance"], found["confirmed"], found["queued"]) == ("Sanne", 1318, 1284, 34)
    assert "Silver: 1318 points" in run("balance", EMAIL).stdout


def test_balance_says_what_lapses_next(runtime: Runtime, run: Command) -> None:
    change = AccountChange(
        account=SANNE.account,
        first_name="Sanne",
        tier="zilver",
        points=1284,
        expires_on=date(2099, 12, 31),
        expiring=120,
    )
    publish(runtime.mirror, [change])
    assert json.loads(run("balance", SANNE.card, "--json").stdout)["expiring"] == {"points": 120, "on": "2099-12-31"}
    assert "120 lapse after 2099-12-31" in run("balance", SANNE.card).stdout


def test_balance_by_a_phone_that_two_have(runtime: Runtime, run: Command) -> None:
    found = json.loads(run("balance", PHONE, "--json", code=1).stdout)
    assert [match["first_name"] for match in found["matches"]] == ["Joris", "Sanne"]
    assert run("balance", PHONE, code=1).stdout.count("points") == 2


def test_balance_of_nobody(runtime: Runtime, run: Command) -> None:
    assert json.loads(run("balance", "0687654321", "--json", code=1).stdout) == {"matches": []}
    assert "nobody here has this phone" in run("balance", "0687654321", code=1).stdout
    assert "not known here" in run("balance", UNKNOWN_CARD, code=1).stdout
    assert "neither a receipt of this till" in run("balance", "what", code=1).output.replace("\n", " ")


def test_history(runtime: Runtime, run: Command) -> None:
    first = sell(runtime, SANNE.card)
    runtime.till.corrections.adjust("a-1", SANNE.card, 50, reason="broken [cup]", approver="Wil")
    lines = json.loads(run("history", SANNE.card, "--json").stdout)
    assert [(line["kind"], line["points"], line["standing"]) for line in lines] == [
        ("adjustment", 50, "queued"),
        ("sale", 34, "queued"),
    ]
    assert lines[1]["explanation"] == "€ 23.40 × 1 point per euro = 23; silver + 50 % = 11"
    assert [line["receipt"] for line in json.loads(run("history", first, "--json").stdout)] == [first]
    assert len(json.loads(run("history", SANNE.card, "--limit", "1", "--json").stdout)) == 1
    shown = run("history", SANNE.card).stdout
    assert "adjustment" in shown
    assert "[cup]" in shown


def test_no_history(runtime: Runtime, run: Command) -> None:
    assert "no entries at this till" in run("history", SANNE.card, code=1).stdout


def test_report(runtime: Runtime, run: Command) -> None:
    sell(runtime, SANNE.card, minor=1000, reward="koffie")
    made = json.loads(run("report", "--json").stdout)
    assert (made["sales"], made["spent"], made["proof"]) == ({"count": 1, "points": made["earned"] - 250}, 250, "open")
    shown = run("report").stdout
    assert "1 × Free coffee: 250 points, € 2.50" in shown
    assert "€ 7.50" in shown
    assert "not compared yet" in shown
    empty = json.loads(run("report", "--date", "2026-01-31", "--json").stdout)
    assert (empty["day"], empty["entries"]) == ("2026-01-31", 0)
    assert run("report", "--date", "yesterday", code=2).exit_code == 2


def test_report_as_files(runtime: Runtime, run: Command, tmp_path: Path) -> None:
    sell(runtime, SANNE.card, minor=1000)
    shown = run("report", "--pdf", str(tmp_path / "day.pdf"), "--csv", str(tmp_path / "day.csv")).stdout
    assert shown.endswith(f"✓ {tmp_path / 'day.pdf'}\n✓ {tmp_path / 'day.csv'}\n")
    assert (tmp_path / "day.pdf").read_bytes().startswith(b"%PDF-")
    assert "entries,sales,1,15," in (tmp_path / "day.csv").read_text(encoding="utf-8")
    assert "could not be written" in run("report", "--pdf", str(tmp_path / "no" / "day.pdf"), code=1).output
