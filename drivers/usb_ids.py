"""How a configuration names a USB device: `VID:PID` or `VID:PID:SERIAL`, in hexadecimal as `lsusb` shows them."""

from __future__ import annotations

import re

__all__ = ["USB_ID", "usb_name"]

USB_ID = re.compile(r"(?P<vid>[0-9A-Fa-f]{4}):(?P<pid>[0-9A-Fa-f]{4})(?::(?P<serial>.+))?")


def usb_name(vid: int, pid: int, number: str | None) -> str:
    """Return `VID:PID`, or `VID:PID:SERIAL` where the device has a serial number."""
    ids = f"{vid:04x}:{pid:04x}"
    return f"{ids}:{number}" if number else ids
