"""Receipt printer and cash drawer: ESC/POS over USB, serial or network. UnifiedPOS POSPrinter and CashDrawer.

One thread owns the printer, as it does every device: others hand it jobs and get a future.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import structlog

from drivers.device import Sink
from drivers.errors import BadDeviceSettings, DeviceLost, DriverError, PrinterNotReady
from drivers.events import StatusUpdateEvent
from drivers.lines.ports import MAX_BAUDRATE
from drivers.printing.escpos_job import OpenDrawer, Part, PrinterStatus, Trouble, compose, read_status, status_request
from drivers.printing.printer_port import USB_PREFIX, PrinterPort, open_printer_port
from drivers.usb_ids import USB_ID

__all__ = ["CashDrawer", "PrinterSettings", "ReceiptPrinter"]

log = structlog.get_logger(__name__)

# A till prints one receipt a customer; more waiting than this means nobody looks at the printer.
MAX_JOBS = 16
# How soon a new roll or a closed cover shows on the screen.
POLL_S = 1.0

_REASONS = {
    Trouble.PAPER_OUT: "paper_out",
    Trouble.COVER_OPEN: "cover_open",
    Trouble.ERROR: "fault",
    Trouble.OFFLINE: "offline",
}
_SAYS = {
    "paper_out": "the printer is out of paper: put in a new roll",
    "cover_open": "the printer's cover is open: close it",
    "fault": "the printer reports a fault: switch it off and on, and look at the knife",
    "offline": "the printer is offline: press its online or feed button",
    "silent": "the printer does not answer: look at its power and its cable",
    "away": "the printer is not connected: look at its power and its cable",
    "busy": "too many receipts wait for the printer: look at it",
}
_LOW = "ready; the paper is nearly out"


@dataclass(frozen=True, slots=True)
class PrinterSettings:
    """Which printer.

    `port` is a path (`/dev/serial/by-id/…`, `COM3`, `/dev/usb/lp0`), `socket://HOST:9100`, `VID:PID[:SERIAL]` of a
    virtual COM port, or `usb://VID:PID` for USB's printer class. `baudrate` is in bits a second, for serial ports;
    `profile` a model of python-escpos's list. Raises BadDeviceSettings.
    """

    port: str
    baudrate: int = 38_400
    profile: str = "default"

    def __post_init__(self) -> None:
        if not self.port:
            raise BadDeviceSettings("expected a port, got none", "port", "give a path or socket://HOST:9100")
        if not 0 < self.baudrate <= MAX_BAUDRATE:
            raise BadDeviceSettings(
                f"expected a baud rate from 1 to {MAX_BAUDRATE}, got {self.baudrate}", self.port, "38400 suits most"
            )
        if self.port.startswith(USB_PREFIX) and not USB_ID.fullmatch(self.port.removeprefix(USB_PREFIX)):
            raise BadDeviceSettings(
                f"expected usb://VID:PID, got {self.port!r}", "port", "give the ids as lsusb shows them"
            )


@dataclass(frozen=True, slots=True)
class _Job:
    data: bytes
    done: Future[None]


class ReceiptPrinter:
    """A `Device` that takes jobs. What it says of itself becomes StatusUpdateEvents, where the transport can say."""

    def __init__(self, name: str, settings: PrinterSettings) -> None:
        self.name = name
        self._settings = settings
        self._port: PrinterPort | None = None
        self._sink: Sink | None = None
        self._jobs: queue.Queue[_Job | None] = queue.Queue(MAX_JOBS)
        self._ready = threading.Lock()
        self._online = False
        # What was last told of the printer's state; "" is all well.
        self._told = ""
        self._ever_answered = False
        self.status: PrinterStatus | None = None
        """What the printer last said, None where it never did."""

    def print(self, parts: Sequence[Part]) -> Future[None]:
        """Print `parts`. The future is done when the printer has taken all of it and reports no trouble.

        Its exception is PrinterNotReady (a person has to do something; printed nothing, or not all). Raises ValueError
        for what cannot be printed, and BadDeviceSettings for an unknown profile.
        """
        job = _Job(compose(parts, self._settings.profile), Future())
        with self._ready:
            if not self._online:
                job.done.set_exception(self._not_ready("away"))
                return job.done
            try:
                self._jobs.put_nowait(job)
            except queue.Full:
                job.done.set_exception(self._not_ready("busy"))
        return job.done

    def open(self) -> None:
        """Nothing to look for before `claim`: a printer is found by opening it."""

    def claim(self) -> None:
        """Open the port. Raises DeviceMissing, DeviceBusy, DeviceDenied or BadDeviceSettings."""
        self._port = open_printer_port(self._settings.port, self._settings.baudrate)

    def enable(self, sink: Sink) -> None:
        """Take jobs, and report to `sink`."""
        self._sink = sink
        self._told, self._ever_answered, self.status = "", False, None
        with self._ready:
            self._online = True

    def run(self, stop: threading.Event) -> None:
        """Print what comes, and look after the printer in between, until `stop`. Raises DeviceLost."""
        port = self._port
        if port is None or self._sink is None:
            raise RuntimeError(f"{self.name}: claim and enable come before run")
        self._look(port)
        looked = time.monotonic()
        while not stop.is_set():
            try:
                job = self._jobs.get(timeout=max(0.0, looked + POLL_S - time.monotonic()))
            except queue.Empty:
                self._look(port)
                looked = time.monotonic()
                continue
            if job is not None:
                self._do(job, port)

    def interrupt(self) -> None:
        """Wake `run`."""
        try:
            self._jobs.put_nowait(None)
        except queue.Full:
            # Then `run` is not waiting: it looks at `stop` after the job in hand.
            log.debug("printer_busy_at_interrupt", device=self.name)

    def disable(self) -> None:
        """No more jobs; those that wait fail."""
        with self._ready:
            self._online = False
            self._sink = None
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            if job is not None:
                job.done.set_exception(self._not_ready("away"))

    def release(self) -> None:
        """Close the port."""
        port, self._port = self._port, None
        if port is not None:
            port.close()

    def close(self) -> None:
        """Nothing is kept."""

    def _do(self, job: _Job, port: PrinterPort) -> None:
        if not job.done.set_running_or_notify_cancel():
            return
        try:
            trouble = self._look(port)
            if not trouble:
                port.write(job.data)
                trouble = self._look(port)
        except DriverError as error:
            reason = "away" if isinstance(error, DeviceLost) else "stuck"
            todo = f"{error.todo}; then print the receipt again"
            job.done.set_exception(PrinterNotReady(error.what, error.where, todo, reason))
            raise
        if trouble:
            job.done.set_exception(self._not_ready(trouble))
        else:
            job.done.set_result(None)

    def _look(self, port: PrinterPort) -> str:
        """Ask the printer how it is, and tell on change. Return the reason that it cannot print; "" for none."""
        answers = []
        for which in ("printer", "cause", "paper"):
            port.write(status_request(which))
            answers.append(port.read())
            if not answers[-1]:
                break
        status = read_status(*answers) if len(answers) == 3 else None
        if status is None:
            # One that never answered has a cable, or a driver, that carries one direction only.
            trouble = "silent" if self._ever_answered else ""
        else:
            self._ever_answered, self.status = True, status
            trouble = _REASONS[status.trouble] if status.trouble else ""
        low = _LOW if status is not None and status.paper_low and not trouble else ""
        said = _SAYS[trouble] if trouble else low
        if said != self._told and self._sink is not None:
            self._told = said
            self._sink(StatusUpdateEvent(self.name, "failed" if trouble else "online", said or "ready"))
        return trouble

    def _not_ready(self, reason: str) -> PrinterNotReady:
        fact, _, todo = _SAYS[reason].partition(": ")
        return PrinterNotReady(fact, self._settings.port, f"{todo}; then print the receipt again", reason)


class CashDrawer:
    """The drawer at a printer's socket: UnifiedPOS CashDrawer."""

    def __init__(self, printer: ReceiptPrinter, pin: int = 2) -> None:
        if pin not in (2, 5):
            raise BadDeviceSettings(f"expected pin 2 or 5, got {pin}", printer.name, "2 is the usual one")
        self._printer = printer
        self._kick = OpenDrawer(2 if pin == 2 else 5)

    def open_drawer(self) -> Future[None]:
        """Kick the drawer. The future is as `ReceiptPrinter.print` has it."""
        return self._printer.print([self._kick])
