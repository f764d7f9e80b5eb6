"""A request as it came: read within the limits, its protocol version checked, and whose signature it carries."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fastapi import Depends, Request
from starlette.requests import ClientDisconnect

from sync.hq.database import Database
from sync.hq.enrolment import CONTACT_STEP, Terminal, find_terminal, touch
from sync.hq.epochs import SUPERSEDED, retired_keys
from sync.hq.errors import Refused
from sync.signing import SignatureRefused, SignatureStale, SignedMessage, verify, why_refused
from sync.wire import PROTOCOL, PROTOCOL_HEADER
from sync.wire_bodies import MAX_BODY_BYTES, decompress

BODY_TIMEOUT_S = 30
"""How long a body may take to arrive: a full batch, compressed, at 4 kB/s; slower lines send smaller batches."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came: its parts and its whole body."""

    request: Request
    body: bytes

    def signer(self, find_key: Callable[[str], Ed25519PublicKey | None]) -> str:
        """The key id whose signature the request carries.

        Raises:
            Refused: 401 `signature` or `clock_skew`.
        """
        scope = self.request.scope
        query = scope["query_string"].decode("latin-1")
        # From the raw path: what the till signed, before any decoding. The host is not signed.
        url = f"http://head-office{scope['raw_path'].decode('latin-1')}" + (f"?{query}" if query else "")
        headers = {name: ", ".join(self.request.headers.getlist(name)) for name in self.request.headers}
        message = SignedMessage(self.request.method, url, headers)
        try:
            return verify(message, self.body, find_key)
        except SignatureStale as error:
            raise Refused(
                401, "clock_skew", "the signature was made at another time than now: use server_time_ms and sign again"
            ) from error
        except SignatureRefused as error:
            raise Refused(401, "signature", why_refused(message, self.body)) from error

    def content(self) -> bytes:
        """The body without its Content-Encoding.

        Raises:
            WireError: not in that encoding, or too large.
        """
        return decompress(self.body, self.request.headers.get("content-encoding"))


async def _call(request: Request) -> Call:
    """Read the request within the limits, and refuse another protocol version."""
    expect_protocol(request)
    if int(request.headers.get("content-length", "0")) > MAX_BODY_BYTES:
        raise Refused(413, "too_large", f"expected a body of at most {MAX_BODY_BYTES} bytes")
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for part in request.stream():
                size += len(part)
                if size > MAX_BODY_BYTES:
                    raise Refused(413, "too_large", f"expected a body of at most {MAX_BODY_BYTES} bytes")
                parts.append(part)
    except ClientDisconnect as error:
        raise Refused(400, "cut", "the request ended in the middle of its body") from error
    except TimeoutError as error:
        raise Refused(408, "slow", f"expected the whole body within {BODY_TIMEOUT_S} s: send less at once") from error
    return Call(request, b"".join(parts))


def expect_protocol(request: Request) -> None:
    """Refuse a request of another protocol version.

    Raises:
        Refused: 400 `protocol_version`.
    """
    asked = request.headers.get(PROTOCOL_HEADER)
    if asked != str(PROTOCOL):
        shown = "none" if asked is None else f"'{asked[:20]}'"
        raise Refused(
            400,
            "protocol_version",
            f"expected {PROTOCOL_HEADER}: {PROTOCOL}, got {shown}: update whichever of the two is older",
        )


Sent = Annotated[Call, Depends(_call)]


def signer(database: Database, call: Call) -> tuple[Terminal, Ed25519PublicKey]:
    """The terminal that signed, and the key it signed with: its present one, or one that was retired.

    Raises:
        Refused: 401 `unknown_terminal`, `signature` or `clock_skew`; 403 `revoked`.
    """
    looked_up: list[Terminal | None] = []

    def key_of(key_id: str) -> Ed25519PublicKey | None:
        with database.connection() as conn:
            known = find_terminal(conn, key_id)
        looked_up.append(known)
        return None if known is None else known.public_key

    used: Ed25519PublicKey | None = None
    try:
        call.signer(key_of)
    except Refused as refused:
        if looked_up == [None]:
            raise Refused(
                401, "unknown_terminal", "no terminal of that key id is enrolled here: enrol it with a one-time code"
            ) from refused
        if refused.code != "signature" or not looked_up or looked_up[0] is None:
            raise
        used = _retired_key(database, call, looked_up[0].terminal_id)
        if used is None:
            raise
    known = looked_up[0]
    assert known is not None, "a verified signature has a key"
    if known.revoked:
        raise Refused(403, "revoked", "this terminal was revoked: ask head office for a code and enrol a new key")
    return known, used or known.public_key


def _retired_key(database: Database, call: Call, terminal: str) -> Ed25519PublicKey | None:
    with database.connection() as conn:
        keys = retired_keys(conn, terminal)
    for key in keys:
        with contextlib.suppress(Refused):
            call.signer(lambda _, key=key: key)  # type: ignore[misc]
            return key
    return None


def signed_by(database: Database) -> Callable[[Sent], Terminal]:
    """Who signed a request: the dependency of every call but enrolment and the next epoch."""

    def terminal(call: Sent) -> Terminal:
        """The enrolled terminal that signed the request with its present key."""
        known, key = signer(database, call)
        if key is not known.public_key:
            raise Refused(403, "superseded", SUPERSEDED)
        now = datetime.now(UTC)
        if known.heard_at < now - CONTACT_STEP:
            with database.connection() as conn:
                touch(conn, known.terminal_id, now)
        return known

    return terminal


def uuid_of(text: str) -> UUID:
    """The UUID that a path names.

    Raises:
        Refused: 400, not a UUID.
    """
    try:
        return UUID(text)
    except ValueError as error:
        raise Refused(400, "malformed", "expected the id of a hold, a UUID") from error
