"""The doctor where nothing is right: a missing configuration, a damaged file, a wrong key, nobody enrolled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from drivers.simulators.channels import VirtualSerialScanner
from loyalty.ledger import GENESIS
from pos_client.cli import main
from pos_client.doctor import Checked, examine_till
from pos_client.room import MANY_QUEUED
from pos_client.troubles import Trouble
from sync.store import Store, read_key
from tests.support.process import TillProcess


@pytest.fixture
def till(tmp_path: Path) -> Iterator[TillProcess]:
    made = TillProcess(tmp_path)
    yield made
    made.stop()


def wrong(config: Path | None) -> dict[str, Checked]:
    return {checked.part: checked for checked in examine_till(config) if not checked.well}


def test_a_till_that_is_off_and_has_no_line(till: TillProcess) -> None:
    found = wrong(till.config)
    assert set(found) == {"till", "head office"}
    assert found["head office"].todo == Trouble("unreachable").todo("en")
    assert all(checked.todo for checked in found.values())


def test_no_configuration_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPAARPUNT_TILL__DATA_DIR", str(tmp_path / "nowhere"))
    found = wrong(None)
    assert {"configuration", "till", "key", "head office"} <= set(found)
    assert not (tmp_path / "nowhere").exists()  # it looks, and makes nothing


def test_a_configuration_that_cannot_be_read_and_one_that_is_wrong(tmp_path: Path) -> None:
    found = wrong(tmp_path / "spaarpunt.toml")
    assert "No such file" in found["configuration"].text
    (tmp_path / "spaarpunt.toml").write_text("[till]\nnaam = 1\n", encoding="utf-8")
    assert "till.naam: unknown key; nearest known key: name" in wrong(tmp_path / "spaarpunt.toml")["configuration"].text


def test_a_damaged_file_is_said_and_left_as_it_is(till: TillProcess) -> None:
    path = till.data / "store.db"
    with path.open("r+b") as file:
        file.seek(9000)
        file.write(b"no page of ours")
    before = path.read_bytes()
    found = wrong(till.config)
    assert "is damaged" in found["database"].text
    assert "salvages" in found["database"].todo
    assert found["head office"].text.startswith("not asked")
    assert path.read_bytes() == before


def test_a_wrong_key_and_an_open_one(till: TillProcess) -> None:
    key = till.data / "store.key"
    right = read_key(key, create=False)
    key.write_text("00" * 32, encoding="ascii")
    assert "does not open with this key" in wrong(till.config)["database"].text
    key.write_text(right.hex(), encoding="ascii")
    key.chmod(0o644)
    assert wrong(till.config)["key"].todo == f"run chmod 600 {key}"


def test_devices_are_opened_when_no_till_has_them(tmp_path: Path) -> None:
    scanner = VirtualSerialScanner(tmp_path)
    till = TillProcess(
        tmp_path,
        devices={
            "scanner": {"kind": "serial", "port": str(scanner.path)},
            "away": {"kind": "serial", "port": "/dev/serial/by-id/none"},
        },
    )
    found = wrong(till.config)
    assert "device scanner" not in found
    assert found["device away"].todo == "spaarpunt devices doctor away"
    scanner.close()


def test_a_queue_that_is_nearly_too_long_is_found_without_a_running_till(till: TillProcess) -> None:
    path = till.data / "store.db"
    with closing(Store.open(path, read_key(path.with_suffix(".key"), create=False))) as store:
        left = "INSERT INTO closed_epoch (epoch, seq, digest, acked_seq) VALUES (0, ?, ?, 0)"
        store.db.conn.execute(left, (MANY_QUEUED, GENESIS))
    trouble = Trouble("queue_long", str(MANY_QUEUED))
    assert wrong(till.config)["notice"] == Checked("notice", False, trouble.text("en"), trouble.todo("en"))


def test_the_command_says_it_to_people_and_to_programs(till: TillProcess) -> None:
    shown = CliRunner().invoke(main, ["--config", str(till.config), "doctor"])
    assert shown.exit_code == 1
    assert "✓ database: " in shown.output
    assert "✗ till: no till runs here\n    → start it: spaarpunt till" in shown.output
    said = CliRunner().invoke(main, ["--config", str(till.config), "doctor", "--json"])
    assert said.exit_code == 1
    checks = json.loads(said.output)["checks"]
    assert {"part": "clock", "well": True, "text": "not before 2024", "todo": ""} in checks
