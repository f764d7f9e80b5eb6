"""Three tills of one chain with their wires, and its head office: how they are made, and what must always hold."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from hypothesis.stateful import RuleBasedStateMachine, invariant

from loyalty.programme import OfflineMode, OfflinePolicy
from sync.errors import Rejected
from sync.terminal import wall_ms
from tests.simulation.books import expect_sound
from tests.simulation.counter import Counter
from tests.simulation.office import Office, application
from tests.simulation.power_cuts import fast_folder
from tests.simulation.steps import MEMBERS, OPENING_POINTS, TILLS
from tests.simulation.wire import FaultyWire
from tests.support.entries import programme

STEP_S = 5
"""What passes on a till's steady clock with each step: after a few it asks a silent head office again."""
KEY_PAST = ("superseded", "signature")
"""Head office takes this till's key no more: it is enrolled anew."""
RULES = {
    mode: programme().model_copy(
        update={
            "offline": OfflinePolicy(
                redeem=mode, per_card_day_points=200, per_till_day_points=2000, lease_points=100, lease_tills=2
            )
        }
    )
    for mode in OfflineMode
}


@dataclass
class Tally:
    """What was done over all runs: a run that does nothing proves nothing."""

    steps: int = 0
    entries: int = 0
    done: dict[str, int] = field(default_factory=dict)

    def note(self, what: str, times: int = 1) -> None:
        self.done[what] = self.done.get(what, 0) + times


Carrier = Callable[[Office], httpx.BaseTransport]


@dataclass
class Place:
    """One till where it stands."""

    till: Counter
    wire: FaultyWire
    sales: list[str] = field(default_factory=list)
    skew_ms: int = 0
    copy: tuple[int, bytes] | None = None
    """An earlier copy of its disk, with the epoch of then."""
    twin: bool = False
    """Another copy of it runs, or ran: both cannot agree with head office on a day."""
    behind: bool = False
    """Head office came back from a backup and has not heard from it since."""


class Shops(RuleBasedStateMachine):
    """Everything random comes from hypothesis."""

    def __init__(
        self, office: Office, tally: Tally, policy: OfflineMode, carrier: Carrier = application, *, calm: bool = False
    ) -> None:
        super().__init__()
        self.calm = calm
        self.office = office
        self.tally = tally
        self.policy = policy
        self.linked = list(MEMBERS)
        self.steady_s = 0.0
        self.number = 0
        self.touched: set[int] = set()
        self.office_moved = False
        self.may_restore = False
        self.kept: tuple[dict[str, bytes], list[str]] | None = None
        """A backup of head office, and which cards were known then."""
        self.forgot = False
        """Head office came back from a backup, or a till was copied with its leases: points may be spent twice."""
        self.folder = fast_folder()
        office.empty(RULES[policy])
        for card in MEMBERS:
            office.join(card, OPENING_POINTS)
        self.carrier = carrier(office)
        self.places: list[Place] = []
        for number in range(TILLS):
            wire = FaultyWire(self.carrier)
            till = Counter(
                Path(self.folder.name) / str(number),
                "http://head-office",
                wire=wire,
                now_ms=functools.partial(self._clock, number),
                steady_s=lambda: self.steady_s,
            )
            self.places.append(Place(till, wire))
            till.enrol(office.code(), f"kassa {number}")
            till.sync_patiently()
        tally.note(f"chain, {policy}")

    @property
    def tills(self) -> list[Counter]:
        """Every till that runs."""
        return [place.till for place in self.places]

    @property
    def bounded(self) -> bool:
        """Whether tills may spend only what head office set aside for them, and that but once."""
        return self.policy is not OfflineMode.CAPPED and not self.forgot

    def _clock(self, number: int) -> int:
        return wall_ms() + (self.places[number].skew_ms if number < len(self.places) else 0)

    def _at(self, number: int) -> Place:
        number %= len(self.places)
        self.touched.add(number)
        return self.places[number]

    def enrol_again(self, place: Place) -> bool:
        """Give a till whose key counts no more a new one; whether it was so."""
        try:
            place.till.transport.stream()
        except Rejected as error:
            if error.code not in KEY_PAST:
                raise
            place.till.enrol_again(self.office.code(), "kassa")
            place.twin = True
            return True
        return False

    # -- what must hold -------------------------------------------------------------------------------------------

    @invariant()
    def every_till_is_sound(self) -> None:
        self.tally.steps += 1
        self.steady_s += STEP_S
        for number in self.touched:
            self.places[number].till.check()
        self.touched.clear()

    @invariant()
    def the_books_are_sound(self) -> None:
        if self.office_moved:
            told = not any(place.behind for place in self.places)
            with self.office.books() as conn:
                expect_sound(conn, self.tills, bounded=self.bounded, told=told)
            self.office_moved = False

    def teardown(self) -> None:
        """The line is mended, every till syncs; if no step failed, the books must be exact."""
        try:
            if sys.exception() is None:
                self._settle()
        finally:
            for till in self.tills:
                till.close()
            self.carrier.close()
            self.folder.cleanup()

    def _settle(self) -> None:
        for place in self.places:
            place.wire.mend()
            place.wire.deliver_late()
        for place in self.places:
            # Whoever is enrolled anew takes its twin's place, which has sent all it has by then or does so after it.
            self.enrol_again(place)
            place.till.sync_patiently(tries=3)
            place.till.check()
            assert place.till.journal.head().queued == 0
            self.tally.entries += len(place.till.printed)
        with self.office.books() as conn:
            expect_sound(conn, self.tills, settled=True, bounded=self.bounded)
        for place in self.places:
            if not place.twin:
                night = place.till.agent.nightly()
                assert night.agrees, night
