"""The diagnosis of a reader, from what it sent through a real driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from drivers.device import Device
from drivers.doctor import Listener, diagnose
from drivers.events import DataEvent, Event
from drivers.formats.layouts import typed_as
from drivers.keyboard.keymap import type_text
from drivers.keyboard.wedge import KeyboardWedge, WedgeSettings
from drivers.lines.line import LineProtocol
from drivers.lines.serial_scanner import SerialScanner, SerialSettings
from drivers.lines.ssi import DECODE_DATA, packet
from drivers.recognition.guard import CardPattern
from drivers.recording import RecordedSettings
from drivers.simulators.channels import VirtualSerialScanner, VirtualWedge
from drivers.supervisor import Supervisor

Run = Callable[[Sequence[Device]], Supervisor]
OWN = "2800000000015"


@pytest.fixture
def heard_on_line(tmp_path: Path, patterns: tuple[CardPattern, ...], run: Run, till: Any) -> Any:
    def listen(sent: bytes, events: int, **settings: Any) -> list[str]:
        hardware = VirtualSerialScanner(tmp_path)
        chosen = SerialSettings(str(hardware.path), **settings)
        device = SerialScanner("s", chosen, patterns)
        device.tap = heard = Listener()
        supervisor = run([device])
        hardware.send(sent)
        for _ in range(events):
            till.events.get(timeout=5)
        supervisor.stop()
        hardware.close()
        return codes(chosen, heard, patterns)

    return listen


def codes(settings: RecordedSettings, heard: Listener, patterns: tuple[CardPattern, ...]) -> list[str]:
    return [finding.code for finding in diagnose(settings, heard, patterns)]


def test_nothing_came(patterns: tuple[CardPattern, ...]) -> None:
    assert codes(SerialSettings("x"), Listener(), patterns) == ["silent"]


def test_all_is_well(heard_on_line: Any) -> None:
    assert heard_on_line(f"]E0{OWN}\r".encode(), 1) == ["reads"]


def test_wrong_baud(heard_on_line: Any) -> None:
    # 9600 baud read at 115200: mostly 0x00, 0x80, 0xF8 and the like.
    assert heard_on_line(bytes.fromhex("0080f800fe80008078e0") * 3, 1)[0] == "wrong-baud"


def test_no_suffix(heard_on_line: Any) -> None:
    assert heard_on_line(f"]E0{OWN}".encode(), 1) == ["no-suffix"]


@pytest.mark.parametrize(("end", "suffix"), [(b"\t", b""), (b"\r", b"\t")])
def test_wrong_suffix(heard_on_line: Any, end: bytes, suffix: bytes) -> None:
    assert heard_on_line(OWN.encode() + end, 1, suffix=suffix) == ["wrong-suffix"]


def test_wrong_prefix(heard_on_line: Any) -> None:
    assert heard_on_line(f"AB{OWN}\r".encode(), 1) == ["wrong-prefix", "reads"]


def test_ssi_on_a_plain_line_and_the_other_way_round(heard_on_line: Any) -> None:
    sent = packet(DECODE_DATA, b"\x0b" + OWN.encode(), source=0)
    assert heard_on_line(sent, 1)[0] == "is-ssi"
    assert heard_on_line(f"]E0{OWN}\r".encode(), 0, protocol=LineProtocol.SSI)[0] in ("not-ssi", "silent")


def test_bank_card_on_the_line(heard_on_line: Any) -> None:
    assert heard_on_line(b"4111111111111111\r", 1) == ["bank-card"]


def test_layout_of_a_scanner_that_emulates_a_keyboard(patterns: tuple[CardPattern, ...]) -> None:
    heard = Listener()
    shown = typed_as("SP00000123", "be-azerty")
    heard.raw(shown.encode() + b"\r", 0)
    heard.event(DataEvent("s", "scan", shown.encode(), shown, "UNKNOWN", None, None, 0))
    assert codes(SerialSettings("x"), heard, patterns)[0] == "wrong-layout"


@pytest.mark.parametrize("layout", ["be-azerty", "fr", "de"])
def test_layout_of_a_wedge(tmp_path: Path, patterns: tuple[CardPattern, ...], run: Run, till: Any, layout: str) -> None:
    hardware = VirtualWedge(tmp_path)
    settings = WedgeSettings(str(hardware.path))
    device = KeyboardWedge("w", settings, patterns)
    device.tap = heard = Listener()
    supervisor = run([device])
    hardware.send(b"".join(type_text(f";{OWN}?", layout=layout)))
    event: Event = till.events.get(timeout=5)
    supervisor.stop()
    hardware.close()
    assert not isinstance(event, DataEvent) or event.scan_data_label != OWN
    found = diagnose(settings, heard, patterns)[0]
    assert found.code == "wrong-layout"
    assert not any(OWN in finding.text for finding in diagnose(settings, heard, patterns))
