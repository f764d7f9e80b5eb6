"""The calls of the API as values: what is sent where, and what it answers. Shared by both clients; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote as in_path

from loyalty.basket import Basket
from loyalty.serving import Tender
from pos_client.plugin.messages import Answer, BookedAnswer, ExchangedAnswer, PrintedAnswer, QuoteAnswer
from pos_client.plugin.messages_manager import (
    Adjust,
    AdjustedAnswer,
    Approved,
    Decide,
    DecidedAnswer,
    InboxAnswer,
    OrderCard,
)
from pos_client.plugin.messages_pair import HelloAnswer, Pair, PairAnswer, TokenAnswer
from pos_client.plugin.messages_till import StatusAnswer, SyncAnswer

A = TypeVar("A", bound=Answer)
TIMEOUT_S = 10.0
"""A call takes milliseconds; a disk that needs longer than this is failing."""
SYNC_TIMEOUT_S = 900.0
"""A day's queue over a bad mobile line."""
PRINT_TIMEOUT_S = 60.0
"""Longer than the till waits for a printer that takes no data."""


@dataclass(frozen=True, slots=True)
class Call(Generic[A]):
    """One call. Seconds."""

    answer: type[A]
    method: str
    path: str
    body: dict[str, Any] | None = None
    timeout_s: float = TIMEOUT_S
    once: bool = False
    """A second time would not do the same, so the call has an Idempotency-Key. The others need none, and the till no
    write to its disk to remember them."""


def hello() -> Call[HelloAnswer]:
    """Who is there."""
    return Call(HelloAnswer, "GET", "/v1/hello")


def ask_to_pair(request: Pair) -> Call[PairAnswer]:
    """Ask for a code on the cashier's screen."""
    return Call(PairAnswer, "POST", "/v1/pair", request.model_dump(mode="json", exclude_none=True))


def pair(code: str) -> Call[PairAnswer]:
    """Take the token with that code."""
    return Call(PairAnswer, "POST", "/v1/pair", {"code": code})


def open_session(session: str | None, cashier: str | None) -> Call[QuoteAnswer]:
    """Start a sale."""
    asked = {"id": session, "cashier": cashier}
    given = {name: value for name, value in asked.items() if value is not None}
    return Call(QuoteAnswer, "POST", "/v1/sessions", given, once=session is None)


def set_basket(session: str, basket: Basket, version: int | None) -> Call[QuoteAnswer]:
    """Put the whole basket."""
    body = basket.model_dump(mode="json") | ({} if version is None else {"version": version})
    return Call(QuoteAnswer, "PUT", _path(session, "basket"), body, once=version is not None)


def identify(session: str, card: str) -> Call[QuoteAnswer]:
    """Give the sale a card."""
    return Call(QuoteAnswer, "POST", _path(session, "identify"), {"card": card})


def enter_pin(session: str, pin: str) -> Call[QuoteAnswer]:
    """Prove the card by the member's PIN."""
    return Call(QuoteAnswer, "POST", _path(session, "pin"), {"pin": pin})


def quote(session: str) -> Call[QuoteAnswer]:
    """What the sale comes to."""
    return Call(QuoteAnswer, "POST", _path(session, "quote"))


def redeem(session: str, reward: str, amount_minor: int | None) -> Call[QuoteAnswer]:
    """Take a reward."""
    body = {"reward": reward} | ({} if amount_minor is None else {"amount_minor": amount_minor})
    return Call(QuoteAnswer, "POST", _path(session, "redeem"), body, once=True)


def unredeem(session: str, reward: str) -> Call[QuoteAnswer]:
    """Take a chosen reward off again."""
    return Call(QuoteAnswer, "DELETE", _path(session, "redeem") + f"/{in_path(reward, safe='')}", once=True)


def use_coupon(session: str, code: str) -> Call[QuoteAnswer]:
    """Take a coupon."""
    return Call(QuoteAnswer, "POST", _path(session, "coupons"), {"code": code}, once=True)


def tender(session: str, kind: Tender) -> Call[QuoteAnswer]:
    """The customer begins to pay."""
    return Call(QuoteAnswer, "POST", _path(session, "tender"), {"kind": kind.value})


def commit(session: str) -> Call[BookedAnswer]:
    """Book the sale."""
    return Call(BookedAnswer, "POST", _path(session, "commit"), once=True)


def void(session: str) -> Call[BookedAnswer]:
    """Drop or reverse it."""
    return Call(BookedAnswer, "POST", _path(session, "void"), once=True)


def adjust(request: Adjust) -> Call[AdjustedAnswer]:
    """Give or take points."""
    return Call(AdjustedAnswer, "POST", "/v1/adjustments", _body(request), once=True)


def order_card(request: OrderCard) -> Call[AdjustedAnswer]:
    """Block a card, let it in again, or replace it."""
    return Call(AdjustedAnswer, "POST", "/v1/cards", _body(request), once=True)


def inbox(everything: bool) -> Call[InboxAnswer]:
    """What head office did not book."""
    return Call(InboxAnswer, "GET", f"/v1/inbox?everything={str(everything).lower()}")


def decide(number: int, request: Decide) -> Call[DecidedAnswer]:
    """Decide about a parked entry."""
    return Call(DecidedAnswer, "POST", f"/v1/inbox/{number}", _body(request), once=True)


def return_goods(return_id: str, sale: str, lines: Mapping[str, int]) -> Call[BookedAnswer]:
    """Take goods back."""
    body = {"id": return_id, "sale": sale, "lines": _lines(lines)}
    return Call(BookedAnswer, "POST", "/v1/returns", body, once=True)


def exchange(session: str, sale: str, lines: Mapping[str, int]) -> Call[ExchangedAnswer]:
    """Take goods back and book the open session."""
    body = {"session": session, "sale": sale, "lines": _lines(lines)}
    return Call(ExchangedAnswer, "POST", "/v1/exchanges", body, once=True)


def print_receipt(receipt: str) -> Call[PrintedAnswer]:
    """Print a receipt."""
    path = f"/v1/receipts/{in_path(receipt, safe='')}/print"
    return Call(PrintedAnswer, "POST", path, timeout_s=PRINT_TIMEOUT_S, once=True)


def revoke_token(token_id: str) -> Call[TokenAnswer]:
    """Refuse a program's token."""
    return Call(TokenAnswer, "DELETE", f"/v1/tokens/{in_path(token_id, safe='')}", once=True)


def status() -> Call[StatusAnswer]:
    """How the till is doing."""
    return Call(StatusAnswer, "GET", "/v1/status")


def sync(nightly: bool) -> Call[SyncAnswer]:
    """Exchange with head office."""
    return Call(SyncAnswer, "POST", "/v1/sync", {"nightly": nightly}, SYNC_TIMEOUT_S)


def _body(request: Approved) -> dict[str, Any]:
    """What is sent: the PIN as it is, which a model shows to nobody."""
    return {**request.model_dump(mode="json", exclude_none=True), "pin": request.pin.get_secret_value()}


def _lines(lines: Mapping[str, int]) -> list[dict[str, str | int]]:
    return [{"line_id": line, "quantity": quantity} for line, quantity in lines.items()]


def _path(session: str, call: str) -> str:
    return f"/v1/sessions/{in_path(session, safe='')}/{call}"
