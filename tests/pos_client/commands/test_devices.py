"""`spaarpunt devices`: each command as a process runs it, on simulated hardware."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from drivers.errors import DriverError
from drivers.simulators.channels import VirtualSerialScanner, VirtualWedge
from drivers.simulators.printer import VirtualPrinter
from pos_client.cli import main

OWN = "2910000000015"


class Shop:
    """A configuration, and the hardware it names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scanner = VirtualSerialScanner(folder)
        self.wedge = VirtualWedge(folder)
        self.printer = VirtualPrinter(folder)
        self.config = folder / "spaarpunt.toml"
        self.config.write_text(
            f"""
[till]
data_dir = "{folder}"
[[card_formats]]
name = "spaarpas"
prefix = "2910"
length = 13
check = "none"
[devices.counter]
kind = "serial"
port = "{self.scanner.path}"
[devices.swipe]
kind = "wedge"
path = "{self.wedge.path}"
[devices.bon]
kind = "printer"
port = "{self.printer.port}"
[devices.gone]
kind = "hid"
device = "0c2e:ffff"
"""
        )

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["--config", str(self.config), "devices", *arguments])

    def scanning(self, *texts: str) -> Any:
        """Scan until the command has read it: it opens the port when it likes, as with real hardware."""
        stop = threading.Event()

        def scan() -> None:
            # One at a time: what comes in one read with a bank card is blanked with it.
            for text in itertools.cycle(texts):
                if stop.wait(0.15):
                    return
                try:
                    self.scanner.scan(text, aim="")
                except DriverError:
                    return

        thread = threading.Thread(target=scan, daemon=True)
        thread.start()

        class Scanning:
            def __enter__(self) -> None: ...

            def __exit__(self, *error: object) -> None:
                stop.set()
                thread.join()

        return Scanning()

    def close(self) -> None:
        for each in (self.scanner, self.wedge, self.printer):
            each.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.close()


def test_list(shop: Shop) -> None:
    result = shop.run("list", "--json")
    assert result.exit_code == 0
    listed = {each["name"]: each["present"] for each in json.loads(result.stdout)["configured"]}
    assert listed == {"counter": True, "swipe": True, "bon": True, "gone": False}
    assert "✗ gone: hid at 0c2e:ffff  (not there)" in shop.run("list").stdout


def test_watch_shows_masked_events(shop: Shop) -> None:
    with shop.scanning(OWN, "4111111111111111"):
        result = shop.run("watch", "--seconds", "1.5", "--json")
    assert result.exit_code == 0
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    data = next(line for line in lines if line["kind"] == "data")
    assert (data["scan_data_label"], data["characters"]) == ("…0015", 13)
    assert any(line["kind"] == "payment_card_refused" for line in lines)
    assert any(line["kind"] == "status" and line["device"] == "gone" for line in lines)
    assert OWN not in result.output
    assert "411111" not in result.output


def test_doctor_finds_what_is_wrong(shop: Shop) -> None:
    shop.printer.paper = "out"
    with shop.scanning(OWN):
        result = shop.run("doctor", "--seconds", "1", "--json")
    assert result.exit_code == 1
    found = {each["name"]: [one["code"] for one in each["findings"]] for each in json.loads(result.stdout)["devices"]}
    assert found == {
        "counter": ["opens", "reads"],
        "swipe": ["opens", "silent"],
        "bon": ["opens", "answers"],
        "gone": ["missing"],
    }
    assert "put in a new roll" in result.stdout


def test_doctor_of_one_device_that_is_well(shop: Shop) -> None:
    with shop.scanning(OWN):
        result = shop.run("doctor", "counter", "--seconds", "1")
    assert result.exit_code == 0
    assert "✓ counter: it is there" in result.stdout
    assert "scan or swipe a card now" in result.stdout
    assert OWN not in result.output


def test_record_and_replay(shop: Shop) -> None:
    file = shop.folder / "made.jsonl"
    with shop.scanning(OWN, "4111111111111111"):
        result = shop.run("record", "counter", str(file), "--seconds", "1.5")
    assert result.exit_code == 0, result.output
    chunks = b"".join(bytes.fromhex(json.loads(line)["hex"]) for line in file.read_text().splitlines()[1:])
    assert b"4111111" not in chunks
    replayed = shop.run("replay", str(file), "--json")
    assert replayed.exit_code == 0, replayed.output
    kinds = [json.loads(line)["kind"] for line in replayed.stdout.splitlines()]
    assert "data" in kinds
    assert shop.run("record", "counter", str(file)).exit_code == 1, "a recording is never written over"


def test_replay_onto_a_pty(shop: Shop) -> None:
    file = shop.folder / "made.jsonl"
    settings = {"port": "x", "encoding": "utf-8", "protocol": "plain", "prefix": "", "suffix": ""}
    file.write_text(json.dumps({"spaarpunt_recording": 1, "kind": "serial", "settings": settings}) + "\n")
    result = CliRunner().invoke(
        main, ["--config", str(shop.config), "devices", "replay", str(file), "--to", "pty"], input="\n"
    )
    assert result.exit_code == 0, result.output
    assert "/scanner" in result.stdout


def test_wrong_use(shop: Shop, tmp_path: Path) -> None:
    assert shop.run("record", "nobody", str(tmp_path / "f")).exit_code == 2
    assert "it sends nothing" in shop.run("record", "bon", str(tmp_path / "f")).output
    (tmp_path / "notes.txt").write_text("hello")
    assert "not a recording" in shop.run("replay", str(tmp_path / "notes.txt")).output
    shop.config.write_text("")
    result = shop.run("watch")
    assert result.exit_code == 1
    assert "no devices are configured" in result.output
