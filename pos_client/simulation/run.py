"""A simulation run: shoppers, tills' rounds and nights, and what goes wrong, one event after the other."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from loyalty.programme import OfflineMode
from pos_client.simulation.checks import Receipt, checked
from pos_client.simulation.network import Network
from pos_client.simulation.office import Enrolled, Office, card_number
from pos_client.simulation.report import Drain, Report, Sample, Tally, reported
from pos_client.simulation.scenario import (
    AT_HOME,
    CLOSE_S,
    DAY_S,
    HOUR_S,
    LARGEST_SALE_MINOR,
    MORNING_S,
    NIGHT_S,
    OPEN_S,
    REGIONS,
    WISHES,
    Scenario,
    rules,
)
from pos_client.simulation.schedule import Schedule
from pos_client.simulation.tills import Machine, OpenTill, Tills
from sync.agent import pause_s
from sync.errors import Rejected, TransportError, Unreachable
from sync.night import slot
from sync.wire import POLL_S

SAMPLE_S = 300
"""How often the queues are looked at, for the plot."""
FEED_S = 900
"""How often head office's feed is kept short: in life every night, here there are few members and many tills, and
nearly all of it is replaced by then."""
WAKE_S = 1.0
"""From a sale to the round that sends it."""

Progress = Callable[[float, float], None]
"""Told how many seconds are simulated, and of how many."""


def _quiet(_done: float, _of: float) -> None:
    """Nobody looks on."""


class Simulation:
    """A chain about to be simulated. Close it, or use it as a context manager."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        """Start head office in `folder`, enrol all tills, and plan what happens.

        Args:
            folder: empty; others than the owner must be able to pass through it when this runs as root.

        Raises:
            HqError: head office's PostgreSQL does not start.
        """
        self.scenario = scenario
        self.tally = Tally()
        self.samples: list[Sample] = []
        self.receipts: list[Receipt] = []
        self.drains: list[Drain] = []
        self.exposure_points = 0
        self._chance = random.Random(f"shoppers {scenario.seed}")
        self._pauses = random.Random(f"pauses {scenario.seed}")
        self._schedule = Schedule()
        self._stopped = False
        self.network = Network(scenario)
        self.machines = [self._machine(place) for place in range(scenario.tills)]
        self.office = Office(folder / "hq", rules(scenario.policy), scenario.members)
        try:
            self.office.enrol([machine.enrolled for machine in self.machines])
            self.tills = Tills(folder / "tills", self.office, self.network)
            self.tills.make_template(self.machines[0].enrolled.terminal)
            self._plan()
        except BaseException:
            self.office.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, on_progress: Progress = _quiet) -> Report:
        """Simulate until the last night is over, or until `stop`; then check the books."""
        end_s = self.scenario.end_s
        told_s = 0.0
        while not self._stopped and self._schedule.step(end_s):
            if self._schedule.now_s >= told_s + SAMPLE_S:
                told_s = self._schedule.now_s
                on_progress(told_s, end_s)
        checks = checked(self.office, self.tills, self.machines, self.receipts, allowed_points=self._allowed_points())
        return reported(self, checks, complete=not self._stopped, until_s=self._schedule.now_s)

    def _allowed_points(self) -> int:
        return self.exposure_points if self.scenario.policy is OfflineMode.CAPPED else 0

    def stop(self) -> None:
        """End after the event under way; `run` then reports on what there was."""
        self._stopped = True

    def close(self) -> None:
        """Switch everything off."""
        self.tills.close()
        self.office.close()

    # -- plans ----------------------------------------------------------------------------------------------------

    def _machine(self, place: int) -> Machine:
        scenario = self.scenario
        name = f"t-{place:06d}"
        key = Ed25519PrivateKey.from_private_bytes(random.Random(f"key {scenario.seed} {place}").randbytes(32))
        skew_s = 0.0
        if self._chance.random() < scenario.skewed:
            skew_s = self._chance.choice([-1, 1]) * self._chance.uniform(400, 2 * DAY_S)
            if self._chance.random() < 0.1:
                skew_s += self._chance.choice([-365, 365]) * DAY_S
        return Machine(place, name, Enrolled(name, key), place % REGIONS, skew_s)

    def _plan(self) -> None:
        scenario, at = self.scenario, self._schedule.at
        for day in range(scenario.days):
            start = day * DAY_S
            at(start, partial(self._plan_sales, start))
            at(start + OPEN_S, self._note_exposure)
            at(start + DAY_S + HOUR_S / 2, lambda: self.office.night(self._schedule.now_s))
            at(start + DAY_S + NIGHT_S, self._plan_nights)
        for number in range(int(scenario.end_s) // SAMPLE_S):
            at(number * SAMPLE_S, self._sample)
        for number in range(int(scenario.end_s) // FEED_S):
            at(number * FEED_S, self.office.keep_feed_short)
        region = [machine for machine in self.machines if machine.region == 0]
        for name, times, whom in (
            ("a region without a line", scenario.outage_s, region),
            ("head office away", scenario.restart_s, self.machines),
        ):
            begins, end = times
            if end:
                at(begins, partial(self._poll, whom))
                at(end, partial(self._watch_drain, name, whom))
        if scenario.restart:
            at(scenario.restart_s[0], self.office.restart)
        if scenario.clones:
            at(12 * HOUR_S, self._clone)

    def _plan_sales(self, start: float) -> None:
        for machine in self.machines:
            for _ in range(self._poisson(self.scenario.sales_per_day)):
                when = start + self._chance.uniform(OPEN_S, CLOSE_S)
                if when >= self._schedule.now_s:
                    self._schedule.at(when, partial(self._sale, machine))

    def _poisson(self, mean: float) -> int:
        """A number of independent things, `mean` on average (Knuth, TAOCP 2, 3.4.1)."""
        count, left = 0, self._chance.expovariate(1)
        while left < mean:
            count += 1
            left += self._chance.expovariate(1)
        return count

    def _plan_nights(self) -> None:
        for machine in self.machines:
            into_s = slot(machine.enrolled.terminal, timedelta(seconds=MORNING_S - NIGHT_S)).total_seconds()
            self._schedule.at(self._schedule.now_s + into_s, partial(self._night, machine))

    # -- events ---------------------------------------------------------------------------------------------------

    def _sale(self, machine: Machine) -> None:
        scenario, chance = self.scenario, self._chance
        home = machine.place % scenario.tills * scenario.members // scenario.tills
        member = home if chance.random() < AT_HOME else chance.randrange(scenario.members)
        amount, wish = chance.randint(100, LARGEST_SALE_MINOR), chance.random() < WISHES
        till = self._switched_on(machine)
        self.tally.sales += 1
        entry, refused = till.sell(f"bon-{self.tally.sales}", card_number(member), amount, wish=wish)
        self.receipts.append(Receipt(entry.id, machine.name))
        machine.queued += 1
        self.tally.redeemed_points += entry.settlement.points_spent
        self.tally.rewards += bool(entry.settlement.redemptions)
        self.tally.refused_rewards += refused
        self._wake(machine, WAKE_S)

    def _night(self, machine: Machine) -> None:
        machine.night_due = True
        self._wake(machine, 0)

    def _wake(self, machine: Machine, in_s: float) -> None:
        """Have a round soon, unless one is planned; one that waits after a failure is not hastened by this."""
        if not machine.round_planned:
            self._plan_round(machine, self._schedule.now_s + in_s)

    def _plan_round(self, machine: Machine, when_s: float) -> None:
        machine.round_planned = True
        self._schedule.at(max(when_s, machine.busy_until_s), partial(self._round, machine))

    def _round(self, machine: Machine) -> None:
        """The agent's round, with whatever requests that takes, from now on."""
        machine.round_planned = False
        now_s = self._schedule.now_s
        if not machine.queued and self.network.is_down(machine.region, now_s):
            # With nothing to send a round ends at its first request and leaves no trace: that needs no database opened.
            self.network.traffic.refused += 1
            self._failed(machine, Unreachable("no line"), now_s)
            return
        till = self._switched_on(machine)
        try:
            if machine.night_due:
                night = till.agent.nightly()
                report = night.report
                machine.night_due = False
                if night.backup is not None:
                    night.backup.path.unlink()  # thousands of tills share one disk here
                self.tally.nights += 1
                self.tally.nights_agreed += night.agrees
            else:
                report = till.agent.run_once()
        except TransportError as error:
            self._failed(machine, error, till.line.at_s)
        else:
            machine.tries, machine.asked = 0, True
            self.tally.rounds += 1
            self.tally.changes += report.changes
            for drain in self.drains:
                drain.reached(machine.name, till.line.at_s)
        machine.busy_until_s = till.line.at_s
        self.tally.retried_batches += till.line.take_retries()
        till.learn()
        if machine.superseded:
            for drain in self.drains:
                drain.reached(machine.name, till.line.at_s)

    def _failed(self, machine: Machine, error: TransportError, at_s: float) -> None:
        machine.tries += 1
        self.tally.failed_rounds += 1
        self.tally.refused_rounds += isinstance(error, Rejected)
        self._plan_round(machine, at_s + pause_s(machine.tries, error, self._pauses.uniform))

    def _poll(self, machines: Iterable[Machine]) -> None:
        """Idle tills ask for changes every minute, which is simulated only when it meets trouble."""
        for machine in machines:
            self._wake(machine, self._chance.uniform(0, POLL_S))

    def _watch_drain(self, name: str, machines: Iterable[Machine]) -> None:
        away = [machine for machine in machines if machine.tries and not machine.superseded]
        entries = sum(machine.queued for machine in away)
        self.drains.append(Drain(name, self._schedule.now_s, entries, {machine.name for machine in away}))

    def _clone(self) -> None:
        """Copy the disks of some tills onto other machines, which go on as if they were the first."""
        step = max(1, self.scenario.tills // self.scenario.clones)
        for number in range(self.scenario.clones):
            first = self.machines[number * step]
            self._switched_on(first)
            place = len(self.machines)
            copy = Machine(place, f"{first.name}-copy", first.enrolled, first.region, first.skew_s)
            copy.queued = first.queued
            self.tills.copy(first, copy)
            self.machines.append(copy)
        self._plan_copies()

    def _plan_copies(self) -> None:
        """A copy is used from the start, and its first as well: both sell within the hour."""
        for copy in self.machines[self.scenario.tills :]:
            first = next(one for one in self.machines if one.enrolled is copy.enrolled)
            for machine in (first, copy):
                when = self._schedule.now_s + self._chance.uniform(0, HOUR_S)
                self._schedule.at(when, partial(self._sale, machine))

    def _sample(self) -> None:
        by_region = [0] * REGIONS
        for machine in self.machines:
            by_region[machine.region] += machine.queued
        self.samples.append(Sample(self._schedule.now_s, sum(by_region), by_region[0]))

    def _note_exposure(self) -> None:
        self.exposure_points += self.office.exposed(self._schedule.now_s).chain_points

    def _switched_on(self, machine: Machine) -> OpenTill:
        till = self.tills.open(machine)
        till.line.at_s = max(self._schedule.now_s, machine.busy_until_s)
        return till
