"""The simulated hardware outlives the till: a till that is killed and started again finds it where it was."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.errors import DeviceBusy, DeviceLost, DeviceMissing
from drivers.simulators.channels import VirtualCamera, VirtualSerialScanner, VirtualWedge

ROOT = Path(__file__).parents[3]
# Another process, as the till is: prints one line for each event.
READER = """
import sys, threading
import structlog
from drivers.build import build_device
from drivers.camera.settings import CameraSettings
from drivers.keyboard.wedge import WedgeSettings
from drivers.lines.serial_scanner import SerialSettings
from drivers.supervisor import Supervisor
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
serial, wedge, camera = sys.argv[1:]
settings = {"serial": SerialSettings(serial), "wedge": WedgeSettings(wedge), "camera": CameraSettings(camera, fps=30)}
devices = [build_device(name, each, ()) for name, each in settings.items()]
def tell(event):
    print(event.device, getattr(event, "status", None) or event.scan_data_label, flush=True)
Supervisor(devices, tell).start()
threading.Event().wait(60)
"""


@pytest.fixture
def hardware(tmp_path: Path) -> Iterator[tuple[VirtualSerialScanner, VirtualWedge, VirtualCamera]]:
    every = VirtualSerialScanner(tmp_path), VirtualWedge(tmp_path), VirtualCamera(tmp_path)
    yield every
    for each in every:
        each.close()


def test_till_killed_and_started_again(hardware: tuple[VirtualSerialScanner, VirtualWedge, VirtualCamera]) -> None:
    scanner, wedge, camera = hardware
    command = [sys.executable, "-c", READER, str(scanner.path), str(wedge.path), camera.path]
    for life in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT) as till:
            assert till.stdout is not None
            try:
                lines = {till.stdout.readline() for _ in range(3)}
                assert lines == {"serial online\n", "wedge online\n", "camera online\n"}
                scanner.scan(f"400638133393{life}")
                assert till.stdout.readline() == f"serial 400638133393{life}\n"
                wedge.swipe(f";12345{life}?")
                assert till.stdout.readline() == f"wedge 12345{life}\n"
                camera.show_qr(f"life {life}")
                assert till.stdout.readline() == f"camera life {life}\n"
            finally:
                till.kill()
        camera.blank()
        # Nobody reads now: this scan is lost, and the next till must not find it.
        scanner.scan("lost")


def test_nobody_reads(tmp_path: Path) -> None:
    wedge = VirtualWedge(tmp_path)
    with pytest.raises(DeviceMissing, match="start the till"):
        wedge.swipe(";1?")
    wedge.close()
    scanner = VirtualSerialScanner(tmp_path)
    with pytest.raises(DeviceBusy, match="nobody reads"):
        scanner.send(b"x" * 100_000)
    scanner.close()


def test_unplugged(tmp_path: Path) -> None:
    wedge, scanner, camera = VirtualWedge(tmp_path), VirtualSerialScanner(tmp_path), VirtualCamera(tmp_path)
    for each in (wedge, scanner, camera):
        each.unplug()
        each.unplug()
    with pytest.raises(DeviceLost):
        wedge.swipe(";1?")
    with pytest.raises(DeviceLost):
        scanner.scan("1")
    assert not wedge.path.exists()
    assert not scanner.path.is_symlink()
    for each in (wedge, scanner, camera):
        each.plug()
        each.plug()
    assert scanner.path.exists()
    assert wedge.path.is_fifo()
    for each in (wedge, scanner, camera):
        each.close()


def test_old_showings_are_removed(tmp_path: Path) -> None:
    camera = VirtualCamera(tmp_path)
    for number in range(10):
        camera.show_qr(str(number), seconds=60)
    assert len(list((tmp_path / "camera").glob("showing-*"))) <= 2
    assert len(list(Path(camera.path).parent.glob("*.png"))) == 6
    camera.close()
    assert list(tmp_path.iterdir()) == []
