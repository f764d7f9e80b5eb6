"""A terminal's epochs: where its stream stands, the next one with a new key, and keys that are past."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from loyalty.ledger import GENESIS
from sync.hq.certificates import certify
from sync.hq.database import Connection
from sync.hq.errors import Refused
from sync.wire import EpochAnswer, EpochRequest, StreamAnswer, WireError, key_bytes

SUPERSEDED = (
    "this till's key was replaced when it, or a copy of it, was restored: stop the copy, or enrol it with a new code"
)

MAX_EPOCHS_LOST = 100
"""Epochs that a till may be ahead of a restored head office: a till begins a few in its life."""


@dataclass(frozen=True, slots=True)
class Stream:
    """How far head office has an epoch of a terminal. `closed`: the terminal has left it."""

    epoch: int
    durable_to: int
    head: bytes
    closed: bool = False


def lock_stream(conn: Connection, terminal: str, epoch: int | None = None) -> Stream | None:
    """The terminal's stream, its row locked until the transaction ends; None for an epoch that never was.

    Args:
        epoch: one that it may have left; None for the one it is in.

    Raises:
        Refused: 401 `unknown_terminal`.
    """
    row = conn.execute(
        "SELECT epoch, durable_to, head_digest FROM stream WHERE terminal_id = %s FOR UPDATE", (terminal,)
    ).fetchone()
    if row is None:
        raise Refused(401, "unknown_terminal", "this terminal was never enrolled here: enrol it with a one-time code")
    if epoch is None or epoch == row[0]:
        return Stream(*row)
    if epoch > row[0]:
        return None
    row = conn.execute(
        "SELECT epoch, durable_to, head_digest FROM stream_closed WHERE terminal_id = %s AND epoch = %s",
        (terminal, epoch),
    ).fetchone()
    return None if row is None else Stream(row[0], row[1], row[2], closed=True)


def advance(conn: Connection, terminal: str, stream: Stream, durable_to: int, head: bytes) -> None:
    """Move the watermark of a locked stream."""
    table = "stream_closed" if stream.closed else "stream"
    conn.execute(
        f"UPDATE {table} SET durable_to = %s, head_digest = %s WHERE terminal_id = %s AND epoch = %s",
        (durable_to, head, terminal, stream.epoch),
    )


def stream_answer(conn: Connection, terminal: str, now: datetime) -> StreamAnswer:
    """Where the terminal's stream stands, for a till that may have been restored."""
    row = conn.execute(
        "SELECT epoch, durable_to, head_digest FROM stream WHERE terminal_id = %s", (terminal,)
    ).fetchone()
    assert row is not None, "every enrolled terminal has a stream"
    epoch, durable_to, head = row
    return StreamAnswer(
        terminal=terminal,
        epoch=epoch,
        durable_to=durable_to,
        head_digest=head.hex(),
        server_time_ms=_ms(now),
        certificate=certify(conn, terminal, epoch),
    )


def open_epoch(
    conn: Connection, terminal: str, signed_with: bytes, request: EpochRequest, now: datetime
) -> EpochAnswer:
    """Close the terminal's epoch and open the one asked for, with the new key; the old key is retired.

    The same request again, because its answer was lost, changes nothing and is answered as the first time.

    Args:
        signed_with: the 32 bytes of the key that signed the request.

    Raises:
        Refused: 400 `malformed` for a key that is none or was used before; 403 `superseded` for a retired key;
            409 `epoch_taken`, with the first epoch that is free as `wanted_seq`.
    """
    try:
        fresh = key_bytes(request.public_key)
    except WireError as error:
        raise Refused(400, "malformed", f"public_key: {error}") from error
    with conn.transaction():
        stream = lock_stream(conn, terminal)
        row = conn.execute("SELECT public_key FROM terminal WHERE terminal_id = %s", (terminal,)).fetchone()
        assert stream is not None
        assert row is not None, "a stream has a terminal"
        if row[0] == fresh:
            return _opened(conn, terminal, stream.epoch, now)
        if row[0] != signed_with:
            raise Refused(403, "superseded", SUPERSEDED)
        if request.epoch <= stream.epoch:
            detail = f"expected an epoch after {stream.epoch}, got {request.epoch}"
            raise Refused(409, "epoch_taken", detail, wanted_seq=stream.epoch + 1)
        _replace_key(conn, terminal, stream.epoch, row[0], fresh=fresh, now=now)
        _begin(conn, terminal, request.epoch)
        return _opened(conn, terminal, request.epoch, now)


def enrol_again(conn: Connection, terminal: str, store: str, last: int, *, fresh: bytes, now: datetime) -> int:
    """Give a terminal, whose till signs with a key that counts no more, the key `fresh` and its next epoch.

    A copy that went on in its place is superseded by this. Epochs that head office lost, since it was restored from a
    backup, are known again, empty: what the till has of them is booked when it comes. Within the transaction that
    spends the code.

    Args:
        store: that the code was given out for.
        last: the last epoch that the till was in.

    Returns:
        The epoch that is open now.

    Raises:
        Refused: 403 `other_store`: not a terminal of that store; 403 `revoked`; 400 `malformed` for a key that was
            used before, or an epoch that cannot be.
    """
    row = conn.execute(
        "SELECT public_key, revoked_at FROM terminal WHERE terminal_id = %s AND store_id = %s FOR UPDATE",
        (terminal, store),
    ).fetchone()
    if row is None:
        detail = "this code is of another store than this till, or the till is not known here: ask for one of its store"
        raise Refused(403, "other_store", detail)
    if row[1] is not None:
        raise Refused(403, "revoked", "this terminal was revoked: enrol the till in an empty data folder")
    stream = lock_stream(conn, terminal)
    assert stream is not None
    if last > stream.epoch + MAX_EPOCHS_LOST:
        detail = f"epoch: expected at most {MAX_EPOCHS_LOST} after {stream.epoch}, got {last}"
        raise Refused(400, "malformed", detail)
    _replace_key(conn, terminal, stream.epoch, row[0], fresh=fresh, now=now)
    for lost in range(stream.epoch, last):
        _begin(conn, terminal, lost + 1)
    following = max(stream.epoch, last) + 1
    _begin(conn, terminal, following)
    return following


def _replace_key(conn: Connection, terminal: str, epoch: int, key: bytes, *, fresh: bytes, now: datetime) -> None:
    used = conn.execute(
        "SELECT 1 FROM terminal WHERE public_key = %s UNION SELECT 1 FROM key_retired WHERE public_key = %s",
        (fresh, fresh),
    ).fetchone()
    if used is not None:
        raise Refused(400, "malformed", "public_key: expected a new key, got one that was used before")
    conn.execute(
        "INSERT INTO key_retired (terminal_id, public_key, epoch, retired_at) VALUES (%s, %s, %s, %s)",
        (terminal, key, epoch, now),
    )
    conn.execute("UPDATE terminal SET public_key = %s WHERE terminal_id = %s", (fresh, terminal))


def _begin(conn: Connection, terminal: str, epoch: int) -> None:
    close_stream(conn, terminal)
    conn.execute(
        "UPDATE stream SET epoch = %s, durable_to = 0, head_digest = %s WHERE terminal_id = %s",
        (epoch, GENESIS, terminal),
    )


def _opened(conn: Connection, terminal: str, epoch: int, now: datetime) -> EpochAnswer:
    row = conn.execute(
        "SELECT epoch, durable_to, head_digest FROM stream_closed WHERE terminal_id = %s ORDER BY epoch DESC LIMIT 1",
        (terminal,),
    ).fetchone()
    if row is None:
        raise Refused(400, "malformed", "public_key: expected a new key, got the one that is in use")
    left, durable_to, head = row
    return EpochAnswer(
        terminal=terminal,
        epoch=epoch,
        left_epoch=left,
        left_durable_to=durable_to,
        left_head_digest=head.hex(),
        server_time_ms=_ms(now),
        certificate=certify(conn, terminal, epoch),
    )


def close_stream(conn: Connection, terminal: str) -> None:
    """Note where the present epoch ends; the caller opens the next in the same transaction."""
    conn.execute(
        "INSERT INTO stream_closed (terminal_id, epoch, durable_to, head_digest) "
        "SELECT terminal_id, epoch, durable_to, head_digest FROM stream WHERE terminal_id = %s",
        (terminal,),
    )


def retired_keys(conn: Connection, terminal: str) -> list[Ed25519PublicKey]:
    """The keys that once signed for the terminal, the newest first."""
    rows = conn.execute(
        "SELECT public_key FROM key_retired WHERE terminal_id = %s ORDER BY epoch DESC", (terminal,)
    ).fetchall()
    return [Ed25519PublicKey.from_public_bytes(key) for (key,) in rows]


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
