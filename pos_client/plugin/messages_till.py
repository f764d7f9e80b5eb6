"""What the calls about the till itself take and answer: how it is doing, exchanges with head office, events."""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import AwareDatetime, StrictBool

from pos_client.plugin.messages import Answer, Asked
from pos_client.troubles import Gravity
from sync.agent import NightReport, SyncReport
from sync.wire import Proof


class SyncNow(Asked):
    """POST /v1/sync. `nightly` also compares each open day with head office."""

    nightly: StrictBool = False


class DeviceAnswer(Answer):
    """A device as last reported: online, offline or failed."""

    name: str
    status: str
    text: str


class DayAnswer(Answer):
    """One business date compared with head office."""

    business_date: date
    agrees: bool
    parked: int
    ours: Proof
    theirs: Proof


class TroubleAnswer(Answer):
    """Something that is wrong with the till. Programs go by `code`; the sentences are in the till's language."""

    code: str
    gravity: Gravity
    """`info`: nobody has to act; `warn`: somebody, today; `stop`: somebody, now."""
    text: str
    todo: str


class StatusAnswer(Answer):
    """GET /v1/status."""

    till: str
    terminal: str
    store: str
    software: str
    online: bool
    since: AwareDatetime
    """When `online` last turned."""
    problem: str | None
    """In English, for a log."""
    at: AwareDatetime
    """When this was said, by the till's clock."""
    started: AwareDatetime
    healthy: bool
    """Nothing is wrong that needs a person: no trouble graver than `info`."""
    problems: tuple[TroubleAnswer, ...]
    """What is wrong, gravest first."""
    queue_length: int
    mirror_as_of: AwareDatetime | None
    devices: tuple[DeviceAnswer, ...]
    payment_cards_refused: int
    """Since the till was started."""
    proof: DayAnswer | None
    """The newest business date that was compared."""


class Round(Answer):
    """What one exchange with head office did, in entries and changes."""

    sent: int
    booked: int
    parked: int
    changes: int


class SyncAnswer(Answer):
    """POST /v1/sync. `days` is empty unless the night's work was asked for; `agrees` is true when no day differs."""

    report: Round
    days: tuple[DayAnswer, ...] = ()
    agrees: bool = True

    @classmethod
    def of_round(cls, report: SyncReport) -> SyncAnswer:
        """From one round."""
        return cls(report=Round(sent=report.sent, booked=report.booked, parked=report.parked, changes=report.changes))

    @classmethod
    def of_night(cls, night: NightReport) -> SyncAnswer:
        """From the night's work."""
        days = tuple(DayAnswer.model_validate(day, from_attributes=True) for day in night.days)
        return cls(report=cls.of_round(night.report).report, days=days, agrees=night.agrees)


class EventAnswer(Answer):
    """One event of GET /v1/events, as the client reads it. `id` is what `Last-Event-ID` takes."""

    id: str
    event: str
    data: dict[str, Any]
