"""The messages between till and head office, and their encodings on the wire. Protocol version 1, JSON under /v1.

Times are Unix milliseconds UTC, points and money are integers, digests and tokens are lower-case hex.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

import zstandard
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError, model_validator

PROTOCOL = 1
PROTOCOL_HEADER = "Spaarpunt-Protocol"

MAX_BATCH_ENTRIES = 500
"""Entries in one batch: well under a second of work for head office, so that one till never holds up the rest."""
MAX_BATCH_BYTES = 256 * 1024
"""Entry bytes in one batch, before compression: a batch gets through a bad mobile line within one time-out."""
MAX_BODY_BYTES = 1024 * 1024
"""Largest request body head office reads, as sent: a full batch, escaped and uncompressed, with room to spare."""
MAX_DECODED_BYTES = 4 * 1024 * 1024
"""Largest body after decompression, so that a small body cannot unpack into all of memory."""
MAX_WINDOW_BYTES = 8 * 1024 * 1024
"""Largest zstd window: what RFC 8878 3.1.1.1.2 asks decoders to support; a header may ask for far more memory."""
MAX_CHANGES = 500
"""Changes in one page: the till applies a page in one short transaction, beside checkouts."""
MAX_PART_ROWS = 1000
"""Rows in one part of a snapshot: some ten milliseconds of a till's database, which a checkout may wait for."""
MAX_PART_BYTES = 16 * 1024 * 1024
"""One line of a snapshot, unpacked: a thousand accounts are a tenth of a megabyte, a programme may be some."""

ZSTD_LEVEL = 1
"""5:1 on journal entries at half a millisecond per thousand; higher levels cost more than they save."""


class WireError(Exception):
    """A message is not what the protocol says; the text names paths, never card data."""


class TooLarge(WireError):
    """A body that is, or unpacks to, more than the protocol allows."""


def _is_empty(value: object) -> bool:
    return not value


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


class Hello(Message):
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
    terminal: Annotated[str, Field(max_length=40)] | None = Field(default=None, exclude_if=_is_empty)
    """For a till whose key counts no more: the terminal that it goes on as."""
    epoch: Annotated[StrictInt, Field(ge=1)] | None = Field(default=None, exclude_if=_is_empty)
    """The last epoch that this till was in; only beside `terminal`."""

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.terminal is None) != (self.epoch is None):
            raise ValueError("expected 'terminal' and 'epoch' together, or neither")
        return self


class EnrolAnswer(Message):
    """What makes a till a till of this chain."""

    terminal: str
    epoch: int
    store: str
    store_name: str
    hq_public_key: str
    card_key: str
    """The key of card tokens, base64 of 32 bytes: a secret, sent once, over TLS."""
    server_time_ms: int


class StreamAnswer(Message):
    """GET /v1/stream: how far head office has the terminal's present epoch. A restored till asks before it writes."""

    terminal: str
    epoch: StrictInt
    durable_to: StrictInt
    head_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Digest of entry `durable_to`; 64 zeros before the first."""
    server_time_ms: StrictInt
    certificate: str | None = Field(default=None, exclude_if=_is_empty)
    """Head office's signature (base64) over `sync.signing.certified` of the terminal's key in this epoch."""


class EpochRequest(Message):
    """POST /v1/epochs, signed with the terminal's present key: close its epoch, open `epoch` with a new key."""

    epoch: Annotated[StrictInt, Field(ge=2, le=2**31 - 1)]
    public_key: str


class EpochAnswer(Message):
    """The epoch that is open now; only the new key signs from here on. And how far head office has the one left."""

    terminal: str
    epoch: StrictInt
    left_epoch: StrictInt
    left_durable_to: StrictInt
    left_head_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    server_time_ms: StrictInt
    certificate: str | None = Field(default=None, exclude_if=_is_empty)
    """Head office's signature (base64) over `sync.signing.certified` of the terminal's key in this epoch."""


class ClockReading(Message):
    """The till's clocks when it sent a batch."""

    wall_ms: StrictInt
    monotonic_ms: StrictInt
    boot_id: str


class Batch(Message):
    """POST /v1/entries: consecutive entries of one terminal epoch, as their exact bytes."""

    terminal: str
    epoch: StrictInt
    from_seq: Annotated[StrictInt, Field(alias="from", ge=1)]
    to_seq: Annotated[StrictInt, Field(alias="to", ge=1)]
    prev_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    head_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    schema_version: Literal[1] = Field(default=1, alias="schema")
    clock: ClockReading
    entries: Annotated[tuple[str, ...], Field(min_length=1, max_length=MAX_BATCH_ENTRIES)]
    """Each entry's bytes as text: kept as they came, so that nobody re-serialises what a digest covers."""


class Outcome(StrEnum):
    """What head office did with one entry."""

    BOOKED = "booked"
    DUPLICATE = "duplicate"
    STOCKS = "stocks"
    PARKED = "parked"


class Result(Message):
    """Head office's verdict on one entry; `code` and `text` say why it was parked."""

    seq: StrictInt
    outcome: Outcome
    code: str | None = None
    text: str | None = None


class AccountBalance(Message):
    """An account's points at head office, with this terminal's entries up to `applied_to` included."""

    account: str
    points: StrictInt
    counters: dict[str, StrictInt] = Field(default_factory=dict, exclude_if=_is_empty)
    """What stamp cards, challenges and limits have counted of the account, as of the same moment."""
    pending: StrictInt = Field(default=0, exclude_if=_is_empty)
    """Of the points, those that are not vested: shown, but not to be spent yet."""


class BatchAnswer(Message):
    """The answer to a batch. `durable_to` is the watermark: everything up to it is safe at head office."""

    durable_to: StrictInt
    applied_to: StrictInt
    results: tuple[Result, ...]
    balances: tuple[AccountBalance, ...]
    max_batch: StrictInt = MAX_BATCH_ENTRIES
    next_poll_s: StrictInt
    server_time_ms: StrictInt
    feeds: dict[str, str] = {}
    """Feed name → newest cursor."""


class AccountChange(Message):
    """An account as it is now."""

    kind: Literal["account"] = "account"
    account: str
    first_name: str | None
    tier: str
    points: StrictInt
    counters: dict[str, StrictInt] = Field(default_factory=dict, exclude_if=_is_empty)
    """What stamp cards, challenges and limits have counted of the account; left out when nothing is."""
    first_purchase: StrictBool = Field(default=False, exclude_if=_is_empty)
    """Nothing is booked to the account yet."""
    pending: StrictInt = Field(default=0, exclude_if=_is_empty)
    """Of the points, those that are not vested: shown, but not to be spent yet."""
    birthday: Annotated[str, Field(pattern=r"^[0-9]{2}-[0-9]{2}$")] | None = Field(default=None, exclude_if=_is_empty)
    """Month and day, "11-24"; no year."""
    segments: tuple[str, ...] = Field(default=(), exclude_if=_is_empty)
    pin: Annotated[str, Field(max_length=200)] | None = Field(default=None, exclude_if=_is_empty)
    """Argon2id hash of the member's PIN in its own text form, so that a till can check it with no line."""
    phone: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = Field(default=None, exclude_if=_is_empty)
    """Keyed hash of the member's phone number (`loyalty.contacts`), to find them by."""
    email: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = Field(default=None, exclude_if=_is_empty)
    """Keyed hash of their e-mail address."""


class CardChange(Message):
    """A card as it is now."""

    kind: Literal["card"] = "card"
    token: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    account: str
    blocked: bool


class LeaseChange(Message):
    """Points of an account set aside at this terminal, as they stand now; sent to this terminal alone."""

    kind: Literal["lease"] = "lease"
    id: str
    account: str
    terminal: str
    epoch: StrictInt
    points: Annotated[StrictInt, Field(gt=0)]
    """As granted."""
    spent: Annotated[StrictInt, Field(ge=0)]
    """As far as head office has heard; the till counts itself."""
    expires_ms: StrictInt
    """The last moment to spend from it, by head office's clock."""
    state: Literal["active", "gone"]
    """`gone`: reclaimed, or revoked by an operator: nothing may be spent from it any more."""
    signature: str
    """Head office's Ed25519 signature over `signed_bytes`, base64."""

    def signed_bytes(self) -> bytes:
        """What the signature is over: JSON with sorted keys and no spaces, ASCII."""
        terms = self.model_dump(exclude={"kind", "signature"})
        return json.dumps(terms, sort_keys=True, separators=(",", ":")).encode("ascii")


class ProgrammeChange(Message):
    """A published programme version; the highest version is the one in force."""

    kind: Literal["programme"] = "programme"
    document: dict[str, Any]


class StockChange(Message):
    """How many of a reward with a stock were given in the whole chain."""

    kind: Literal["stock"] = "stock"
    reward: str
    given: StrictInt


class ParkedState(StrEnum):
    """Where a parked entry stands."""

    OPEN = "open"
    REFERRED = "referred"  # head office decides
    LINKED = "linked"  # booked, once its card belonged to a member
    APPROVED = "approved"  # booked as the till stated it
    REVERSED = "reversed"  # done with, nothing booked


class ParkedChange(Message):
    """An entry of the till's store that was received and not booked, as it stands now."""

    kind: Literal["parked"] = "parked"
    terminal: str
    till: str
    """The till's name."""
    epoch: StrictInt
    seq: StrictInt
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    code: str
    text: str
    state: ParkedState
    entry_kind: str | None
    """As the entry says; None for one that cannot be read, as with the card and, then 0, the points."""
    card: str | None
    points: StrictInt
    business_date: date
    parked_ms: StrictInt
    approver: str | None = None
    """Who decided last, and why; None while nobody did."""
    reason: str | None = None
    decided_ms: StrictInt | None = None


class AccountGone(Message):
    """An account that is no longer at head office: a till forgets everything it knows of it."""

    kind: Literal["account_gone"] = "account_gone"
    account: str


class CardGone(Message):
    """A card that belongs to nobody at head office any more."""

    kind: Literal["card_gone"] = "card_gone"
    token: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


State = Annotated[
    AccountChange | CardChange | ProgrammeChange | StockChange | ParkedChange | LeaseChange, Field(discriminator="kind")
]
"""Something as it is now."""

Change = Annotated[
    AccountChange | CardChange | ProgrammeChange | StockChange | ParkedChange | LeaseChange | AccountGone | CardGone,
    Field(discriminator="kind"),
]
"""Something as it is now, or gone."""


class ChangesPage(Message):
    """GET /v1/changes/{feed}?cursor=: what changed since `cursor`, oldest first.

    All account balances on the page include the asking terminal's entries of `epoch` up to `includes_seq`.
    """

    changes: tuple[Change, ...]
    cursor: str
    more: bool
    epoch: StrictInt
    includes_seq: StrictInt
    as_of_ms: StrictInt


class Section(StrEnum):
    """What a snapshot is made of, in this order."""

    PROGRAMMES = "programmes"
    STOCKS = "stocks"
    PARKED = "parked"
    LEASES = "leases"
    ACCOUNTS = "accounts"
    CARDS = "cards"


class SnapshotPart(Message):
    """One line of GET /v1/snapshot: everything of one section whose key is above `after` and not above `upto`.

    Keys are version, lease, account and card token, in the order of their UTF-8 bytes (versions: of their numbers);
    stocks and what is parked come in one part each. What a mirror has between the two and the part has not, is gone.
    Balances include the asking terminal's entries of `epoch` up to `includes_seq`, each part by its own moment.
    """

    cursor: str
    """Where the change feed stood before the first part was read: follow it from here after the last."""
    section: Section
    after: str
    upto: str | None
    """None: to the end of the section. Go on after a cut with the `section` and `upto` of the last whole part."""
    rows: tuple[State, ...]
    total: Annotated[StrictInt, Field(ge=0)]
    """Accounts and cards there are, about: for a progress line."""
    epoch: StrictInt
    includes_seq: StrictInt
    as_of_ms: StrictInt

    @property
    def is_last(self) -> bool:
        """Nothing comes after this part."""
        return self.section is Section.CARDS and self.upto is None


class Proof(Message):
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


class DayProof(Message):
    """Head office's answer: the proof, and what of the day it parked (received, but not booked)."""

    proof: Proof
    parked: StrictInt


class Problem(Message):
    """RFC 9457 problem details with our members: a stable `code`, and what the till needs to go on."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    server_time_ms: int | None = None
    wanted_seq: int | None = None


def compress(body: bytes) -> bytes:
    """zstd at the level that pays."""
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(body)


def decompress(body: bytes, encoding: str | None) -> bytes:
    """Undo a Content-Encoding of zstd, gzip or identity, within `MAX_DECODED_BYTES`.

    Raises:
        TooLarge: more than the limit.
        WireError: unknown encoding, or damaged data.
    """
    name = (encoding or "identity").strip().lower()
    if name == "identity":
        return body
    if name == "zstd":
        decoded = _unzstd(body)
    elif name == "gzip":
        decoded = _gunzip(body)
    else:
        raise WireError(f"expected Content-Encoding zstd, gzip or identity, got '{name[:20]}'")
    if len(decoded) > MAX_DECODED_BYTES:
        raise TooLarge(f"expected at most {MAX_DECODED_BYTES} bytes after decompression")
    return decoded


def _unzstd(body: bytes) -> bytes:
    try:
        size = zstandard.frame_content_size(body)
        reader = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES).stream_reader(body)
        decoded = reader.read(MAX_DECODED_BYTES + 1)
        if len(decoded) > MAX_DECODED_BYTES:
            return decoded
        # The reader gives what there is and does not say that more was to come. Senders that compressed a stream could
        # not state its size: those bodies are unpacked a second time, by what knows where the end is.
        whole = len(decoded) == size if size >= 0 else _ends(body)
    except zstandard.ZstdError as error:
        raise WireError("expected a body compressed with zstd, got something else") from error
    if not whole:
        raise WireError("expected a whole zstd body, got a truncated one")
    return decoded


def _ends(body: bytes) -> bool:
    engine = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES).decompressobj()
    engine.decompress(body)
    return engine.eof


def _gunzip(body: bytes) -> bytes:
    engine = zlib.decompressobj(wbits=31)
    try:
        decoded = engine.decompress(body, MAX_DECODED_BYTES + 1)
    except zlib.error as error:
        raise WireError("expected a body compressed with gzip, got something else") from error
    if not engine.eof and len(decoded) <= MAX_DECODED_BYTES:
        raise WireError("expected a whole gzip body, got a truncated one")
    return decoded


def fit_batch(raws: Sequence[bytes], most: int = MAX_BATCH_ENTRIES) -> int:
    """How many of `raws` fit in one batch: at least one, at most `most`, within `MAX_BATCH_BYTES`."""
    size = 0
    for count, raw in enumerate(raws[:most]):
        size += len(raw)
        if size > MAX_BATCH_BYTES and count:
            return count
    return min(len(raws), most)
