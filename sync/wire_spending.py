"""The messages about points set aside: holds, leases, exposure. Points are whole, times Unix milliseconds UTC."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StrictInt

from sync.wire import Answer, Message
from sync.wire_mirror import MAX_CHANGES

MAX_HOLD_S = 3600
"""Longest that points are held for a sale under way: a customer who is gone for an hour does not come back."""

MAX_HOLD_POINTS = 1_000_000_000
"""Points in one hold: more than any reward costs."""

MAX_EXPOSED = 100
"""Accounts that an exposure names, the dearest first: more than anybody looks into."""

Uuid = Annotated[str, Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]


class HoldRequest(Message):
    """POST /v1/holds: set points of a card's account aside for a sale. The same id again is the same hold."""

    id: Uuid
    """Made by the till, and stored before it is sent."""
    card: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    points: Annotated[StrictInt, Field(gt=0, le=MAX_HOLD_POINTS)]
    session: Annotated[str, Field(min_length=1, max_length=64)]
    expires_s: Annotated[StrictInt, Field(gt=0, le=MAX_HOLD_S)]
    """An interval, not a moment: the two clocks need not agree."""


class HoldState(StrEnum):
    """Where a hold stands."""

    ACTIVE = "active"  # set aside until it expires
    CAPTURED = "captured"  # the sale is booked at the till; set aside until its entry arrives
    LATE = "late"  # captured after it had expired and its points were gone: the entry books a debt
    BOOKED = "booked"  # its entry is booked
    RELEASED = "released"  # given back


class HoldAnswer(Answer):
    """A hold as it stands."""

    id: Uuid
    account: str
    points: StrictInt
    state: HoldState
    expires_s: StrictInt
    """Seconds that it still lasts; 0 when it is over."""


class ClosedLeases(Message):
    """POST /v1/leases/closed: the till's word that no entry after `seq` of `epoch` spends from these leases."""

    epoch: Annotated[StrictInt, Field(ge=1)]
    seq: Annotated[StrictInt, Field(ge=0)]
    leases: Annotated[tuple[Uuid, ...], Field(min_length=1, max_length=MAX_CHANGES)]


class LeasesClosed(Answer):
    """The answer: how many of the leases are of this terminal and epoch, and are closed now."""

    closed: StrictInt


class AccountExposure(Answer):
    """The most that tills on their own word could spend of one account beyond what it has."""

    account: str
    points: StrictInt


class Exposure(Answer):
    """GET /v1/exposure: the worst joint overspend that the policy in force allows. Points."""

    policy: Literal["never", "capped", "lease"]
    tills: StrictInt
    """Enrolled tills that are not revoked."""
    days: StrictInt
    """Business dates that one till can sell on alone before its mirror is too old; 0 unless the policy is capped."""
    chain_points: StrictInt
    accounts_exposed: StrictInt
    accounts: tuple[AccountExposure, ...]
    """The dearest first, at most 100."""
    leased_points: StrictInt
    """Set aside at tills now: these cannot be overspent."""
    held_points: StrictInt
    """Held for sales under way now. They become a debt if a till loses its line right after the sale, until after the
    hold has run out, and the points are spent elsewhere meanwhile."""
    as_of_ms: StrictInt
