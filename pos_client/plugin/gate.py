"""What every request passes first: the Host of all of them; token, content type and size of those to the API."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import cast

from fastapi.responses import Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pos_client.plugin.problems import respond

MAX_BODY_BYTES = 1024 * 1024
"""Largest request body. A basket of 500 lines with every field filled is some 200 kB."""
OPENAPI_PATH = "/v1/openapi.json"
_OUR_HOST = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]{1,5})?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call. `id` is public."""

    id: str


OURSELVES = Caller("spaarpunt")
"""Whoever has the token of the till's plugin.token file."""


def caller_of(scope: Scope) -> Caller:
    """Who makes the call with this scope, as the gate found."""
    return cast(Caller, scope["state"]["caller"])


class Gate:
    """ASGI middleware around the whole application, screen and WebSockets included.

    The Host check is what stops DNS rebinding: a page of a stranger's site whose name was pointed at 127.0.0.1 still
    sends its own name. The token and `application/json` stop the pages that send requests here without reading answers.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if refusal := self._refuse(scope, headers):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
            else:
                await refusal(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = OURSELVES
        await self._app(scope, _limited(receive) if _is_api(scope["path"]) else receive, send)

    def _refuse(self, scope: Scope, headers: Headers) -> Response | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not _OUR_HOST.fullmatch(hosts[0]):
            return respond(
                "bad_host", "expected the Host 127.0.0.1 or localhost: this till answers to its own machine only"
            )
        if not _is_api(scope["path"]) or (scope["path"] == OPENAPI_PATH and scope.get("method") == "GET"):
            return None
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not secrets.compare_digest(given.strip().encode("latin-1"), self._token):
            return respond(
                "unauthorized",
                "expected 'Authorization: Bearer TOKEN' with the token from the till's plugin.token file",
                headers={"WWW-Authenticate": "Bearer"},
            )
        length = headers.get("content-length", "0")
        has_body = length != "0" or "transfer-encoding" in headers
        if has_body and headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return respond("wrong_content_type", "expected a body with Content-Type: application/json")
        if not (length.isascii() and length.isdigit() and int(length) <= MAX_BODY_BYTES):
            return respond("too_large", _TOO_LARGE)
        return None


_TOO_LARGE = f"expected a body of at most {MAX_BODY_BYTES} bytes"


def _is_api(path: str) -> bool:
    return path == "/v1" or path.startswith("/v1/")


def _limited(receive: Receive) -> Receive:
    """`receive`, ending at `MAX_BODY_BYTES`: a chunked body states no length beforehand."""
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > MAX_BODY_BYTES:
                raise HTTPException(413, _TOO_LARGE)
        return message

    return limited
