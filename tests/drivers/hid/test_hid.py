"""HID readers: descriptors, reports written from published layouts, and a stream of them through a real pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.build import build_device
from drivers.device import Device
from drivers.errors import BadDeviceSettings, DeviceMissing
from drivers.events import DataEvent, ErrorEvent, PaymentCardRefused
from drivers.formats.framing import FrameError, FrameFault
from drivers.hid.descriptor import input_fields
from drivers.hid.device import HidDevice, HidSettings
from drivers.hid.reports import MAGTEK, TYPICAL_SCANNER, HidLayout, MsrLayout, ScannerLayout, build_reader, layout_of
from drivers.hid.source import REPORT, enumerate_hid, record, udev_rule
from drivers.recognition.guard import CardPattern
from drivers.simulators.hid import (
    SCANNER_DESCRIPTOR,
    STRIPE_DESCRIPTOR,
    VirtualHidScanner,
    VirtualHidStripe,
    scanner_reports,
)
from drivers.supervisor import Supervisor

Run = Callable[[Sequence[Device]], Supervisor]

# USB-IF, HID 1.11, appendix E.10: the report descriptor of a boot mouse. It carries neither scans nor swipes.
MOUSE = bytes.fromhex(
    "05010902a1010901a100050919012903150025019503750181029501750581030501093009311581257f750895028106c0c0"
)
# A 64-byte report: id 2, length 13, `]E0`, the data, zeros (the layout of DEVICES: HID POS Usage Tables, page 0x8C).
EAN_REPORT = bytes.fromhex("020d5d4530 34303036333831333333393331").ljust(64, b"\0")


def magtek(*tracks: tuple[int, bytes]) -> bytes:
    """A MagTek report written field by field, so that it does not come out of the code it tests."""
    report = bytearray(337)
    for number, (status, data) in enumerate(tracks):
        report[number] = status
        report[3 + number] = len(data)
        start = (7, 117, 227)[number]
        report[start : start + len(data)] = data
    assert len(report) == 337
    return bytes(report)


def test_a_mouse_is_no_reader() -> None:
    fields = {(field.page, field.usage): field for field in input_fields(MOUSE)}
    assert fields[1, 0x30].byte == 1
    assert (fields[1, 0x30].size, fields[1, 0x30].count) == (8, 1)
    assert fields[9, 1].bit == 0
    assert fields[9, 3].bit == 2
    assert layout_of(MOUSE) is None


def test_what_descriptors_state() -> None:
    assert layout_of(SCANNER_DESCRIPTOR) == TYPICAL_SCANNER
    assert layout_of(STRIPE_DESCRIPTOR) == MsrLayout(1, (), (1, 2, 3), ((4, 110), (114, 110), (224, 110)), 334)


@given(st.binary(max_size=200))
def test_any_descriptor_is_read_without_a_crash(descriptor: bytes) -> None:
    layout_of(descriptor)
    layout_of(SCANNER_DESCRIPTOR[:30] + descriptor)


@given(st.sampled_from([TYPICAL_SCANNER, MAGTEK, layout_of(STRIPE_DESCRIPTOR)]), st.lists(st.binary(max_size=400)))
def test_any_reports_never_crash(layout: Any, reports: list[bytes]) -> None:
    reader = build_reader(layout)
    for report in reports:
        reader.feed(report)
        for first, end in reader.data_spans(report):
            assert first >= 0
            assert end <= max(len(report), first)
    reader.gap()


def test_scanner_reports() -> None:
    reader = build_reader(TYPICAL_SCANNER)
    assert reader.feed(EAN_REPORT) == [b"]E04006381333931"]
    assert reader.feed(b"\x07" + EAN_REPORT[1:]) == [], "another report id: a keep-alive, a button"
    assert reader.feed(EAN_REPORT[:40] + b"\r\n".join([b"", b""])) == [b"]E04006381333931"]
    assert reader.feed(b"\x02\xff" + EAN_REPORT[2:]) == [FrameError(FrameFault.CUT)]
    assert reader.feed(b"\x02") == [FrameError(FrameFault.CUT)]


# Newland NLS-FM420 Integration Guide, "HID-POS": report id 2, length, data in bytes 2-57, four reserved, the maker's
# own symbology number in byte 62, "decode data continued" in byte 63: no AIM identifier. Its descriptor says so.
NEWLAND = bytes.fromhex(
    "058c0902a10185021500 26ff00 7508 9501 0501 093b 8102 058c 9538 09fe 820201 9505 8103"
    "7501 9501 09ff 8102 9507 8103 c0"
)


def test_a_maker_with_another_layout() -> None:
    stated = layout_of(NEWLAND)
    assert stated == ScannerLayout(2, 1, None, 2, 56, 504)
    report = b"\x02\x0d4006381333931".ljust(62, b"\0") + b"\x64\x00"
    assert build_reader(stated).feed(report) == [b"4006381333931"]


def test_a_long_scan_comes_in_several_reports() -> None:
    text = b"https://example.nl/" + b"x" * 150
    reports = scanner_reports(text, "]Q1")
    assert [report[63] & 1 for report in reports] == [1, 1, 1, 0]
    reader = build_reader(TYPICAL_SCANNER)
    assert [reader.feed(report) for report in reports] == [[], [], [], [b"]Q1" + text]]
    reader.feed(reports[0])
    assert reader.unfinished
    assert reader.gap() == [FrameError(FrameFault.CUT)]
    assert reader.feed(reports[3])[0] != b"]Q1" + text


def test_magtek_reports() -> None:
    reader = build_reader(MAGTEK)
    both = magtek((0, b"%L9876000000000001^DE VRIES/A?"), (0, b";9876000000000001?"), (0, b""))
    assert reader.feed(both) == [b"%L9876000000000001^DE VRIES/A?;9876000000000001?"]
    assert reader.feed(magtek((1, b""), (0, b";2800000000015?"))) == [b"%E?;2800000000015?"]
    assert reader.feed(magtek((0, b""), (0, b"2800000000015"))) == [b";2800000000015?"], "without its sentinels"
    assert reader.feed(magtek()) == []
    assert reader.feed(both[:300]) == [FrameError(FrameFault.CUT)]
    assert reader.feed(bytes([0, 0, 0, 111]) + both[4:]) == [FrameError(FrameFault.CUT)]


@pytest.fixture
def scanner(tmp_path: Path) -> Iterator[VirtualHidScanner]:
    hardware = VirtualHidScanner(tmp_path)
    yield hardware
    hardware.close()


@pytest.mark.parametrize("is_magtek", [False, True], ids=["hid-pos", "magtek"])
def test_swipes_through_a_pipe(
    tmp_path: Path, patterns: tuple[CardPattern, ...], run: Run, till: Any, is_magtek: bool
) -> None:
    hardware = VirtualHidStripe(tmp_path, magtek=is_magtek)
    run([build_device("stripe", HidSettings(str(hardware.path)), patterns)])
    hardware.swipe("%L9876000000000001^DE VRIES/A?", ";9876000000000001?")
    event = till.next(DataEvent)
    assert (event.kind, event.scan_data_label, event.scan_data_type) == ("swipe", "9876000000000001", "MSR")
    hardware.swipe("E", ";2800000000015?")
    assert till.next(DataEvent).scan_data_label == "2800000000015"
    hardware.swipe("%B4111111111111111^DOE/JANE^26012011234?", ";4111111111111111=26012011234?")
    assert till.next(PaymentCardRefused).device == "stripe"
    hardware.unplug()
    till.wait_status("offline")
    hardware.plug()
    till.wait_status("online")
    hardware.swipe("", ";2800000000022?")
    assert till.next(DataEvent).scan_data_label == "2800000000022"
    hardware.close()


def test_scans_through_a_pipe(scanner: VirtualHidScanner, run: Run, till: Any) -> None:
    run([HidDevice("hid", HidSettings(str(scanner.path)), ())])
    scanner.scan("4006381333931")
    event = till.next(DataEvent)
    assert (event.scan_data_label, event.aim, event.scan_data_type) == ("4006381333931", "]E0", "EAN-13")
    scanner.scan("https://example.nl/" + "x" * 150, aim="]Q1")
    assert len(till.next(DataEvent).scan_data_label) == 169
    scanner.send_reports(scanner_reports(b"x" * 100)[:1])
    assert till.next(ErrorEvent).code == "cut"
    scanner.send(b"\xff" * 50)
    assert till.next(ErrorEvent).code == "garbled"
    scanner.scan("4006381333948")
    assert till.next(DataEvent).scan_data_label == "4006381333948"


def test_records_cut_anywhere(scanner: VirtualHidScanner, run: Run, till: Any) -> None:
    run([HidDevice("hid", HidSettings(str(scanner.path), HidLayout.SCANNER), ())])
    stream = record(REPORT, EAN_REPORT)
    for at in range(0, len(stream), 5):
        scanner.send(stream[at : at + 5])
    assert till.next(DataEvent).scan_data_label == "4006381333931"


def test_a_device_that_is_no_reader_fails_with_what_to_do(scanner: VirtualHidScanner, till: Any) -> None:
    supervisor = Supervisor([HidDevice("hid", HidSettings(str(scanner.path)), ())], till.events.put)
    supervisor.start()
    till.wait_status("online")
    scanner.send(record(b"D", MOUSE) + record(REPORT, b"\1\2\3\4"))
    assert "set it to HID POS mode" in till.wait_status("failed").text
    supervisor.stop()


def test_devices_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DeviceMissing, match="set it to USB HID POS"):
        HidDevice("h", HidSettings("0c2e:ffff"), ()).open()
    with pytest.raises(DeviceMissing, match="no such reader"):
        HidDevice("h", HidSettings(str(tmp_path / "none")), ()).claim()
    with pytest.raises(BadDeviceSettings, match="expected a device"):
        HidSettings("")


def test_every_state_may_be_left_twice(scanner: VirtualHidScanner) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    device = HidDevice("h", HidSettings(str(scanner.path)), ())
    device.interrupt()
    for _ in range(2):
        device.open()
        device.claim()
        for _ in range(2):
            device.disable()
            device.release()
            device.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_hidapi_is_there_and_asks_the_machine() -> None:
    assert isinstance(enumerate_hid(), list)
    assert 'ATTRS{idVendor}=="0801"' in udev_rule(0x0801)
