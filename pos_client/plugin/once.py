"""Idempotency-Key on every call that writes: carried out once, answered the same each time."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any, cast

from fastapi import Depends, Header, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from loyalty.ledger import Entry
from pos_client.plugin.answered import MAX_KEY, Answered, Claim, KeyReused, KeyUnderWay
from pos_client.plugin.call import Call
from pos_client.plugin.gate import caller_of
from pos_client.plugin.messages import Answer
from pos_client.plugin.problems import respond
from sync.journal import Also

REPLAYED = "Idempotent-Replayed"
"""The header of an answer that was given before."""
_KEY = re.compile(rf'"?([!#-~]{{1,{MAX_KEY}}})"?')  # a structured string (RFC 8941), or the same without quotes
_READS = frozenset({"GET", "HEAD"})


class Once(Call):
    """A call that is carried out once for each Idempotency-Key. Without the header it is a call as any other."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The call with its key looked after."""
        carry_out = super().get_route_handler()

        async def once(request: Request) -> Response:
            text = request.headers.get("idempotency-key")
            if text is None or request.method in _READS:
                return await carry_out(request)
            key = _KEY.fullmatch(text)
            if key is None:
                return respond(
                    "invalid_request", f"expected an Idempotency-Key of 1 to {MAX_KEY} visible ASCII characters"
                )
            desk = cast(Answered, request.app.state.answered)
            asked = f"{request.method} {request.url.path}?{request.url.query}\n".encode() + await request.body()
            try:
                claim = await run_in_threadpool(desk.claim, caller_of(request.scope).id, key[1], asked)
            except KeyReused:
                return respond(
                    "idempotency_key_reused", "this Idempotency-Key came before with another request: take a new one"
                )
            except KeyUnderWay:
                return respond(
                    "idempotency_key_under_way",
                    "the request with this Idempotency-Key is being carried out: ask again with the same key",
                    headers={"Retry-After": "1"},
                )
            try:
                if claim.kept is not None:
                    return _answer(claim, {REPLAYED: "true"})
                request.state.claim = claim
                response = await carry_out(request)
                if response.status_code < 300 and claim.kept is None:
                    await run_in_threadpool(claim.keep, response.status_code, bytes(response.body))
                return response if claim.kept is None else _answer(claim, {})
            finally:
                claim.release()

        return once


def _answer(claim: Claim, headers: dict[str, str]) -> Response:
    assert claim.kept is not None
    return Response(claim.kept.body, claim.kept.status, headers, "application/json")


async def _claim_of(
    request: Request, idempotency_key: Annotated[str | None, Header(max_length=MAX_KEY + 2)] = None
) -> Claim | None:
    """The header is named here for OpenAPI; `Once` has read it by now."""
    return getattr(request.state, "claim", None)


Claimed = Annotated[Claim | None, Depends(_claim_of)]


def kept_with(claim: Claim | None, answer: Callable[[Sequence[Entry]], Answer]) -> Also | None:
    """What keeps the answer to a booking in the booking's own transaction: killed right after it, we answer the same.

    Args:
        answer: what is answered, from the entries booked.
    """
    if claim is None:
        return None

    def keep(connection: Any, entries: Sequence[Entry]) -> None:
        claim.keep(200, answer(entries).model_dump_json().encode(), connection)

    return keep
