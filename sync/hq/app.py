"""The calls tills make, over HTTP. Checks who asks and what is asked; the doing is in the other rooms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fastapi import Depends, FastAPI, Request, Response

from loyalty.programme import OfflinePolicy
from sync.hq.answers import Failures, add_problems, answer, now_ms, takes_zstd
from sync.hq.changes import changes
from sync.hq.database import Database
from sync.hq.enrolment import Terminal, enrol
from sync.hq.epochs import open_epoch, stream_answer
from sync.hq.errors import Refused
from sync.hq.exposure import exposure
from sync.hq.holds import capture, place, release
from sync.hq.ingest import book
from sync.hq.leases import close
from sync.hq.proofs import proof
from sync.hq.requests import Call, Sent, expect_protocol, signed_by, signer, uuid_of
from sync.hq.snapshot import Places, begin, parts
from sync.hq.streaming import Stream
from sync.signing import ENROL_KEY_ID
from sync.wire import PROTOCOL_HEADER, Batch, EnrolRequest, EpochRequest, Hello, key_bytes
from sync.wire_spending import ClosedLeases, HoldRequest

MAX_PATH_TEXT = 200
"""Characters of a cursor or a date looked at; ours have some forty."""


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
    app.add_middleware(Failures)
    add_problems(app)

    signed = Depends(signed_by(database))
    _add_greetings(app, database)
    _add_spending(app, database, signed)

    @app.post("/v1/terminals")
    def terminals(call: Sent) -> Response:
        message = EnrolRequest.decode(call.content())
        key = Ed25519PublicKey.from_public_bytes(key_bytes(message.public_key))
        call.signer(lambda key_id: key if key_id == ENROL_KEY_ID else None)
        with database.connection() as conn:
            return answer(call.request, enrol(conn, database.keys, message, datetime.now(UTC)), HTTPStatus.CREATED)

    @app.get("/v1/stream")
    def stream(call: Sent, known: Terminal = signed) -> Response:
        with database.connection() as conn:
            return answer(call.request, stream_answer(conn, known.terminal_id, datetime.now(UTC)))

    @app.post("/v1/epochs")
    def epochs(call: Sent) -> Response:
        message = EpochRequest.decode(call.content())
        known, key = signer(database, call)
        with database.connection() as conn:
            opened = open_epoch(conn, known.terminal_id, key.public_bytes_raw(), message, datetime.now(UTC))
        return answer(call.request, opened, HTTPStatus.CREATED)

    @app.post("/v1/entries")
    def entries(call: Sent, known: Terminal = signed) -> Response:
        batch = _batch(call, known)
        with database.connection() as conn:
            return answer(call.request, book(conn, database.programmes, batch))

    @app.post("/v1/parked")
    def parked(call: Sent, known: Terminal = signed) -> Response:
        batch = _batch(call, known)
        if len(batch.entries) != 1:
            raise Refused(400, "malformed", f"expected the one entry that cannot be booked, got {len(batch.entries)}")
        with database.connection() as conn:
            return answer(call.request, book(conn, database.programmes, batch, unread=True))

    @app.get("/v1/changes/{feed}")
    def feed_page(call: Sent, feed: str, cursor: str = "", known: Terminal = signed) -> Response:
        with database.connection() as conn:
            return answer(call.request, changes(conn, known.terminal_id, feed, cursor[:MAX_PATH_TEXT]))

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
        compressed = takes_zstd(call.request.headers.get("accept-encoding", ""))
        return Stream(parts(database, known.terminal_id, start), compressed, places.give_back)

    @app.get("/v1/proofs/{business_date}")
    def day_proof(call: Sent, business_date: str, epoch: int | None = None, known: Terminal = signed) -> Response:
        try:
            day = date.fromisoformat(business_date)
        except ValueError as error:
            raise Refused(400, "malformed", "business_date: expected a date such as 2026-03-31") from error
        with database.connection() as conn:
            return answer(call.request, proof(conn, known.terminal_id, known.epoch if epoch is None else epoch, day))

    return app


def _add_greetings(app: FastAPI, database: Database) -> None:
    """The calls that anybody may make."""

    @app.get("/v1/hello")
    def hello(request: Request) -> Response:
        if PROTOCOL_HEADER in request.headers:
            expect_protocol(request)
        return answer(request, Hello(software=_software(), server_time_ms=now_ms()))

    @app.get("/healthz")
    def healthz(request: Request) -> Response:
        with database.connection() as conn:
            conn.execute("SELECT 1")
        return answer(request, Hello(software=_software(), server_time_ms=now_ms()))


def _add_spending(app: FastAPI, database: Database, signed: Any) -> None:
    """The calls about points set aside."""

    @app.post("/v1/holds")
    def holds(call: Sent, known: Terminal = signed) -> Response:
        request = HoldRequest.decode(call.content())
        with database.connection() as conn:
            return answer(call.request, place(conn, known.terminal_id, request, datetime.now(UTC)))

    @app.post("/v1/holds/{hold_id}/capture")
    def hold_captured(call: Sent, hold_id: str, known: Terminal = signed) -> Response:
        with database.connection() as conn:
            return answer(call.request, capture(conn, known.terminal_id, uuid_of(hold_id), datetime.now(UTC)))

    @app.delete("/v1/holds/{hold_id}")
    def hold_released(call: Sent, hold_id: str, known: Terminal = signed) -> Response:
        with database.connection() as conn:
            return answer(call.request, release(conn, known.terminal_id, uuid_of(hold_id), datetime.now(UTC)))

    @app.post("/v1/leases/closed")
    def leases_closed(call: Sent, known: Terminal = signed) -> Response:
        message = ClosedLeases.decode(call.content())
        with database.connection() as conn:
            return answer(call.request, close(conn, known.terminal_id, message))

    @app.get("/v1/exposure")
    def exposed(call: Sent, known: Terminal = signed) -> Response:
        with database.connection() as conn:
            programme = database.programmes.newest(conn)
            policy = OfflinePolicy() if programme is None else programme.offline
            return answer(call.request, exposure(conn, policy, datetime.now(UTC)))


def _batch(call: Call, known: Terminal) -> Batch:
    batch = Batch.decode(call.content())
    if batch.terminal != known.terminal_id:
        raise Refused(403, "other_terminal", f"expected entries of {known.terminal_id}, which signed the request")
    return batch


def _software() -> str:
    try:
        return f"spaarpunt/{version('spaarpunt')}"
    except PackageNotFoundError:  # run from its source, not installed
        return "spaarpunt/source"
