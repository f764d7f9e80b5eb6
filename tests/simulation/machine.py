"""A chain of shops as a state machine: tills, customers, a bad wire, wrong clocks, crashes; and books that hold."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from loyalty.errors import LoyaltyError
from loyalty.programme import OfflineMode, OfflinePolicy
from pos_client.reckoning import TillError
from sync.hq import leases
from sync.terminal import wall_ms
from tests.simulation.books import expect_sound
from tests.simulation.counter import Counter
from tests.simulation.office import Office, application
from tests.simulation.power_cuts import fast_folder
from tests.simulation.wire import ORDERED, FaultyWire
from tests.support.entries import programme
from tests.support.proxy import Fault

TILLS = 3
MEMBERS = [str(2_920_000_000_000 + number) for number in range(3)]
STRANGERS = [str(2_930_000_000_000 + number) for number in range(2)]
"""Cards of nobody, until head office links them."""
OPENING_POINTS = 200
STEP_S = 5
"""What passes on a till's steady clock with each step: after a few it asks a silent head office again."""
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
LONGEST_JUMP_MS = 400 * 86_400_000
"""A clock is off by a year and a month at the most; one before 2024 is a flat battery, which the till says."""

RUNS = 7
STEPS_A_RUN = 150
"""Long enough for a queue, a crash, a lost answer and a late card to meet in one run."""

tills = st.integers(0, TILLS - 1)
customers = st.tuples(st.sampled_from(MEMBERS + STRANGERS), st.integers(0, 6000), st.integers(1, 3), st.booleans())
"""Card, minor units of each line, lines, and whether a reward is asked for."""


def step(name: str, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """A step of the chain: the method of that name, with these arguments."""
    return st.tuples(st.just(name), st.fixed_dictionaries(arguments))


SELL = step("sell", place=tills, customers=st.lists(customers, min_size=1, max_size=4))
SYNC = step("sync", place=tills, ordered=st.lists(st.sampled_from(ORDERED), max_size=3), night=st.booleans())
STEPS = st.one_of(
    SELL,
    SYNC,
    SELL,  # what shops do most
    SYNC,
    step(
        "come_back",
        place=tills,
        which=st.integers(0, 50),
        how=st.sampled_from(["void", "return", "return a quarter", "ask again"]),
    ),
    step("line", place=tills, what=st.sampled_from(["up", "up", "down", "late"])),
    step(
        "machine",
        place=tills,
        what=st.sampled_from(["restart", "crash", "clock", "copy", "restore"]),
        jump_ms=st.just(0) | st.integers(-LONGEST_JUMP_MS, LONGEST_JUMP_MS),
    ),
    step("link_card", card=st.sampled_from(STRANGERS)),
    step("head_office_night", days=st.integers(0, 30)),
)


@dataclass
class Tally:
    """What was done over all runs: a run that does nothing proves nothing."""

    steps: int = 0
    entries: int = 0
    done: dict[str, int] = field(default_factory=dict)

    def note(self, what: str, times: int = 1) -> None:
        self.done[what] = self.done.get(what, 0) + times


Carrier = Callable[[Office], httpx.BaseTransport]


class Chain(RuleBasedStateMachine):
    """Three tills of one chain and its head office. Everything random comes from hypothesis."""

    def __init__(self, office: Office, tally: Tally, policy: OfflineMode, carrier: Carrier = application) -> None:
        super().__init__()
        self.office = office
        self.tally = tally
        self.policy = policy
        self.linked = list(MEMBERS)
        self.skew_ms = [0] * TILLS
        self.steady_s = 0.0
        self.sales: list[list[str]] = [[] for _ in range(TILLS)]
        self.copies: list[tuple[int, bytes] | None] = [None] * TILLS
        self.number = 0
        self.touched: set[int] = set()
        self.office_moved = False
        self.folder = fast_folder()
        office.empty(RULES[policy])
        for card in MEMBERS:
            office.join(card, OPENING_POINTS)
        self.carrier = carrier(office)
        self.wires = [FaultyWire(self.carrier) for _ in range(TILLS)]
        self.tills = [self._till(place) for place in range(TILLS)]
        tally.note(f"chain, {policy}")

    def _till(self, place: int) -> Counter:
        made = Counter(
            Path(self.folder.name) / str(place),
            "http://head-office",
            wire=self.wires[place],
            now_ms=functools.partial(self._clock, place),
            steady_s=lambda: self.steady_s,
        )
        made.enrol(self.office.code(), f"kassa {place}")
        made.sync_patiently()
        return made

    def _clock(self, place: int) -> int:
        return wall_ms() + self.skew_ms[place]

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
        for wire in self.wires:
            wire.mend()
            wire.deliver_late()
        for till in self.tills:
            till.sync_patiently(tries=3)
            till.check()
            assert till.journal.head().queued == 0
            self.tally.entries += len(till.printed)
        with self.office.books() as conn:
            expect_sound(conn, self.tills, settled=True, bounded=self.bounded)
        for till in self.tills:
            night = till.agent.nightly()
            assert night.agrees, night

    @rule(what=STEPS)
    def step(self, what: tuple[str, dict[str, Any]]) -> None:
        """One rule and not one for each step: hypothesis leaves rules out of whole runs, and a shop that never sells
        proves little."""
        name, arguments = what
        getattr(self, name)(**arguments)

    # -- at the counter -------------------------------------------------------------------------------------------

    def sell(self, place: int, customers: list[tuple[str, int, int, bool]]) -> None:
        till = self._at(place)
        for card, amount, lines, reward in customers:
            self.number += 1
            session = f"bon-{self.number}"
            try:
                till.sell(session, card, *[amount] * lines, reward="five-off" if reward else None)
            except (LoyaltyError, TillError):
                till.till.bookings.void(session)  # the reward cannot be given: this customer leaves
                self.tally.note("reward refused")
            else:
                self.sales[place].append(session)
                self.tally.note("sale with reward" if reward else "sale")
            self.office_moved |= reward  # points may be held there now

    def come_back(self, place: int, which: int, how: str) -> None:
        """A customer returns, or the till's software did not hear the answer to a booking."""
        if not self.sales[place]:
            return
        till, session = self._at(place), self.sales[place][which % len(self.sales[place])]
        before = till.journal.head().seq
        self.number += 1
        try:
            match how:
                case "void":
                    till.void(session)
                case "ask again":
                    till.print(till.till.bookings.commit(session))
                    assert till.journal.head().seq == before
                case _:
                    till.take_back(f"retour-{self.number}", session, {"1": 1000 if how == "return" else 250})
        except (LoyaltyError, TillError):
            assert till.journal.head().seq == before  # it came back already, or was voided
            how = f"{how} refused"
        self.tally.note(how)

    # -- the wire -------------------------------------------------------------------------------------------------

    def sync(self, place: int, ordered: list[Fault], night: bool) -> None:
        till = self._at(place)
        self.wires[place].order(*ordered)
        report = till.sync()
        self.wires[place].order()
        self.tally.note("sync that failed" if report is None else "sync")
        self.office_moved = True
        if report is not None:
            assert till.journal.head().queued == 0
            if night:
                assert till.agent.nightly().agrees
                self.tally.note("night")

    def line(self, place: int, what: str) -> None:
        """The line goes or comes; or what seemed lost on it arrives after all."""
        if what != "late":
            self.wires[place].up = what == "up"
        elif self.wires[place].deliver_late():
            self.tally.note("late arrival")
            self.office_moved = True

    # -- the machine ----------------------------------------------------------------------------------------------

    def machine(self, place: int, what: str, jump_ms: int) -> None:
        """The till starts anew, dies in between (what is on the disk is all there is), its clock jumps, its disk is
        copied, or an old copy is put back."""
        till = self._at(place)
        match what:
            case "restart":
                till.close()
                till.start()
            case "crash":
                till.crash()
            case "clock":
                self.skew_ms[place] = jump_ms
            case "copy":
                self.copies[place] = (till.journal.head().epoch, till.copy_of_disk())
            case "restore" if (copy := self.copies[place]) and copy[0] == till.journal.head().epoch:
                # A copy from before an epoch has a key that is past: head office wants such a till enrolled anew.
                till.put_disk_back(copy[1])
            case "restore":
                return
        self.tally.note(what)

    # -- head office ----------------------------------------------------------------------------------------------

    def link_card(self, card: str) -> None:
        if card not in self.linked:
            self.office.join(card, 0)
            self.linked.append(card)
            self.office_moved = True
            self.tally.note("card linked late")

    def head_office_night(self, days: int) -> None:
        """Head office grants leases and takes back what is due, so many days from now by its clock.

        Only tonight while a hold is live: to the calls of the tills, which know no other day, it would not be over.
        """
        with self.office.books() as conn:
            if conn.execute("SELECT 1 FROM hold WHERE state IN ('active', 'captured') LIMIT 1").fetchone():
                days = 0
            at = datetime.now(UTC) + timedelta(days=days)
            leases.reclaim_due(conn, at)
            leases.grant_anew(conn, RULES[self.policy].offline, at)
            (live,) = conn.execute("SELECT count(*) FROM lease WHERE state = 'active'").fetchone() or (0,)
        self.tally.note("leases live", live)
        self.office_moved = True

    # -- what must hold -------------------------------------------------------------------------------------------

    @invariant()
    def every_till_is_sound(self) -> None:
        self.tally.steps += 1
        self.steady_s += STEP_S
        for place in self.touched:
            self.tills[place].check()
        self.touched.clear()

    @invariant()
    def the_books_are_sound(self) -> None:
        if self.office_moved:
            with self.office.books() as conn:
                expect_sound(conn, self.tills, bounded=self.bounded)
            self.office_moved = False

    @property
    def bounded(self) -> bool:
        """Whether tills may spend only what head office set aside for them."""
        return self.policy is not OfflineMode.CAPPED

    def _at(self, place: int) -> Counter:
        self.touched.add(place)
        return self.tills[place]


def play_once(office: Office, seed: int, tally: Tally, carrier: Carrier = application, *, shrink: bool = True) -> None:
    """Some runs of the chain, all of them from `seed`; the policy goes round with the seeds.

    Args:
        shrink: look for the shortest steps that lead to a failure, which takes minutes.
    """

    def chain() -> Chain:
        return Chain(office, tally, list(OfflineMode)[seed % len(OfflineMode)], carrier)

    run_state_machine_as_test(
        hypothesis.seed(seed)(chain),
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=STEPS_A_RUN,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
