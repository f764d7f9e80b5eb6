"""What can go wrong in store and sync, by what the caller should do.

SyncError
├── StoreError            the till's database; the text says what, where and what to do
│   ├── StoreUnusable     at start: missing, read-only, wrong key, damaged: fix it, then start again
│   │   ├── StoreTaken    another till process has it: ask that one
│   │   └── StoreDamaged  bytes of it are wrong: what can be read is salvaged into a new file
│   ├── StoreFull         no space: nothing was booked; free space, then book again
│   └── NotEnrolled       this till has no place at head office yet: enrol it
└── TransportError        head office; the text says what and what happens next
    ├── Unreachable       no answer: kept and retried by itself
    ├── ServerFault       head office failed (5xx, 429, nonsense): kept and retried by itself
    ├── Rejected          head office knows us and says no (401, 403, 409): tell the manager; entries are kept
    └── OtherVersion      the other side speaks another protocol: update one of the two; entries are kept
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path


class Blame(Enum):
    """How far the request itself may be why it had no answer."""

    NONE = "none"
    """It never left, or head office is busy and says so."""
    SIZE = "size"
    """It was not sent or answered in time: a smaller one may pass a slow line."""
    SILENCE = "silence"
    """It went out, and head office said nothing of its own: the line was cut, or a proxy spoke (502, 503, 504). A
    restart looks like that, and a request that kills who works on it."""
    SAID = "said"
    """Head office failed on this very request (500)."""


class SyncError(Exception):
    """Base; the text is one line a shop can act on."""


class StoreError(SyncError):
    """The till's own database."""


class StoreUnusable(StoreError):
    """The database cannot be opened."""


class StoreTaken(StoreUnusable):
    """Another process runs this till."""


class StoreDamaged(StoreUnusable):
    """Bytes of the file are wrong, or its digest chain does not hold."""


class StoreFull(StoreError):
    """The disk, or the database's limit, is full; the transaction left no trace."""


class NotEnrolled(StoreError):
    """The till whose database is, or would be, at `path` has not been enrolled."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"this till is not enrolled ({path}): ask head office for a code, then run: spaarpunt enrol CODE"
        )


class TransportError(SyncError):
    """Head office could not be used."""


class Unreachable(TransportError):
    """No connection, or no answer in time. `fact` says it for who cannot sell on: somebody at a command."""

    def __init__(self, fact: str, blame: Blame = Blame.NONE) -> None:
        self.fact = fact
        self.blame = blame
        super().__init__(f"{fact}; sales go on and are sent later")


class ServerFault(TransportError):
    """Head office answered 5xx, 429 or nonsense; `retry_after_s` when it said so."""

    def __init__(self, text: str, retry_after_s: int | None = None, blame: Blame = Blame.NONE) -> None:
        self.retry_after_s = retry_after_s
        self.blame = blame
        super().__init__(text)


class Rejected(TransportError):
    """A refusal with a stable code; retrying by itself will not help."""

    def __init__(self, code: str, text: str, wanted_seq: int | None = None) -> None:
        self.code = code
        self.wanted_seq = wanted_seq
        super().__init__(text)


class OtherVersion(TransportError):
    """Another protocol version, or not head office at all."""


def code_of(error: SyncError) -> str:
    """A stable name for what went wrong, by which programs go and people are told: of a refusal head office's own."""
    match error:
        case Rejected():
            return error.code
        case Unreachable():
            return "unreachable"
        case ServerFault():
            return "server_fault"
        case OtherVersion():
            return "other_version"
        case _:
            return "store_failed"
