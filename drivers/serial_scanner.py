"""Bar-code scanners (and card readers) on a serial port or USB-CDC, read with pyserial."""

from __future__ import annotations

import errno
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import serial
import structlog
from serial.tools import list_ports

from drivers.device import Sink
from drivers.errors import BadDeviceSettings, DeviceBusy, DeviceDenied, DeviceLost, DeviceMissing, DriverError
from drivers.framing import FrameError, Framer
from drivers.guard import CardPattern
from drivers.recognise import frame_error_event, recognise_frame

__all__ = ["SerialScanner", "SerialSettings", "find_port"]

log = structlog.get_logger(__name__)

# A scanner sends a frame in one go: at 9600 baud a byte takes 1 ms. Half a second of silence inside a frame means that
# the rest is lost. It is also how often a quiet reader thread wakes up, which costs nothing measurable.
IDLE_GAP_S = 0.5
# Fastest rate a USB-CDC scanner is set to; the driver of the port has the last word.
MAX_BAUDRATE = 4_000_000
_USB_ID = re.compile(r"(?P<vid>[0-9A-Fa-f]{4}):(?P<pid>[0-9A-Fa-f]{4})(?::(?P<serial>.+))?")


@dataclass(frozen=True, slots=True)
class SerialSettings:
    """How to reach a serial scanner.

    `port` is a path (`/dev/serial/by-id/…`, `COM3`), or `VID:PID` or `VID:PID:SERIAL` in hexadecimal as `lsusb` shows
    them. `baudrate` is in bits a second; USB-CDC ignores it. `encoding` is how the scanner sends text.
    Raises BadDeviceSettings.
    """

    port: str
    baudrate: int = 9600
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        if not self.port:
            raise BadDeviceSettings("expected a port, got none", "port", "give a path or VID:PID, as lsusb shows it")
        if not 0 < self.baudrate <= MAX_BAUDRATE:
            raise BadDeviceSettings(
                f"expected a baud rate from 1 to {MAX_BAUDRATE}, got {self.baudrate}",
                self.port,
                "9600 suits most scanners",
            )
        try:
            "".encode(self.encoding)
        except LookupError:
            raise BadDeviceSettings(
                f"expected the name of a text encoding, got {self.encoding!r}", self.port, "use utf-8 or latin-1"
            ) from None


class SerialScanner:
    """A `Device` over pyserial. The port is held exclusively from claim to release."""

    def __init__(self, name: str, settings: SerialSettings, patterns: Sequence[CardPattern]) -> None:
        self.name = name
        self._settings = settings
        self._patterns = tuple(patterns)
        self._framer = Framer()
        self._path: str | None = None
        self._port: serial.Serial | None = None
        self._sink: Sink | None = None
        # `interrupt` comes from another thread and must not meet a port that is half closed.
        self._closing = threading.Lock()

    def open(self) -> None:
        """Find the port's path. Raises DeviceMissing where a VID:PID matches nothing."""
        self._path = find_port(self._settings.port)

    def claim(self) -> None:
        """Open the port exclusively. Raises DeviceMissing, DeviceBusy, DeviceDenied or BadDeviceSettings."""
        if self._path is None:
            self.open()
        try:
            self._port = serial.Serial(self._path, baudrate=self._settings.baudrate, timeout=IDLE_GAP_S, exclusive=True)
        except (OSError, ValueError) as error:
            raise _why_not_opened(error, self._settings) from None

    def enable(self, sink: Sink) -> None:
        """Drop what the port holds, then deliver to `sink`. Raises DeviceLost."""
        port = self._claimed()
        try:
            port.reset_input_buffer()
        except OSError:
            raise self._lost() from None
        self._framer.reset()
        self._sink = sink

    def run(self, stop: threading.Event) -> None:
        """Read until `stop` and `interrupt`. Raises DeviceLost."""
        port, sink = self._claimed(), self._sink
        if sink is None:
            raise RuntimeError(f"{self.name}: enable comes before run")
        while not stop.is_set():
            try:
                # The first byte is waited for; what came with it is taken at once, without waiting for more.
                data = port.read(1)
                if data:
                    data += port.read(port.in_waiting)
            except OSError:
                # `read` raises SerialException, which is an OSError; `in_waiting` a bare OSError(5).
                raise self._lost() from None
            received_at = time.monotonic_ns()
            if data:
                frames = self._framer.feed(data)
                # A crash report may print what a frame of ours holds: it must not be the last card.
                del data
                self._deliver(frames, received_at, sink)
            elif self._framer.unfinished:
                self._deliver(self._framer.gap(), received_at, sink)

    def interrupt(self) -> None:
        """Wake `run`."""
        with self._closing:
            if self._port is not None:
                self._port.cancel_read()

    def disable(self) -> None:
        """No more events."""
        self._sink = None
        self._framer.reset()

    def release(self) -> None:
        """Close the port."""
        with self._closing:
            port, self._port = self._port, None
        if port is not None:
            try:
                port.close()
            except OSError as error:
                # The device is gone and the system says so while closing: the descriptor is free all the same.
                log.debug("serial_close_failed", device=self.name, errno=error.errno)

    def close(self) -> None:
        """Forget the path: the next `open` looks for the device anew."""
        self._path = None

    def _claimed(self) -> serial.Serial:
        if self._port is None:
            raise RuntimeError(f"{self.name}: claim comes first")
        return self._port

    def _deliver(self, frames: list[bytearray | FrameError], received_at: int, sink: Sink) -> None:
        for frame in frames:
            if isinstance(frame, FrameError):
                sink(frame_error_event(self.name, frame))
            else:
                sink(recognise_frame(self.name, frame, self._patterns, received_at, self._settings.encoding))

    def _lost(self) -> DeviceLost:
        return DeviceLost("the scanner went away", self._settings.port, "plug it in again")


def find_port(port: str) -> str:
    """Return the path of `port`: itself when it is a path, else the port whose USB ids it names.

    Raises DeviceMissing when nothing matches, BadDeviceSettings when more than one device does.
    """
    ids = _USB_ID.fullmatch(port)
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


def _why_not_opened(error: OSError | ValueError, settings: SerialSettings) -> DriverError:
    port = settings.port
    code = error.errno if isinstance(error, OSError) else None
    if code in (errno.EAGAIN, errno.EBUSY):
        return DeviceBusy("the port is taken", port, "close the other program that reads this scanner")
    if code in (errno.EACCES, errno.EPERM):
        return DeviceDenied("no permission for the port", port, "add the till's user to the group dialout")
    if code in (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.EIO):
        return DeviceMissing("no such port", port, "plug the scanner in, or correct `port`")
    if isinstance(error, ValueError):
        return BadDeviceSettings(
            f"the port does not take {settings.baudrate} baud", port, "use the rate the scanner is set to, such as 9600"
        )
    # pyserial gives no number where the path opened but is no serial port (termios refuses it).
    return BadDeviceSettings("not a serial port", port, "correct `port`: /dev/serial/by-id lists the serial devices")
