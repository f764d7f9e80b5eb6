"""Batches that contradict what is here: kept whole as evidence, their diverging entries parked for a person."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from loyalty.ledger import chain
from sync.hq.database import Connection
from sync.hq.epochs import lock_stream
from sync.hq.parked import feed_key
from sync.hq.plain import MAX_NAME
from sync.hq.received import Code, Received, receive
from sync.wire import Batch, BatchAnswer, Outcome, Result

CONFLICT_EPOCH = 0
"""Where conflicting entries are parked: no stream has this epoch, so they never stand for one that was booked."""

TEXT = "this till, or a copy of its disk, had another sale under this number: look whether this one happened too"


def keep_evidence(conn: Connection, batch: Batch, reason: str) -> None:
    """Keep the batch whole, once; again it only counts up."""
    body = batch.encode()
    conn.execute(
        "INSERT INTO evidence (terminal_id, body_hash, reason, body) VALUES (%s, %s, %s, %s) "
        "ON CONFLICT (terminal_id, body_hash) DO UPDATE SET last_at = now(), times = evidence.times + 1",
        (batch.terminal, hashlib.sha256(body).digest(), reason, body),
    )


def park_conflict(conn: Connection, batch: Batch, raws: Sequence[bytes], now: datetime) -> list[Result]:
    """Park each entry of the batch that is not here with the same digest; returns the verdict on each.

    The same entry is parked once however often it comes. One transaction, with the terminal's stream locked.
    """
    with conn.transaction():
        lock_stream(conn, batch.terminal)
        known: dict[int, bytes] = dict(
            conn.execute(
                "SELECT seq, digest FROM received WHERE terminal_id = %s AND epoch = %s AND seq BETWEEN %s AND %s",
                (batch.terminal, batch.epoch, batch.from_seq, batch.from_seq + len(raws) - 1),
            ).fetchall()
        )
        row = conn.execute(
            "SELECT coalesce(max(seq), 0) FROM parked WHERE terminal_id = %s AND epoch = %s",
            (batch.terminal, CONFLICT_EPOCH),
        ).fetchone()
        assert row is not None
        place = row[0]
        today = now.date()
        results = []
        digest = bytes.fromhex(batch.prev_digest)
        for seq, raw in enumerate(raws, batch.from_seq):
            digest = chain(digest, raw)
            if known.get(seq) == digest:
                results.append(Result(seq=seq, outcome=Outcome.DUPLICATE))
                continue
            entry = receive(seq, raw, digest, terminal=batch.terminal, epoch=batch.epoch, today=today)
            place += _park(conn, batch.terminal, place + 1, entry)
            results.append(Result(seq=seq, outcome=Outcome.PARKED, code=Code.STREAM_CONFLICT.value, text=TEXT))
    return results


def _park(conn: Connection, terminal: str, place: int, received: Received) -> int:
    """Park one entry, unless its bytes are parked already, and tell the tills; how many were."""
    entry = received.entry
    account = entry.account if entry is not None and entry.account and len(entry.account) <= MAX_NAME else None
    new = conn.execute(
        "INSERT INTO parked (terminal_id, epoch, seq, digest, code, text, account_id, raw, card, kind, points, "
        "business_date) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (
            terminal,
            CONFLICT_EPOCH,
            place,
            received.digest,
            Code.STREAM_CONFLICT.value,
            TEXT,
            account,
            received.raw,
            entry.card if entry is not None else None,
            entry.kind.value if entry is not None else None,
            entry.points if entry is not None else 0,
            received.business_date,
        ),
    ).rowcount
    if new:
        key = feed_key(terminal, CONFLICT_EPOCH, place, received.digest)
        conn.execute("INSERT INTO feed (subject, key) VALUES ('parked', %s)", (key,))
    return new


def late_answer(batch: Batch, results: Sequence[Result], next_poll_s: int, now: datetime) -> BatchAnswer:
    """The answer to entries of an epoch that the terminal has left: all of them are safe here, none is asked for again.

    No balances: what was booked since in the present epoch would be counted in them.
    """
    return BatchAnswer(
        durable_to=batch.from_seq + len(results) - 1,
        applied_to=batch.from_seq + len(results) - 1,
        results=tuple(results),
        balances=(),
        next_poll_s=next_poll_s,
        server_time_ms=int(now.timestamp() * 1000),
    )
