"""Bank cards at a whole till, a process of its own: output, files and database are searched for their digits."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tenacity

from drivers.keyboard.keymap import type_text
from drivers.recognition.guard import PAYMENT_RANGES, luhn_valid
from drivers.simulators.channels import VirtualSerialScanner, VirtualWedge
from pos_client.app import open_store
from pos_client.runtime import Runtime
from tests.support.till import FORMATS, SANNE, closed_port, make_runtime

CARDS = 200
RUN = 7
"""Fewer digits than this are shared with times and dates."""


def eventually(check: Callable[[], bool]) -> None:
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_delay(20),
        wait=tenacity.wait_fixed(0.05),
        retry=tenacity.retry_if_result(lambda done: not done),
    )
    retrying(check)


def make_pan(chance: random.Random) -> str:
    """A Luhn-valid number of 16 digits in one of the payment ranges."""
    first, last, _ = chance.choice(PAYMENT_RANGES)
    body = str(chance.randint(int(first), int(last)))
    body += "".join(chance.choices("0123456789", k=15 - len(body)))
    return next(body + digit for digit in "0123456789" if luhn_valid(body + digit))


@pytest.fixture
def pans() -> list[str]:
    chance = random.Random(20240301)
    return [make_pan(chance) for _ in range(CARDS)]


@pytest.fixture
def scanner(tmp_path: Path) -> Iterator[VirtualSerialScanner]:
    hardware = VirtualSerialScanner(tmp_path / "devices")
    yield hardware
    hardware.close()


@pytest.fixture
def wedge(tmp_path: Path) -> Iterator[VirtualWedge]:
    hardware = VirtualWedge(tmp_path / "devices")
    yield hardware
    hardware.close()


@pytest.fixture
def runtime(tmp_path: Path, scanner: VirtualSerialScanner, wedge: VirtualWedge) -> Runtime:
    devices = {
        "scanner": {"kind": "serial", "port": str(scanner.path)},
        "wedge": {"kind": "wedge", "path": str(wedge.path)},
    }
    made = make_runtime(
        tmp_path / "till", devices=devices, screen={"port": closed_port()}, log={"level": "debug", "format": "json"}
    )
    made.store.close()
    return made


def config_file(runtime: Runtime, path: Path) -> Path:
    config = runtime.config
    lines = [
        f'[till]\nname = "kassa 2"\ndata_dir = "{config.till.data_dir}"',
        f'head_office_url = "{config.till.head_office_url}"',
        f"[screen]\nport = {config.screen.port}",
        '[log]\nlevel = "debug"\nformat = "json"',
    ]
    for each in FORMATS:
        lines.append("[[card_formats]]")
        lines += [f'name = "{each.name}"', f'prefix = "{each.prefix}"', f"length = {each.length}"]
        lines.append(f'check = "{each.check.value}"')
    for name, device in runtime.config.devices.items():
        lines.append(f"[devices.{name}]")
        lines += [f'{key} = "{value}"' for key, value in device.model_dump(include={"kind", "port", "path"}).items()]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_bank_cards_leave_nothing_behind(
    tmp_path: Path, runtime: Runtime, scanner: VirtualSerialScanner, wedge: VirtualWedge, pans: list[str]
) -> None:
    out, config = tmp_path / "output.txt", config_file(runtime, tmp_path / "till.toml")
    with out.open("wb") as stream:
        till = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "pos_client", "--config", str(config), "till"],
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:

        def printed() -> str:
            return out.read_text(encoding="utf-8", errors="replace")

        def online() -> set[str]:
            lines = [line for line in printed().splitlines() if '"online"' in line]
            return {json.loads(line)["device"] for line in lines}

        eventually(lambda: online() == {"scanner", "wedge"} or till.poll() is not None)
        assert till.poll() is None, printed()
        for number, pan in enumerate(pans):
            swipe = f"%B{pan}^DOE/JANE^2601201{number:06}?;{pan}=2601201{number:06}?"
            if number % 4 == 3:
                wedge.swipe(swipe)
            else:
                scanner.scan([pan, swipe, f"pay {pan} please"][number % 4], aim=["]C0", "", "]Q1"][number % 4])
        eventually(lambda: printed().count("payment card refused") >= CARDS)
        scanner.scan(SANNE.card)
        # In the middle of a card, with the card's data in the reader's hands: unplugged, and then the till crashes.
        scanner.send(f"%B{pans[0]}^DOE".encode())
        scanner.unplug()
        wedge.send(b"".join(_strokes(f";{pans[1]}=26")))
        eventually(lambda: '"offline"' in printed())
    finally:
        till.send_signal(signal.SIGABRT)
        till.wait(timeout=20)
    report = printed()
    assert "Fatal Python error: Aborted" in report, "the crash report is there to be searched"
    store = open_store(runtime.config)
    tables = [row[0] for row in store.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert "journal" in tables
    rows = "\n".join(repr(row) for table in tables for row in store.rows(f'SELECT * FROM "{table}"'))
    store.close()
    raw = "\n".join(file.read_bytes().decode("latin-1") for file in (tmp_path / "till").rglob("*") if file.is_file())
    assert found(report + rows + raw, pans) == []


def test_a_crash_shows_no_card_either(pans: list[str]) -> None:
    # The sink of the events has a defect and raises; so does the program, uncaught. Every report goes to stderr.
    program = """
import faulthandler, sys, threading
from drivers.formats.framing import Framer
from drivers.recognition.guard import CardPattern
from drivers.recognition.recognise import recognise_frame
faulthandler.enable()
framer, text = Framer(), sys.stdin.buffer.read()
event = [recognise_frame("x", frame, (CardPattern("ours", "28", 13),), 0) for frame in framer.feed(text)]
del text
thread = threading.Thread(target=lambda: event[0].nothing)
thread.start()
thread.join()
faulthandler.dump_traceback(all_threads=True)
raise RuntimeError(repr(event))
"""
    stream = "".join(f"{pan}\r;{pan}=26012011234?\r]C0{pan}\r" for pan in pans)
    done = subprocess.run(
        [sys.executable, "-c", program], input=stream.encode(), capture_output=True, check=False, timeout=30
    )
    report = done.stderr.decode()
    assert done.returncode == 1
    assert "AttributeError" in report
    assert report.count("PaymentCardRefused") >= 3 * CARDS
    assert found(report, pans) == []


def found(text: str, pans: list[str]) -> list[str]:
    sought = {pan[at : at + RUN] for pan in pans for at in range(len(pan) - RUN + 1)}
    runs = re.findall(rf"[0-9]{{{RUN},}}", text)
    return [run for run in runs if any(run[at : at + RUN] in sought for at in range(len(run) - RUN + 1))]


def _strokes(text: str) -> list[bytes]:
    *strokes, _enter = type_text(text)
    return strokes
