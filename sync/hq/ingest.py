"""Books batches of entries, exactly once, each in one transaction. Nothing that arrives is ever thrown away."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from psycopg.errors import DeadlockDetected, SerializationFailure, UniqueViolation
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from loyalty.ledger import GENESIS, Entry, chain
from loyalty.resolution import Resolution
from sync.hq.booking import Verdict, keep, post
from sync.hq.changes import newest_cursor
from sync.hq.conflicts import keep_evidence, late_answer, park_conflict
from sync.hq.database import Connection
from sync.hq.epochs import Stream, advance, lock_stream
from sync.hq.errors import Refused
from sync.hq.inbox import resolve, settle_returns, still_unknown
from sync.hq.joining import join
from sync.hq.knowledge import learn
from sync.hq.packing import Texts
from sync.hq.programmes import Programmes
from sync.hq.received import Code, Parking, Received, leave_unread, receive
from sync.hq.states import NAMED_BALANCES
from sync.hq.verdicts import judge
from sync.hq.waiting import Word
from sync.wire import POLL_S, AccountBalance, Batch, BatchAnswer, Outcome, Result

log = structlog.get_logger("spaarpunt.hq")

ATTEMPTS = 6
"""Times a batch is tried when the database asks for it (40001, 40P01, a race for one id); then the till tries again."""


class _Conflict(Exception):
    """The batch contradicts what is here; it becomes evidence once this transaction is rolled back.

    `late`: it is of an epoch that the terminal has left, and comes with its new key: parked, and asked for no more.
    `diverges`: its entries are others than those here, and not merely numbered or counted wrongly.
    """

    def __init__(self, text: str, *, late: bool = False, diverges: bool = False) -> None:
        self.late = late
        self.diverges = diverges
        super().__init__(text)


def book(
    conn: Connection, programmes: Programmes, batch: Batch, *, unread: bool = False, now: datetime | None = None
) -> BatchAnswer:
    """Book `batch` and say what became of each entry.

    Entries below the watermark with the digest known here are duplicates and answered as the first time; new ones are
    booked or parked; the watermark always reaches the end of the batch.

    Args:
        conn: a pooled connection, outside any transaction.
        unread: park what is new as `server_fault`, without looking into it.
        now: head office's time, UTC; the present when None.

    Raises:
        Refused: `gap` when entries between the watermark and the batch are missing; `stream_conflict` when the batch
            contradicts what this terminal sent before (a restored or cloned till). The latter is kept as evidence.
    """
    given, now = now, now or datetime.now(UTC)
    raws = [text.encode() for text in batch.entries]
    retrying = Retrying(
        retry=retry_if_exception_type((SerializationFailure, DeadlockDetected, UniqueViolation)),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.02, max=0.5),
        reraise=True,
    )
    sure_ids = False
    try:
        for attempt in retrying:
            with attempt, conn.transaction():
                try:
                    booked = _book(conn, programmes, batch, raws, now, sure_ids=sure_ids, unread=unread)
                except UniqueViolation:
                    sure_ids = True
                    raise
    except _Conflict as conflict:
        if conflict.late:
            return late_answer(batch, park_conflict(conn, batch, raws, now), POLL_S, now)
        keep_evidence(conn, batch, str(conflict))
        if conflict.diverges:
            park_conflict(conn, batch, raws, now)
        raise Refused(409, "stream_conflict", f"{conflict}; the batch is kept for the store manager") from conflict
    return _answer(conn, booked, given or datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class _Booked:
    """What became of a batch: its watermark, the verdict on each entry, and the accounts whose balance it tells."""

    durable_to: int
    results: list[Result]
    accounts: list[str]


def _answer(conn: Connection, booked: _Booked, now: datetime) -> BatchAnswer:
    """The answer to a batch, once it is safe: while balances are looked up nobody has to wait for its accounts."""
    return BatchAnswer(
        durable_to=booked.durable_to,
        applied_to=booked.durable_to,
        results=tuple(booked.results),
        balances=_balances(conn, booked.accounts),
        next_poll_s=POLL_S,
        server_time_ms=int(now.timestamp() * 1000),
        feeds={"till": newest_cursor(conn)},
    )


def _book(
    conn: Connection,
    programmes: Programmes,
    batch: Batch,
    raws: Sequence[bytes],
    now: datetime,
    *,
    sure_ids: bool,
    unread: bool,
) -> _Booked:
    stream = _lock_stream(conn, batch)
    before = _known(conn, batch, stream)
    try:
        digests = _check_chain(batch, raws, stream, before)
    except _Conflict as conflict:
        raise _Conflict(str(conflict), late=stream.closed, diverges=conflict.diverges) from conflict
    today = now.date()
    fresh = [
        leave_unread(seq, raw, digest, today=today)
        if unread
        else receive(seq, raw, digest, terminal=batch.terminal, epoch=batch.epoch, today=today)
        for seq, (raw, digest) in enumerate(zip(raws, digests, strict=True), batch.from_seq)
        if seq > stream.durable_to
    ]
    if fresh:
        advance(conn, batch.terminal, stream, fresh[-1].seq, fresh[-1].digest)
    again = [before[seq] for seq in range(batch.from_seq, min(batch.to_seq, stream.durable_to) + 1)]
    verdicts: list[Verdict] = []
    moved: set[str | None] = set()
    for part in _parts(fresh):
        resolution = part[0].resolution
        if unread:
            judged: list[Verdict] = [(received, None, received.fault) for received in part]
        elif resolution is None:
            if part[0].joins:
                moved.update(join(conn, programmes, part[0]))
            judged = _judged(conn, programmes, part, sure_ids=sure_ids)
        else:
            parking, accounts = _resolved(conn, programmes, batch, part[0], resolution)
            judged = [(part[0], None, parking)]
            moved.update(accounts)
        _store(conn, programmes, batch, judged, now)
        verdicts += judged
        if sales := [received.entry_id for received, _, parking in judged if parking is None and received.entry_id]:
            moved.update(settle_returns(conn, programmes, sales))
    moved |= {known_before.account for known_before in again} | {account for _, account, _ in verdicts}
    return _Booked(
        max(stream.durable_to, batch.to_seq),
        [_again(seq, known_before) for seq, known_before in enumerate(again, batch.from_seq)]
        + [_result(received.seq, parking) for received, _, parking in verdicts],
        # What was booked since in the terminal's present epoch would be counted in the balances.
        [] if stream.closed else [account for account in moved if account is not None],
    )


def _parts(fresh: Sequence[Received]) -> Iterator[Sequence[Received]]:
    """The entries in runs, a resolution or enrolment alone in its own: what follows it must know what it did.

    Accounts are locked in order within a run, not over all of them: two batches of which one has several runs may
    deadlock, and the database has one of them tried again.
    """
    alone = {received.seq for received in fresh if isinstance(received.read, Entry) and received.changes_more}
    if not alone:  # nearly every batch
        if fresh:
            yield fresh
        return
    for _, run in itertools.groupby(fresh, key=lambda received: received.seq if received.seq in alone else 0):
        yield list(run)


def _judged(conn: Connection, programmes: Programmes, fresh: Sequence[Received], *, sure_ids: bool) -> list[Verdict]:
    known = learn(conn, programmes, fresh, sure_ids=sure_ids)
    verdicts: list[Verdict] = [(received, *judge(received, known)) for received in fresh]
    strangers = [
        received.read.card
        for received, _, parking in verdicts
        if parking is not None and parking.code is Code.UNKNOWN_CARD and received.read is not None
    ]
    if not strangers or still_unknown(conn, strangers):
        return verdicts
    known = learn(conn, programmes, fresh, sure_ids=sure_ids)
    return [(received, *judge(received, known)) for received in fresh]


def _resolved(
    conn: Connection, programmes: Programmes, batch: Batch, received: Received, what: Resolution
) -> tuple[Parking | None, list[str]]:
    entry = received.entry
    assert entry is not None
    row = conn.execute("SELECT store_id FROM terminal WHERE terminal_id = %s", (batch.terminal,)).fetchone()
    assert row is not None, "a stream has its terminal"
    by = (batch.terminal, batch.epoch, received.seq)
    return resolve(conn, programmes, Word(what, entry.reason or "", entry.approver or "", row[0], by, received))


def _lock_stream(conn: Connection, batch: Batch) -> Stream:
    stream = lock_stream(conn, batch.terminal, batch.epoch)
    if stream is None:
        present = lock_stream(conn, batch.terminal)
        assert present is not None
        raise _Conflict(
            f"expected epoch {present.epoch} of this terminal, got {batch.epoch}", late=batch.epoch < present.epoch
        )
    if batch.from_seq > stream.durable_to + 1:
        wanted = stream.durable_to + 1
        if stream.closed:
            raise _Conflict(f"expected entries from {wanted}, got them from {batch.from_seq}", late=True)
        # A till sends what follows its last acknowledgement, so it was told that what is missing is here.
        log.error(
            "a till has an acknowledgement for entries that are not here: if this database was restored from a backup, "
            "run `spaarpunt hq restored`",
            terminal=batch.terminal,
            here=stream.durable_to,
            acknowledged=batch.from_seq - 1,
        )
        raise Refused(409, "gap", f"expected entries from {wanted}, got them from {batch.from_seq}", wanted_seq=wanted)
    return stream


@dataclass(frozen=True, slots=True)
class _Before:
    """An entry received earlier."""

    digest: bytes
    account: str | None
    code: str | None
    text: str | None


def _known(conn: Connection, batch: Batch, stream: Stream) -> dict[int, _Before]:
    """What of the batch, and of the entry just before it, was received earlier; by seq."""
    if batch.from_seq > stream.durable_to:
        return {}
    rows = conn.execute(
        "SELECT r.seq, r.digest, r.account_id, p.code, p.text FROM received r "
        "LEFT JOIN parked p USING (terminal_id, epoch, seq, digest) "
        "WHERE r.terminal_id = %s AND r.epoch = %s AND r.seq BETWEEN %s AND %s",
        (batch.terminal, batch.epoch, batch.from_seq - 1, min(batch.to_seq, stream.durable_to)),
    )
    return {seq: _Before(*rest) for seq, *rest in rows}


def _check_chain(batch: Batch, raws: Sequence[bytes], stream: Stream, before: dict[int, _Before]) -> list[bytes]:
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
        text = f"entry {batch.from_seq} does not follow the entry {batch.from_seq - 1} that is here"
        raise _Conflict(text, diverges=True)
    for seq, raw in enumerate(raws, batch.from_seq):
        previous = chain(previous, raw)
        digests.append(previous)
        if seq <= stream.durable_to and before[seq].digest != previous:
            raise _Conflict(f"entry {seq} is here with other bytes", diverges=True)
    if previous.hex() != batch.head_digest:
        raise _Conflict("the head digest does not follow from the entries of the batch")
    return digests


def _store(conn: Connection, programmes: Programmes, batch: Batch, verdicts: Sequence[Verdict], now: datetime) -> None:
    """Write the verdicts: what was received, what is parked of it, and the bookings."""
    keep(conn, batch.terminal, batch.epoch, verdicts)
    post(conn, programmes, batch.terminal, batch.epoch, verdicts, now=now)


def _result(seq: int, parking: Parking | None) -> Result:
    if parking is None:
        return Result(seq=seq, outcome=Outcome.BOOKED)
    return Result(seq=seq, outcome=Outcome.PARKED, code=parking.code.value, text=parking.text)


def _again(seq: int, before: _Before) -> Result:
    return Result(seq=seq, outcome=Outcome.DUPLICATE, code=before.code, text=before.text)


def _balances(conn: Connection, accounts: list[str]) -> tuple[AccountBalance, ...]:
    rows = conn.execute(NAMED_BALANCES.encode(), {"accounts": Texts(accounts)}).fetchall()
    return tuple(
        [
            AccountBalance(
                account=account,
                points=points,
                counters=counters or {},
                pending=pending,
                expires_on=expires_on if expiring else None,
                expiring=expiring or 0,
            )
            for account, points, counters, pending, expires_on, expiring in rows
        ]
    )
