"""What a run reports: figures, and whether the books held. The same seed gives the same report."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pos_client.simulation.checks import Checks
from pos_client.simulation.network import Traffic
from pos_client.simulation.scenario import DAY_S, HOUR_S, MORNING_S, NIGHT_S

if TYPE_CHECKING:
    from pos_client.simulation.run import Simulation


@dataclass
class Tally:
    """What tills did.

    Rewards are refused by the till's limits or the member's points. A round fails without a line or a head office, or
    is refused, as that of a till is whose copy goes on in its place.
    """

    sales: int = 0
    rewards: int = 0
    redeemed_points: int = 0
    refused_rewards: int = 0
    rounds: int = 0
    failed_rounds: int = 0
    refused_rounds: int = 0
    retried_batches: int = 0
    changes: int = 0
    nights: int = 0
    nights_agreed: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """Entries waiting at tills at one moment: everywhere, and in the region that loses its line."""

    at_s: float
    queued: int
    queued_region: int


@dataclass
class Drain:
    """How long it takes after trouble until every till that was cut off has been in touch again, its queue empty."""

    name: str
    from_s: float
    entries: int
    away: set[str] = field(repr=False)
    drained_s: float | None = None

    def __post_init__(self) -> None:
        self.tills = len(self.away)
        if not self.away:
            self.drained_s = 0.0

    def reached(self, machine: str, at_s: float) -> None:
        """A round of this machine has succeeded."""
        if machine in self.away:
            self.away.discard(machine)
            if not self.away:
                self.drained_s = at_s - self.from_s


@dataclass(frozen=True, slots=True)
class Peak:
    """The busiest second, when it was (seconds since the start), and the busiest minute's rate. Requests a second."""

    per_s: int
    at_s: int
    minute_per_s: float


@dataclass(frozen=True, slots=True)
class Report:
    """A run's figures; times in simulated seconds."""

    scenario: dict[str, Any]
    complete: bool
    simulated_s: int
    tally: Tally
    requests: dict[str, int]
    refused_tries: int
    timed_out: int
    cut: int
    longest_wait_s: float
    peak: Peak
    night_peak: Peak
    drains: list[dict[str, Any]]
    superseded: int
    checks: Checks

    @property
    def sound(self) -> bool:
        """Whether everything held."""
        return not self.checks.problems

    def as_json(self) -> dict[str, Any]:
        """As one JSON object."""
        return asdict(self)


def reported(run: Simulation, checks: Checks, *, complete: bool, until_s: float) -> Report:
    """Put the figures of a run together."""
    traffic = run.network.traffic
    return Report(
        scenario=asdict(run.scenario),
        complete=complete,
        simulated_s=round(until_s),
        tally=run.tally,
        requests=dict(sorted(traffic.requests.items())),
        refused_tries=traffic.refused,
        timed_out=traffic.timed_out,
        cut=traffic.cut,
        longest_wait_s=round(traffic.longest_wait_s, 3),
        peak=_peak(traffic.by_second),
        night_peak=_peak(_at_night(traffic)),
        drains=[
            {
                "after": drain.name,
                "tills": drain.tills,
                "entries": drain.entries,
                "drained_s": None if drain.drained_s is None else round(drain.drained_s, 1),
            }
            for drain in run.drains
        ],
        superseded=sum(machine.superseded for machine in run.machines),
        checks=checks,
    )


def _at_night(traffic: Traffic) -> Counter[int]:
    """What came between the times that tills do their night's work, with an hour for those that come late."""
    return Counter({at: count for at, count in traffic.by_second.items() if NIGHT_S <= at % DAY_S < MORNING_S + HOUR_S})


def _peak(by_second: Counter[int]) -> Peak:
    if not by_second:
        return Peak(0, 0, 0.0)
    minutes: Counter[int] = Counter()
    for at, count in by_second.items():
        minutes[at // 60] += count
    at_s, per_s = max(by_second.items(), key=lambda pair: (pair[1], -pair[0]))
    return Peak(per_s, at_s, round(max(minutes.values()) / 60, 2))
