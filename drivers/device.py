"""The one shape every device has, real or simulated: the UnifiedPOS life cycle and a blocking read.

closed ── open ──> opened ── claim ──> claimed ── enable ──> enabled ── run … interrupt
   ^──── close ─────┘ ^───── release ─────┘ ^────── disable ─────┘
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from drivers.events import Event

__all__ = ["Device", "Sink"]

Sink = Callable[[Event], None]
"""Where a device puts its events. Called in the device's reader thread; must not block for long."""


class Device(Protocol):
    """One device. All methods but `interrupt` belong to one thread: the supervisor's reader thread of this device.

    `disable`, `release` and `close` may be called in any state, any number of times, and never raise.
    """

    name: str
    """What the configuration calls it; every event carries it."""

    def open(self) -> None:
        """Find the device. Raises DeviceMissing, DeviceDenied or BadDeviceSettings."""

    def claim(self) -> None:
        """Take it for ourselves alone. Raises DeviceBusy, and whatever `open` raises."""

    def enable(self, sink: Sink) -> None:
        """From here on events go to `sink`. What the device sent before is dropped: it belonged to nobody."""

    def run(self, stop: threading.Event) -> None:
        """Read and deliver until `stop` is set and `interrupt` called.

        Blocks without polling where the platform lets it. Raises DeviceLost when the device goes away, and
        BadDeviceSettings when only reading shows that this is no such device.
        """

    def interrupt(self) -> None:
        """Wake `run` from another thread so that it looks at `stop`. Harmless in any state."""

    def disable(self) -> None:
        """No more events."""

    def release(self) -> None:
        """Give the device back: the port is closed after this, so that it can be opened again."""

    def close(self) -> None:
        """Forget the device. `open` may be called again."""
