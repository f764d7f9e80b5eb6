"""What can go wrong with a device, typed by what the caller should do about it.

DriverError
├── DeviceMissing      not there (yet): plug it in; the supervisor keeps looking
├── DeviceBusy         there, but another program holds it: close that program
├── DeviceLost         it was there and went away mid-run: reconnect
├── DeviceDenied       there, but we may not open it: permissions
├── PrinterNotReady    it is there but cannot print: paper, cover, power; then print again
└── BadDeviceSettings  the configuration is wrong: correct it and restart; looking again is no use

No message in this module ever carries what was read from a device.
"""

from __future__ import annotations

__all__ = [
    "BadDeviceSettings",
    "DeviceBusy",
    "DeviceDenied",
    "DeviceLost",
    "DeviceMissing",
    "DriverError",
    "PrinterNotReady",
]


class DriverError(Exception):
    """One clear line for a person: what happened, where, and what to do.

    `what` is the fact, `where` the device or the setting concerned, `todo` the remedy. `str()` joins the three.
    """

    def __init__(self, what: str, where: str, todo: str) -> None:
        super().__init__(what, where, todo)
        self.what = what
        self.where = where
        self.todo = todo

    def __str__(self) -> str:
        return f"{self.what} ({self.where}): {self.todo}"


class DeviceMissing(DriverError):
    """The device is not there. Retrying is right: it may be plugged in later."""


class DeviceBusy(DriverError):
    """Another program has the device. Retrying is right: that program may end."""


class DeviceLost(DriverError):
    """The device went away while it was being read. Close it and look for it again."""


class DeviceDenied(DriverError):
    """The operating system refuses us the device. A person has to change its permissions."""


class PrinterNotReady(DriverError):
    """The printer cannot print now. A person has to see to it, and the job has to be printed again.

    `reason` is stable, for programs and translation: `paper_out`, `cover_open`, `fault`, `offline`, `silent`, `away`
    (no connection, or it broke), `stuck` (it takes no more data) or `busy` (too many jobs wait).
    """

    def __init__(self, what: str, where: str, todo: str, reason: str) -> None:
        super().__init__(what, where, todo)
        self.reason = reason


class BadDeviceSettings(DriverError):
    """The configuration cannot work. Retrying is no use: it has to be corrected."""
