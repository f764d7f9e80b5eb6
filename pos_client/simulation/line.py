"""One till's line to head office: the agent's calls, carried by the simulated network to head office's own code.

What is left out of the real way is HTTP and the signature's bytes; what a signature decides is decided here as there.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import date, datetime
from typing import TypeVar
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pos_client.simulation.network import Lost, Network
from pos_client.simulation.office import Office, office_time
from sync.errors import Rejected
from sync.hq.changes import changes
from sync.hq.database import Connection
from sync.hq.epochs import open_epoch, stream_answer
from sync.hq.errors import Refused
from sync.hq.holds import release
from sync.hq.ingest import book
from sync.hq.leases import close
from sync.hq.proofs import proof
from sync.hq.snapshot import begin, parts
from sync.signing import MAX_SKEW
from sync.wire import Batch, BatchAnswer, DayProof, EpochAnswer, EpochRequest, StreamAnswer, key_text
from sync.wire_mirror import ChangesPage, SnapshotPart
from sync.wire_spending import ClosedLeases, HoldAnswer, LeasesClosed

A = TypeVar("A")


class Line:
    """The calls of one till. `at_s`: its place in simulated time, ahead of the schedule while a round lasts."""

    def __init__(self, office: Office, network: Network, terminal: str, key: Ed25519PrivateKey, region: int) -> None:
        self.at_s = 0.0
        self._retries = 0
        self._office = office
        self._network = network
        self._terminal = terminal
        self._key = key
        self._region = region
        self._offset_s = 0.0
        self._skew_s = 0.0

    def of_clock(self, skew_s: float, offset_s: float) -> None:
        """This till's clock is `skew_s` ahead, and head office's believed to be `offset_s` ahead of it."""
        self._skew_s, self._offset_s = skew_s, offset_s

    def take_retries(self) -> int:
        """Batches since the last time that head office had already, wholly or in part."""
        taken, self._retries = self._retries, 0
        return taken

    # -- the calls ------------------------------------------------------------------------------------------------

    def send(self, batch: Batch) -> BatchAnswer:
        body = batch.encode()

        def do(conn: Connection, now: datetime) -> BatchAnswer:
            return book(conn, self._office.database.programmes, Batch.decode(body), now=now)

        answer = self._ask("entries", do, len(batch.entries))
        self._retries += any(result.outcome == "duplicate" for result in answer.results)
        return answer

    def park(self, batch: Batch) -> BatchAnswer:
        body = batch.encode()

        def do(conn: Connection, now: datetime) -> BatchAnswer:
            return book(conn, self._office.database.programmes, Batch.decode(body), unread=True, now=now)

        return self._ask("parked", do, len(batch.entries))

    def stream(self) -> StreamAnswer:
        return self._ask("stream", lambda conn, now: stream_answer(conn, self._terminal, now))

    def open_epoch(self, epoch: int, fresh: Ed25519PrivateKey) -> EpochAnswer:
        request = EpochRequest(epoch=epoch, public_key=key_text(fresh.public_key().public_bytes_raw()))

        def do(conn: Connection, now: datetime) -> EpochAnswer:
            return open_epoch(conn, self._terminal, self._key.public_key().public_bytes_raw(), request, now)

        return self._ask("epochs", do, any_key=True)

    def sign_with(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def changes(self, feed: str, cursor: str) -> ChangesPage:
        return self._ask("changes", lambda conn, now: changes(conn, self._terminal, feed, cursor, now))

    def proof(self, business_date: date, epoch: int) -> DayProof:
        return self._ask("proofs", lambda conn, _: proof(conn, self._terminal, epoch, business_date))

    def snapshot(self, place: tuple[str, str, str] | None) -> Generator[SnapshotPart]:
        def do(conn: Connection, now: datetime) -> list[SnapshotPart]:
            start = begin(conn, *(place or ("", "", "")))
            return list(parts(self._office.database, self._terminal, start, now))

        yield from self._ask("snapshot", do)

    def free_hold(self, hold: str) -> HoldAnswer:
        return self._ask("holds", lambda conn, now: release(conn, self._terminal, UUID(hold), now))

    def close_leases(self, closed: ClosedLeases) -> LeasesClosed:
        return self._ask("leases", lambda conn, _: close(conn, self._terminal, closed))

    # -- within ---------------------------------------------------------------------------------------------------

    def _ask(self, kind: str, do: Callable[[Connection, datetime], A], entries: int = 0, *, any_key: bool = False) -> A:
        if abs(self._skew_s + self._offset_s) > MAX_SKEW.total_seconds():
            # Signed at another time than head office's: refused with its time, and signed again by that.
            self._carry("clock_skew", lambda _: None)
            self._offset_s = -self._skew_s

        def there(at_s: float) -> A | Refused:
            now = office_time(at_s)
            try:
                if not any_key:
                    self._office.check_key(self._terminal, self._key.public_key().public_bytes_raw(), now)
                return do(self._office.conn, now)
            except Refused as refused:
                return refused  # an answer too, and it takes its way back

        answer = self._carry(kind, there, entries)
        if isinstance(answer, Refused):
            raise Rejected(answer.code, f"head office refused: {answer}", answer.wanted_seq)
        return answer

    def _carry(self, kind: str, do: Callable[[float], A], entries: int = 0) -> A:
        try:
            answer, self.at_s = self._network.carry(kind, self.at_s, self._region, entries, do)
        except Lost as lost:
            self.at_s = lost.at_s
            raise
        return answer
