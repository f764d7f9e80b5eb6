"""A thousand scans a second through one pty, none lost; and what all drivers cost while nothing happens."""

from __future__ import annotations

import resource
import tempfile
import threading
import time
from pathlib import Path

import serial

from benchmarks.result import Result
from drivers.build import build_device
from drivers.events import DataEvent, Event, StatusUpdateEvent
from drivers.hid.device import HidSettings
from drivers.keyboard.wedge import WedgeSettings
from drivers.lines.serial_scanner import SerialSettings
from drivers.printing.receipt_printer import PrinterSettings
from drivers.simulators.channels import VirtualSerialScanner, VirtualWedge
from drivers.simulators.hid import VirtualHidScanner, VirtualHidStripe
from drivers.simulators.lines import VirtualTcpScanner
from drivers.simulators.printer import VirtualPrinter
from drivers.supervisor import Supervisor

__all__ = ["measure"]

_PER_SECOND = 1000
_SCANS = 5000
_IDLE_S = 10.0
_WAIT_S = 60.0


def measure() -> list[Result]:
    with tempfile.TemporaryDirectory() as folder:
        return [*_paced(Path(folder)), _fastest(Path(folder)), _idle(Path(folder))]


def _paced(folder: Path) -> list[Result]:
    """1 000 scans a second for five seconds, each at its own time; what is lost, and how late the last one is."""
    read, late = _through_the_driver(folder, _PER_SECOND)
    return [
        Result("scans lost of 5 000 at 1 000 a second", _SCANS - read, "scans", "lower"),
        Result("last of 5 000 scans at 1 000 a second, behind its time", late * 1000, "ms", "lower"),
    ]


def _fastest(folder: Path) -> Result:
    """As fast as the driver takes them; the peer is pyserial's own readline, which recognises nothing."""
    began = time.perf_counter()
    read, _ = _through_the_driver(folder, None)
    ours = read / (time.perf_counter() - began)
    return Result("scans through one pty", ours, "scans/s", "higher", {"pyserial readline": _readline(folder)})


def _through_the_driver(folder: Path, per_second: int | None) -> tuple[int, float]:
    hardware = VirtualSerialScanner(folder, "paced")
    online, done = threading.Event(), threading.Event()
    labels: set[str] = set()

    def take(event: Event) -> None:
        if isinstance(event, StatusUpdateEvent):
            online.set()
        elif isinstance(event, DataEvent):
            labels.add(event.scan_data_label)
            if len(labels) == _SCANS:
                done.set()

    supervisor = Supervisor([build_device("s", SerialSettings(str(hardware.path)), ())], take)
    supervisor.start()
    online.wait(_WAIT_S)
    began = time.perf_counter()
    for number in range(_SCANS):
        if per_second is not None:
            time.sleep(max(0.0, began + number / per_second - time.perf_counter()))
        hardware.scan(f"SP{number:08}", aim="]C0")
    done.wait(_WAIT_S)
    spent = time.perf_counter() - began
    supervisor.stop()
    hardware.close()
    # The last scan is due when all the others have had their turn.
    return len(labels), spent - ((_SCANS - 1) / per_second if per_second else spent)


def _readline(folder: Path) -> float:
    hardware = VirtualSerialScanner(folder, "peer")
    with serial.Serial(str(hardware.path), timeout=1) as port:
        sender = threading.Thread(target=lambda: [hardware.scan(f"SP{n:08}", "]C0", b"\n") for n in range(_SCANS)])
        began = time.perf_counter()
        sender.start()
        for _ in range(_SCANS):
            port.readline()
        spent = time.perf_counter() - began
        sender.join()
    hardware.close()
    return _SCANS / spent


def _idle(folder: Path) -> Result:
    """Every kind of device but a camera, online and silent: this process's time, the hardware's side included."""
    hardware = (
        VirtualSerialScanner(folder, "idle"),
        VirtualWedge(folder),
        VirtualTcpScanner(),
        VirtualHidScanner(folder),
        VirtualHidStripe(folder),
        VirtualPrinter(folder),
    )
    scanner, wedge, tcp, hid, stripe, printer = hardware
    settings = {
        "serial": SerialSettings(str(scanner.path)),
        "wedge": WedgeSettings(str(wedge.path)),
        "tcp": SerialSettings(tcp.port),
        "hid": HidSettings(str(hid.path)),
        "stripe": HidSettings(str(stripe.path)),
        "printer": PrinterSettings(printer.port),
        # Not there: what looking for it costs belongs to it.
        "missing": SerialSettings("0c2e:ffff"),
    }
    supervisor = Supervisor([build_device(name, each, ()) for name, each in settings.items()], lambda event: None)
    supervisor.start()
    # Past the first looks, which come at shorter intervals.
    time.sleep(4)
    before = _processor_s()
    time.sleep(_IDLE_S)
    spent = _processor_s() - before
    supervisor.stop()
    for each in hardware:
        each.close()
    return Result("idle, seven devices", 100 * spent / _IDLE_S, "% of a core", "lower")


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
