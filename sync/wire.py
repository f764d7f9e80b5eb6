"""The messages between till and head office. Protocol version 1, JSON under /v1; what tills mirror is in `wire_mirror`.

Times are Unix milliseconds UTC, points and money are integers, digests and tokens are lower-case hex.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Literal, Self

from msgspec import DecodeError, Meta, Struct, field
from msgspec.json import Decoder, Encoder
from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError, model_validator

PROTOCOL = 1
PROTOCOL_HEADER = "Spaarpunt-Protocol"

CODE_LENGTH = 10
"""Letters and digits of a one-time code. 31^10 is 2^49: not guessed over a network within the life of a code."""

MAX_BATCH_ENTRIES = 500
"""Entries in one batch: well under a second of work for head office, so that one till never holds up the rest."""
MAX_BATCH_BYTES = 512 * 1024
"""Entry bytes in one batch, before compression. A till sends fewer over a bad line, until they get through in time."""
POLL_S = 60
"""How long a till with nothing to send waits before it asks for changes, until head office or its configuration says
otherwise: balances elsewhere are that fresh. 10 000 tills cost head office 0.8 of a core (docs/scale.md)."""
MAX_POLL_S = 3600
"""The longest that head office may wish for: a wrong number must not silence a till for a day."""


class WireError(Exception):
    """A message is not what the protocol says; the text names paths, never card data."""


def is_empty(value: object) -> bool:
    """Whether a field is left out of a message: most members have none of it."""
    return not value


class Record(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """Base of the messages that come by the hundred thousand, read and written by msgspec; what it says is the same.

    Fields are checked when a message is read; whoever makes one states them right. No part of one can be in a cycle.
    """

    def encode(self) -> bytes:
        """UTF-8 JSON."""
        return _ENCODER.encode(self)

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read a message.

        Raises:
            WireError: not this message.
        """
        try:
            found: Self = _decoder(cls).decode(raw)
        except (DecodeError, UnicodeDecodeError, RecursionError) as error:
            text, _, where = str(error).partition(" - at `$")
            # What stands in quotes may be a value of the message; a field is never named in them.
            said = text.partition("'")[0].rstrip()
            raise WireError(f"expected {cls.__name__}: {where.strip('.`') or 'body'}: {said}") from error
        return found


class Told(Record, frozen=True, forbid_unknown_fields=False, kw_only=True, gc=False):
    """A `Record` that head office says. Head office is updated before the tills: what it says more is let be."""


@cache
def _decoder(kind: type[Record]) -> Decoder[Any]:
    return Decoder(kind)


_ENCODER = Encoder()


class Message(BaseModel):
    """Base of every message: unknown fields are refused, so that a typo is not a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def encode(self) -> bytes:
        """UTF-8 JSON."""
        return self.model_dump_json(by_alias=True).encode()

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read a message.

        Raises:
            WireError: not this message.
        """
        try:
            return cls.model_validate_json(raw)
        except ValidationError as error:
            where = "; ".join(
                f"{'.'.join(map(str, problem['loc'])) or 'body'}: {problem['msg']}"
                for problem in error.errors(include_url=False, include_input=False)[:5]
            )
            raise WireError(f"expected {cls.__name__}: {where}") from error


class Answer(Message):
    """A `Message` that head office says. Head office is updated before the tills: what it says more is let be."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


def key_text(raw: bytes) -> str:
    """32 key bytes as standard base64 text."""
    return base64.b64encode(raw).decode("ascii")


def key_bytes(text: str) -> bytes:
    """The 32 bytes of a key sent as base64.

    Raises:
        WireError: not base64 of 32 bytes.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise WireError("expected a key in base64") from error
    if len(raw) != 32:
        raise WireError(f"expected a key of 32 bytes, got {len(raw)}")
    return raw


class Hello(Answer):
    """GET /v1/hello: who answers, unsigned; tells a till at once whether it talks to the right thing."""

    service: Literal["spaarpunt-hq"] = "spaarpunt-hq"
    protocol: int = PROTOCOL
    software: str
    server_time_ms: int


class EnrolRequest(Message):
    """POST /v1/terminals, signed with the key it carries (key id "enrol"): proof that the till holds it."""

    code: Annotated[str, Field(min_length=8, max_length=32)]
    name: Annotated[str, Field(min_length=1, max_length=60)]
    public_key: str
    software: Annotated[str, Field(max_length=40)]
    terminal: Annotated[str, Field(max_length=40)] | None = Field(default=None, exclude_if=is_empty)
    """For a till whose key counts no more: the terminal that it goes on as."""
    epoch: Annotated[StrictInt, Field(ge=1)] | None = Field(default=None, exclude_if=is_empty)
    """The last epoch that this till was in; only beside `terminal`."""

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.terminal is None) != (self.epoch is None):
            raise ValueError("expected 'terminal' and 'epoch' together, or neither")
        return self


class EnrolAnswer(Answer):
    """What makes a till a till of this chain."""

    terminal: str
    epoch: int
    store: str
    store_name: str
    hq_public_key: str
    card_key: str
    """The key of card tokens, base64 of 32 bytes: a secret, sent once, over TLS."""
    server_time_ms: int


class StreamAnswer(Answer):
    """GET /v1/stream: how far head office has the terminal's present epoch. A restored till asks before it writes."""

    terminal: str
    epoch: StrictInt
    durable_to: StrictInt
    head_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Digest of entry `durable_to`; 64 zeros before the first."""
    server_time_ms: StrictInt
    certificate: str | None = Field(default=None, exclude_if=is_empty)
    """Head office's signature (base64) over `sync.signing.certified` of the terminal's key in this epoch."""


class EpochRequest(Message):
    """POST /v1/epochs, signed with the terminal's present key: close its epoch, open `epoch` with a new key."""

    epoch: Annotated[StrictInt, Field(ge=2, le=2**31 - 1)]
    public_key: str


class EpochAnswer(Answer):
    """The epoch that is open now; only the new key signs from here on. And how far head office has the one left."""

    terminal: str
    epoch: StrictInt
    left_epoch: StrictInt
    left_durable_to: StrictInt
    left_head_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    server_time_ms: StrictInt
    certificate: str | None = Field(default=None, exclude_if=is_empty)
    """Head office's signature (base64) over `sync.signing.certified` of the terminal's key in this epoch."""


# \Z and not $, which in Python also stands before a line's end.
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
From1 = Annotated[int, Meta(ge=1)]


class ClockReading(Record, frozen=True, kw_only=True):
    """The till's clocks when it sent a batch."""

    wall_ms: int
    monotonic_ms: int
    boot_id: str


class Batch(Record, frozen=True, kw_only=True):
    """POST /v1/entries: consecutive entries of one terminal epoch, as their exact bytes."""

    terminal: str
    epoch: int
    from_seq: From1 = field(name="from")
    to_seq: From1 = field(name="to")
    prev_digest: Digest
    head_digest: Digest
    schema_version: Literal[1] = field(default=1, name="schema")
    clock: ClockReading
    entries: Annotated[tuple[str, ...], Meta(min_length=1, max_length=MAX_BATCH_ENTRIES)]
    """Each entry's bytes as text: kept as they came, so that nobody re-serialises what a digest covers."""


class Outcome(StrEnum):
    """What head office did with one entry."""

    BOOKED = "booked"
    DUPLICATE = "duplicate"
    PARKED = "parked"


class Result(Told, frozen=True, kw_only=True):
    """Head office's verdict on one entry; `code` and `text` say why it was parked."""

    seq: int
    outcome: Outcome
    code: str | None = None
    text: str | None = None


class AccountBalance(Told, frozen=True, kw_only=True, omit_defaults=True):
    """An account's points at head office, with this terminal's entries up to `applied_to` included."""

    account: str
    points: int
    counters: dict[str, int] = field(default_factory=dict)
    """What stamp cards, challenges and limits have counted of the account, as of the same moment."""
    pending: int = 0
    """Of the points, those that are not vested: shown, but not to be spent yet."""
    expires_on: date | None = None
    """The last day on which the points that lapse next can be spent."""
    expiring: int = 0
    """How many they are."""


class BatchAnswer(Told, frozen=True, kw_only=True):
    """The answer to a batch. `durable_to` is the watermark: everything up to it is safe at head office."""

    durable_to: int
    applied_to: int
    results: tuple[Result, ...]
    balances: tuple[AccountBalance, ...]
    max_batch: int = MAX_BATCH_ENTRIES
    next_poll_s: int
    server_time_ms: int
    feeds: dict[str, str] = field(default_factory=dict)
    """Feed name → newest cursor."""


class Proof(Answer):
    """GET /v1/proofs/{business_date}: one terminal's day. Both sides compute it; it agrees when every field does."""

    terminal: str
    epoch: StrictInt
    business_date: date
    entries: StrictInt
    points_earned: StrictInt
    points_spent: StrictInt
    """Σ over entries of what the settlement earned and spent; a void counts negative."""
    last_seq: StrictInt
    head_digest: str
    """Digest of the day's last entry, 64 hex digits; empty for a day without entries."""


class DayProof(Answer):
    """Head office's answer: the proof, and what of the day it parked (received, but not booked)."""

    proof: Proof
    parked: StrictInt


class Problem(Answer):
    """RFC 9457 problem details with our members: a stable `code`, and what the till needs to go on."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    server_time_ms: int | None = None
    wanted_seq: int | None = None


def fit_batch(raws: Sequence[bytes], most: int = MAX_BATCH_ENTRIES) -> int:
    """How many of `raws` fit in one batch: at least one, at most `most`, within `MAX_BATCH_BYTES`."""
    size = 0
    for count, raw in enumerate(raws[:most]):
        size += len(raw)
        if size > MAX_BATCH_BYTES and count:
            return count
    return min(len(raws), most)
