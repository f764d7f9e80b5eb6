"""One parked entry: read as it came, judged anew, booked, and put in its next state. In the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from loyalty.resolution import Resolution
from sync.hq.booking import post
from sync.hq.conflicts import CONFLICT_EPOCH
from sync.hq.database import Connection
from sync.hq.knowledge import learn
from sync.hq.parked import feed_key
from sync.hq.programmes import Programmes
from sync.hq.received import Received, receive
from sync.hq.verdicts import judge

KEY = "terminal_id = %s AND epoch = %s AND seq = %s AND digest = %s"
"""Names one parked entry by `Parked.key`."""


@dataclass(frozen=True, slots=True)
class Word:
    """A decision with who answers for it. `store`, `by` (terminal, epoch, seq) and `received`, the entry that it came
    as, are None for head office itself."""

    what: Resolution
    reason: str
    approver: str
    store: str | None = None
    by: tuple[str, int, int] | None = None
    received: Received | None = None


@dataclass(frozen=True, slots=True)
class Parked:
    """As it lies here: its place, the reason that it waits for and its exact bytes."""

    terminal: str
    epoch: int
    seq: int
    digest: bytes
    code: str
    raw: bytes

    @property
    def key(self) -> tuple[str, int, int, bytes]:
        return self.terminal, self.epoch, self.seq, self.digest

    def read(self) -> Received:
        """The entry as it came. That one of a conflict names a place in another epoch is no fault of it."""
        today = datetime.now(UTC).date()
        received = receive(self.seq, self.raw, self.digest, terminal=self.terminal, epoch=self.epoch, today=today)
        return replace(received, fault=None) if self.epoch == CONFLICT_EPOCH and received.entry_id else received


def judge_again(conn: Connection, programmes: Programmes, parked: Parked) -> str | None:
    """Judge a parked entry anew: book it, or note why it stays parked; the account booked to."""
    received = parked.read()
    account, parking = judge(received, learn(conn, programmes, [received]))
    if parking is None:
        assert account is not None, "an entry without an account is parked"
        book(conn, programmes, parked, received, account)
        close(conn, parked.key, "linked")
        return account
    conn.execute(
        f"UPDATE parked SET code = %s, text = %s, account_id = %s WHERE {KEY}",
        (parking.code.value, parking.text, account, *parked.key),
    )
    tell(conn, parked.key)
    return None


def book(conn: Connection, programmes: Programmes, parked: Parked, received: Received, account: str) -> None:
    """Book it to `account`, as it says."""
    verdict = (received, account, None)
    post(conn, programmes, parked.terminal, parked.epoch, [verdict], now=datetime.now(UTC))
    conn.execute(f"UPDATE received SET account_id = %s WHERE {KEY}", (account, *parked.key))
    conn.execute(f"UPDATE parked SET account_id = %s WHERE {KEY}", (account, *parked.key))


def close(conn: Connection, key: tuple[str, int, int, bytes], state: str) -> None:
    """Put a parked entry in its new state; one handed to head office still waits for a person."""
    waits = state == "referred"
    conn.execute(
        f"UPDATE parked SET state = %s, resolved_at = CASE WHEN %s THEN NULL ELSE now() END WHERE {KEY}",
        (state, waits, *key),
    )
    if not waits:
        conn.execute(f"UPDATE received SET parked = false WHERE {KEY}", key)
    tell(conn, key)


def tell(conn: Connection, key: tuple[str, int, int, bytes]) -> None:
    """Let the tills of its store hear how it stands."""
    terminal, epoch, seq, digest = key
    conn.execute("INSERT INTO feed (subject, key) VALUES ('parked', %s)", (feed_key(terminal, epoch, seq, digest),))
