"""One customer at the till: the basket, the card, the rewards chosen, and what it all comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from loyalty.basket import Basket
from loyalty.facts import UNKNOWN, Facts
from loyalty.ledger import Entry
from loyalty.offline import Verdict
from loyalty.programme import Programme
from loyalty.programme_members import Credential
from loyalty.redemption import Choice, RewardOption
from loyalty.serving import UNSAID, Serving
from loyalty.settlement import Settlement
from loyalty.spending import SetAside
from sync.holds import Held
from sync.mirror import Holder


class SessionState(StrEnum):
    """The life of a session."""

    OPEN = "open"
    BOOKED = "booked"
    VOIDED = "voided"


@dataclass(frozen=True, slots=True)
class Presented:
    """A card as it was presented. `rotating`: by a credential that only the member's phone can show at this time."""

    holder: Holder
    rotating: bool = False


@dataclass(slots=True)
class Session:
    """What the till's software and the cashier have put in so far. Lost with a kill until it is booked."""

    id: str
    opened_ms: int
    touched_ms: int
    basket: Basket
    basket_version: int = 0
    """Rises with each basket that is put: who changes an older one is told."""
    card: str | None = None
    rotating: bool = False
    """The card was proven by a rotating credential, not by its number alone."""
    pin: bool = False
    """The member entered their PIN."""
    aside: bool = False
    """Of no customer at this till's own counter: it takes no card that waits there, and never comes on the screen."""
    rewards: list[Choice] = field(default_factory=list)
    state: SessionState = SessionState.OPEN
    entry: Entry | None = None
    priced_ms: int = 0
    """When the basket was last put: bonus hours and dates go by it, so that a quote and its booking agree."""
    dropped_rewards: tuple[str, ...] = ()
    """Rewards the last basket change made impossible; told once, with the change."""
    holds: list[Held] = field(default_factory=list)
    """Points that head office holds for this sale."""
    serving: Serving = UNSAID
    """By whom, and paid how, as far as the till's software said."""
    settled: Settled | None = None
    """What it last came to, so that a booking need not reckon again what the quote before it did."""

    @property
    def shown(self) -> tuple[Credential, ...]:
        """How the member proved who they are, beside their card."""
        proofs = ((self.rotating, Credential.ROTATING), (self.pin, Credential.PIN))
        return tuple(proof for given, proof in proofs if given)


@dataclass(frozen=True, slots=True)
class Settled:
    """A settlement and everything it follows from."""

    programme: Programme
    basket: Basket
    tier: str
    rewards: tuple[Choice, ...]
    facts: Facts
    settlement: Settlement

    def holds(self, programme: Programme, session: Session, tier: str, facts: Facts) -> bool:
        """Whether `session` still comes to this."""
        return (
            self.programme is programme
            and self.basket is session.basket
            and self.tier == tier
            and self.rewards == tuple(session.rewards)
            and self.facts == facts
        )


@dataclass(frozen=True, slots=True)
class Quote:
    """What a session comes to now. Points and minor units; `balance_after` is what the member would have."""

    session: str
    state: SessionState
    basket: Basket
    basket_version: int
    programme: Programme
    tier: str
    holder: Holder | None
    settlement: Settlement
    rewards: tuple[RewardOption, ...]
    verdict: Verdict | None
    balance_after: int | None
    dropped_rewards: tuple[str, ...]
    facts: Facts = UNKNOWN
    """What the settlement was computed with besides basket and tier."""
    rotating: bool = False
    """The holder was proven by a rotating credential: enough for rewards that ask for one."""
    serving: Serving = UNSAID
    set_aside: tuple[SetAside, ...] = ()
    """What the sale may spend that is held for it or leased to this till."""


@dataclass(frozen=True, slots=True)
class Booked:
    """A sale or void that is on the disk. `balance` includes it; it is confirmed when head office has it."""

    entry: Entry
    balance: int

    @property
    def told(self) -> dict[str, Any]:
        """What listeners hear of it."""
        return {"session": self.entry.session, "points": self.entry.points, "balance": self.balance}
