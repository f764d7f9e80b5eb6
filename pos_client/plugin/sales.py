"""The calls of a sale: each is one use case of the till, and answers what that came to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request

from loyalty.basket import Basket
from loyalty.ledger import Entry
from loyalty.serving import Serving
from pos_client.plugin.answers import booked_answer, quote_answer
from pos_client.plugin.messages import (
    AttachLate,
    BookedAnswer,
    EnterPin,
    Exchange,
    ExchangedAnswer,
    Identify,
    OpenSession,
    Pay,
    PutBasket,
    QuoteAnswer,
    Redeem,
    ReturnGoods,
    RewardId,
    SessionId,
    UseCoupon,
)
from pos_client.plugin.once import Claimed, Once, kept_with
from pos_client.runtime import Runtime
from pos_client.session import SessionState


async def runtime_of(request: Request) -> Runtime:
    """The till that this application serves."""
    return cast(Runtime, request.app.state.runtime)


Running = Annotated[Runtime, Depends(runtime_of)]
router = APIRouter(prefix="/v1/sessions", tags=["sale"], route_class=Once)
returns = APIRouter(prefix="/v1", tags=["sale"], route_class=Once)

# Plain `def`: these wait for the disk, so each runs on a worker thread and the event loop stays free.


@router.post("")
def open_session(runtime: Running, claim: Claimed, body: OpenSession | None = None) -> QuoteAnswer:
    """Start a sale. A card that was scanned just before goes with it; the same id again is the same session."""
    body = body or OpenSession()
    return quote_answer(runtime, runtime.till.open_session(body.id, body.cashier))


@router.put("/{session}/basket")
def set_basket(runtime: Running, claim: Claimed, session: SessionId, body: PutBasket) -> QuoteAnswer:
    """Put the whole basket as it is now, in place of version `version` of it; `basket_stale` brings a newer one.

    The same basket in place of the same version is the same put: it is safe to repeat, and changes nothing.
    """
    basket = Basket(currency=body.currency, lines=body.lines)
    return quote_answer(runtime, runtime.till.set_basket(session, basket, body.version))


@router.post("/{session}/identify")
def identify(runtime: Running, claim: Claimed, session: SessionId, body: Identify) -> QuoteAnswer:
    """Give the sale a loyalty card by its number. Another card takes off the rewards chosen for the first."""
    return quote_answer(runtime, runtime.till.identify(session, body.card))


@router.post("/{session}/pin")
def enter_pin(runtime: Running, claim: Claimed, session: SessionId, body: EnterPin) -> QuoteAnswer:
    """Prove the card by the member's PIN, where the programme lets members spend by it. Works with no line."""
    return quote_answer(runtime, runtime.till.enter_pin(session, body.pin.get_secret_value()))


@router.post("/{session}/quote")
def quote(runtime: Running, claim: Claimed, session: SessionId) -> QuoteAnswer:
    """Say what the sale comes to now. Changes nothing."""
    return quote_answer(runtime, runtime.till.quote(session))


@router.post("/{session}/redeem")
def redeem(runtime: Running, claim: Claimed, session: SessionId, body: Redeem) -> QuoteAnswer:
    """Take a reward on this sale. Its points are spent when the sale is committed."""
    return quote_answer(runtime, runtime.till.redeem(session, body.reward, body.amount_minor))


@router.delete("/{session}/redeem/{reward}")
def unredeem(runtime: Running, claim: Claimed, session: SessionId, reward: RewardId) -> QuoteAnswer:
    """Take a chosen reward off this sale again, the last one of its kind. One that is not chosen changes nothing."""
    return quote_answer(runtime, runtime.till.unredeem(session, reward))


@router.post("/{session}/coupons")
def use_coupon(runtime: Running, claim: Claimed, session: SessionId, body: UseCoupon) -> QuoteAnswer:
    """Take the coupon with this single-use code on this sale. It is used up when the sale is committed."""
    return quote_answer(runtime, runtime.till.use_coupon(session, body.code))


@router.post("/{session}/tender")
def tender(runtime: Running, claim: Claimed, session: SessionId, body: Pay) -> QuoteAnswer:
    """Say that the customer begins to pay. A card put on the sale after this is one of the manager's hints."""
    return quote_answer(runtime, runtime.till.tender(session, body.kind))


@router.post("/{session}/commit")
def commit(runtime: Running, session: SessionId, claim: Claimed) -> BookedAnswer:
    """Book the sale: when this answers, it is on the disk. Asking again answers the same entry."""

    def answer(entries: Sequence[Entry]) -> BookedAnswer:
        return booked_answer(runtime, session, SessionState.BOOKED, entries[0])

    return answer([runtime.till.bookings.commit(session, kept_with(claim, answer)).entry])


@router.post("/{session}/void")
def void(runtime: Running, session: SessionId, claim: Claimed) -> BookedAnswer:
    """Drop an open sale, or reverse a booked one by an entry of its own. Asking again changes nothing."""

    def answer(entries: Sequence[Entry]) -> BookedAnswer:
        return booked_answer(runtime, session, SessionState.VOIDED, entries[0] if entries else None)

    booked = runtime.till.bookings.void(session, kept_with(claim, answer))
    return answer([booked.entry] if booked else [])


@returns.post("/returns")
def return_goods(runtime: Running, body: ReturnGoods, claim: Claimed) -> BookedAnswer:
    """Take goods back from a sale booked at this till, with the points that it earned then. Again: the same return."""
    back = {line.line_id: line.quantity for line in body.lines}

    def answer(entries: Sequence[Entry]) -> BookedAnswer:
        return booked_answer(runtime, body.id, SessionState.BOOKED, entries[0])

    returned = runtime.till.corrections.return_goods(body.id, body.sale, back, kept_with(claim, answer))
    return answer([returned.entry])


@returns.post("/late")
def attach_late(runtime: Running, body: AttachLate, claim: Claimed) -> BookedAnswer:
    """Book a sale that was paid while this till did not answer, by its receipt. It earns; the entry is flagged."""

    def answer(entries: Sequence[Entry]) -> BookedAnswer:
        return booked_answer(runtime, body.receipt, SessionState.BOOKED, entries[0])

    basket = Basket(currency=body.currency, lines=body.lines)
    serving = Serving(cashier=body.cashier, tender=body.tender)
    booked = runtime.till.corrections.attach_late(body.receipt, body.card, basket, serving, kept_with(claim, answer))
    return answer([booked.entry])


@returns.post("/exchanges")
def exchange(runtime: Running, body: Exchange, claim: Claimed) -> ExchangedAnswer:
    """Take goods back and book the open sale in one: both are on the disk, or neither. Again: the same exchange."""
    back = {line.line_id: line.quantity for line in body.lines}

    def answer(entries: Sequence[Entry]) -> ExchangedAnswer:
        returned, sale = (booked_answer(runtime, body.session, SessionState.BOOKED, entry) for entry in entries)
        return ExchangedAnswer(returned=returned, sale=sale)

    done = runtime.till.bookings.exchange(body.session, body.sale, back, kept_with(claim, answer))
    return answer([booked.entry for booked in done])
