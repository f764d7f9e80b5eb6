"""One configured device looked at step by step: is it there, may we open it, does it send, is it set right."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from drivers.build import build_device
from drivers.device import Device
from drivers.doctor import Finding, Listener, diagnose
from drivers.errors import DeviceBusy, DeviceDenied, DeviceMissing, DriverError
from drivers.events import DataEvent, Event
from drivers.hid.device import HidDevice, HidSettings
from drivers.keyboard.wedge import KeyboardWedge, WedgeSettings
from drivers.lines.serial_scanner import SerialScanner, SerialSettings
from drivers.printing.receipt_printer import ReceiptPrinter
from drivers.recognition.guard import CardPattern
from pos_client.config import DeviceConfig
from pos_client.device_settings import settings_for

__all__ = ["Examination", "examine"]

# A reader wakes at least this often to see that it should stop.
_JOIN_S = 5.0

_LINUX_RIGHTS = {
    "serial": "sudo usermod -aG dialout $USER, then log out and in again",
    "wedge": "sudo usermod -aG input $USER, then log out and in again",
    "camera": "sudo usermod -aG video $USER, then log out and in again",
    "printer": "sudo usermod -aG lp,dialout $USER, then log out and in again",
}


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found about one device."""

    name: str
    kind: str
    findings: tuple[Finding, ...]

    @property
    def well(self) -> bool:
        """Whether nothing has to be done."""
        return all(finding.good for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        findings = [{"code": one.code, "good": one.good, "text": one.text} for one in self.findings]
        return {"name": self.name, "kind": self.kind, "well": self.well, "findings": findings}


def examine(
    name: str,
    configured: DeviceConfig,
    patterns: Sequence[CardPattern],
    seconds: float,
    ask: Callable[[str, str], None],
) -> Examination:
    """Open the device, listen to it for `seconds`, and close it again. `ask(name, kind)` prompts for a scan."""
    kind = configured.kind
    try:
        settings = settings_for(configured)
        device = build_device(name, settings, patterns)
    except DriverError as error:
        return Examination(name, kind, (Finding("wrong-settings", False, str(error)),))
    try:
        device.open()
        device.claim()
    except DriverError as error:
        _put_away(device)
        return Examination(name, kind, tuple(_why(kind, error)))
    found = [Finding("opens", True, "it is there, and we may open it")]
    try:
        if seconds > 0:
            ask(name, kind)
            heard, trouble = _listen(device, seconds)
            if trouble is not None:
                found.append(Finding("fails", False, str(trouble)))
            elif isinstance(settings, SerialSettings | WedgeSettings | HidSettings):
                found += diagnose(settings, heard, patterns)
            else:
                found += _seen(device, heard.events)
    finally:
        _put_away(device)
    return Examination(name, kind, tuple(found))


def _listen(device: Device, seconds: float) -> tuple[Listener, DriverError | None]:
    heard = Listener()
    troubles: list[DriverError] = []
    stop, ended = threading.Event(), threading.Event()
    if isinstance(device, SerialScanner | KeyboardWedge | HidDevice):
        device.tap = heard
        sink: Callable[[Event], None] = lambda event: None  # noqa: E731 - the tap hears it
    else:
        sink = heard.event

    def read() -> None:
        try:
            device.enable(sink)
            device.run(stop)
        except DriverError as error:
            troubles.append(error)
        finally:
            ended.set()

    reader = threading.Thread(target=read, name=f"examine-{device.name}", daemon=True)
    reader.start()
    ended.wait(seconds)
    stop.set()
    device.interrupt()
    reader.join(_JOIN_S)
    return heard, troubles[0] if troubles else None


def _seen(device: Device, events: Sequence[Event]) -> list[Finding]:
    """What a camera or a printer came to."""
    if isinstance(device, ReceiptPrinter):
        if device.status is None:
            return [Finding("mute", True, "it takes data but says nothing of itself: print a receipt to see")]
        text = next((str(getattr(event, "text", "")) for event in reversed(events)), "")
        trouble = device.status.trouble
        return [Finding("answers", trouble is None, text or "it answers, has paper, and is closed")]
    scans = sum(isinstance(event, DataEvent) for event in events)
    if scans:
        return [Finding("reads", True, f"{scans} read")]
    return [Finding("silent", False, "it sees no code: hold it still, 15 to 25 cm away, the phone's screen bright")]


def _why(kind: str, error: DriverError) -> list[Finding]:
    match error:
        case DeviceMissing():
            return [Finding("missing", False, f"{error}; `spaarpunt devices list` shows what is plugged in")]
        case DeviceDenied():
            remedy = f": {_LINUX_RIGHTS[kind]}" if sys.platform == "linux" and kind in _LINUX_RIGHTS else ""
            return [Finding("denied", False, f"{error}{remedy}")]
        case DeviceBusy():
            return [Finding("taken", False, f"{error}; a running till owns its devices: stop it first")]
        case _:
            return [Finding("wrong-settings", False, str(error))]


def _put_away(device: Device) -> None:
    device.disable()
    device.release()
    device.close()
