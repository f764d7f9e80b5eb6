"""Bar-code scanners (and card readers) on a serial port, USB-CDC or a network port, read with pyserial."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import serial
import structlog

from drivers.device import Sink
from drivers.errors import BadDeviceSettings, DeviceLost
from drivers.events import Event
from drivers.formats.framing import FrameError, FrameShape
from drivers.formats.layouts import layout_named
from drivers.lines.line import LineProtocol, Taken, build_line
from drivers.lines.ports import USUAL_WIRE, Wire, find_port, open_port, why_not_opened
from drivers.recognition.guard import CardPattern
from drivers.recognition.reader import ReaderSettings
from drivers.recognition.recognise import frame_error_event, recognise_frame
from drivers.tap import Tap

__all__ = ["SerialScanner", "SerialSettings", "find_port"]

log = structlog.get_logger(__name__)

# A scanner sends a frame in one go: at 9600 baud a byte takes 1 ms. Half a second of silence inside a frame means that
# the rest is lost. It is also how often a quiet reader thread wakes up, which costs nothing measurable.
IDLE_GAP_S = 0.5
# An answer is six bytes at most: what does not leave in this time goes to a port that nobody reads.
_ANSWER_S = 0.5
# More in front of a scan, or after it, than any scanner can be set to.
_LONGEST_MARK = 16


@dataclass(frozen=True, slots=True)
class SerialSettings:
    """How to reach a serial scanner.

    `port` is a path (`/dev/serial/by-id/…`, `COM3`), `VID:PID` or `VID:PID:SERIAL` in hexadecimal as `lsusb` shows
    them, or an address: `socket://HOST:PORT` for a scanner with a TCP port, `rfc2217://HOST:PORT` for a port server.
    `wire` is how bytes travel there; `encoding` is how the scanner sends text; `layout` the keyboard layout that
    software between the scanner and the port typed it through (see `ReaderSettings`). `protocol` is what it expects of
    us; `prefix` and `suffix` are what it puts around a scan (see `framing.FrameShape`). Raises BadDeviceSettings.
    """

    port: str
    wire: Wire = USUAL_WIRE
    encoding: str = "utf-8"
    layout: str = "us"
    protocol: LineProtocol = LineProtocol.PLAIN
    prefix: bytes = b""
    suffix: bytes = b""

    def __post_init__(self) -> None:
        if not self.port:
            raise BadDeviceSettings("expected a port, got none", "port", "give a path or VID:PID, as lsusb shows it")
        layout_named(self.layout)
        for name, mark in (("prefix", self.prefix), ("suffix", self.suffix)):
            if len(mark) > _LONGEST_MARK:
                raise BadDeviceSettings(
                    f"expected a {name} of at most {_LONGEST_MARK} bytes, got {len(mark)}", self.port, "shorten it"
                )
            if mark and self.protocol is LineProtocol.SSI:
                raise BadDeviceSettings(
                    f"expected no {name} with the protocol ssi, which has packets", self.port, f"leave {name} out"
                )
        if self.protocol is LineProtocol.SSI and self.wire.data_bits != 8:
            raise BadDeviceSettings(
                "expected 8 data bits with the protocol ssi, got 7", self.port, "set data_bits to 8"
            )
        try:
            "".encode(self.encoding)
        except LookupError:
            raise BadDeviceSettings(
                f"expected the name of a text encoding, got {self.encoding!r}", self.port, "use utf-8 or latin-1"
            ) from None


class SerialScanner:
    """A `Device` over pyserial. The port is held exclusively from claim to release.

    `tap`, where set, is shown every byte before it is framed, for a recording.
    """

    def __init__(self, name: str, settings: SerialSettings, patterns: Sequence[CardPattern]) -> None:
        self.name = name
        self._settings = settings
        self._patterns = tuple(patterns)
        self._reader = ReaderSettings(layout=settings.layout)
        self._line = build_line(settings.protocol, FrameShape(settings.prefix, settings.suffix))
        self.tap: Tap | None = None
        self._path: str | None = None
        self._port: serial.SerialBase | None = None
        self._sink: Sink | None = None
        # `interrupt` comes from another thread and must not meet a port that is half closed.
        self._closing = threading.Lock()

    def open(self) -> None:
        """Find the port's path. Raises DeviceMissing where a VID:PID matches nothing."""
        self._path = find_port(self._settings.port)

    def claim(self) -> None:
        """Open the port exclusively. Raises DeviceMissing, DeviceBusy, DeviceDenied or BadDeviceSettings."""
        path = self._path or find_port(self._settings.port)
        try:
            port = open_port(path, self._settings.wire, IDLE_GAP_S, _ANSWER_S)
        except (OSError, ValueError) as error:
            raise why_not_opened(error, self._settings.port, self._settings.wire) from None
        self._port = port
        if self._settings.protocol is LineProtocol.SSI:
            self._raise_rts(False)

    def enable(self, sink: Sink) -> None:
        """Drop what the port holds, then deliver to `sink`. Raises DeviceLost."""
        port = self._claimed()
        try:
            port.reset_input_buffer()
        except OSError:
            raise self._lost() from None
        self._line.reset()
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
                if self.tap is not None:
                    self.tap.raw(data, received_at)
                taken = self._line.feed(data)
                # A crash report may print what a frame of ours holds: it must not be the last card.
                del data
            elif self._line.unfinished:
                taken = self._line.gap()
            else:
                continue
            self._deliver(taken, received_at, sink)

    def interrupt(self) -> None:
        """Wake `run`."""
        with self._closing:
            # A network port has no such call: its reader wakes up by itself, each IDLE_GAP_S.
            cancel = getattr(self._port, "cancel_read", None)
            if cancel is not None:
                cancel()

    def disable(self) -> None:
        """No more events."""
        self._sink = None
        self._line.reset()

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

    def _claimed(self) -> serial.SerialBase:
        if self._port is None:
            raise RuntimeError(f"{self.name}: claim comes first")
        return self._port

    def _deliver(self, taken: Taken, received_at: int, sink: Sink) -> None:
        """Answer first: a scanner waits for it, and sends again what nobody acknowledged. Raises DeviceLost."""
        if taken.reply:
            self._answer(taken.reply)
        for frame in taken.frames:
            if isinstance(frame, FrameError):
                event: Event = frame_error_event(self.name, frame)
            else:
                event = recognise_frame(
                    self.name, frame, self._patterns, received_at, self._settings.encoding, reader=self._reader
                )
            if self.tap is not None:
                self.tap.event(event)
            sink(event)
        if self.tap is not None and not self._line.unfinished:
            self.tap.rest()

    def _answer(self, reply: bytes) -> None:
        ssi = self._settings.protocol is LineProtocol.SSI
        try:
            port = self._claimed()
            if ssi and self._raise_rts(True):
                port.write(reply)
                port.flush()
                self._raise_rts(False)
            else:
                port.write(reply)
        except serial.SerialTimeoutException:
            # Flow control holds us back: the scanner sends again, and is answered then.
            log.warning("scanner_takes_no_answer", device=self.name)
        except OSError:
            raise self._lost() from None

    def _raise_rts(self, wanted: bool) -> bool:
        """Say on an SSI line whether we want to send; return False where the line has no such wire.

        The scanner does not send while we ask for the line ("RTS/CTS Lines" of Zebra's SSI chapters), and pyserial
        asks for it from the moment a port is opened.
        """
        try:
            self._claimed().rts = wanted
        except OSError as error:
            if error.errno in (errno.ENOTTY, errno.EINVAL):
                return False
            raise
        return True

    def _lost(self) -> DeviceLost:
        return DeviceLost("the scanner went away", self._settings.port, "plug it in again")
