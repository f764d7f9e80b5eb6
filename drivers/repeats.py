"""One gesture, one event: the same card within a second is the same gesture, by whatever channel it came. Pure."""

from __future__ import annotations

from drivers.events import DataEvent

__all__ = ["SAME_SCAN_NS", "Repeats"]

SAME_SCAN_NS = 1_000_000_000
"""Nanoseconds within which a label that comes again is the same scan."""

# Labels remembered for that: a second of the fastest stream promised (1 000 scans a second).
_MOST_REMEMBERED = 1024


class Repeats:
    """Remembers what was scanned within the last second. For one thread at a time."""

    def __init__(self) -> None:
        self._recent: dict[str, int] = {}

    def knows(self, event: DataEvent) -> bool:
        """Say whether `event` repeats one less than a second before it, by `received_at`; remember it if not."""
        last = self._recent.get(event.scan_data_label)
        if last is not None and abs(event.received_at - last) < SAME_SCAN_NS:
            return True
        if len(self._recent) >= _MOST_REMEMBERED:
            self._recent = {
                label: at for label, at in self._recent.items() if abs(event.received_at - at) < SAME_SCAN_NS
            }
            if len(self._recent) >= _MOST_REMEMBERED:
                # More in a second than any hand makes: forget rather than grow.
                self._recent.clear()
        self._recent[event.scan_data_label] = event.received_at
        return False
