"""Recordings: what is kept, what is blanked, and that a replay comes to the same events."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from drivers.device import Device
from drivers.errors import BadDeviceSettings
from drivers.events import DataEvent, ErrorEvent, PaymentCardRefused
from drivers.formats.layouts import LAYOUTS, recover, typed_as
from drivers.hid.device import HidDevice, HidSettings
from drivers.hid.reports import HidLayout
from drivers.keyboard.wedge import KeyboardWedge, WedgeSettings
from drivers.lines.line import LineProtocol
from drivers.lines.serial_scanner import SerialScanner, SerialSettings
from drivers.recognition.guard import CardPattern
from drivers.recognition.reader import ReaderSettings
from drivers.recording import RecordedSettings, Recorder, read_recording
from drivers.simulators.channels import VirtualPipe, VirtualSerialScanner, VirtualWedge
from drivers.simulators.hid import VirtualHidScanner, VirtualHidStripe
from drivers.simulators.lines import VirtualSsiScanner
from drivers.supervisor import Supervisor

Run = Callable[[Sequence[Device]], Supervisor]
PAN = "4111111111111111"
BANK = f"%B{PAN}^DOE/JANE^26012011234?;{PAN}=26012011234?"
OWN = "2800000000015"
Tapped = SerialScanner | KeyboardWedge | HidDevice


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def record(device: Tapped, settings: RecordedSettings, patterns: tuple[CardPattern, ...], folder: Path) -> Recorder:
    device.tap = Recorder(folder / "made.jsonl", settings, patterns, 0)
    return device.tap


def searched(path: Path) -> str:
    """Everything a search of the file could find: its text, and what its bytes say."""
    chunks = b"".join(bytes.fromhex(line["hex"]) for line in lines(path)[1:])
    return path.read_text() + chunks.decode("latin-1")


def test_serial_recorded_and_replayed(tmp_path: Path, patterns: tuple[CardPattern, ...], run: Run, till: Any) -> None:
    hardware = VirtualSerialScanner(tmp_path)
    settings = SerialSettings(str(hardware.path), prefix=b"~")
    device = SerialScanner("s", settings, patterns)
    recorder = record(device, settings, patterns, tmp_path)
    run([device])
    hardware.scan(OWN)
    till.next(DataEvent)
    hardware.scan(BANK, aim="")
    till.next(PaymentCardRefused)
    hardware.scan("4111111111111112", aim="]C0")
    till.next(DataEvent)
    hardware.send(f"]C0{PAN[:12]}".encode())
    till.next(ErrorEvent)
    hardware.unplug()
    till.wait_status("offline")
    recorder.close()
    assert PAN[:7] not in searched(tmp_path / "made.jsonl")
    assert "DOE" not in searched(tmp_path / "made.jsonl")
    assert OWN in searched(tmp_path / "made.jsonl"), "the shop's own card is kept: a replay needs it"
    made = read_recording(tmp_path / "made.jsonl")
    assert made.chunks[0][0] < made.chunks[-1][0]
    assert made.settings_at("elsewhere") == SerialSettings("elsewhere", prefix=b"~")
    again = VirtualSerialScanner(tmp_path, "again")
    run([SerialScanner("again", made.settings_at(str(again.path)), patterns)])
    made.play(again.send, lambda seconds: False)
    assert till.next(DataEvent).scan_data_label == OWN
    again.close()


def test_wedge_recorded_and_replayed(tmp_path: Path, patterns: tuple[CardPattern, ...], run: Run, till: Any) -> None:
    hardware = VirtualWedge(tmp_path)
    settings = WedgeSettings(str(hardware.path))
    device = KeyboardWedge("w", settings, patterns)
    recorder = record(device, settings, patterns, tmp_path)
    supervisor = run([device])
    hardware.swipe(f";{OWN}?")
    till.next(DataEvent)
    hardware.swipe(BANK)
    till.next(PaymentCardRefused)
    supervisor.stop()
    recorder.close()
    made = read_recording(tmp_path / "made.jsonl")
    assert [line.get("blanked", False) for line in lines(tmp_path / "made.jsonl")[1:]] == [False, True]
    again = VirtualWedge(tmp_path, "again")
    replayed = KeyboardWedge("again", made.settings_at(str(again.path)), ())
    run([replayed])
    made.play(again.send, lambda seconds: False)
    assert till.next(DataEvent).scan_data_label == OWN
    blanked = till.next(PaymentCardRefused)
    assert blanked.device == "again", "still a bank card in its shape: zeros and X"
    from drivers.keyboard.keymap import EV_KEY, EVENT, Keys

    keys = Keys()
    typed = "".join(
        keys.press(code, value) for _, _, kind, code, value in EVENT.iter_unpack(made.chunks[1][1]) if kind == EV_KEY
    )
    assert typed == f"%X{'0' * 16}^XXX/XXXX^{'0' * 11}?;{'0' * 16}={'0' * 11}?\r"
    again.close()
    hardware.close()


def test_hid_recorded_and_replayed(tmp_path: Path, patterns: tuple[CardPattern, ...], run: Run, till: Any) -> None:
    hardware = VirtualHidStripe(tmp_path)
    settings = HidSettings(str(hardware.path))
    device = HidDevice("h", settings, patterns)
    recorder = record(device, settings, patterns, tmp_path)
    supervisor = run([device])
    hardware.swipe("", f";{OWN}?")
    till.next(DataEvent)
    hardware.swipe("%B" + BANK.split("%B")[1].split(";", maxsplit=1)[0], ";" + BANK.split(";")[1])
    till.next(PaymentCardRefused)
    supervisor.stop()
    recorder.close()
    assert PAN[:7] not in searched(tmp_path / "made.jsonl")
    made = read_recording(tmp_path / "made.jsonl")
    again = VirtualPipe(tmp_path, "again")
    run([HidDevice("again", made.settings_at(str(again.path)), patterns)])
    made.play(again.send, lambda seconds: False)
    assert till.next(DataEvent).scan_data_label == OWN
    again.close()
    hardware.close()


def test_hid_scans_of_bank_cards_are_blanked(
    tmp_path: Path, patterns: tuple[CardPattern, ...], run: Run, till: Any
) -> None:
    hardware = VirtualHidScanner(tmp_path)
    settings = HidSettings(str(hardware.path))
    device = HidDevice("h", settings, patterns)
    recorder = record(device, settings, patterns, tmp_path)
    supervisor = run([device])
    hardware.scan(PAN, aim="]Q1")
    till.next(PaymentCardRefused)
    supervisor.stop()
    recorder.close()
    assert PAN[:7] not in searched(tmp_path / "made.jsonl")
    assert "]Q1" + "0" * 16 in searched(tmp_path / "made.jsonl")


def test_ssi_packets_keep_a_checksum_that_agrees(
    tmp_path: Path, patterns: tuple[CardPattern, ...], run: Run, till: Any
) -> None:
    hardware = VirtualSsiScanner(tmp_path)
    settings = SerialSettings(str(hardware.path), protocol=LineProtocol.SSI)
    device = SerialScanner("s", settings, patterns)
    recorder = record(device, settings, patterns, tmp_path)
    supervisor = run([device])
    hardware.scan_packet(PAN, symbology=0x03)
    till.next(PaymentCardRefused)
    hardware.scan_packet(OWN)
    till.next(DataEvent)
    supervisor.stop()
    recorder.close()
    assert PAN[:7] not in searched(tmp_path / "made.jsonl")
    from drivers.lines import ssi

    packets = ssi.PacketReader().feed(b"".join(data for _, data in read_recording(tmp_path / "made.jsonl").chunks))
    assert [one.data for one in packets if isinstance(one, ssi.Packet)] == [b"\x03" + b"0" * 16, b"\x0b" + OWN.encode()]
    hardware.close()


@pytest.mark.parametrize(("configured", "typed"), [("us", "be-azerty"), ("us", "fr"), ("fr", "fr")])
def test_a_bank_card_through_another_keyboard_is_blanked(
    tmp_path: Path, run: Run, till: Any, configured: str, typed: str
) -> None:
    hardware = VirtualSerialScanner(tmp_path)
    settings = SerialSettings(str(hardware.path), layout=configured)
    device = SerialScanner("s", settings, ())
    recorder = record(device, settings, (), tmp_path)
    run([device])
    hardware.send("".join(typed_as(digit, typed) for digit in PAN).encode() + b"\r")
    till.next(PaymentCardRefused)
    recorder.close()
    for layout in LAYOUTS:
        assert PAN[:7] not in recover(searched(tmp_path / "made.jsonl"), layout)
    assert [line["hex"] for line in lines(tmp_path / "made.jsonl")[1:]] == [(b"X" * 16 + b"\r").hex()]
    hardware.close()


def test_what_never_came_to_rest_is_blanked(tmp_path: Path, patterns: tuple[CardPattern, ...]) -> None:
    with Recorder(tmp_path / "r", SerialSettings("x"), patterns, 0) as recorder:
        recorder.raw(PAN.encode(), 1)
    assert PAN[:7] not in searched(tmp_path / "r")


@pytest.mark.parametrize(
    "settings",
    [
        SerialSettings("x", layout="de", protocol=LineProtocol.ACK, prefix=b"\x02", suffix=b"\x03"),
        WedgeSettings("x", layout="fr", reader=ReaderSettings(prefix="~", line_per_track=True)),
        HidSettings("x", HidLayout.MAGTEK),
    ],
)
def test_settings_come_back(tmp_path: Path, settings: RecordedSettings) -> None:
    Recorder(tmp_path / "f", settings, (), 0).close()
    assert read_recording(tmp_path / "f").settings_at("x") == settings


@pytest.mark.parametrize(
    "text",
    ["", "no json", '{"spaarpunt_recording": 2, "kind": "serial", "settings": {}}', '{"a": 1}', "[]"],
)
def test_files_that_are_no_recording(tmp_path: Path, text: str) -> None:
    (tmp_path / "f").write_text(text)
    with pytest.raises(BadDeviceSettings, match="line 1"):
        read_recording(tmp_path / "f")


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    head = '{"spaarpunt_recording": 1, "kind": "serial", "settings": {}}\n'
    (tmp_path / "f").write_text(head + '{"at": 0, "hex": "41"}\n{"at": 1, "hex": "4"}\n')
    with pytest.raises(BadDeviceSettings, match="line 3"):
        read_recording(tmp_path / "f")
    (tmp_path / "f").write_text(head)
    with pytest.raises(BadDeviceSettings, match="first line"):
        read_recording(tmp_path / "f").settings_at("x")
