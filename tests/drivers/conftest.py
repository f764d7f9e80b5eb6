"""What the driver tests share: the shop's card formats, generated bank cards, and a running supervisor."""

from __future__ import annotations

import queue
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import pytest

from drivers.device import Device
from drivers.events import Event, StatusUpdateEvent
from drivers.recognition.guard import PAYMENT_RANGES, CardPattern, luhn_valid
from drivers.supervisor import Supervisor

WAIT_S = 5.0
Wanted = TypeVar("Wanted")


class Till:
    """Stands where the till stands: collects events, and waits for them with a deadline."""

    def __init__(self) -> None:
        self.events: queue.Queue[Event] = queue.Queue()

    def next(self, kind: type[Wanted], timeout: float = WAIT_S) -> Wanted:
        """Return the next event, which must be of this kind; status events between are passed over unless wanted."""
        deadline = time.monotonic() + timeout
        while True:
            event = self.events.get(timeout=max(0.0, deadline - time.monotonic()))
            if isinstance(event, kind):
                return event
            assert isinstance(event, StatusUpdateEvent), f"expected {kind.__name__}, got {event!r}"

    def wait_status(self, status: str, device: str | None = None) -> StatusUpdateEvent:
        deadline = time.monotonic() + WAIT_S
        while True:
            event = self.events.get(timeout=max(0.0, deadline - time.monotonic()))
            if isinstance(event, StatusUpdateEvent) and event.status == status and device in (None, event.device):
                return event

    def nothing_more(self, within: float = 0.3) -> bool:
        try:
            event = self.events.get(timeout=within)
        except queue.Empty:
            return True
        raise AssertionError(f"expected no event, got {event!r}")


@pytest.fixture
def patterns() -> tuple[CardPattern, ...]:
    return (
        CardPattern("paper card", "28", 13),
        CardPattern("plastic card", "SP", 10),
        CardPattern("stripe card", "9876", 16, format_code="L"),
    )


@pytest.fixture
def till() -> Till:
    return Till()


@pytest.fixture
def run(till: Till) -> Iterator[Callable[[Sequence[Device]], Supervisor]]:
    running: list[Supervisor] = []

    def start(devices: Sequence[Device]) -> Supervisor:
        supervisor = Supervisor(devices, till.events.put)
        running.append(supervisor)
        supervisor.start()
        for _ in devices:
            till.wait_status("online")
        return supervisor

    yield start
    for each in running:
        each.stop()


def make_pan(chance: random.Random) -> str:
    """A Luhn-valid account number in one of the payment ranges, of a length that its scheme issues."""
    first, last, scheme = chance.choice(PAYMENT_RANGES)
    length = {
        "American Express": 15,
        "Diners Club": 14,
        "Maestro": chance.randint(12, 19),
        "Visa": chance.choice([13, 16, 19]),
    }
    size = length.get(scheme, 16)
    body = str(chance.randint(int(first), int(last)))
    body += "".join(chance.choices("0123456789", k=size - 1 - len(body)))
    return next(body + digit for digit in "0123456789" if luhn_valid(body + digit))


def bank_swipe(pan: str, chance: random.Random) -> str:
    """What a wedge types for a bank card, whole or with track 1 or 2 unread (ISO/IEC 7813 layouts)."""
    tail = f"{chance.randint(26, 34)}{chance.randint(1, 12):02}201{chance.randint(0, 10**8):09}"
    track1, track2 = f"%B{pan}^JANSEN/J^{tail}?", f";{pan}={tail}?"
    return chance.choice([track1 + track2, track2, track1, "%E?" + track2, track1 + ";E?", track1 + track2 + "+E?"])


@pytest.fixture
def chance() -> random.Random:
    return random.Random(20240229)


@pytest.fixture
def pans(chance: random.Random) -> list[str]:
    return [make_pan(chance) for _ in range(2000)]


@pytest.fixture
def swipe_of(chance: random.Random) -> Callable[[str], str]:
    return lambda pan: bank_swipe(pan, chance)
