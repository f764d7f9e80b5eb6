"""From settings, which are plain data, to the device they describe. The composition root calls this once per device."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.camera.settings import CameraSettings
from drivers.device import Device
from drivers.errors import BadDeviceSettings
from drivers.hid.device import HidDevice, HidSettings
from drivers.keyboard.wedge import KeyboardWedge, WedgeSettings
from drivers.lines.serial_scanner import SerialScanner, SerialSettings
from drivers.printing.receipt_printer import PrinterSettings, ReceiptPrinter
from drivers.recognition.guard import CardPattern, check_patterns

__all__ = ["DeviceSettings", "build_device"]

DeviceSettings = SerialSettings | WedgeSettings | HidSettings | CameraSettings | PrinterSettings


def build_device(name: str, settings: DeviceSettings, patterns: Sequence[CardPattern]) -> Device:
    """Build the device called `name`, closed. `patterns` are the shop's own card formats, for the payment guard.

    Raises BadDeviceSettings for an empty name, settings that cannot work, or a pattern that a bank card could match.
    """
    if not name:
        raise BadDeviceSettings("expected a device name, got none", "devices", "give each device a name")
    check_patterns(patterns)
    own = tuple(patterns)
    match settings:
        case SerialSettings():
            return SerialScanner(name, settings, own)
        case WedgeSettings():
            return KeyboardWedge(name, settings, own)
        case HidSettings():
            return HidDevice(name, settings, own)
        case CameraSettings():
            from drivers.camera.device import CameraDevice  # with numpy and the engines: most tills have no camera

            return CameraDevice(name, settings, own)
        case PrinterSettings():
            return ReceiptPrinter(name, settings)
