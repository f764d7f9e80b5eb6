"""What every request passes first: Host and Origin of all of them; token, rate, type and size of those to the API."""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from fastapi.responses import Response
from fastapi.security import HTTPBearer
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pos_client.plugin.problems import respond
from pos_client.plugin.rate import Buckets
from pos_client.plugin.standing import CONFIRMED, STANDING, Standing
from pos_client.reckoning import TillError
from pos_client.tokens import OURSELVES, Caller, Tokens
from pos_client.tokens import Scope as Allowed

MAX_BODY_BYTES = 1024 * 1024
"""Largest request body. A basket of 500 lines with every field filled is some 200 kB."""
OPENAPI_PATH = "/v1/openapi.json"
HELLO_PATH = "/v1/hello"
PAIR_PATH = "/v1/pair"
SUBPROTOCOL = "spaarpunt"
"""What a WebSocket of a page asks for, beside `bearer.TOKEN`: browsers let no page set a header of one."""
_BEARER = "bearer."
_OPEN = {("GET", OPENAPI_PATH), ("GET", HELLO_PATH), ("POST", PAIR_PATH)}
"""What strangers may call."""
_OUR_HOST = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]{1,5})?", re.IGNORECASE)
_PREFLIGHT_S = 600
"""How long a browser may remember that a page may call: a revoked token is found out by the call itself."""
_SAFE = {
    # Nobody else's page may take these in.
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why a call goes no further than the gate."""

    code: str
    detail: str
    headers: Mapping[str, str] | None = None

    def response(self) -> Response:
        """In the API's own words."""
        return respond(self.code, self.detail, headers=self.headers)


class Gate:
    """ASGI middleware around the whole application, screens and WebSockets included.

    The Host check is what stops DNS rebinding: a page of a stranger's site whose name was pointed at 127.0.0.1 still
    sends its own name. The Origin check keeps other sites' pages out of everything, the screens' own sockets too; the
    token and `application/json` stop those that send requests here without reading answers.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str,
        tokens: Tokens,
        buckets: Buckets,
        origins: Iterable[str],
        doors: Mapping[str, Iterable[str]],
        standing: Standing,
        tongues: Mapping[str, Callable[[str, str], Response]],
    ) -> None:
        """Let in whoever has a token, and named pages.

        Args:
            token: the till's own; paired ones are in `tokens`.
            origins: pages that may use the API beside those that were paired; those from this machine may also show the
                screen in a frame.
            doors: paths outside the API that other pages call, each with the origins of those; what else has to be
                true of them is checked there.
            standing: what every answer of the API says about head office.
            tongues: paths of the API that have words of their own for a refusal: from code and detail to a response.
        """
        self._app = app
        self._token = token.encode("ascii")
        self._tokens = tokens
        self._origins = frozenset(origins)
        self._doors = {path: frozenset(pages) for path, pages in doors.items()}
        self._buckets = buckets
        self._standing = standing
        self._tongues = tongues
        # In a stranger's frame a tap would be meant for another button; and browsers keep the screen's storage from it.
        self._framing = sorted(page for page in self._origins if _OUR_HOST.fullmatch(page.partition("//")[2]))
        frames = " ".join(["frame-ancestors 'self'", *self._framing])
        self._safe = _SAFE | {"content-security-policy": frames}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_api = _is_api(scope["path"])
        page = self._page(scope["path"], headers.get("origin"))
        sends = _adding(send, self._safe | (_readable_by(page) if page and is_api else {}))
        if is_api:
            sends = _stating(sends, self._standing)
        if response := self._refuse_place(scope, headers, page):
            await _answer(response, scope, receive, sends)
        elif not is_api:
            await self._app(scope, receive, sends)
        elif page and scope.get("method") == "OPTIONS" and "access-control-request-method" in headers:
            await _preflight(headers)(scope, receive, sends)
        else:
            caller, refusal = self._caller(scope, headers, page)
            if refused := refusal or _refuse_body(headers):
                say = self._tongues.get(scope["path"])
                response = say(refused.code, refused.detail) if say else refused.response()
                await _answer(response, scope, receive, sends)
                return
            scope.setdefault("state", {})["caller"] = caller
            await self._app(scope, _limited(receive), sends)

    def _page(self, path: str, origin: str | None) -> str | None:
        """The origin of another page that may call this path, when it is one that asks."""
        if _is_api(path):
            allowed = origin in self._origins or origin in self._tokens.origins()
        else:
            allowed = any(origin in pages for door, pages in self._doors.items() if path.startswith(f"{door}/"))
        return origin if allowed else None

    def _refuse_place(self, scope: Scope, headers: Headers, page: str | None) -> Response | None:
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not _OUR_HOST.fullmatch(hosts[0]):
            return respond(
                "bad_host", "expected the Host 127.0.0.1 or localhost: this till answers to its own machine only"
            )
        ours = f"http://{hosts[0].lower()}"
        if any(origin not in (ours, page) for origin in origins) or len(origins) > 1:
            return respond(
                "bad_origin", "this page may not use the till: name its origin in plugin.origins, or pair it"
            )
        if not origins and headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            # Another site's page, in one of the ways that carry no Origin: an image, a link to the screen, or a frame,
            # of which the browser shows those in the pages we name.
            shown = {"document", "iframe"} if self._framing else {"document"}
            link = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") in shown
            if _is_api(scope["path"]) or not link:
                return respond("bad_origin", "expected no request that another site's page makes")
        return None

    def _caller(self, scope: Scope, headers: Headers, page: str | None) -> tuple[Caller | None, _Refusal | None]:
        """Who calls, or why not."""
        text = _token_of(scope, headers)
        caller = OURSELVES if secrets.compare_digest(text, self._token) else self._tokens.find(text.decode("latin-1"))
        known = caller is not None and caller.revoked_ms is None
        if wait := self._buckets.wait_s(caller.id if caller is not None and known else None):
            return None, _Refusal(
                "rate_limited",
                "expected fewer calls: wait as long as Retry-After says",
                {"Retry-After": str(math.ceil(wait))},
            )
        if (scope.get("method"), scope["path"]) in _OPEN:
            return caller if known else None, None
        asks = {"WWW-Authenticate": "Bearer"}
        if caller is None:
            return None, _Refusal("unauthorized", "expected 'Authorization: Bearer TOKEN': pair first", asks)
        if not known:
            return None, _Refusal("token_revoked", "this token was revoked at the till: pair again", asks)
        if caller.origin != page and (caller.origin is not None or page not in self._origins):
            return None, _Refusal("bad_origin", "this token is of another page, or of none: pair this one")
        return caller, None


def caller_of(scope: Scope) -> Caller:
    """Who makes the call with this scope, as the gate found."""
    return cast(Caller, scope["state"]["caller"])


class Needs(HTTPBearer):
    """A dependency of calls that take a token with this scope; makes the token known to OpenAPI.

    The gate checks the token, before a body is read; the call raises:
        TillError: `scope_missing`.
    """

    def __init__(self, allowed: Allowed) -> None:
        super().__init__()
        self.scheme_name = HTTPBearer.__name__
        self._allowed = allowed

    async def __call__(self, request: HTTPConnection) -> None:  # a plain function would cost a worker thread
        expect_scope(caller_of(request.scope), self._allowed)


def expect_scope(caller: Caller, allowed: Allowed) -> None:
    """Check that a caller may do this.

    Raises:
        TillError: `scope_missing`.
    """
    if allowed not in caller.scopes:
        raise TillError("scope_missing", f"this token may not do that: pair again and ask for the scope '{allowed}'")


def _token_of(scope: Scope, headers: Headers) -> bytes:
    kind, _, given = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return given.strip().encode("latin-1")
    if scope["type"] == "websocket":
        for name in scope.get("subprotocols", []):
            if name.startswith(_BEARER):
                return cast(str, name).removeprefix(_BEARER).encode("latin-1", "replace")
    return b""


def _refuse_body(headers: Headers) -> _Refusal | None:
    length = headers.get("content-length", "0")
    has_body = length != "0" or "transfer-encoding" in headers
    if has_body and headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return _Refusal("wrong_content_type", "expected a body with Content-Type: application/json")
    if not (length.isascii() and length.isdigit() and int(length) <= MAX_BODY_BYTES):
        return _Refusal("too_large", _TOO_LARGE)
    return None


_TOO_LARGE = f"expected a body of at most {MAX_BODY_BYTES} bytes"


def _is_api(path: str) -> bool:
    return path == "/v1" or path.startswith("/v1/")


def _readable_by(page: str) -> dict[str, str]:
    """The CORS headers that let a page of this origin, and no other, read the answer (Fetch Standard, 3.2)."""
    return {
        "access-control-allow-origin": page,
        "access-control-expose-headers": f"Idempotent-Replayed, Retry-After, {CONFIRMED}, {STANDING}, WWW-Authenticate",
        "vary": "Origin",
    }


def _preflight(headers: Headers) -> Response:
    allowed = {
        "access-control-allow-methods": "GET, POST, PUT, DELETE",
        "access-control-allow-headers": "authorization, content-type, idempotency-key, last-event-id",
        "access-control-max-age": str(_PREFLIGHT_S),
    }
    # Chromium before 142, and what is built on it, asks this of a machine's own servers (Private Network Access).
    if headers.get("access-control-request-private-network") == "true":
        allowed["access-control-allow-private-network"] = "true"
    return Response(status_code=204, headers=allowed)


async def _answer(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
        return
    await response(scope, receive, send)


def _adding(send: Send, extra: Mapping[str, str]) -> Send:
    """`send`, with headers added to the answer."""

    async def adding(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            for name, value in extra.items():
                headers[name] = value
        await send(message)

    return adding


def _stating(send: Send, standing: Standing) -> Send:
    """`send`, with how far it is confirmed added to an answer that is no refusal."""

    async def stating(message: Message) -> None:
        if message["type"] == "websocket.accept" or (
            message["type"] == "http.response.start" and message["status"] < 300
        ):
            MutableHeaders(scope=message)[STANDING] = await standing.now()
        await send(message)

    return stating


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
