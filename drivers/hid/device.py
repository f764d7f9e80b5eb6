"""HID scanners and magstripe readers: HID-POS and MagTek, through hidapi, or a stream of their reports."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drivers.device import Sink
from drivers.errors import BadDeviceSettings
from drivers.events import ErrorEvent, Event
from drivers.formats.framing import FrameError
from drivers.hid.reports import (
    MAGTEK,
    MAGTEK_REPORT_BYTES,
    TYPICAL_SCANNER,
    HidLayout,
    MsrLayout,
    ReportReader,
    ScannerLayout,
    build_reader,
    layout_of,
)
from drivers.hid.source import MAGTEK_VENDOR, REPORT, HidInterface, Reports, find_hid, open_reports, record
from drivers.recognition.guard import CardPattern
from drivers.recognition.recognise import frame_error_event, recognise_frame
from drivers.tap import Tap

__all__ = ["HidDevice", "HidSettings"]

# Reports of one scan follow each other within milliseconds; a quiet reader wakes this often and costs nothing.
IDLE_GAP_S = 0.5


@dataclass(frozen=True, slots=True)
class HidSettings:
    """Which HID device: `VID:PID`, `VID:PID:SERIAL`, the path hidapi gives it, or a pipe with a stream of its reports.

    `layout` says which reports it sends; leave it at auto unless `spaarpunt devices doctor` says otherwise.
    Raises BadDeviceSettings.
    """

    device: str
    layout: HidLayout = HidLayout.AUTO

    def __post_init__(self) -> None:
        if not self.device:
            raise BadDeviceSettings("expected a device, got none", "device", "give VID:PID, as lsusb shows it")


class HidDevice:
    """A `Device` over hidapi, or over a stream of reports.

    hidapi cannot keep a reader for itself alone on Linux; but a HID-POS reader types nothing into other programs.
    """

    def __init__(self, name: str, settings: HidSettings, patterns: Sequence[CardPattern]) -> None:
        self.name = name
        self._settings = settings
        self._patterns = tuple(patterns)
        self.tap: Tap | None = None
        self._found: HidInterface | Path | None = None
        self._reports: Reports | None = None
        self._reader: ReportReader | None = None
        self._sink: Sink | None = None

    def open(self) -> None:
        """Find the device. Raises DeviceMissing, or BadDeviceSettings where more than one fits."""
        self._found = find_hid(self._settings.device)

    def claim(self) -> None:
        """Open it. Raises DeviceMissing, DeviceDenied, DeviceBusy or BadDeviceSettings."""
        found = self._found or find_hid(self._settings.device)
        self._reports = open_reports(found, self._settings.device)
        self._reader = None

    def enable(self, sink: Sink) -> None:
        """Drop what waits, then deliver to `sink`. Raises DeviceLost."""
        self._claimed().drain()
        self._reader = None
        self._sink = sink

    def run(self, stop: threading.Event) -> None:
        """Read until `stop`. Raises DeviceLost, or BadDeviceSettings for a device that is no reader."""
        reports, sink = self._claimed(), self._sink
        if sink is None:
            raise RuntimeError(f"{self.name}: enable comes before run")
        while not stop.is_set():
            report = reports.read(IDLE_GAP_S)
            received_at = time.monotonic_ns()
            if report is None:
                sink(ErrorEvent(self.name, "garbled", "the reader's data made no sense: try again"))
                self._reader = None
                continue
            if not report and (self._reader is None or not self._reader.unfinished):
                continue
            if self._reader is None:
                self._reader = build_reader(self._layout(reports, len(report)))
            if report and self.tap is not None:
                self.tap.raw(reports.descriptor_record() + record(REPORT, report), received_at)
            frames = self._reader.feed(report) if report else self._reader.gap()
            # A crash report may print what a frame of ours holds: it must not be the last card.
            del report
            self._deliver(frames, received_at, sink)

    def interrupt(self) -> None:
        """Nothing to wake: `run` looks at `stop` each IDLE_GAP_S."""

    def disable(self) -> None:
        """No more events."""
        self._sink = None
        if self._reader is not None:
            self._reader.reset()

    def release(self) -> None:
        """Close the device."""
        reports, self._reports = self._reports, None
        if reports is not None:
            reports.close()

    def close(self) -> None:
        """Forget where it was."""
        self._found = None

    def _claimed(self) -> Reports:
        if self._reports is None:
            raise RuntimeError(f"{self.name}: claim comes first")
        return self._reports

    def _layout(self, reports: Reports, size: int) -> ScannerLayout | MsrLayout:
        if self._settings.layout is HidLayout.SCANNER:
            return TYPICAL_SCANNER
        if self._settings.layout is HidLayout.MAGTEK:
            return MAGTEK
        stated = layout_of(reports.descriptor())
        of_magtek = isinstance(self._found, HidInterface) and self._found.vid == MAGTEK_VENDOR
        if stated is None and (of_magtek or size == MAGTEK_REPORT_BYTES):
            # Its descriptor has a usage page of its own; no other reader sends reports of that size.
            stated = MAGTEK
        if stated is None:
            raise BadDeviceSettings(
                "the device does not say what its reports hold",
                self._settings.device,
                'set it to HID POS mode, or set `layout` to "scanner" or "magtek"',
            )
        return stated

    def _deliver(self, frames: list[bytearray | FrameError], received_at: int, sink: Sink) -> None:
        for frame in frames:
            if isinstance(frame, FrameError):
                event: Event = frame_error_event(self.name, frame)
            else:
                event = recognise_frame(self.name, frame, self._patterns, received_at)
            if self.tap is not None:
                self.tap.event(event)
            sink(event)
        if self.tap is not None and self._reader is not None and not self._reader.unfinished:
            self.tap.rest()
