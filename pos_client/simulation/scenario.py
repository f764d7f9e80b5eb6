"""What is simulated: how many tills, for how long, by which policy, and what goes wrong when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from loyalty.programme import OfflineMode, Programme

TIME_ZONE = "Europe/Amsterdam"
START = datetime(2026, 4, 6, tzinfo=ZoneInfo(TIME_ZONE))
"""Simulated time begins at this midnight: a Monday, in a week in which no clock is put forward or back."""

DAY_S = 86_400
HOUR_S = 3600
OPEN_S, CLOSE_S = 9 * HOUR_S, 18 * HOUR_S
NIGHT_S, MORNING_S = 1 * HOUR_S, 5 * HOUR_S
"""Tills do their night's work between these, the night after the day; each at a moment of its own."""

TIMEOUT_S = 10
"""As tills are configured unless somebody changes it."""

REGIONS = 10
TILLS_A_MEMBER = 100
"""One member for so many tills of a neighbourhood: all tills keep all members, and must stay small here. That every
member spends at many tills at the same time is far harder on the ledger than life."""
LEAST_MEMBERS = 4
OPENING_POINTS = 600
AT_HOME = 0.8
"""The part of sales to members of the neighbourhood; the rest are to members from anywhere."""
WISHES = 0.5
"""The part of sales at which the customer asks for a reward."""
LARGEST_SALE_MINOR = 4000


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run. Everything made up in it follows from `seed`."""

    tills: int = 100
    days: int = 1
    seed: int = 1
    sales_per_day: float = 1.0
    """For each till, on average."""
    policy: OfflineMode = OfflineMode.LEASE
    outage: bool = True
    """A region without a line from 11:00 to 13:00, on the second day if there is one."""
    restart: bool = True
    """Head office away for two minutes at 15:00 on the first day."""
    skewed: float = 0.05
    """The part of tills with a wrong clock: minutes to days, one in ten of them a year."""
    cloned: float = 0.001
    """The part of tills whose disk is copied to a second machine at noon on the first day; both sell on."""

    @property
    def outage_s(self) -> tuple[float, float]:
        """From when until when region 0 has no line; nothing when it always has."""
        day = min(1, self.days - 1) * DAY_S
        return (day + 11 * HOUR_S, day + 13 * HOUR_S) if self.outage else (0.0, 0.0)

    @property
    def restart_s(self) -> tuple[float, float]:
        """From when until when head office is away."""
        return (15 * HOUR_S, 15 * HOUR_S + 120) if self.restart else (0.0, 0.0)

    @property
    def clones(self) -> int:
        """How many tills are copied: one at least, when any are."""
        return max(1, round(self.tills * self.cloned)) if self.cloned else 0

    @property
    def members(self) -> int:
        """Members of the chain."""
        return max(LEAST_MEMBERS, self.tills // TILLS_A_MEMBER)

    @property
    def end_s(self) -> float:
        """When the last night is over."""
        return self.days * DAY_S + MORNING_S + HOUR_S


def rules(policy: OfflineMode) -> Programme:
    """The programme: a point a euro, 50 points for five euro off, and `policy` for tills on their own."""
    return Programme.from_toml(_PROGRAMME.replace("POLICY", policy.value))


_PROGRAMME = """
format = 1
id = "simulated"
version = 1
name = { nl = "Simulatie", en = "Simulation" }
currency = "EUR"
time_zone = "Europe/Amsterdam"

[[tiers]]
id = "basic"
name = { nl = "Basis", en = "Basic" }

[[earn]]
kind = "per_amount"
id = "euro"
name = { nl = "1 punt per euro", en = "1 point a euro" }
points = 1
per_minor = 100

[[rewards]]
kind = "amount_off"
id = "five-off"
name = { nl = "5 euro korting", en = "5 euro off" }
cost_points = 50
discount_minor = 500

[offline]
redeem = "POLICY"
per_card_day_points = 100
per_till_day_points = 200
mirror_max_age_s = 86400
lease_points = 60
lease_tills = 20
lease_lifetime_s = 86400
lease_grace_s = 3600
"""
