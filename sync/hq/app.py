"""The calls tills make, over HTTP. Checks who asks and what is asked; the doing is in the other rooms."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any
from uuid import UUID

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as Message_

from loyalty.programme import OfflinePolicy
from sync.hq.changes import changes
from sync.hq.database import Database
from sync.hq.enrolment import Terminal, enrol, find_terminal, touch
from sync.hq.epochs import SUPERSEDED, open_epoch, retired_keys, stream_answer
from sync.hq.errors import Refused
from sync.hq.exposure import exposure
from sync.hq.holds import capture, place, release
from sync.hq.ingest import book
from sync.hq.leases import close
from sync.hq.plain import read_batch
from sync.hq.proofs import proof
from sync.hq.snapshot import Places, begin, parts
from sync.hq.streaming import Stream
from sync.signing import ENROL_KEY_ID, SignatureRefused, SignatureStale, SignedMessage, verify
from sync.wire import (
    MAX_BODY_BYTES,
    PROTOCOL,
    PROTOCOL_HEADER,
    Batch,
    EnrolRequest,
    EpochRequest,
    Hello,
    Message,
    Problem,
    TooLarge,
    WireError,
    compress,
    decompress,
    key_bytes,
)
from sync.wire_spending import ClosedLeases, HoldRequest

log = logging.getLogger(__name__)

BODY_TIMEOUT_S = 30
"""How long a body may take to arrive: a full batch at 9 kB/s; slower lines send smaller batches."""

COMPRESS_FROM_BYTES = 512
"""Answers shorter than this fit one packet as they are."""

RETRY_AFTER_S = 5
"""What a till is told to wait when the database is away: it restarts in seconds."""

MAX_PATH_TEXT = 200
"""Characters of a cursor or a date looked at; ours have some forty."""


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
        try:
            return verify(SignedMessage(self.request.method, url, headers), self.body, find_key)
        except SignatureStale as error:
            raise Refused(
                401, "clock_skew", "the signature was made at another time than now: use server_time_ms and sign again"
            ) from error
        except SignatureRefused as error:
            raise Refused(401, "signature", "expected a valid signature of an enrolled terminal (RFC 9421)") from error

    def content(self) -> bytes:
        """The body without its Content-Encoding.

        Raises:
            WireError: not in that encoding, or too large.
        """
        return decompress(self.body, self.request.headers.get("content-encoding"))


async def _call(request: Request) -> Call:
    """Read the request within the limits, and refuse another protocol version."""
    _expect_protocol(request)
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


def _expect_protocol(request: Request) -> None:
    asked = request.headers.get(PROTOCOL_HEADER)
    if asked != str(PROTOCOL):
        shown = "none" if asked is None else f"'{asked[:20]}'"
        raise Refused(
            400,
            "protocol_version",
            f"expected {PROTOCOL_HEADER}: {PROTOCOL}, got {shown}: update whichever of the two is older",
        )


Sent = Annotated[Call, Depends(_call)]


def _signer(database: Database, call: Call) -> tuple[Terminal, Ed25519PublicKey]:
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


def _signed_by(database: Database) -> Callable[[Sent], Terminal]:
    """Who signed a request: the dependency of every call but enrolment and the next epoch."""

    def terminal(call: Sent) -> Terminal:
        """The enrolled terminal that signed the request with its present key."""
        known, key = _signer(database, call)
        if key is not known.public_key:
            raise Refused(403, "superseded", SUPERSEDED)
        with database.connection() as conn:
            touch(conn, known.terminal_id, datetime.now(UTC))
        return known

    return terminal


def create_app(database: Database, on_ready: Callable[[], None] | None = None) -> FastAPI:
    """Head office as an ASGI application on an open database, which the caller closes.

    Args:
        on_ready: called once when requests are about to be taken.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if on_ready is not None:
            on_ready()
        yield

    app = FastAPI(title="Spaarpunt head office", version=_software(), lifespan=lifespan, openapi_url=None)
    app.add_middleware(_Failures)
    _add_problems(app)

    signed = Depends(_signed_by(database))
    _add_greetings(app, database)
    _add_spending(app, database, signed)

    @app.post("/v1/terminals")
    def terminals(call: Sent) -> Response:
        message = EnrolRequest.decode(call.content())
        key = Ed25519PublicKey.from_public_bytes(key_bytes(message.public_key))
        call.signer(lambda key_id: key if key_id == ENROL_KEY_ID else None)
        with database.connection() as conn:
            return _answer(call.request, enrol(conn, database.keys, message, datetime.now(UTC)), HTTPStatus.CREATED)

    @app.get("/v1/stream")
    def stream(call: Sent, known: Terminal = signed) -> Response:
        with database.connection() as conn:
            return _answer(call.request, stream_answer(conn, known.terminal_id, datetime.now(UTC)))

    @app.post("/v1/epochs")
    def epochs(call: Sent) -> Response:
        message = EpochRequest.decode(call.content())
        known, key = _signer(database, call)
        with database.connection() as conn:
            answer = open_epoch(conn, known.terminal_id, key.public_bytes_raw(), message, datetime.now(UTC))
        return _answer(call.request, answer, HTTPStatus.CREATED)

    @app.post("/v1/entries")
    def entries(call: Sent, known: Terminal = signed) -> Response:
        batch = _batch(call, known)
        with database.connection() as conn:
            return _answer(call.request, book(conn, database.programmes, batch))

    @app.post("/v1/parked")
    def parked(call: Sent, known: Terminal = signed) -> Response:
        batch = _batch(call, known)
        if len(batch.entries) != 1:
            raise Refused(400, "malformed", f"expected the one entry that cannot be booked, got {len(batch.entries)}")
        with database.connection() as conn:
            return _answer(call.request, book(conn, database.programmes, batch, unread=True))

    @app.get("/v1/changes/{feed}")
    def feed_page(call: Sent, feed: str, cursor: str = "", known: Terminal = signed) -> Response:
        with database.connection() as conn:
            return _answer(call.request, changes(conn, known.terminal_id, feed, cursor[:MAX_PATH_TEXT]))

    places = Places()

    @app.get("/v1/snapshot")
    def snapshot(
        call: Sent, cursor: str = "", section: str = "", after: str = "", known: Terminal = signed
    ) -> Response:
        places.take()
        try:
            with database.connection() as conn:
                start = begin(conn, cursor[:MAX_PATH_TEXT], section, after[:MAX_PATH_TEXT])
        except BaseException:
            places.give_back()
            raise
        compressed = _takes_zstd(call.request.headers.get("accept-encoding", ""))
        return Stream(parts(database, known.terminal_id, start), compressed, places.give_back)

    @app.get("/v1/proofs/{business_date}")
    def day_proof(call: Sent, business_date: str, epoch: int | None = None, known: Terminal = signed) -> Response:
        try:
            day = date.fromisoformat(business_date)
        except ValueError as error:
            raise Refused(400, "malformed", "business_date: expected a date such as 2026-03-31") from error
        with database.connection() as conn:
            return _answer(call.request, proof(conn, known.terminal_id, known.epoch if epoch is None else epoch, day))

    return app


def _add_greetings(app: FastAPI, database: Database) -> None:
    """The calls that anybody may make."""

    @app.get("/v1/hello")
    def hello(request: Request) -> Response:
        if PROTOCOL_HEADER in request.headers:
            _expect_protocol(request)
        return _answer(request, Hello(software=_software(), server_time_ms=_now_ms()))

    @app.get("/healthz")
    def healthz(request: Request) -> Response:
        with database.connection() as conn:
            conn.execute("SELECT 1")
        return _answer(request, Hello(software=_software(), server_time_ms=_now_ms()))


def _add_spending(app: FastAPI, database: Database, signed: Any) -> None:
    """The calls about points set aside."""

    @app.post("/v1/holds")
    def holds(call: Sent, known: Terminal = signed) -> Response:
        request = HoldRequest.decode(call.content())
        with database.connection() as conn:
            return _answer(call.request, place(conn, known.terminal_id, request, datetime.now(UTC)))

    @app.post("/v1/holds/{hold_id}/capture")
    def hold_captured(call: Sent, hold_id: str, known: Terminal = signed) -> Response:
        with database.connection() as conn:
            return _answer(call.request, capture(conn, known.terminal_id, _uuid(hold_id), datetime.now(UTC)))

    @app.delete("/v1/holds/{hold_id}")
    def hold_released(call: Sent, hold_id: str, known: Terminal = signed) -> Response:
        with database.connection() as conn:
            return _answer(call.request, release(conn, known.terminal_id, _uuid(hold_id), datetime.now(UTC)))

    @app.post("/v1/leases/closed")
    def leases_closed(call: Sent, known: Terminal = signed) -> Response:
        message = ClosedLeases.decode(call.content())
        with database.connection() as conn:
            return _answer(call.request, close(conn, known.terminal_id, message))

    @app.get("/v1/exposure")
    def exposed(call: Sent, known: Terminal = signed) -> Response:
        with database.connection() as conn:
            programme = database.programmes.newest(conn)
            policy = OfflinePolicy() if programme is None else programme.offline
            return _answer(call.request, exposure(conn, policy, datetime.now(UTC)))


def _batch(call: Call, known: Terminal) -> Batch:
    batch = read_batch(call.content())
    if batch.terminal != known.terminal_id:
        raise Refused(403, "other_terminal", f"expected entries of {known.terminal_id}, which signed the request")
    return batch


class _Failures:
    """Answers what nobody foresaw with a plain 500 and logs it. Around everything: the framework's own way of doing
    this hands the exception on to the server, which then cuts the connection under the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        under_way = False

        async def noting(message: Message_) -> None:
            nonlocal under_way
            under_way = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception:
            log.exception("head office failed on %s %s", scope.get("method"), scope.get("path"))
            if scope["type"] != "http":
                raise
            if under_way:
                return  # a snapshot: the server cuts the connection, which tells the till to go on from its last part
            answer = _problem(500, "internal", "head office failed on this request; its log says why: try again later")
            await answer(scope, receive, send)


def _add_problems(app: FastAPI) -> None:
    """Answer every refusal and failure as a problem; what only the operator may know goes to the log."""

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> Response:
        answer = _problem(error.status, error.code, str(error), error.wanted_seq)
        if error.retry_after_s is not None:
            answer.headers["Retry-After"] = str(error.retry_after_s)
        return answer

    @app.exception_handler(WireError)
    async def not_the_protocol(_: Request, error: WireError) -> Response:
        if isinstance(error, TooLarge):
            return _problem(413, "too_large", str(error))
        return _problem(400, "malformed", str(error))

    @app.exception_handler(RequestValidationError)
    async def not_a_parameter(_: Request, error: RequestValidationError) -> Response:
        where = "; ".join(f"{problem['loc'][-1]}: {problem['msg']}" for problem in error.errors()[:5])
        return _problem(400, "malformed", where)

    @app.exception_handler(HTTPException)
    async def no_such_call(request: Request, error: HTTPException) -> Response:
        detail = f"{request.method} is no call here: see the protocol, version {PROTOCOL}"
        return _problem(error.status_code, "no_such_call", detail)

    @app.exception_handler(psycopg.OperationalError)
    async def database_away(_: Request, error: psycopg.OperationalError) -> Response:
        log.error("the database does not answer: %s", error)
        answer = _problem(503, "unavailable", "head office's database does not answer: try again later")
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
        return answer


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Refused(400, "malformed", "expected the id of a hold, a UUID") from error


def _answer(request: Request, message: Message, status: HTTPStatus = HTTPStatus.OK) -> Response:
    body = message.encode()
    headers = {PROTOCOL_HEADER: str(PROTOCOL), "Vary": "Accept-Encoding"}
    if len(body) >= COMPRESS_FROM_BYTES and _takes_zstd(request.headers.get("accept-encoding", "")):
        body = compress(body)
        headers["Content-Encoding"] = "zstd"
    return Response(body, status, headers, "application/json")


def _takes_zstd(accepted: str) -> bool:
    for choice in accepted.lower().split(","):
        name, _, weight = choice.replace(" ", "").partition(";")
        if name == "zstd":
            return weight not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _problem(status: int, code: str, detail: str, wanted_seq: int | None = None) -> Response:
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        server_time_ms=_now_ms(),
        wanted_seq=wanted_seq,
    )
    return Response(problem.encode(), status, {PROTOCOL_HEADER: str(PROTOCOL)}, "application/problem+json")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _software() -> str:
    try:
        return f"spaarpunt/{version('spaarpunt')}"
    except PackageNotFoundError:  # run from its source, not installed
        return "spaarpunt/source"
