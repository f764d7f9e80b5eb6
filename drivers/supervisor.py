"""Keeps every device read: one reader thread each, reconnecting, and one thread that hands the events on.

Queue policy: at most MAX_QUEUED events wait for the sink. When it is full the oldest DataEvent goes and one ErrorEvent
"overrun" says so: a scan so old belongs to a customer who has left. Refused cards and status changes are kept.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Literal

import structlog

from drivers.device import Device, Sink
from drivers.errors import BadDeviceSettings, DeviceLost, DeviceMissing, DriverError
from drivers.events import DataEvent, ErrorEvent, Event, StatusUpdateEvent
from drivers.masking import raised_at
from drivers.repeats import Repeats

__all__ = ["MAX_QUEUED", "Supervisor"]

log = structlog.get_logger(__name__)

Status = Literal["online", "offline", "failed"]

# One second of the fastest stream promised (1 000 scans a second).
MAX_QUEUED = 1024
# A device that was unplugged is back within seconds; looking every two costs nothing and is soon enough.
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 2.0
# A driver with a defect of ours fails again the same way: once a minute is enough for the log.
DEFECT_WAIT_S = 60.0
# One that ran this long was all right: the next fault starts from the first wait again.
STABLE_S = 10.0
# A reader wakes at once when interrupted; only a camera stuck in its driver takes longer, and is left behind.
JOIN_S = 5.0


class Supervisor:
    """Runs `devices` and calls `sink` with each event, one at a time, in one thread of its own.

    An exception in `sink` is logged, without its text, and the next event is delivered.
    """

    def __init__(self, devices: Sequence[Device], sink: Sink) -> None:
        self._devices = tuple(devices)
        self._sink = sink
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._dispatcher: threading.Thread | None = None
        self._ready = threading.Condition()
        self._queue: deque[Event] = deque()
        self._overrun = False
        self._draining = False
        self._repeats = Repeats()
        names = [device.name for device in self._devices]
        for name in names:
            if names.count(name) > 1:
                raise BadDeviceSettings("two devices have one name", name, "give each device a name of its own")

    def start(self) -> None:
        """Start all threads. Returns at once; devices come online as they are found. Once only."""
        if self._dispatcher is not None:
            raise RuntimeError("a supervisor starts once")
        self._dispatcher = threading.Thread(target=self._dispatch, name="device-events", daemon=True)
        self._dispatcher.start()
        for device in self._devices:
            thread = threading.Thread(target=self._keep, args=(device,), name=f"device-{device.name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Stop reading, close every device, deliver what is queued, end all threads. May be called more than once."""
        self._stop.set()
        for device in self._devices:
            device.interrupt()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(JOIN_S)
                if thread.is_alive():
                    log.warning("device_thread_left_behind", thread=thread.name)
        with self._ready:
            self._draining = True
            self._ready.notify_all()
        if self._dispatcher is not None and self._dispatcher is not threading.current_thread():
            self._dispatcher.join(JOIN_S)

    def _keep(self, device: Device) -> None:
        """Keep one device connected and read, until stopped or its settings prove wrong."""
        wait = FIRST_WAIT_S
        told: tuple[str, str] | None = None
        while not self._stop.is_set():
            longest = LONGEST_WAIT_S
            began = time.monotonic()
            try:
                device.open()
                device.claim()
                device.enable(self._put)
                told = self._tell(device, "online", "ready", told)
                device.run(self._stop)
            except DriverError as error:
                gone = isinstance(error, DeviceMissing | DeviceLost)
                told = self._tell(device, "offline" if gone else "failed", str(error), told)
                if isinstance(error, BadDeviceSettings):
                    return
            except Exception as error:  # noqa: BLE001 - one bad device never touches another
                # Only the type: an exception's text and its frames may hold what was read.
                longest = DEFECT_WAIT_S
                told = self._tell(device, "failed", f"{type(error).__name__} at {raised_at(error)}: report this", told)
            finally:
                # The port is closed before it is opened again: some drivers refuse a second descriptor.
                self._put_away(device)
            if time.monotonic() - began >= STABLE_S:
                wait = FIRST_WAIT_S
            self._stop.wait(wait)
            wait = min(wait * 2, longest)

    def _put_away(self, device: Device) -> None:
        """Close a device. It promises not to raise; one that breaks its promise is still looked for again."""
        for leave in (device.disable, device.release, device.close):
            try:
                leave()
            except Exception as error:  # noqa: BLE001 - one bad device never touches another, nor its own next try
                log.warning("device_not_put_away", device=device.name, error=type(error).__name__, at=raised_at(error))

    def _tell(self, device: Device, status: Status, text: str, told: tuple[str, str] | None) -> tuple[str, str]:
        """Send a StatusUpdateEvent where it says something new; return what has been told."""
        # "Lost" and then "not found" is one story; of a failure the text is the news.
        now = (status, text if status == "failed" else "")
        if now != told:
            log.info("device_status", device=device.name, status=status, text=text)
            self._put(StatusUpdateEvent(device.name, status, text))
        return now

    def _put(self, event: Event) -> None:
        """Queue `event` for the sink: what the devices call in their threads. Never blocks for long."""
        with self._ready:
            if isinstance(event, DataEvent) and self._repeats.knows(event):
                return
            if len(self._queue) >= MAX_QUEUED:
                self._make_room()
            self._queue.append(event)
            self._ready.notify()

    def _make_room(self) -> None:
        oldest = next((event for event in self._queue if isinstance(event, DataEvent)), self._queue[0])
        self._queue.remove(oldest)
        if not self._overrun:
            self._overrun = True
            # One place more than the limit, once: the notice of the loss must not cost another event.
            self._queue.append(
                ErrorEvent(oldest.device, "overrun", "the till was too busy and lost a scan: scan the card again")
            )

    def _dispatch(self) -> None:
        while True:
            with self._ready:
                while not self._queue and not self._draining:
                    self._ready.wait()
                if not self._queue:
                    return
                event = self._queue.popleft()
                if isinstance(event, ErrorEvent) and event.code == "overrun":
                    self._overrun = False
            try:
                self._sink(event)
            except Exception as error:  # noqa: BLE001 - one event that fails must not end all that follow
                # Its text and frames may hold a card number: the type and the place are enough to find it.
                log.error("event_not_handled", device=event.device, error=type(error).__name__, at=raised_at(error))  # noqa: TRY400
