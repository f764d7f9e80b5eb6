"""How head office answers: messages, and every refusal and failure as a problem, never a trace."""

from __future__ import annotations

import logging
import time
from http import HTTPStatus

import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as Message_

from sync.hq.errors import Refused
from sync.wire import PROTOCOL, PROTOCOL_HEADER, Message, Problem, Record, WireError
from sync.wire_bodies import TooLarge, compress

log = logging.getLogger(__name__)

COMPRESS_FROM_BYTES = 512
"""Answers shorter than this fit one packet as they are."""

MAX_PATH_SHOWN = 80
"""Characters of a path that is no call, in the refusal: ours have some seventy."""

RETRY_AFTER_S = 5
"""What a till is told to wait when the database is away: it restarts in seconds."""

LIMIT_EXCEEDED = "54"
"""Class of what is too much for PostgreSQL, however often it is tried (documentation, Appendix A)."""


class Failures:
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


def add_problems(app: FastAPI) -> None:
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
        asked = f"{request.method} {request.url.path[:MAX_PATH_SHOWN]}"
        detail = f"{asked} is no call of this head office, which speaks protocol version {PROTOCOL}"
        return _problem(error.status_code, "no_such_call", detail)

    @app.exception_handler(psycopg.OperationalError)
    async def database_away(_: Request, error: psycopg.OperationalError) -> Response:
        if (error.sqlstate or "").startswith(LIMIT_EXCEEDED):
            raise error
        log.error("the database does not answer: %s", error)
        answer = _problem(503, "unavailable", "head office's database does not answer: try again later")
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
        return answer


def answer(request: Request, message: Message | Record, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """A message as the answer to `request`, compressed when that pays and the till takes it."""
    body = message.encode()
    headers = {PROTOCOL_HEADER: str(PROTOCOL), "Vary": "Accept-Encoding"}
    if len(body) >= COMPRESS_FROM_BYTES and takes_zstd(request.headers.get("accept-encoding", "")):
        body = compress(body)
        headers["Content-Encoding"] = "zstd"
    return Response(body, status, headers, "application/json")


def takes_zstd(accepted: str) -> bool:
    """Whether an Accept-Encoding takes zstd (RFC 9110 12.5.3)."""
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
        server_time_ms=now_ms(),
        wanted_seq=wanted_seq,
    )
    return Response(problem.encode(), status, {PROTOCOL_HEADER: str(PROTOCOL)}, "application/problem+json")


def now_ms() -> int:
    """Head office's time, Unix milliseconds UTC."""
    return time.time_ns() // 1_000_000
