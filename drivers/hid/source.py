"""Where HID reports come from: hidapi, or a stream of them in a pipe or a file.

A stream is what `simulated.VirtualHid` writes: records of a letter (`D` report descriptor, `R` report), a length of two
bytes, low one first, and as many bytes.
"""

from __future__ import annotations

import os
import select
import stat
import struct
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import structlog

from drivers.errors import BadDeviceSettings, DeviceBusy, DeviceDenied, DeviceLost, DeviceMissing
from drivers.hid.descriptor import MAX_DESCRIPTOR_BYTES
from drivers.hid.reports import SCANNER_PAGE, STRIPE_PAGE
from drivers.usb_ids import USB_ID

__all__ = [
    "DESCRIPTOR",
    "MAGTEK_VENDOR",
    "RECORD",
    "REPORT",
    "HidInterface",
    "Reports",
    "enumerate_hid",
    "find_hid",
    "open_reports",
    "record",
    "udev_rule",
]

log = structlog.get_logger(__name__)

# The longest report that any reader here sends is MagTek's 337 bytes; its encrypting ones send up to 900.
_MAX_REPORT = 1024
MAGTEK_VENDOR = 0x0801
RECORD = struct.Struct("<cH")
DESCRIPTOR, REPORT = b"D", b"R"
_MAX_RECORD = MAX_DESCRIPTOR_BYTES


@dataclass(frozen=True, slots=True)
class HidInterface:
    """One interface of a HID device, as hidapi enumerates it."""

    path: str
    vid: int
    pid: int
    serial_number: str
    product: str
    usage_page: int

    @property
    def is_reader(self) -> bool:
        """Whether cards or codes come from it: a scanner, a stripe reader, or MagTek's own page."""
        own_page = self.vid == MAGTEK_VENDOR and self.usage_page >= 0xFF00
        return self.usage_page in (SCANNER_PAGE, STRIPE_PAGE) or own_page


def enumerate_hid() -> list[HidInterface]:
    """Return every HID interface that is plugged in. Opens none."""
    return [
        HidInterface(
            each["path"].decode(errors="replace"),
            each["vendor_id"],
            each["product_id"],
            each["serial_number"] or "",
            each["product_string"] or "",
            each["usage_page"],
        )
        for each in _hidapi().enumerate()
    ]


class Reports(Protocol):
    """Where reports come from. `read` and `drain` raise DeviceLost."""

    def read(self, timeout_s: float) -> bytes | None:
        """Return one report, `b""` for none in time, None where what came makes no sense."""

    def drain(self) -> None:
        """Drop the reports that wait."""

    def descriptor(self) -> bytes:
        """Return the report descriptor, empty where it is not known."""

    def descriptor_record(self) -> bytes:
        """Return the descriptor as a record of a stream, empty where it is not known."""

    def close(self) -> None:
        """Let go."""


class _Usb:
    """Reports by hidapi. Raises DeviceMissing, DeviceDenied or DeviceBusy."""

    def __init__(self, found: HidInterface, wanted: str) -> None:
        self._wanted = wanted
        self._device: Any = _hidapi().device()
        try:
            self._device.open_path(found.path.encode())
        except OSError:
            # hidapi says "open failed" and no more.
            path = Path(found.path)
            if path.is_absolute() and not path.exists():
                raise DeviceMissing("no such reader", wanted, "plug it in") from None
            if path.is_absolute() and not os.access(path, os.R_OK | os.W_OK):
                raise DeviceDenied(
                    "no permission for the reader", wanted, f"give the till's user access: {udev_rule(found.vid)}"
                ) from None
            raise DeviceBusy("the reader is taken", wanted, "close the other program that reads it") from None

    def read(self, timeout_s: float) -> bytes | None:
        try:
            return bytes(self._device.read(_MAX_REPORT, int(timeout_s * 1000)))
        except (OSError, ValueError):
            raise DeviceLost("the reader went away", self._wanted, "plug it in again") from None

    def drain(self) -> None:
        # One millisecond: with 0 hidapi waits for ever.
        while self.read(0.001):
            pass

    def descriptor(self) -> bytes:
        try:
            return bytes(self._device.get_report_descriptor())
        except (OSError, ValueError) as error:
            log.info("hid_descriptor_unknown", reader=self._wanted, error=type(error).__name__)
            return b""

    def descriptor_record(self) -> bytes:
        known = self.descriptor()
        return record(DESCRIPTOR, known) if known else b""

    def close(self) -> None:
        self._device.close()


class _Stream:
    """Reports out of a FIFO, or a file of them, which is played once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pending = bytearray()
        self._descriptor = b""
        self._ended = False
        self._fd = self._open()
        self._is_pipe = stat.S_ISFIFO(os.fstat(self._fd).st_mode)

    def read(self, timeout_s: float) -> bytes | None:
        deadline = time.monotonic() + timeout_s
        while True:
            while len(self._pending) >= RECORD.size:
                kind, length = RECORD.unpack_from(self._pending)
                if kind not in (DESCRIPTOR, REPORT) or not 0 < length <= _MAX_RECORD:
                    self.drain()
                    return None
                whole = RECORD.size + length
                if len(self._pending) < whole:
                    break
                data = bytes(self._pending[RECORD.size : whole])
                self._pending[:whole] = bytes(whole)
                del self._pending[:whole]
                if kind == REPORT:
                    return data
                self._descriptor = data
            left = deadline - time.monotonic()
            if left <= 0:
                return b""
            if self._ended:
                time.sleep(left)
                return b""
            if select.select([self._fd], [], [], left)[0]:
                self._more()

    def drain(self) -> None:
        self._pending.clear()
        if not self._is_pipe:
            return
        try:
            while os.read(self._fd, 65_536):
                pass
        except BlockingIOError:
            log.debug("hid_stream_drained")

    def descriptor(self) -> bytes:
        return self._descriptor

    def descriptor_record(self) -> bytes:
        return record(DESCRIPTOR, self._descriptor) if self._descriptor else b""

    def close(self) -> None:
        os.close(self._fd)

    def _more(self) -> None:
        try:
            data = os.read(self._fd, 65_536)
        except BlockingIOError:
            return
        except OSError:
            raise self._lost() from None
        if data:
            self._pending += data
        elif self._is_pipe:
            # The writer has gone; the pipe is opened again for the next one, where it still is.
            self._pending.clear()
            try:
                again = self._open()
            except DeviceMissing:
                raise self._lost() from None
            os.close(self._fd)
            self._fd = again
        else:
            self._ended = True

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        except PermissionError:
            raise DeviceDenied("no permission for the reader", str(self._path), "look at the file's mode") from None
        except OSError:
            raise DeviceMissing("no such reader", str(self._path), "plug it in") from None

    def _lost(self) -> DeviceLost:
        return DeviceLost("the reader went away", str(self._path), "plug it in again")


def open_reports(found: HidInterface | Path, wanted: str) -> Reports:
    """Open an interface or a stream. Raises DeviceMissing, DeviceDenied or DeviceBusy; `wanted` is shown in them."""
    return _Stream(found) if isinstance(found, Path) else _Usb(found, wanted)


def udev_rule(vid: int) -> str:
    """Return what a person has to do on Linux so that the group plugdev may read HID devices of this vendor."""
    rule = f'KERNEL=="hidraw*", ATTRS{{idVendor}}=="{vid:04x}", MODE="0660", GROUP="plugdev"'
    return f"put {rule} into /etc/udev/rules.d/70-spaarpunt.rules and plug the reader in again"


def record(kind: bytes, data: bytes) -> bytes:
    """Return one record of a stream."""
    return RECORD.pack(kind, len(data)) + data


def find_hid(device: str) -> HidInterface | Path:
    """Return the one interface, or the stream, that `device` names. Raises DeviceMissing or BadDeviceSettings."""
    path = Path(device)
    if path.is_absolute() and not path.is_char_device() and not device.startswith("\\\\"):
        if not (path.is_fifo() or path.is_file()):
            raise DeviceMissing("no such reader", device, "plug it in, or correct `device`")
        return path
    ids = USB_ID.fullmatch(device)
    every = enumerate_hid()
    if ids is None:
        found = [each for each in every if each.path == device]
    else:
        vid, pid, number = int(ids["vid"], 16), int(ids["pid"], 16), ids["serial"]
        same = [
            each
            for each in every
            if (each.vid, each.pid) == (vid, pid) and (number is None or each.serial_number == number)
        ]
        # A scanner often shows a keyboard and a maker's interface beside the one that carries cards.
        found = [each for each in same if each.is_reader] or same
    if not found:
        raise DeviceMissing("no such reader", device, "plug it in, and set it to USB HID POS (not keyboard)")
    if len(found) > 1:
        raise BadDeviceSettings(
            f"expected one reader, found {len(found)}", device, "give VID:PID:SERIAL, or one path of `devices list`"
        )
    return found[0]


def _hidapi() -> Any:
    """Return hidapi's module: over hidraw where the wheel has it (Linux), which leaves the kernel's driver in place."""
    try:
        return import_module("hidraw")
    except ImportError:
        return import_module("hid")
