"""What tills are told of members, cards, programmes and parked entries: the change feed and the snapshot."""

from __future__ import annotations

import json
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

from msgspec import Meta, field
from msgspec.structs import asdict

from sync.wire import Digest, Told

MAX_CHANGES = 500
"""Changes in one page: the till applies a page in one short transaction, beside checkouts."""
MAX_PART_ROWS = 1000
"""Rows in one part of a snapshot: some ten milliseconds of a till's database, which a checkout may wait for."""
MAX_PART_BYTES = 16 * 1024 * 1024
"""One line of a snapshot, unpacked: a thousand accounts are a tenth of a megabyte, a programme may be some."""


class AccountChange(Told, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="account"):
    """An account as it is now."""

    account: str
    first_name: str | None
    tier: str
    points: int
    counters: dict[str, int] = field(default_factory=dict)
    """What stamp cards, challenges and limits have counted of the account; left out when nothing is."""
    first_purchase: bool = False
    """Nothing is booked to the account yet."""
    pending: int = 0
    """Of the points, those that are not vested: shown, but not to be spent yet."""
    birthday: Annotated[str, Meta(pattern=r"^[0-9]{2}-[0-9]{2}\Z")] | None = None
    """Month and day, "11-24"; no year."""
    segments: tuple[str, ...] = ()
    pin: Annotated[str, Meta(max_length=200)] | None = None
    """Argon2id hash of the member's PIN in its own text form, so that a till can check it with no line."""
    phone: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")] | None = None
    """Keyed hash of the member's phone number (`loyalty.contacts`), to find them by."""
    email: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")] | None = None
    """Keyed hash of their e-mail address."""
    expires_on: date | None = None
    """The last day on which the points that lapse next can be spent."""
    expiring: int = 0
    """How many they are, as of the night and less what was spent since."""


class CardChange(Told, frozen=True, kw_only=True, tag_field="kind", tag="card"):
    """A card as it is now."""

    token: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    account: str
    blocked: bool


class LeaseChange(Told, frozen=True, kw_only=True, tag_field="kind", tag="lease"):
    """Points of an account set aside at this terminal, as they stand now; sent to this terminal alone."""

    id: str
    account: str
    terminal: str
    epoch: int
    points: Annotated[int, Meta(gt=0)]
    """As granted."""
    spent: Annotated[int, Meta(ge=0)]
    """As far as head office has heard; the till counts itself."""
    expires_ms: int
    """The last moment to spend from it, by head office's clock."""
    state: Literal["active", "gone"]
    """`gone`: reclaimed, or revoked by an operator: nothing may be spent from it any more."""
    signature: str
    """Head office's Ed25519 signature over `signed_bytes`, base64."""

    def signed_bytes(self) -> bytes:
        """What the signature is over: JSON with sorted keys and no spaces, ASCII."""
        terms = {name: value for name, value in asdict(self).items() if name != "signature"}
        return json.dumps(terms, sort_keys=True, separators=(",", ":")).encode("ascii")


class ProgrammeChange(Told, frozen=True, kw_only=True, tag_field="kind", tag="programme"):
    """A published programme version; the highest version is the one in force."""

    document: dict[str, Any]


class StockChange(Told, frozen=True, kw_only=True, tag_field="kind", tag="stock"):
    """How many of a reward with a stock were given in the whole chain."""

    reward: str
    given: int


class ParkedState(StrEnum):
    """Where a parked entry stands."""

    OPEN = "open"
    REFERRED = "referred"  # head office decides
    LINKED = "linked"  # booked, once its card belonged to a member
    APPROVED = "approved"  # booked as the till stated it
    REVERSED = "reversed"  # done with, nothing booked


class ParkedChange(Told, frozen=True, kw_only=True, tag_field="kind", tag="parked"):
    """An entry of the till's store that was received and not booked, as it stands now."""

    terminal: str
    till: str
    """The till's name."""
    epoch: int
    seq: int
    digest: Digest
    code: str
    text: str
    state: ParkedState
    entry_kind: str | None
    """As the entry says; None for one that cannot be read, as with the card and, then 0, the points."""
    card: str | None
    points: int
    business_date: date
    parked_ms: int
    approver: str | None = None
    """Who decided last, and why; None while nobody did."""
    reason: str | None = None
    decided_ms: int | None = None


class AccountGone(Told, frozen=True, kw_only=True, tag_field="kind", tag="account_gone"):
    """An account that is no longer at head office: a till forgets everything it knows of it."""

    account: str


class CardGone(Told, frozen=True, kw_only=True, tag_field="kind", tag="card_gone"):
    """A card that belongs to nobody at head office any more."""

    token: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]


State = AccountChange | CardChange | ProgrammeChange | StockChange | ParkedChange | LeaseChange
"""Something as it is now."""

Change = (
    AccountChange | CardChange | ProgrammeChange | StockChange | ParkedChange | LeaseChange | AccountGone | CardGone
)
"""Something as it is now, or gone."""


class ChangesPage(Told, frozen=True, kw_only=True):
    """GET /v1/changes/{feed}?cursor=: what changed since `cursor`, oldest first.

    All account balances on the page include the asking terminal's entries of `epoch` up to `includes_seq`.
    """

    changes: tuple[Change, ...]
    cursor: str
    more: bool
    epoch: int
    includes_seq: int
    as_of_ms: int


class Section(StrEnum):
    """What a snapshot is made of, in this order."""

    PROGRAMMES = "programmes"
    STOCKS = "stocks"
    PARKED = "parked"
    LEASES = "leases"
    ACCOUNTS = "accounts"
    CARDS = "cards"


class SnapshotPart(Told, frozen=True, kw_only=True):
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
    total: Annotated[int, Meta(ge=0)]
    """Accounts and cards there are, about: for a progress line."""
    epoch: int
    includes_seq: int
    as_of_ms: int

    @property
    def is_last(self) -> bool:
        """Nothing comes after this part."""
        return self.section is Section.CARDS and self.upto is None
