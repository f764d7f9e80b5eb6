"""The receipt printer on a real pty and a real socket; what it prints is read again by zxing-cpp."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st

from drivers.device import Device
from drivers.errors import BadDeviceSettings, DeviceMissing, PrinterNotReady
from drivers.printing.escpos_job import (
    MAX_PARTS,
    Barcode,
    Cut,
    OpenDrawer,
    QrCode,
    Text,
    Trouble,
    compose,
    read_status,
    status_request,
)
from drivers.printing.printer_port import open_printer_port
from drivers.printing.receipt_printer import CashDrawer, PrinterSettings, ReceiptPrinter
from drivers.simulators.printer import VirtualPrinter
from drivers.supervisor import Supervisor

Run = Callable[[Sequence[Device]], Supervisor]
RASTER = re.compile(rb"\x1dv0[\x00-\x03](..)(..)", re.DOTALL)


def pictures(stream: bytes) -> list[Any]:
    """The raster images (GS v 0) in a stream, as arrays of bytes, black on white."""
    found = []
    for match in RASTER.finditer(stream):
        across, down = (int.from_bytes(match[group], "little") for group in (1, 2))
        rows = np.frombuffer(stream[match.end() : match.end() + across * down], np.uint8).reshape(down, across)
        found.append(np.pad(255 * (1 - np.unpackbits(rows, axis=1)), 16, constant_values=255).astype(np.uint8))
    return found


@pytest.fixture(params=["pty", "tcp"])
def hardware(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VirtualPrinter]:
    printer = VirtualPrinter(tmp_path if request.param == "pty" else None)
    yield printer
    printer.close()


@pytest.fixture
def printer(hardware: VirtualPrinter) -> ReceiptPrinter:
    return ReceiptPrinter("bon", PrinterSettings(hardware.port))


def test_a_receipt(hardware: VirtualPrinter, printer: ReceiptPrinter, run: Run) -> None:
    run([printer])
    parts = [Text("Café € 12,50\n", align="center", bold=True), QrCode("https://example.nl/8018/1"), Cut()]
    printer.print(parts).result(5)
    receipt = hardware.tear_off()
    assert receipt == compose(parts)
    assert receipt.startswith(b"\x1b@")
    assert b"Caf\x82" in receipt, "code page 437"
    assert receipt.endswith(b"\x1dV\x00")
    (code,) = [found for picture in pictures(receipt) for found in zxingcpp.read_barcodes(picture)]
    assert code.text == "https://example.nl/8018/1"


def test_paper_runs_out_and_is_put_in(hardware: VirtualPrinter, printer: ReceiptPrinter, run: Run, till: Any) -> None:
    run([printer])
    hardware.paper = "out"
    assert "put in a new roll" in till.wait_status("failed").text
    with pytest.raises(PrinterNotReady, match="out of paper"):
        printer.print([Text("x\n")]).result(5)
    assert hardware.tear_off() == b""
    hardware.paper = "low"
    assert "nearly out" in till.wait_status("online").text
    printer.print([Text("x\n")]).result(5)
    hardware.paper, hardware.cover_open = "ok", True
    assert "close it" in till.wait_status("failed").text
    hardware.cover_open = False
    assert till.wait_status("online").text == "ready"


def test_switched_off_and_on(hardware: VirtualPrinter, printer: ReceiptPrinter, run: Run, till: Any) -> None:
    with pytest.raises(PrinterNotReady, match="not connected"):
        printer.print([Cut()]).result(0)
    run([printer])
    hardware.unplug()
    till.wait_status("offline")
    with pytest.raises(PrinterNotReady, match="not connected"):
        printer.print([Cut()]).result(5)
    hardware.plug()
    till.wait_status("online")
    printer.print([Text("back\n")]).result(5)
    assert hardware.wait_for(b"back", 5)


def test_cash_drawer(hardware: VirtualPrinter, printer: ReceiptPrinter, run: Run) -> None:
    run([printer])
    CashDrawer(printer).open_drawer().result(5)
    # Epson, ESC p m t1 t2: pin 2 is m = 0, and both pulses last.
    assert re.search(rb"\x1bp\x00[^\x00][^\x00]", hardware.tear_off())
    CashDrawer(printer, pin=5).open_drawer().result(5)
    assert b"\x1bp\x01" in hardware.tear_off()
    with pytest.raises(BadDeviceSettings, match="pin 2 or 5"):
        CashDrawer(printer, pin=3)


def test_stop_fails_what_waits_and_frees_the_port(hardware: VirtualPrinter, printer: ReceiptPrinter, run: Run) -> None:
    supervisor = run([printer])
    supervisor.stop()
    with pytest.raises(PrinterNotReady):
        printer.print([Cut()]).result(0)
    open_printer_port(hardware.port, 9600).close()


def test_bar_codes_are_drawn_by_the_printer() -> None:
    # Epson, GS k m: 2 is EAN-13 in function A, 73 is Code 128 in function B, whose data starts with its code set.
    assert b"\x1dk\x024006381333931\x00" in compose([Barcode("4006381333931")])
    assert b"\x1dk\x49\x0a{BSP000001" in compose([Barcode("SP000001", "CODE-128")])


def test_nothing_is_printed_on_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    compose([QrCode("x"), Barcode("4006381333931"), OpenDrawer()])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "parts",
    [[Barcode("not digits")], [QrCode("x", size=17)], [Text("x")] * (MAX_PARTS + 1), [Text("x" * 10_001)]],
    ids=["barcode", "qr", "parts", "text"],
)
def test_what_cannot_be_printed(parts: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"expected|cannot be printed"):
        compose(parts)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_can_be_printed(text: str) -> None:
    assert compose([Text(text)]).startswith(b"\x1b@")


@pytest.mark.parametrize(
    ("printer", "cause", "paper", "trouble", "low"),
    [
        (0x12, 0x12, 0x12, None, False),
        (0x1A, 0x32, 0x7E, Trouble.PAPER_OUT, True),
        (0x1A, 0x16, 0x12, Trouble.COVER_OPEN, False),
        (0x1A, 0x52, 0x12, Trouble.ERROR, False),
        (0x1A, 0x12, 0x12, Trouble.OFFLINE, False),
        (0x12, 0x12, 0x1E, None, True),
    ],
)
def test_status_bytes(printer: int, cause: int, paper: int, trouble: Trouble | None, low: bool) -> None:
    status = read_status(bytes([printer]), bytes([cause]), bytes([paper]))
    assert status is not None
    assert (status.trouble, status.paper_low) == (trouble, low)


def test_no_status() -> None:
    assert read_status(b"", b"\x12", b"\x12") is None
    assert read_status(b"\xff", b"\x12", b"\x12") is None
    assert status_request("paper") == b"\x10\x04\x04"


@pytest.mark.parametrize("wrong", [{"port": ""}, {"port": "usb://nonsense"}, {"port": "x", "baudrate": 0}])
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadDeviceSettings, match="expected"):
        PrinterSettings(**wrong)


def test_printers_that_are_not_there(tmp_path: Path) -> None:
    for port in (str(tmp_path / "none"), "usb://04b8:ffff", "/dev/usb/lp97", "04b8:ffff"):
        with pytest.raises(DeviceMissing):
            open_printer_port(port, 9600)


def test_unknown_profile() -> None:
    with pytest.raises(BadDeviceSettings, match="expected a printer profile"):
        compose([Cut()], "Gutenberg 1450")
