"""Serial and network ports: finding them, opening them, and saying in one line why one would not open.

Also what is plugged in: serial ports, HID devices, input nodes and cameras, for `spaarpunt devices list`.
"""

from __future__ import annotations

import errno
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import serial
from serial.tools import list_ports

from drivers.errors import BadDeviceSettings, DeviceBusy, DeviceDenied, DeviceMissing, DriverError
from drivers.hid.source import enumerate_hid
from drivers.usb_ids import USB_ID, usb_name

__all__ = [
    "MAX_BAUDRATE",
    "USUAL_WIRE",
    "Plugged",
    "Wire",
    "find_port",
    "is_network",
    "names",
    "open_port",
    "plugged_in",
    "why_not_opened",
]

# Fastest rate a USB-CDC scanner is set to; the driver of the port has the last word.
MAX_BAUDRATE = 4_000_000
# pyserial's URL handlers that lead to a scanner over a network: a raw TCP port, or a port server of RFC 2217.
_NETWORK = ("socket://", "rfc2217://")
# A scanner whose network cable is drawn says nothing: probes after 10 s of silence find out within half a minute.
_KEEP_ALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}


@dataclass(frozen=True, slots=True)
class Plugged:
    """One thing that is plugged in. `path` is what a configuration would name; `usb` is `VID:PID[:SERIAL]` or empty."""

    kind: Literal["serial", "hid", "input", "camera"]
    path: str
    usb: str
    name: str


def is_network(port: str) -> bool:
    """Say whether `port` is an address on a network (`socket://…`, `rfc2217://…`)."""
    return port.startswith(_NETWORK)


def find_port(port: str) -> str:
    """Return the path of `port`: itself when it is a path or an address, else the port whose USB ids it names.

    Raises DeviceMissing when nothing matches, BadDeviceSettings when more than one device does.
    """
    ids = USB_ID.fullmatch(port)
    if ids is None:
        return port
    vid, pid, number = int(ids["vid"], 16), int(ids["pid"], 16), ids["serial"]
    found = [
        each
        for each in list_ports.comports()
        if each.vid == vid and each.pid == pid and (number is None or each.serial_number == number)
    ]
    if not found:
        raise DeviceMissing("no such scanner", port, "plug it in, and set it to USB-CDC (virtual COM port)")
    if len(found) > 1:
        raise BadDeviceSettings(
            f"expected one device, found {len(found)}", port, "add the serial number: VID:PID:SERIAL"
        )
    return str(found[0].device)


@dataclass(frozen=True, slots=True)
class Wire:
    """How bytes travel on a serial line. `baudrate` in bits a second; USB-CDC and TCP ignore it all.

    Raises BadDeviceSettings.
    """

    baudrate: int = 9600
    data_bits: Literal[7, 8] = 8
    parity: Literal["none", "even", "odd"] = "none"
    stop_bits: Literal[1, 2] = 1

    def __post_init__(self) -> None:
        if not 0 < self.baudrate <= MAX_BAUDRATE:
            raise BadDeviceSettings(
                f"expected a baud rate from 1 to {MAX_BAUDRATE}, got {self.baudrate}",
                "baudrate",
                "9600 suits most scanners",
            )


USUAL_WIRE = Wire()
"""9600 baud, 8 data bits, no parity, 1 stop bit: how most scanners leave the factory."""


def open_port(path: str, wire: Wire, timeout_s: float, write_timeout_s: float) -> serial.SerialBase:
    """Open a serial port exclusively, or connect to a network one. Raises OSError or ValueError, as pyserial does."""
    port: serial.SerialBase = serial.serial_for_url(
        path,
        baudrate=wire.baudrate,
        bytesize=wire.data_bits,
        parity=wire.parity[0].upper(),
        stopbits=wire.stop_bits,
        timeout=timeout_s,
        exclusive=True,
    )
    if not path.startswith("rfc2217://"):
        # pyserial's RFC 2217 client refuses one; it hands what is written to the system, which has buffers.
        port.write_timeout = write_timeout_s
    if path.startswith("socket://"):
        with socket.fromfd(port.fileno(), socket.AF_INET, socket.SOCK_STREAM) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _KEEP_ALIVE.items():
                if hasattr(socket, name):
                    same.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return port


def why_not_opened(error: OSError | ValueError, port: str, wire: Wire) -> DriverError:
    """Say what it means that `open_port` raised `error`, by what should be done about it."""
    code = error.errno if isinstance(error, OSError) else None
    # pyserial on Windows puts the number into the text alone: "could not open port 'COM9': FileNotFoundError(2, …)".
    text = str(error)
    if is_network(port) and isinstance(error, OSError):
        return DeviceMissing("no answer from the port", port, "look at its power, its cable and its address")
    if code in (errno.EAGAIN, errno.EBUSY) or "PermissionError(13" in text:
        return DeviceBusy("the port is taken", port, "close the other program that reads this scanner")
    if code in (errno.EACCES, errno.EPERM):
        return DeviceDenied("no permission for the port", port, "add the till's user to the group dialout")
    if code in (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.EIO) or "FileNotFoundError(2" in text:
        return DeviceMissing("no such port", port, "plug the scanner in, or correct `port`")
    if isinstance(error, ValueError):
        return BadDeviceSettings(
            f"the port does not take {wire.baudrate} baud, {wire.data_bits} bits, {wire.parity} parity",
            port,
            "use what the scanner is set to, such as 9600 baud, 8 bits, no parity",
        )
    # pyserial gives no number where the path opened but is no serial port (termios refuses it).
    return BadDeviceSettings("not a serial port", port, "correct `port`: /dev/serial/by-id lists the serial devices")


def names(wanted: str, plugged: Plugged) -> bool:
    """Say whether `wanted`, out of a configuration, is this thing: by USB ids, by path, or by camera index."""
    ids, own = USB_ID.fullmatch(wanted), USB_ID.fullmatch(plugged.usb)
    if ids is not None:
        return (
            own is not None
            and (ids["vid"].lower(), ids["pid"].lower()) == (own["vid"], own["pid"])
            and ids["serial"] in (None, own["serial"])
        )
    path = f"/dev/video{wanted}" if wanted.isdecimal() else wanted
    if is_network(path):
        return False
    return path == plugged.path or Path(path).resolve() == Path(plugged.path).resolve()


def plugged_in() -> list[Plugged]:
    """Return what is plugged in, by kind and path. Opens nothing."""
    return sorted([*_serial(), *_hid(), *_nodes()], key=lambda each: (each.kind, each.path))


def _serial() -> list[Plugged]:
    stable = _stable("/dev/serial/by-id")
    return [
        Plugged(
            "serial",
            stable.get(str(each.device), str(each.device)),
            usb_name(each.vid, each.pid, each.serial_number) if each.vid is not None else "",
            str(each.description or ""),
        )
        for each in list_ports.comports()
        # Ports of the mainboard that nothing is connected to have no hardware id.
        if each.hwid != "n/a"
    ]


def _hid() -> list[Plugged]:
    return [
        Plugged(
            "hid",
            each.path,
            usb_name(each.vid, each.pid, each.serial_number),
            f"{each.product} (usage page 0x{each.usage_page:02X})",
        )
        for each in enumerate_hid()
    ]


def _nodes() -> list[Plugged]:
    if sys.platform != "linux":
        return []
    folders: tuple[tuple[Literal["input", "camera"], str, str], ...] = (
        ("input", "/dev/input/by-id", "-event-kbd"),
        ("camera", "/dev/v4l/by-id", ""),
    )
    return [
        Plugged(kind, str(link), "", link.name)
        for kind, folder, ending in folders
        for link in Path(folder).glob(f"*{ending}")
    ]


def _stable(folder: str) -> dict[str, str]:
    """Return, for each node, the name in `folder` that stays when the cable moves to another socket."""
    return {str(link.resolve()): str(link) for link in Path(folder).glob("*")}
