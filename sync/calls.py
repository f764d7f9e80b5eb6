"""What a till asks of head office, however it travels: over HTTP, or in a simulation."""

from __future__ import annotations

from collections.abc import Generator
from datetime import date
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync.wire import Batch, BatchAnswer, DayProof, EpochAnswer, StreamAnswer
from sync.wire_mirror import ChangesPage, SnapshotPart
from sync.wire_spending import ClosedLeases, HoldAnswer, LeasesClosed


class Calls(Protocol):
    """The calls of the agent's round; `sync.transport.Transport` says what each does.

    Every call raises a `sync.errors.TransportError` when it has no answer to give.
    """

    def send(self, batch: Batch) -> BatchAnswer: ...

    def park(self, batch: Batch) -> BatchAnswer: ...

    def stream(self) -> StreamAnswer: ...

    def open_epoch(self, epoch: int, fresh: Ed25519PrivateKey) -> EpochAnswer: ...

    def sign_with(self, key: Ed25519PrivateKey) -> None: ...

    def changes(self, feed: str, cursor: str) -> ChangesPage: ...

    def proof(self, business_date: date, epoch: int) -> DayProof: ...

    def snapshot(self, place: tuple[str, str, str] | None) -> Generator[SnapshotPart]: ...

    def free_hold(self, hold: str) -> HoldAnswer: ...

    def close_leases(self, closed: ClosedLeases) -> LeasesClosed: ...
