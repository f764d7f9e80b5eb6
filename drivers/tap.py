"""Where a recorder listens to a device: its raw data, and the events that came of it. `recording` is one."""

from __future__ import annotations

from typing import Protocol

from drivers.events import Event

__all__ = ["Tap"]


class Tap(Protocol):
    """Called in the device's reader thread, always in this order: raw data, the events it came to, rest."""

    def raw(self, data: bytes, at_ns: int) -> None:
        """Bytes as the device sent them, at `at_ns` (monotonic). May hold card data: not to be kept before `rest`."""

    def event(self, event: Event) -> None:
        """What frames in the raw data came to."""

    def rest(self) -> None:
        """Nothing is unfinished: all raw data so far belongs to the events so far."""
