"""The calls before and about pairing: who is there, a token for a code, which tokens there are."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from pos_client import __version__
from pos_client.pairing import CODE_S
from pos_client.plugin.answers import at
from pos_client.plugin.gate import HELLO_PATH, PAIR_PATH
from pos_client.plugin.messages_pair import HelloAnswer, Pair, PairAnswer, TokenAnswer, TokensAnswer
from pos_client.plugin.once import Claimed, Once
from pos_client.plugin.sales import Running
from pos_client.tokens import Caller

strangers = APIRouter(tags=["pairing"])
"""Without Idempotency-Key: a token is kept nowhere, so it cannot be answered again. Whoever lost one pairs again."""
router = APIRouter(prefix="/v1/tokens", tags=["pairing"], route_class=Once)


@strangers.get(HELLO_PATH)
def hello(runtime: Running) -> HelloAnswer:
    """Say who is there. Needs no token."""
    return HelloAnswer(
        software=f"spaarpunt/{__version__}", till=runtime.config.till.name, store=runtime.terminal.store_name
    )


@strangers.post(PAIR_PATH, responses={202: {"model": PairAnswer, "description": "The cashier's screen shows a code"}})
def pair(runtime: Running, request: Request, response: Response, body: Pair) -> PairAnswer:
    """Ask for a code on the cashier's screen, and then, with that code, for a token. Needs no token.

    The token is told once. It is kept nowhere but with you: this till keeps its hash.
    """
    page = request.headers.get("origin")
    if body.code is None:
        runtime.pairing.ask(body.name or "", frozenset(body.scopes), page or body.origin)
        response.status_code = 202
        return PairAnswer(state="shown", expires_s=CODE_S)
    caller, token = runtime.pairing.finish(body.code, page)
    return PairAnswer(state="paired", token=token, of=_answer(caller))


@router.get("")
def tokens(runtime: Running) -> TokensAnswer:
    """List the programs that were paired; the tokens themselves are known to nobody here."""
    return TokensAnswer(tokens=tuple(map(_answer, runtime.tokens.all())))


@router.delete("/{token}")
def revoke(runtime: Running, claim: Claimed, token: str) -> TokenAnswer:
    """Refuse a program's token from now on; its event streams end. Again changes nothing."""
    return _answer(runtime.tokens.revoke(token))


def _answer(caller: Caller) -> TokenAnswer:
    made = at(caller.made_ms)
    return TokenAnswer(
        id=caller.id,
        name=caller.name,
        scopes=tuple(sorted(caller.scopes)),
        origin=caller.origin,
        made_at=made,
        revoked_at=at(caller.revoked_ms),
    )
