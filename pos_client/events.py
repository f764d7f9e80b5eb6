"""What happens at the till, as numbered events for every screen and for the till's own software."""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

KEPT_EVENTS = 256
"""Events kept for a listener that reconnects: some minutes of a busy till."""


class EventKind(StrEnum):
    """Stable names; they are the event names of GET /v1/events."""

    CARD_PRESENTED = "card_presented"
    CARD_REFUSED = "card_refused"  # blocked, unreadable, or a payment card
    LABEL_SCANNED = "label_scanned"  # a code that is no loyalty card: an article, for the till's software
    SESSION_CHANGED = "session_changed"
    SALE_BOOKED = "sale_booked"
    SALE_VOIDED = "sale_voided"
    RETURN_BOOKED = "return_booked"
    POINTS_ADJUSTED = "points_adjusted"
    RECEIPT_PRINTED = "receipt_printed"
    RECEIPT_NOT_PRINTED = "receipt_not_printed"
    BALANCE_CHANGED = "balance_changed"  # head office states other points of a member who is at the till
    DEVICE_STATUS = "device_status"
    SYNC_STATE = "sync_state"
    PAIRING = "pairing"  # a program asks to be paired, was paired or refused; the code is never in it


@dataclass(frozen=True, slots=True)
class TillEvent:
    """One event; `number` rises by one. `data` is JSON-ready and never holds a card number."""

    number: int
    kind: EventKind
    data: dict[str, Any]


class EventBus:
    """Hands events to listeners in order. Listeners are called on the publishing thread and must return at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: collections.deque[TillEvent] = collections.deque(maxlen=KEPT_EVENTS)
        self._listeners: dict[int, Callable[[TillEvent], None]] = {}
        self._number = 0
        self._next_listener = 0

    def publish(self, kind: EventKind, data: dict[str, Any]) -> None:
        """Tell everyone."""
        with self._lock:
            self._number += 1
            event = TillEvent(self._number, kind, data)
            self._kept.append(event)
            for listener in self._listeners.values():
                listener(event)

    def listen(self, listener: Callable[[TillEvent], None], after: int | None = None) -> Callable[[], None]:
        """Call `listener` for every event from now on, and first for kept ones past number `after`.

        Returns:
            A function that ends the listening.
        """
        with self._lock:
            if after is not None:
                for event in self._kept:
                    if event.number > after:
                        listener(event)
            key = self._next_listener
            self._next_listener += 1
            self._listeners[key] = listener

        def end() -> None:
            with self._lock:
                self._listeners.pop(key, None)

        return end
