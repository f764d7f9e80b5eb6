"""The serial scanner on a real pty: bytes in, events out, and what happens when the port misbehaves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import serial

from drivers.build import build_device
from drivers.device import Device
from drivers.errors import BadDeviceSettings, DeviceBusy, DeviceLost, DeviceMissing
from drivers.events import DataEvent, ErrorEvent, PaymentCardRefused, StatusUpdateEvent
from drivers.lines.line import LineProtocol
from drivers.lines.ports import Wire, open_port
from drivers.lines.serial_scanner import SerialScanner, SerialSettings, find_port
from drivers.recognition.guard import CardPattern
from drivers.simulators.channels import VirtualSerialScanner
from drivers.supervisor import Supervisor

Run = Callable[[Sequence[Device]], Supervisor]


SEVEN_BIT_SSI = {"port": "p", "protocol": LineProtocol.SSI, "wire": Wire(data_bits=7)}


@pytest.fixture
def hardware(tmp_path: Path) -> Iterator[VirtualSerialScanner]:
    scanner = VirtualSerialScanner(tmp_path)
    yield scanner
    scanner.close()


@pytest.fixture
def device(hardware: VirtualSerialScanner, patterns: tuple[CardPattern, ...]) -> Device:
    return build_device("counter", SerialSettings(str(hardware.path)), patterns)


def test_ean_and_code_128_cards(hardware: VirtualSerialScanner, device: Device, run: Run, till: Any) -> None:
    run([device])
    before = time.monotonic_ns()
    hardware.scan("2800000000015")
    event = till.next(DataEvent)
    assert (event.device, event.kind, event.scan_data_label) == ("counter", "scan", "2800000000015")
    assert (event.scan_data_type, event.aim, event.tracks) == ("EAN-13", "]E0", None)
    assert event.scan_data == b"2800000000015"
    assert before < event.received_at < time.monotonic_ns()
    hardware.scan("SP00000123", aim="]C0", suffix=b"\r\n")
    assert (event := till.next(DataEvent)).scan_data_type == "CODE-128"
    assert event.scan_data_label == "SP00000123"
    hardware.scan("SP00000124", aim="", suffix=b"\n")
    assert (event := till.next(DataEvent)).scan_data_type == "UNKNOWN"
    assert event.aim is None
    assert till.nothing_more()


def test_bytes_that_come_one_by_one(hardware: VirtualSerialScanner, device: Device, run: Run, till: Any) -> None:
    run([device])
    for byte in b"]E02800000000022\r":
        hardware.send(bytes([byte]))
    assert till.next(DataEvent).scan_data_label == "2800000000022"


def test_text_in_another_encoding(hardware: VirtualSerialScanner, run: Run, till: Any) -> None:
    run([SerialScanner("old", SerialSettings(str(hardware.path), encoding="latin-1"), ())])
    hardware.send("]Q1caf\xe9\r".encode("latin-1"))
    assert till.next(DataEvent).scan_data_label == "café"


def test_bank_card_is_refused(hardware: VirtualSerialScanner, device: Device, run: Run, till: Any) -> None:
    run([device])
    hardware.scan("4111111111111111", aim="]C0")
    assert till.next(PaymentCardRefused) == PaymentCardRefused("counter", "bank card: use the payment terminal")


def test_swipe_through_a_serial_reader(hardware: VirtualSerialScanner, device: Device, run: Run, till: Any) -> None:
    run([device])
    hardware.scan("%E?;2800000000039?", aim="")
    event = till.next(DataEvent)
    assert (event.kind, event.scan_data_label, event.scan_data_type) == ("swipe", "2800000000039", "MSR")


def test_half_a_frame_is_an_error_and_its_tail_is_nothing(
    hardware: VirtualSerialScanner, device: Device, run: Run, till: Any
) -> None:
    run([device])
    hardware.send(b"]E0280000")
    assert till.next(ErrorEvent).code == "cut"
    hardware.send(b"0000015\r")
    hardware.scan("2800000000046")
    assert till.next(DataEvent).scan_data_label == "2800000000046"


def test_endless_frame(hardware: VirtualSerialScanner, device: Device, run: Run, till: Any) -> None:
    run([device])
    hardware.send(b"x" * 20_000 + b"\r")
    hardware.scan("2800000000053")
    assert till.next(ErrorEvent).code == "too-long"
    assert till.next(DataEvent).scan_data_label == "2800000000053"


def test_unplugged_and_plugged_in_again(hardware: VirtualSerialScanner, device: Device, run: Run, till: Any) -> None:
    run([device])
    hardware.unplug()
    assert "went away" in till.wait_status("offline").text
    hardware.plug()
    assert till.next(StatusUpdateEvent) == StatusUpdateEvent("counter", "online", "ready")
    hardware.scan("2800000000060")
    assert till.next(DataEvent).scan_data_label == "2800000000060"


def test_unplugged_inside_a_frame_delivers_nothing_of_it(
    hardware: VirtualSerialScanner, device: Device, run: Run, till: Any
) -> None:
    run([device])
    hardware.send(b"]E028000")
    hardware.unplug()
    till.wait_status("offline")
    hardware.plug()
    till.wait_status("online")
    hardware.send(b"00000060\r")
    assert till.next(DataEvent).scan_data_label == "00000060"


def test_what_was_sent_before_enable_is_dropped(
    hardware: VirtualSerialScanner, device: Device, run: Run, till: Any
) -> None:
    hardware.scan("2800000000077")
    run([device])
    hardware.scan("2800000000084")
    assert till.next(DataEvent).scan_data_label == "2800000000084"


def test_port_taken(hardware: VirtualSerialScanner, device: Device) -> None:
    with serial.Serial(str(hardware.path), exclusive=True):
        device.open()
        with pytest.raises(DeviceBusy, match=r"the port is taken .*: close the other program"):
            device.claim()
    device.claim()
    device.release()


def test_port_missing(hardware: VirtualSerialScanner, device: Device) -> None:
    hardware.unplug()
    device.open()
    with pytest.raises(DeviceMissing, match="no such port"):
        device.claim()


def test_not_a_serial_port(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no port")
    device = SerialScanner("counter", SerialSettings(str(tmp_path / "notes.txt")), ())
    with pytest.raises(BadDeviceSettings, match="not a serial port"):
        device.claim()


def test_lost_while_reading(hardware: VirtualSerialScanner, device: Device) -> None:
    device.claim()
    device.enable(lambda event: None)
    threading.Timer(0.1, hardware.unplug).start()
    with pytest.raises(DeviceLost, match="plug it in again"):
        device.run(threading.Event())
    device.release()


def test_every_state_may_be_left_twice(device: Device) -> None:
    device.interrupt()
    for _ in range(2):
        device.disable()
        device.release()
        device.close()
    device.open()
    device.claim()
    device.release()
    device.claim()
    device.release()
    device.close()


def test_usb_ids_that_nothing_has() -> None:
    with pytest.raises(DeviceMissing, match=r"0C2E:FFFF:none.*USB-CDC"):
        find_port("0C2E:FFFF:none")
    assert find_port("/dev/serial/by-id/usb-x") == "/dev/serial/by-id/usb-x"


@pytest.mark.parametrize(
    "wrong",
    [{"port": ""}, {"port": "p", "layout": "dvorak"}, {"port": "p", "encoding": "klingon"}, SEVEN_BIT_SSI],
    ids=["port", "layout", "text", "bits"],
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadDeviceSettings, match="expected"):
        SerialSettings(**wrong)


def test_the_line_is_as_the_scanner_is_set() -> None:
    with pytest.raises(BadDeviceSettings, match="baud rate"):
        Wire(baudrate=0)
    # A pty has neither parity nor seven bits: pyserial's own loop keeps them.
    port = open_port("loop://", Wire(4800, data_bits=7, parity="even", stop_bits=2), 0.1, 0.1)
    assert (port.baudrate, port.bytesize, port.parity, port.stopbits) == (4800, 7, "E", 2)
    port.close()


def test_what_keyboard_software_typed_through_another_layout_is_read(
    hardware: VirtualSerialScanner, run: Run, till: Any, patterns: tuple[CardPattern, ...]
) -> None:
    settings = SerialSettings(str(hardware.path), layout="be-azerty")
    run([SerialScanner("counter", settings, patterns)])
    hardware.send("àà'HA\"\r".encode())
    assert till.next(DataEvent).scan_data_label == "004HQ3"
    hardware.send(b"'&&&&&&&&&&&&&&&\r")
    assert till.next(PaymentCardRefused).text == "bank card: use the payment terminal"


def test_letters_beyond_ascii_are_read_as_the_scanner_sends_them(
    hardware: VirtualSerialScanner, run: Run, till: Any, patterns: tuple[CardPattern, ...]
) -> None:
    run([SerialScanner("counter", SerialSettings(str(hardware.path), encoding="latin-1"), patterns)])
    hardware.send(b"caf\xe9\r")
    assert till.next(DataEvent).scan_data_label == "café"


def test_a_thousand_scans_a_second_none_lost(
    hardware: VirtualSerialScanner, device: Device, run: Run, till: Any
) -> None:
    run([device])
    began = time.monotonic()
    for number in range(2000):
        hardware.scan(f"SP{number:08}", aim="]C0")
    labels = [till.next(DataEvent).scan_data_label for _ in range(2000)]
    assert labels == [f"SP{number:08}" for number in range(2000)]
    assert time.monotonic() - began < 2.0


def test_no_descriptor_is_left_open(hardware: VirtualSerialScanner, device: Device) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        device.claim()
        device.release()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
