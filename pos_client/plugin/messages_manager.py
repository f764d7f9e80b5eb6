"""What the calls of a store manager take and answer: adjustments, orders about cards, the inbox."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AwareDatetime, Field, SecretStr

from loyalty.card_orders import CardAction
from loyalty.resolution import Action
from pos_client.plugin.messages import Answer, Asked, EntryAnswer, Member, Offline, SessionId
from sync.wire_mirror import ParkedState

MAX_ADJUSTMENT = 1_000_000
"""Points a manager gives or takes at once: more is a slip of the finger."""


class Approved(Asked):
    """Base of what a manager answers for, with a reason and a PIN."""

    id: SessionId
    """Chosen by the caller: the same id again is the same decision, after any fault."""
    reason: Annotated[str, Field(min_length=1, max_length=200)]
    approver: Annotated[str, Field(min_length=1, max_length=64)]
    pin: Annotated[SecretStr, Field(min_length=1, max_length=16)]


class Adjust(Approved):
    """POST /v1/adjustments."""

    card: Annotated[str, Field(min_length=1, max_length=256, repr=False)]
    points: Annotated[int, Field(strict=True, ge=-MAX_ADJUSTMENT, le=MAX_ADJUSTMENT)]


class OrderCard(Approved):
    """POST /v1/cards."""

    card: Annotated[str, Field(min_length=1, max_length=256, repr=False)]
    action: CardAction
    new_card: Annotated[str, Field(min_length=1, max_length=256)] | None = Field(default=None, repr=False)
    """For a replacement: the card that takes its place."""


class Decide(Approved):
    """POST /v1/inbox/{number}."""

    action: Action
    card: Annotated[str, Field(min_length=1, max_length=256)] | None = Field(default=None, repr=False)
    """For a link: a card of the member that the entry's card belongs to."""


class AdjustedAnswer(Answer):
    """An adjustment that is booked."""

    entry: EntryAnswer
    member: Member
    offline: Offline


class ParkedAnswer(Answer):
    """An entry that head office received and did not book."""

    number: int
    """This till's own name for it, never used again."""
    till: str
    terminal: str
    epoch: int
    seq: int
    code: str
    reason: str
    """Why, in the till's language."""
    detail: str
    """Why, in head office's words."""
    state: ParkedState
    kind: str | None
    points: int
    business_date: date
    parked_at: AwareDatetime
    actions: tuple[Action, ...]
    """What may be decided about it here, now."""
    asked: Action | None
    """What was decided here, and is on its way to head office."""
    approver: str | None
    decision: str | None
    """The reason that was given with the last decision."""
    decided_at: AwareDatetime | None


class InboxAnswer(Answer):
    """GET /v1/inbox, oldest first."""

    entries: tuple[ParkedAnswer, ...]
    offline: Offline


class DecidedAnswer(Answer):
    """A decision that is in the till's journal."""

    entry: EntryAnswer
    parked: ParkedAnswer | None
    offline: Offline
