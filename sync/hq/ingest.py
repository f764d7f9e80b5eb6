"""Books batches of entries, exactly once, each in one transaction. Nothing that arrives is ever thrown away."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg.errors import DeadlockDetected, SerializationFailure, UniqueViolation
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from loyalty.ledger import GENESIS, chain
from sync.hq.booking import Verdict, fill, post
from sync.hq.changes import COUNTERS, PENDING, newest_cursor
from sync.hq.database import Connection
from sync.hq.errors import Refused
from sync.hq.knowledge import learn
from sync.hq.programmes import Programmes
from sync.hq.verdicts import Parking, judge, receive
from sync.wire import AccountBalance, Batch, BatchAnswer, Outcome, Result

NEXT_POLL_S = 15
"""How long a till with nothing to send waits before it asks for changes: balances elsewhere are that fresh."""

ATTEMPTS = 6
"""Times a batch is tried when the database asks for it (40001, 40P01, a race for one id); then the till tries again."""


class _Conflict(Exception):
    """The batch contradicts what is here; it becomes evidence once this transaction is rolled back."""


@dataclass(frozen=True, slots=True)
class _Stream:
    epoch: int
    durable_to: int
    head: bytes


def book(conn: Connection, programmes: Programmes, batch: Batch) -> BatchAnswer:
    """Book `batch` and say what became of each entry.

    Entries below the watermark with the digest known here are duplicates and answered as the first time; new ones are
    booked or parked; the watermark always reaches the end of the batch.

    Args:
        conn: a pooled connection, outside any transaction.

    Raises:
        Refused: `gap` when entries between the watermark and the batch are missing; `stream_conflict` when the batch
            contradicts what this terminal sent before (a restored or cloned till). The latter is kept as evidence.
    """
    raws = [text.encode() for text in batch.entries]
    retrying = Retrying(
        retry=retry_if_exception_type((SerializationFailure, DeadlockDetected, UniqueViolation)),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.02, max=0.5),
        reraise=True,
    )
    try:
        for attempt in retrying:
            with attempt, conn.transaction():
                answer = _book(conn, programmes, batch, raws)
    except _Conflict as conflict:
        _keep_evidence(conn, batch, str(conflict))
        raise Refused(409, "stream_conflict", f"{conflict}; the batch is kept for the store manager") from conflict
    return answer.model_copy(update={"feeds": {"till": newest_cursor(conn)}})


def _book(conn: Connection, programmes: Programmes, batch: Batch, raws: Sequence[bytes]) -> BatchAnswer:
    stream = _lock_stream(conn, batch)
    before = _known(conn, batch, stream)
    digests = _check_chain(batch, raws, stream, before)
    fresh = [
        receive(seq, raw, digest, terminal=batch.terminal, epoch=batch.epoch, today=datetime.now(UTC).date())
        for seq, (raw, digest) in enumerate(zip(raws, digests, strict=True), batch.from_seq)
        if seq > stream.durable_to
    ]
    results = [before[seq] for seq in range(batch.from_seq, min(batch.to_seq, stream.durable_to) + 1)]
    verdicts: list[Verdict] = []
    if fresh:
        known = learn(conn, programmes, fresh)
        verdicts = [(received, *judge(received, known)) for received in fresh]
        _store(conn, programmes, batch, verdicts)
    durable_to = max(stream.durable_to, batch.to_seq)
    accounts = {known_before.account for known_before in results} | {account for _, account, _ in verdicts}
    return BatchAnswer(
        durable_to=durable_to,
        applied_to=durable_to,
        results=tuple(
            [_again(seq, known_before) for seq, known_before in enumerate(results, batch.from_seq)]
            + [_result(received.seq, parking) for received, _, parking in verdicts]
        ),
        balances=_balances(conn, [account for account in accounts if account is not None]),
        next_poll_s=NEXT_POLL_S,
        server_time_ms=time.time_ns() // 1_000_000,
    )


def _lock_stream(conn: Connection, batch: Batch) -> _Stream:
    row = conn.execute(
        "SELECT epoch, durable_to, head_digest FROM stream WHERE terminal_id = %s FOR UPDATE", (batch.terminal,)
    ).fetchone()
    if row is None:
        raise Refused(401, "unknown_terminal", "this terminal was never enrolled here: enrol it with a one-time code")
    stream = _Stream(*row)
    if batch.epoch != stream.epoch:
        raise _Conflict(f"expected epoch {stream.epoch} of this terminal, got {batch.epoch}")
    if batch.from_seq > stream.durable_to + 1:
        wanted = stream.durable_to + 1
        raise Refused(409, "gap", f"expected entries from {wanted}, got them from {batch.from_seq}", wanted_seq=wanted)
    return stream


@dataclass(frozen=True, slots=True)
class _Before:
    """An entry received earlier."""

    digest: bytes
    account: str | None
    code: str | None
    text: str | None


def _known(conn: Connection, batch: Batch, stream: _Stream) -> dict[int, _Before]:
    """What of the batch, and of the entry just before it, was received earlier; by seq."""
    if batch.from_seq > stream.durable_to:
        return {}
    rows = conn.execute(
        "SELECT r.seq, r.digest, r.account_id, p.code, p.text FROM received r "
        "LEFT JOIN parked p USING (terminal_id, epoch, seq) "
        "WHERE r.terminal_id = %s AND r.epoch = %s AND r.seq BETWEEN %s AND %s",
        (batch.terminal, batch.epoch, batch.from_seq - 1, min(batch.to_seq, stream.durable_to)),
    )
    return {seq: _Before(*rest) for seq, *rest in rows}


def _check_chain(batch: Batch, raws: Sequence[bytes], stream: _Stream, before: dict[int, _Before]) -> list[bytes]:
    """The digest of each entry, once the chain is known to hold: within the batch, and with what is here."""
    count = batch.to_seq - batch.from_seq + 1
    if count != len(raws):
        raise _Conflict(f"expected {count} entries for numbers {batch.from_seq} to {batch.to_seq}, got {len(raws)}")
    digests = []
    previous = bytes.fromhex(batch.prev_digest)
    if batch.from_seq == stream.durable_to + 1:
        expected = stream.head
    else:
        expected = before[batch.from_seq - 1].digest if batch.from_seq > 1 else GENESIS
    if previous != expected:
        raise _Conflict(f"entry {batch.from_seq} does not follow the entry {batch.from_seq - 1} that is here")
    for seq, raw in enumerate(raws, batch.from_seq):
        previous = chain(previous, raw)
        digests.append(previous)
        if seq <= stream.durable_to and before[seq].digest != previous:
            raise _Conflict(f"entry {seq} is here with other bytes")
    if previous.hex() != batch.head_digest:
        raise _Conflict("the head digest does not follow from the entries of the batch")
    return digests


def _store(
    conn: Connection,
    programmes: Programmes,
    batch: Batch,
    verdicts: Sequence[Verdict],
) -> None:
    """Write the verdicts: one COPY, then statements over all of them at once."""
    fill(conn, verdicts)
    stream = {"terminal": batch.terminal, "epoch": batch.epoch}
    conn.execute(
        "INSERT INTO received (terminal_id, epoch, seq, digest, business_date, points_earned, points_spent, "
        "account_id, parked) SELECT %(terminal)s, %(epoch)s, seq, digest, business_date, points_earned, "
        "points_spent, account_id, parked FROM incoming",
        stream,
    )
    conn.execute(
        "INSERT INTO parked (terminal_id, epoch, seq, code, text, account_id, raw) "
        "SELECT %(terminal)s, %(epoch)s, seq, code, text, account_id, raw FROM incoming WHERE parked",
        stream,
    )
    post(conn, programmes, batch.terminal, batch.epoch, verdicts)
    last = verdicts[-1][0]
    conn.execute(
        "UPDATE stream SET durable_to = %s, head_digest = %s WHERE terminal_id = %s",
        (last.seq, last.digest, batch.terminal),
    )


def _result(seq: int, parking: Parking | None) -> Result:
    if parking is None:
        return Result(seq=seq, outcome=Outcome.BOOKED)
    return Result(seq=seq, outcome=Outcome.PARKED, code=parking.code.value, text=parking.text)


def _again(seq: int, before: _Before) -> Result:
    return Result(seq=seq, outcome=Outcome.DUPLICATE, code=before.code, text=before.text)


def _balances(conn: Connection, accounts: list[str]) -> tuple[AccountBalance, ...]:
    rows = conn.execute(
        f"SELECT account_id, points, {COUNTERS}, {PENDING} FROM balance b WHERE account_id = ANY(%s) "
        "ORDER BY account_id",
        (accounts,),
    )
    return tuple(
        AccountBalance(account=account, points=points, counters=counters, pending=pending)
        for account, points, counters, pending in rows
    )


def _keep_evidence(conn: Connection, batch: Batch, reason: str) -> None:
    body = batch.encode()
    conn.execute(
        "INSERT INTO evidence (terminal_id, body_hash, reason, body) VALUES (%s, %s, %s, %s) "
        "ON CONFLICT (terminal_id, body_hash) DO UPDATE SET last_at = now(), times = evidence.times + 1",
        (batch.terminal, hashlib.sha256(body).digest(), reason, body),
    )
