"""Journal entries and the digest chain that ties each to the one before it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError, model_validator

from loyalty.basket import Basket
from loyalty.card_orders import CardOrder
from loyalty.errors import BasketError, ChainBroken, LoyaltyError
from loyalty.facts import Facts, is_empty
from loyalty.resolution import Resolution
from loyalty.serving import Serving
from loyalty.settlement import Settlement
from loyalty.spending import MAX_AUTHORITIES, Authority

GENESIS = bytes(32)
"""The digest before the first entry of an epoch."""

MAX_ENTRY_BYTES = 200_000
"""A basket of 500 lines encodes to some 150 kB; a batch on the wire holds at most 512 KiB."""


class EntryKind(StrEnum):
    """What an entry records."""

    SALE = "sale"
    VOID = "void"  # reverses a whole sale, once
    RETURN = "return"  # takes back part of a sale, or all that is left of it
    ADJUSTMENT = "adjustment"  # points given or taken, or a card blocked, by a manager who says why
    RESOLUTION = "resolution"  # what a manager decides about a parked entry; adds no points itself
    ENROLMENT = "enrolment"  # the customer with this card became a member; adds no points itself
    ANSWER = "answer"  # what a customer answered to the shop's question after a sale; adds no points


_ANSWERED_FOR = (EntryKind.ADJUSTMENT, EntryKind.RESOLUTION)
"""What a manager answers for by name, with a reason."""


WORDS = frozenset({EntryKind.RESOLUTION, EntryKind.ENROLMENT, EntryKind.ANSWER})
"""What is said and not sold: no goods, no points."""


class Clock(BaseModel):
    """When an entry was made, as the terminal knew it. The order of entries is `seq`, never this."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wall_ms: StrictInt
    """The terminal's own clock, Unix milliseconds UTC, however wrong."""
    monotonic_ms: StrictInt
    """Milliseconds since the machine started."""
    boot_id: str
    """Names the machine start that `monotonic_ms` counts from."""
    offset_ms: StrictInt | None
    """Head office's clock minus the terminal's, as last known; None before the first contact."""


class Entry(BaseModel):
    """One immutable line of the journal. Its bytes are encoded once; the digest is over exactly those."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    terminal: str
    epoch: Annotated[StrictInt, Field(ge=1)]
    seq: Annotated[StrictInt, Field(ge=1)]
    id: str
    """UUIDv7, the public name (RFC 9562 5.7)."""
    kind: EntryKind
    session: str
    """The sale session this entry closes: a second commit of it finds this entry instead of making another."""
    clock: Clock
    business_date: date
    card: str
    """Card token (32 hex digits), never a card number."""
    account: str | None
    """Account id as the mirror knew it; None for a card unknown at the till."""
    programme: str
    programme_version: Annotated[StrictInt, Field(ge=1)]
    tier: str
    basket: Basket
    settlement: Settlement
    points: StrictInt
    """What this entry adds to the balance, in points; negative takes away."""
    reverses: str | None = None
    """For a void: the id of the entry it takes back."""
    facts: Facts | None = Field(default=None, exclude_if=is_empty)
    """What the settlement was computed with besides basket and tier; None in entries from before there were such."""
    original: str | None = Field(default=None, exclude_if=is_empty)
    """For a return: the id of the sale whose lines it takes back."""
    reason: Annotated[str, Field(max_length=200)] | None = Field(default=None, exclude_if=is_empty)
    """For an adjustment and a resolution: why."""
    approver: Annotated[str, Field(max_length=64)] | None = Field(default=None, exclude_if=is_empty)
    """For an adjustment and a resolution: who answers for it."""
    resolves: Resolution | None = Field(default=None, exclude_if=is_empty)
    """For a resolution: which parked entry, and what is done about it."""
    consent: Annotated[str, Field(pattern=r"^[a-z]{2}$")] | None = Field(default=None, exclude_if=is_empty)
    """For an enrolment: the language of the terms agreed to, which are those of the entry's programme version."""
    answer: Annotated[StrictInt, Field(ge=0, le=10)] | None = Field(
        default=None, exclude_if=lambda value: value is None
    )
    """For an answer: 0 (certainly not) to 10."""
    order: CardOrder | None = Field(default=None, exclude_if=is_empty)
    """For an adjustment of no points: what is done about its card."""
    authority: Annotated[tuple[Authority, ...], Field(max_length=MAX_AUTHORITIES)] = Field(
        default=(), exclude_if=is_empty
    )
    """For a sale: what the points it spent were spent on; empty in entries from before there were holds and leases."""
    serving: Serving | None = Field(default=None, exclude_if=is_empty)
    """For a sale: by whom and how it was paid, when the till's software says so."""

    @model_validator(mode="after")
    def _points_follow(self) -> Entry:
        delta = self.settlement.points_delta
        expected = -delta if self.kind is EntryKind.VOID else delta
        if self.points != expected:
            raise ValueError(f"expected {expected} points from the settlement, got {self.points}")
        for name, value, kinds in (
            ("reverses", self.reverses, (EntryKind.VOID,)),
            ("original", self.original, (EntryKind.RETURN,)),
            ("reason", self.reason, _ANSWERED_FOR),
            ("approver", self.approver, _ANSWERED_FOR),
            ("resolves", self.resolves, (EntryKind.RESOLUTION,)),
            ("consent", self.consent, (EntryKind.ENROLMENT,)),
            ("answer", self.answer, (EntryKind.ANSWER,)),
        ):
            if (value is not None) != (self.kind in kinds):
                where = " and ".join(kind.value for kind in kinds)
                raise ValueError(f"expected '{name}' on every {where} and only there, got a {self.kind.value}")
        if self.kind in WORDS and (self.points or self.basket.lines):
            raise ValueError(f"expected a {self.kind.value} without points and goods of its own")
        if self.order is not None and (self.kind is not EntryKind.ADJUSTMENT or self.points):
            raise ValueError("expected an order about a card on an adjustment of no points, and only there")
        if self.serving is not None and self.kind is not EntryKind.SALE:
            raise ValueError(f"expected 'serving' on a sale and only there, got a {self.kind.value}")
        spent_on = sum(part.points for part in self.authority)
        if self.authority and (self.kind is not EntryKind.SALE or spent_on != self.settlement.points_spent):
            raise ValueError(f"expected authority over the {self.settlement.points_spent} points of a sale")
        return self

    @property
    def known_facts(self) -> Facts:
        """The facts to compute with again; of an old entry just its moment."""
        return self.facts or Facts(at_ms=self.clock.wall_ms)

    def encode(self) -> bytes:
        """The bytes to store, send and digest: UTF-8 JSON, encoded once.

        Raises:
            BasketError: more than `MAX_ENTRY_BYTES`: head office could not take it, and it would block all behind it.
        """
        raw = self.model_dump_json().encode()
        if len(raw) > MAX_ENTRY_BYTES:
            raise BasketError(
                f"expected a sale of at most {MAX_ENTRY_BYTES} bytes, got {len(raw)}: book it as two baskets"
            )
        return raw

    @classmethod
    def decode(cls, raw: bytes) -> Entry:
        """Read an entry back.

        Raises:
            LoyaltyError: not an entry of a schema this version knows; the text names the paths, not the values.
        """
        try:
            return cls.model_validate_json(raw)
        except ValidationError as error:
            where = ", ".join(
                f"{'.'.join(map(str, problem['loc'])) or 'entry'}: {problem['msg']}"
                for problem in error.errors(include_url=False, include_input=False)[:3]
            )
            raise LoyaltyError(f"not a journal entry: {where}") from error


def chain(previous: bytes, raw: bytes) -> bytes:
    """The digest of an entry: SHA-256(previous digest ‖ its exact bytes), 32 bytes."""
    return hashlib.sha256(previous + raw).digest()


def follow(previous: bytes, raws: Iterable[bytes]) -> bytes:
    """The head digest after `raws`, starting from `previous`."""
    for raw in raws:
        previous = chain(previous, raw)
    return previous


def expect_head(previous: bytes, raws: Iterable[bytes], head: bytes) -> None:
    """Check that `raws` lead from `previous` to `head`.

    Raises:
        ChainBroken: they do not.
    """
    found = follow(previous, raws)
    if found != head:
        raise ChainBroken(f"expected head digest {head.hex()[:16]}…, got {found.hex()[:16]}…")
