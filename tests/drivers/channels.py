"""Every way a card can come in: the simulated hardware of each driver, for tests that hold for all of them.

A new driver adds its channel to `CHANNELS`, and the bank cards go through it as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from drivers.build import DeviceSettings
from drivers.camera.settings import CameraSettings
from drivers.hid.device import HidSettings
from drivers.keyboard.wedge import WedgeSettings
from drivers.lines.line import LineProtocol
from drivers.lines.serial_scanner import SerialSettings
from drivers.simulators.channels import VirtualCamera, VirtualSerialScanner, VirtualWedge
from drivers.simulators.hid import VirtualHidScanner, VirtualHidStripe
from drivers.simulators.lines import VirtualSsiScanner, VirtualTcpScanner

# Zebra's SSI Programmer's Guide, "Bar Code Type": Code 128.
_SSI_CODE_128 = 0x03


class Hardware(Protocol):
    """What every simulated device can do."""

    def unplug(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Rig:
    """One simulated device, what its driver takes, and how to hold a card to it.

    `scan` presents a number as a bar code with an AIM identifier or none (""); `swipe` the text of a whole swipe. None
    where the device has no such thing.
    """

    hardware: Hardware
    settings: DeviceSettings
    scan: Callable[[str, str], object] | None = None
    swipe: Callable[[str], object] | None = None


@dataclass(frozen=True)
class Channel:
    """One driver over one simulated device. `cards` is how many a test presents: a camera is slow."""

    name: str
    build: Callable[[Path], Rig]
    cards: int = 300


def _serial(folder: Path) -> Rig:
    hardware = VirtualSerialScanner(folder)
    return Rig(
        hardware,
        SerialSettings(str(hardware.path)),
        lambda text, aim: hardware.scan(text, aim=aim),
        lambda text: hardware.scan(text, aim="", suffix=b"\r\n"),
    )


def _serial_framed(folder: Path) -> Rig:
    hardware = VirtualSerialScanner(folder)
    settings = SerialSettings(str(hardware.path), protocol=LineProtocol.ACK, prefix=b"\x02", suffix=b"\x03")
    return Rig(hardware, settings, lambda text, aim: hardware.send(b"\x02" + (aim + text).encode() + b"\x03"))


def _ssi(folder: Path) -> Rig:
    hardware = VirtualSsiScanner(folder)
    settings = SerialSettings(str(hardware.path), protocol=LineProtocol.SSI)
    return Rig(hardware, settings, lambda text, aim: hardware.scan_packet(text, symbology=_SSI_CODE_128))


def _tcp(folder: Path) -> Rig:
    hardware = VirtualTcpScanner()
    return Rig(
        hardware,
        SerialSettings(hardware.port),
        lambda text, aim: hardware.scan(text, aim=aim),
        lambda text: hardware.scan(text, aim=""),
    )


def _wedge(folder: Path) -> Rig:
    hardware = VirtualWedge(folder)
    return Rig(
        hardware,
        WedgeSettings(str(hardware.path)),
        lambda text, aim: hardware.swipe(aim + text),
        hardware.swipe,
    )


def _hid_scanner(folder: Path) -> Rig:
    hardware = VirtualHidScanner(folder)
    return Rig(hardware, HidSettings(str(hardware.path)), lambda text, aim: hardware.scan(text, aim=aim or "]C0"))


def _hid_stripe(folder: Path, *, magtek: bool) -> Rig:
    hardware = VirtualHidStripe(folder, magtek=magtek)
    return Rig(hardware, HidSettings(str(hardware.path)), swipe=lambda text: hardware.swipe(*_tracks(text)))


def _tracks(text: str) -> Sequence[str]:
    """The tracks of a swipe apart, as a HID reader reports them: one that would not read is absent."""
    found = {"%": "", ";": "", "+": ""}
    for part in text.split("?"):
        if part and not part.endswith("E"):
            found[part[0]] = part + "?"
    return tuple(found.values())


def _camera(folder: Path) -> Rig:
    hardware = VirtualCamera(folder)
    settings = CameraSettings(hardware.path, fps=60)
    return Rig(hardware, settings, lambda text, aim: hardware.show(text, "Code128" if aim == "]C0" else "QRCode"))


CHANNELS = (
    Channel("serial", _serial, cards=1000),
    Channel("serial-ack", _serial_framed),
    Channel("ssi", _ssi),
    Channel("tcp", _tcp),
    Channel("wedge", _wedge),
    Channel("hid-scanner", _hid_scanner),
    Channel("hid-stripe", lambda folder: _hid_stripe(folder, magtek=False)),
    Channel("magtek", lambda folder: _hid_stripe(folder, magtek=True)),
    Channel("camera", _camera, cards=6),
)
