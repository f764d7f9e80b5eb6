"""The way to a receipt printer: a serial or network port, a USB printer through python-escpos, or /dev/usb/lpN."""

from __future__ import annotations

import errno
import os
import select
import time
from typing import Any, Protocol

import serial

from drivers.errors import DeviceBusy, DeviceDenied, DeviceLost, DeviceMissing
from drivers.lines.ports import Wire, find_port, open_port, why_not_opened
from drivers.usb_ids import USB_ID

__all__ = ["USB_PREFIX", "PrinterPort", "open_printer_port"]

# Before the ids of a printer of USB's printer class; bare ids are those of a printer with a virtual COM port.
USB_PREFIX = "usb://"
# A receipt of 30 cm is 5 KB with its pictures: half a second at 115200 baud, five at 9600. What takes longer waits for
# paper.
WRITE_S = 15.0
_ANSWER_S = 0.5
_ANSWER_BYTES = 16


class PrinterPort(Protocol):
    """An open printer. Both directions raise DeviceLost when it goes away."""

    def write(self, data: bytes) -> None:
        """Send everything. Raises DeviceBusy when the printer takes no more: no paper, cover open, or off."""

    def read(self) -> bytes:
        """Return what the printer says within half a second, or nothing: some transports cannot."""

    def close(self) -> None:
        """Let go. Never raises."""


def open_printer_port(port: str, baudrate: int) -> PrinterPort:
    """Open `port` as `PrinterSettings` has it. Raises DeviceMissing, DeviceDenied, DeviceBusy or BadDeviceSettings."""
    if port.startswith(USB_PREFIX):
        return _Usb(port)
    if port.startswith("/dev/usb/"):
        return _LineFile(port)
    path, wire = find_port(port), Wire(baudrate)
    try:
        opened = open_port(path, wire, _ANSWER_S, WRITE_S)
    except (OSError, ValueError) as error:
        raise why_not_opened(error, port, wire) from None
    return _Serial(port, opened)


def _lost(port: str) -> DeviceLost:
    return DeviceLost("the printer went away", port, "look at its cable and its power")


def _full(port: str) -> DeviceBusy:
    return DeviceBusy("the printer takes no more data", port, "look at its paper, its cover and its power")


class _Serial:
    def __init__(self, port: str, opened: serial.SerialBase) -> None:
        self._port, self._opened = port, opened

    def write(self, data: bytes) -> None:
        try:
            self._opened.write(data)
            self._opened.flush()
        except serial.SerialTimeoutException:
            raise _full(self._port) from None
        except OSError:
            raise _lost(self._port) from None

    def read(self) -> bytes:
        try:
            first = self._opened.read(1)
            return bytes(first + self._opened.read(self._opened.in_waiting)) if first else b""
        except OSError:
            raise _lost(self._port) from None

    def close(self) -> None:
        try:
            self._opened.close()
        except OSError:
            # The printer is gone and the system says so while closing: the descriptor is free all the same.
            return


class _LineFile:
    """Linux's usblp driver: one file to write to, and to read status from."""

    def __init__(self, port: str) -> None:
        self._port = port
        try:
            self._fd = os.open(port, os.O_RDWR | os.O_NONBLOCK)
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise DeviceBusy("the printer is taken", port, "close the other program that prints") from None
            if error.errno in (errno.EACCES, errno.EPERM):
                raise DeviceDenied(
                    "no permission for the printer", port, "add the till's user to the group lp"
                ) from None
            raise DeviceMissing("no such printer", port, "plug it in and switch it on") from None

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        deadline = time.monotonic() + WRITE_S
        while rest:
            _, writable, _ = select.select([], [self._fd], [], max(0.0, deadline - time.monotonic()))
            if not writable:
                raise _full(self._port)
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                continue
            except OSError:
                raise _lost(self._port) from None

    def read(self) -> bytes:
        if not select.select([self._fd], [], [], _ANSWER_S)[0]:
            return b""
        try:
            return os.read(self._fd, _ANSWER_BYTES)
        except BlockingIOError:
            return b""
        except OSError:
            raise _lost(self._port) from None

    def close(self) -> None:
        os.close(self._fd)


class _Usb:
    """A printer of USB's printer class, by python-escpos and libusb. On Windows it needs the WinUSB driver (Zadig)."""

    def __init__(self, port: str) -> None:
        # Only a till with such a printer loads these.
        from escpos.exceptions import DeviceNotFoundError
        from escpos.printer import Usb

        self._port = port
        ids = USB_ID.fullmatch(port.removeprefix(USB_PREFIX))
        assert ids is not None  # PrinterSettings saw to it
        self._printer: Any = Usb(int(ids["vid"], 16), int(ids["pid"], 16), timeout=int(WRITE_S * 1000))
        try:
            self._printer.open()
        except DeviceNotFoundError as error:
            if "ccess" in str(error):
                rule = f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{ids["vid"].lower()}", MODE="0660", GROUP="lp"'
                raise DeviceDenied(
                    "no permission for the printer", port, f"put {rule} into /etc/udev/rules.d/70-spaarpunt.rules"
                ) from None
            raise DeviceMissing("no such printer", port, "plug it in and switch it on") from None
        except ValueError:
            # pyusb found no libusb.
            raise DeviceMissing(
                "USB printers need libusb", port, "install libusb-1.0-0, or give /dev/usb/lp0 as the port"
            ) from None

    def write(self, data: bytes) -> None:
        from usb.core import USBError, USBTimeoutError

        try:
            self._printer._raw(data)
        except USBTimeoutError:
            raise _full(self._port) from None
        except USBError:
            raise _lost(self._port) from None

    def read(self) -> bytes:
        from usb.core import USBError, USBTimeoutError

        try:
            return bytes(self._printer.device.read(self._printer.in_ep, _ANSWER_BYTES, int(_ANSWER_S * 1000)))
        except USBTimeoutError:
            return b""
        except USBError:
            raise _lost(self._port) from None

    def close(self) -> None:
        self._printer.close()
