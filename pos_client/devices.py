"""What the drivers report, handed to the till; and the board that shows which device is up."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import structlog

from drivers.events import DataEvent, ErrorEvent, Event, PaymentCardRefused, StatusUpdateEvent
from drivers.repeats import Repeats
from pos_client.events import EventBus, EventKind
from pos_client.till import Till

log = structlog.get_logger("spaarpunt.devices")


@dataclass(frozen=True, slots=True)
class DeviceState:
    """A device as last reported; `status` is online, offline or failed."""

    name: str
    status: str
    text: str


class DeviceBoard:
    """Listens to the supervisor: cards go to the till, states are kept for the screen and `GET /v1/status`."""

    def __init__(self, till: Till, bus: EventBus) -> None:
        self._till = till
        self._bus = bus
        self._lock = threading.Lock()
        self._states: dict[str, DeviceState] = {}
        self._repeats = Repeats()
        self.payment_cards_refused = 0

    def states(self) -> list[DeviceState]:
        """Every device, by name."""
        with self._lock:
            return sorted(self._states.values(), key=lambda state: state.name)

    def on_event(self, event: Event) -> None:
        """Take one event, from the supervisor's dispatch thread or from the screen's page.

        What both saw within a second is one scan.
        """
        match event:
            case DataEvent():
                with self._lock:
                    if self._repeats.knows(event):
                        return
                self._till.present_card(event.scan_data_label, str(event.scan_data_type))
            case PaymentCardRefused():
                with self._lock:
                    self.payment_cards_refused += 1
                log.warning("payment card refused", device=event.device)
                self._till.refuse_card("payment_card")
            case ErrorEvent():
                log.warning("device error", device=event.device, code=event.code, text=event.text)
                self._till.refuse_card("unreadable")
            case StatusUpdateEvent():
                with self._lock:
                    self._states[event.device] = DeviceState(event.device, event.status, event.text)
                log.info("device", device=event.device, status=event.status, text=event.text)
                self._bus.publish(
                    EventKind.DEVICE_STATUS, {"device": event.device, "status": event.status, "text": event.text}
                )
