"""How a till becomes a till of this chain: one-time codes, enrolment, revocation, and whose key is whose."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from loyalty.ledger import GENESIS
from sync.hq.database import Connection, Keys
from sync.hq.epochs import SUPERSEDED, close_stream, enrol_again
from sync.hq.errors import HqError, Refused
from sync.wire import CODE_LENGTH, EnrolAnswer, EnrolRequest, WireError, key_bytes, key_text

CODE_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Letters and digits that nobody confuses when they are read out over the telephone."""

CODE_LIFETIME = timedelta(hours=24)
"""Printed in the evening, used the next morning."""

CONTACT_STEP = timedelta(seconds=15)
"""The last contact is written this often at most: a request should not cost a disk write for it."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """A till as head office knows it. `revoked` ones may sign, but are answered 403."""

    terminal_id: str
    epoch: int
    public_key: Ed25519PublicKey
    revoked: bool
    heard_at: datetime
    """When it was last heard from, to within `CONTACT_STEP`."""


def new_code(
    conn: Connection, store: str, store_name: str | None, now: datetime, lifetime: timedelta = CODE_LIFETIME
) -> tuple[str, datetime]:
    """Make a one-time code for a till of `store`; returns it with its expiry (UTC). Only its hash is stored.

    Args:
        store: id of the shop, 1 to 20 letters, digits, '-' or '_'.
        store_name: the shop's name as receipts show it; None keeps the one known.

    Raises:
        HqError: not a store id, or a new store without a name.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,20}", store):
        raise HqError(f"expected a store id of 1 to 20 letters, digits, '-' or '_', got '{store[:30]}'")
    if store_name is not None and not (store_name.isprintable() and 1 <= len(store_name) <= 60):
        raise HqError("expected a store name of 1 to 60 printable characters")
    code = "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))
    expires = now + lifetime
    with conn.transaction():
        if store_name is not None:
            conn.execute(
                "INSERT INTO store (store_id, name) VALUES (%s, %s) ON CONFLICT (store_id) DO UPDATE SET name = %s",
                (store, store_name, store_name),
            )
        elif conn.execute("SELECT 1 FROM store WHERE store_id = %s", (store,)).fetchone() is None:
            raise HqError(f"store '{store}' is new: give its name too, with --name")
        conn.execute(
            "INSERT INTO enrolment_code (code_hash, store_id, expires_at) VALUES (%s, %s, %s)",
            (_hash(code), store, expires),
        )
    return code, expires


def enrol(conn: Connection, keys: Keys, request: EnrolRequest, now: datetime) -> EnrolAnswer:
    """Spend a code on the key in `request`, whose signature the caller has checked.

    A new key becomes a new terminal in epoch 1. A key known here, with a fresh code, starts its next epoch (a restored
    till); so does a new key for a terminal that the request names, whose key of now is retired. The same request again,
    because its answer was lost, gets the same answer.

    Raises:
        Refused: 403 `code_unknown`, `code_expired`, `code_used`, `revoked`, `superseded`, `other_store`;
            400 `malformed` for a key that is none.
    """
    try:
        public_key = key_bytes(request.public_key)
    except WireError as error:
        raise Refused(400, "malformed", f"public_key: {error}") from error
    if not request.name.isprintable() or not request.software.isprintable():
        raise Refused(400, "malformed", "name and software: expected printable characters only")
    with conn.transaction():
        row = conn.execute(
            "SELECT c.store_id, s.name, c.expires_at, c.spent_key, c.terminal_id, c.epoch "
            "FROM enrolment_code c JOIN store s USING (store_id) WHERE c.code_hash = %s FOR UPDATE OF c",
            (_hash(request.code),),
        ).fetchone()
        if row is None:
            raise Refused(403, "code_unknown", "this code was not given out here: check it, or ask for a new one")
        store, store_name, expires_at, spent_key, terminal, epoch = row
        if spent_key is None:
            if expires_at <= now:
                raise Refused(403, "code_expired", "this code is no longer valid: ask head office for a new one")
            if request.terminal is None or request.epoch is None:
                terminal, epoch = _book_terminal(conn, store, request, public_key, now)
            else:
                terminal = request.terminal
                epoch = enrol_again(conn, terminal, store, request.epoch, fresh=public_key, now=now)
            conn.execute(
                "UPDATE enrolment_code SET spent_key = %s, terminal_id = %s, epoch = %s WHERE code_hash = %s",
                (public_key, terminal, epoch, _hash(request.code)),
            )
        elif spent_key != public_key:
            raise Refused(403, "code_used", "this code was used by another till: ask head office for a new one")
    return EnrolAnswer(
        terminal=terminal,
        epoch=epoch,
        store=store,
        store_name=store_name,
        hq_public_key=key_text(keys.public),
        card_key=key_text(keys.card),
        server_time_ms=int(now.timestamp() * 1000),
    )


def find_terminal(conn: Connection, terminal_id: str) -> Terminal | None:
    """The terminal of that id, or None."""
    row = conn.execute(
        "SELECT t.terminal_id, s.epoch, t.public_key, t.revoked_at IS NOT NULL, t.last_contact_at FROM terminal t "
        "JOIN stream s USING (terminal_id) WHERE t.terminal_id = %s",
        (terminal_id,),
    ).fetchone()
    if row is None:
        return None
    found, epoch, public_key, revoked, heard_at = row
    return Terminal(found, epoch, Ed25519PublicKey.from_public_bytes(public_key), revoked, heard_at)


def touch(conn: Connection, terminal_id: str, now: datetime) -> None:
    """Note that the terminal was heard from, to within `CONTACT_STEP`."""
    conn.execute(
        "UPDATE terminal SET last_contact_at = %s WHERE terminal_id = %s AND last_contact_at < %s",
        (now, terminal_id, now - CONTACT_STEP),
    )


def revoke(conn: Connection, terminal_id: str, now: datetime) -> None:
    """Refuse everything of this terminal from now on. Doing it twice changes nothing.

    Raises:
        HqError: no such terminal.
    """
    done = conn.execute(
        "UPDATE terminal SET revoked_at = coalesce(revoked_at, %s) WHERE terminal_id = %s", (now, terminal_id)
    )
    if done.rowcount == 0:
        raise HqError(f"no terminal '{terminal_id}' is enrolled here: `spaarpunt hq status` lists them")


def _book_terminal(
    conn: Connection, store: str, request: EnrolRequest, public_key: bytes, now: datetime
) -> tuple[str, int]:
    if conn.execute("SELECT 1 FROM key_retired WHERE public_key = %s", (public_key,)).fetchone():
        raise Refused(403, "superseded", SUPERSEDED)
    terminal_id = f"t-{secrets.token_hex(5)}"
    row = conn.execute(
        "INSERT INTO terminal (terminal_id, store_id, name, public_key, software, enrolled_at, last_contact_at) "
        "VALUES (%(id)s, %(store)s, %(name)s, %(key)s, %(software)s, %(now)s, %(now)s) "
        "ON CONFLICT (public_key) DO UPDATE SET store_id = excluded.store_id, name = excluded.name, "
        "software = excluded.software, last_contact_at = excluded.last_contact_at RETURNING terminal_id, revoked_at",
        {
            "id": terminal_id,
            "store": store,
            "name": request.name,
            "key": public_key,
            "software": request.software,
            "now": now,
        },
    ).fetchone()
    assert row is not None
    known_id, revoked_at = row
    if revoked_at is not None:
        raise Refused(403, "revoked", "this till's key was revoked: let it make a new key and enrol with that")
    close_stream(conn, known_id)
    row = conn.execute(
        "INSERT INTO stream (terminal_id, epoch, durable_to, head_digest) VALUES (%s, 1, 0, %s) "
        "ON CONFLICT (terminal_id) DO UPDATE SET epoch = stream.epoch + 1, durable_to = 0, "
        "head_digest = excluded.head_digest RETURNING epoch",
        (known_id, GENESIS),
    ).fetchone()
    assert row is not None
    return known_id, row[0]


def _hash(code: str) -> bytes:
    """The stored form of a code; case, spaces and hyphens as people type them do not matter."""
    return hashlib.sha256(code.replace(" ", "").replace("-", "").upper().encode()).digest()
