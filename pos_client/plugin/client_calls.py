"""The calls of the API as values: what is sent where, and what it answers. Both clients' methods are these; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote as in_path

from loyalty.basket import Basket
from loyalty.serving import Tender
from pos_client.plugin.messages import (
    Answer,
    BalanceAnswer,
    BookedAnswer,
    ExchangedAnswer,
    PrintedAnswer,
    QuoteAnswer,
    ReceiptAnswer,
)
from pos_client.plugin.messages_manager import (
    Adjust,
    AdjustedAnswer,
    Approved,
    Decide,
    DecidedAnswer,
    InboxAnswer,
    OrderCard,
)
from pos_client.plugin.messages_pair import HelloAnswer, Pair, PairAnswer, TokenAnswer, TokensAnswer
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
    """Who is there. Needs no token."""
    return Call(HelloAnswer, "GET", "/v1/hello")


def ask_to_pair(request: Pair) -> Call[PairAnswer]:
    """Ask for a token: the cashier's screen shows a code, which `pair` takes. Needs no token."""
    return Call(PairAnswer, "POST", "/v1/pair", request.model_dump(mode="json", exclude_none=True))


def take_token(code: str) -> Call[PairAnswer]:
    """Take the token with the code on the screen."""
    return Call(PairAnswer, "POST", "/v1/pair", {"code": code})


def tokens() -> Call[TokensAnswer]:
    """The programs that were paired."""
    return Call(TokensAnswer, "GET", "/v1/tokens")


def revoke_token(token_id: str) -> Call[TokenAnswer]:
    """Refuse a paired program's token from now on."""
    return Call(TokenAnswer, "DELETE", f"/v1/tokens/{in_path(token_id, safe='')}", once=True)


def open_session(session: str | None = None, cashier: str | None = None) -> Call[QuoteAnswer]:
    """Start a sale; with an id of one's own, the same id again is the same session. `cashier`: who serves."""
    asked = {"id": session, "cashier": cashier}
    return Call(QuoteAnswer, "POST", "/v1/sessions", _given(asked), once=session is None)


def set_basket(session: str, basket: Basket, version: int) -> Call[QuoteAnswer]:
    """Put the whole basket as it is now.

    Args:
        version: the `basket_version` of the quote that this basket was made from, 0 for the first.
    """
    body = basket.model_dump(mode="json") | {"version": version}
    return Call(QuoteAnswer, "PUT", _path(session, "basket"), body)


def identify(session: str, card: str) -> Call[QuoteAnswer]:
    """Give the sale a card by its number."""
    return Call(QuoteAnswer, "POST", _path(session, "identify"), {"card": card})


def enter_pin(session: str, pin: str) -> Call[QuoteAnswer]:
    """Prove the card by the member's PIN."""
    return Call(QuoteAnswer, "POST", _path(session, "pin"), {"pin": pin})


def quote(session: str) -> Call[QuoteAnswer]:
    """What the sale comes to now."""
    return Call(QuoteAnswer, "POST", _path(session, "quote"))


def redeem(session: str, reward: str, amount_minor: int | None = None) -> Call[QuoteAnswer]:
    """Take a reward.

    Args:
        amount_minor: for points as part payment, what is paid with them; one step when None.
    """
    asked = {"reward": reward, "amount_minor": amount_minor}
    return Call(QuoteAnswer, "POST", _path(session, "redeem"), _given(asked), once=True)


def unredeem(session: str, reward: str) -> Call[QuoteAnswer]:
    """Take a chosen reward off the sale again."""
    return Call(QuoteAnswer, "DELETE", _path(session, "redeem") + f"/{in_path(reward, safe='')}", once=True)


def use_coupon(session: str, code: str) -> Call[QuoteAnswer]:
    """Take the coupon with this single-use code."""
    return Call(QuoteAnswer, "POST", _path(session, "coupons"), {"code": code}, once=True)


def tender(session: str, kind: Tender) -> Call[QuoteAnswer]:
    """Say that the customer begins to pay."""
    return Call(QuoteAnswer, "POST", _path(session, "tender"), {"kind": kind.value})


def commit(session: str) -> Call[BookedAnswer]:
    """Book the sale."""
    return Call(BookedAnswer, "POST", _path(session, "commit"), once=True)


def void(session: str) -> Call[BookedAnswer]:
    """Drop an open sale, or reverse a booked one."""
    return Call(BookedAnswer, "POST", _path(session, "void"), once=True)


def return_goods(return_id: str, sale: str, lines: Mapping[str, int]) -> Call[BookedAnswer]:
    """Take goods back from a sale: thousandths by line id."""
    body = {"id": return_id, "sale": sale, "lines": _lines(lines)}
    return Call(BookedAnswer, "POST", "/v1/returns", body, once=True)


def exchange(session: str, sale: str, lines: Mapping[str, int]) -> Call[ExchangedAnswer]:
    """Take goods back from `sale`, thousandths by line id, and book the open `session` in one."""
    body = {"session": session, "sale": sale, "lines": _lines(lines)}
    return Call(ExchangedAnswer, "POST", "/v1/exchanges", body, once=True)


def attach_late(
    receipt: str, card: str, basket: Basket, cashier: str | None = None, kind: Tender | None = None
) -> Call[BookedAnswer]:
    """Book a sale that was paid while the till did not answer, by your receipt's number."""
    asked = {"receipt": receipt, "card": card, "cashier": cashier, "tender": kind.value if kind else None}
    return Call(BookedAnswer, "POST", "/v1/late", basket.model_dump(mode="json") | _given(asked), once=True)


def balance(card: str) -> Call[BalanceAnswer]:
    """What the holder of a card has, by its number."""
    return Call(BalanceAnswer, "GET", f"/v1/members/{in_path(card, safe='')}/balance")


def receipt(number: str) -> Call[ReceiptAnswer]:
    """A receipt of this till as text, by the number on it or its entry's id."""
    return Call(ReceiptAnswer, "GET", f"/v1/receipts/{in_path(number, safe='')}?form=json")


def print_receipt(number: str) -> Call[PrintedAnswer]:
    """Print a receipt of this till, by the number on it or its entry's id; waits until it is on paper."""
    path = f"/v1/receipts/{in_path(number, safe='')}/print"
    return Call(PrintedAnswer, "POST", path, timeout_s=PRINT_TIMEOUT_S, once=True)


def adjust(request: Adjust) -> Call[AdjustedAnswer]:
    """Give or take points on a manager's word."""
    return Call(AdjustedAnswer, "POST", "/v1/adjustments", _body(request), once=True)


def order_card(request: OrderCard) -> Call[AdjustedAnswer]:
    """Block a card, let it in again, or replace it, on a manager's word."""
    return Call(AdjustedAnswer, "POST", "/v1/cards", _body(request), once=True)


def inbox(*, everything: bool = False) -> Call[InboxAnswer]:
    """What head office did not book in this store."""
    return Call(InboxAnswer, "GET", f"/v1/inbox?everything={str(everything).lower()}")


def decide(number: int, request: Decide) -> Call[DecidedAnswer]:
    """Decide about a parked entry."""
    return Call(DecidedAnswer, "POST", f"/v1/inbox/{number}", _body(request), once=True)


def status() -> Call[StatusAnswer]:
    """How the till is doing."""
    return Call(StatusAnswer, "GET", "/v1/status")


def sync(*, nightly: bool = False) -> Call[SyncAnswer]:
    """Exchange with head office now; `nightly` compares each open day as well."""
    return Call(SyncAnswer, "POST", "/v1/sync", {"nightly": nightly}, SYNC_TIMEOUT_S)


def _given(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if value is not None}


def _body(request: Approved) -> dict[str, Any]:
    """What is sent: the PIN as it is, which a model shows to nobody."""
    return {**request.model_dump(mode="json", exclude_none=True), "pin": request.pin.get_secret_value()}


def _lines(lines: Mapping[str, int]) -> list[dict[str, str | int]]:
    return [{"line_id": line, "quantity": quantity} for line, quantity in lines.items()]


def _path(session: str, call: str) -> str:
    return f"/v1/sessions/{in_path(session, safe='')}/{call}"
