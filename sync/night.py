"""When a till does its night's work: each at a moment of its own, so that not all of a chain come at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sync.store import Store


@dataclass(frozen=True, slots=True)
class Window:
    """From when until when (local wall time) tills do their night's work; it may pass midnight."""

    start: time
    end: time
    zone: ZoneInfo

    @property
    def length(self) -> timedelta:
        """How long it is; a whole day when both ends are the same."""
        start, end = (timedelta(hours=at.hour, minutes=at.minute) for at in (self.start, self.end))
        return (end - start) % timedelta(days=1) or timedelta(days=1)


def slot(terminal: str, length: timedelta) -> timedelta:
    """How far into the window this terminal begins: the same each night, spread evenly over the chain."""
    number = int.from_bytes(hashlib.sha256(terminal.encode()).digest()[:8], "big")
    return timedelta(seconds=number % max(1, int(length.total_seconds())))


class Nights:
    """Which nights this till has worked through. A till that is off at night does it after its next start."""

    def __init__(self, store: Store, terminal: str, window: Window) -> None:
        self._store = store
        self._window = window
        self._into = slot(terminal, window.length)

    def begin(self, now_ms: int) -> None:
        """A new till has no night behind it that it would have to work through."""
        with self._store.transaction() as connection:
            connection.execute("UPDATE origin SET night = COALESCE(night, ?)", (self._night(now_ms).isoformat(),))

    def due(self, now_ms: int) -> bool:
        """Whether the newest night whose moment has come is still to be done."""
        row = self._store.row("SELECT night FROM origin")
        return row is not None and row[0] is not None and row[0] < self._night(now_ms).isoformat()

    def done(self, now_ms: int) -> None:
        """The night's work was done."""
        with self._store.transaction() as connection:
            connection.execute("UPDATE origin SET night = ?", (self._night(now_ms).isoformat(),))

    def _night(self, now_ms: int) -> date:
        """The date on which the newest night began whose moment has come."""
        local = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(self._window.zone).replace(tzinfo=None)
        start = timedelta(hours=self._window.start.hour, minutes=self._window.start.minute)
        return (local - start - self._into).date()
