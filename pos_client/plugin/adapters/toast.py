"""A loyalty endpoint in the shape of Toast's Loyalty Integration API: one POST, told apart by its headers.

A check is one ticket: REDEEM books all of it, ACCRUE books it when nothing was redeemed. A transaction sent again, by
its GUID, answers what it booked, also after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import Response as HttpResponse
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from loyalty.basket import Basket, Line
from loyalty.credentials import CredentialRefused
from loyalty.errors import BasketError, CardFormatError, LoyaltyError, RewardRefused
from loyalty.programme_rewards import kind_of
from loyalty.redemption import Choice
from pos_client.i18n import translator
from pos_client.office.lookup import Kind, Lookup
from pos_client.plugin.adapters.tickets import Looked, Tickets, major, minor
from pos_client.plugin.adapters.toast_messages import (
    Account,
    Check,
    CheckInformation,
    CheckResponse,
    Criteria,
    Offer,
    Redemption,
    Rejected,
    Response,
    ReverseInformation,
    SearchResponse,
    Selection,
    Status,
    Transaction,
    TransactionType,
)
from pos_client.plugin.answered import Answered
from pos_client.plugin.gate import Needs
from pos_client.plugin.problems import explain
from pos_client.reckoning import TillError
from pos_client.runtime import Runtime
from pos_client.session import Booked
from pos_client.tokens import Scope
from sync.errors import SyncError
from sync.mirror import Holder

log = structlog.get_logger("spaarpunt.toast")

PATH = "/v1/adapters/toast"
DISCOUNTS = frozenset({"amount_off", "percent_off", "free_item", "pay_with_points"})
"""Kinds of reward that take money off a check: the others are printed or paid out, which Toast has no word for."""
_HTTP = {Status.ACCEPT: 200, Status.ACCOUNT: 404, Status.FAULT: 500}
_CODES = {
    "unauthorized": Status.TOKEN,
    "token_revoked": Status.TOKEN,
    "scope_missing": Status.TOKEN,
    "bad_origin": Status.TOKEN,
    "wrong_content_type": Status.INPUT,
    "too_large": Status.INPUT,
    "payment_card": Status.ACCOUNT,
    "card_blocked": Status.ACCOUNT,
    "other_member": Status.ACCOUNT,
    "not_found": Status.ACCOUNT,
    "ticket_taken": Status.INPUT,
    "transaction_undone": Status.INPUT,
    "unknown_transaction": Status.UNKNOWN,
    "sale_returned": Status.REVERSAL,
}
"""Codes of the till that Toast has a word for. Others are faults of ours, answered as such: Toast sends it again."""


class _InToastsWords(APIRoute):
    """A call whose every refusal is one of Toast's."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, HttpResponse]]:
        """The call, with what it raises put into words."""
        carry_out = super().get_route_handler()

        async def said(request: Request) -> HttpResponse:
            try:
                return await carry_out(request)
            except (LoyaltyError, SyncError) as error:
                return refuse(*explain(error))
            except HTTPException as error:
                return refuse("too_large", str(error.detail))  # which is found out while the body is read

        return said


class Toast:
    """The use cases, message by message. Times and amounts as in `toast_messages`."""

    def __init__(self, runtime: Runtime, answered: Answered) -> None:
        self._runtime = runtime
        self._tickets = Tickets(runtime, answered, "toast")
        self._lookup = Lookup(runtime.store, runtime.terminal.card_key, runtime.config.card_formats)

    def answer(self, transaction: Transaction, guid: UUID) -> Response:
        """What a transaction comes to.

        Raises:
            TillError, SyncError: what is no fault of the caller: no programme yet, a full disk.
        """
        try:
            return self._answer(transaction, guid)
        except (CardFormatError, CredentialRefused):
            return Response(transactionStatus=Status.ACCOUNT)
        except (BasketError, ValidationError):
            return Response(transactionStatus=Status.INPUT)
        except TillError as error:
            if error.code not in _CODES:
                raise
            return Response(transactionStatus=_CODES[error.code])

    def _answer(self, transaction: Transaction, guid: UUID) -> Response:
        if transaction.type is TransactionType.SEARCH and transaction.search:
            return self._search(transaction.search.criteria)
        if transaction.type is TransactionType.REVERSE and transaction.reverse:
            return self._reverse(transaction.reverse)
        assert transaction.about is not None  # every other type has it: Transaction checks
        if transaction.type is TransactionType.REDEEM:
            return self._redeem(transaction.about, guid)
        if transaction.type is TransactionType.ACCRUE:
            return self._accrue(transaction.about, guid)
        return self._inquire(transaction.about)

    def _search(self, criteria: Criteria) -> Response:
        found: dict[str, Holder] = {}
        for text in filter(None, (criteria.phone, criteria.email)):
            finding = self._lookup.find(text)
            if finding.kind is not Kind.RECEIPT:
                found |= {person.holder.card: person.holder for person in finding.people if person.holder.known}
        if not found:
            return Response(transactionStatus=Status.ACCOUNT)
        accounts = tuple(self._account(holder) for holder in found.values())
        return Response(transactionStatus=Status.ACCEPT, searchResponse=SearchResponse(accounts=accounts))

    def _inquire(self, about: CheckInformation) -> Response:
        wanted = about.redemptions or ()
        looked = self._tickets.look(about.member, self._basket(about.check, before=True), _choices(wanted))
        return self._looked(looked, wanted)

    def _redeem(self, about: CheckInformation, guid: UUID) -> Response:
        wanted, basket = about.redemptions or (), self._basket(about.check, before=True)
        if not wanted:
            return self._looked(self._tickets.look(about.member, basket), ())
        try:
            booked = self._tickets.spend(str(guid), str(about.check.guid), about.member, basket, _choices(wanted))
        except RewardRefused:
            # One that cannot be given refuses them all; this says which. The till asks again with what is left.
            return self._looked(self._tickets.look(about.member, basket, _choices(wanted)), wanted)
        except TillError as error:
            if error.code != "ticket_taken":
                raise
            looked = self._tickets.look(about.member, basket)
            refused = tuple(Rejected(redemption=each, message=str(error)) for each in wanted)
            return self._checked(looked.quote.holder, "", rejectedRedemptions=refused)
        return self._booked(booked, wanted)

    def _accrue(self, about: CheckInformation, guid: UUID) -> Response:
        basket = self._basket(about.check, before=False)
        return self._booked(self._tickets.earn(str(guid), str(about.check.guid), about.member, basket), ())

    def _reverse(self, reverse: ReverseInformation) -> Response:
        if reverse.redemptions is not None:
            taken = self._tickets.taken(str(reverse.transaction))
            if sorted(taken) != sorted(each.identifier for each in reverse.redemptions):
                return Response(transactionStatus=Status.REVERSAL)
        self._tickets.undo(str(reverse.transaction), reverse.member)
        return Response(transactionStatus=Status.ACCEPT)

    # -- in Toast's words -----------------------------------------------------------------------------------------

    def _basket(self, check: Check, *, before: bool) -> Basket:
        """The check's lines that stand. `before`: at their prices before discounts, for rewards to be taken off."""
        currency = self._runtime.till.reckoning.programme().currency
        lines = tuple(_line(each, currency, before=before) for each in check.selections if not each.voided)
        return Basket(currency=currency, lines=lines)

    def _looked(self, looked: Looked, wanted: Sequence[Redemption]) -> Response:
        quote = looked.quote
        language = self._runtime.config.till.language
        offers = tuple(
            Offer(
                identifier=option.reward.id,
                name=option.reward.name.get(language),
                applicable=option.available,
                amount=major(option.value_minor, quote.basket.currency),
            )
            for option in quote.rewards
            if kind_of(option.reward) in DISCOUNTS
        )
        return self._checked(
            quote.holder,
            self._earns(quote.settlement.points_earned),
            offers=offers,
            appliedRedemptions=tuple(wanted[place] for place in looked.taken),
            rejectedRedemptions=tuple(
                Rejected(redemption=wanted[place], message=str(error)) for place, error in looked.refused
            ),
        )

    def _booked(self, booked: Booked, wanted: Sequence[Redemption]) -> Response:
        return self._checked(
            self._runtime.mirror.find(booked.entry.card),
            self._earns(booked.entry.settlement.points_earned),
            appliedRedemptions=tuple(wanted),
        )

    def _checked(
        self,
        holder: Holder | None,
        message: str,
        *,
        offers: tuple[Offer, ...] = (),
        appliedRedemptions: tuple[Redemption, ...] = (),  # noqa: N803 - Toast's own names
        rejectedRedemptions: tuple[Rejected, ...] = (),  # noqa: N803
    ) -> Response:
        assert holder is not None  # whoever is asked about was identified
        return Response(
            transactionStatus=Status.ACCEPT,
            checkResponse=CheckResponse(
                accountInfo=self._account(holder),
                offers=offers,
                appliedRedemptions=appliedRedemptions,
                rejectedRedemptions=rejectedRedemptions,
                userMessage=message,
            ),
        )

    def _account(self, holder: Holder) -> Account:
        name = holder.first_name if self._runtime.config.till.show_first_name else None
        return Account(identifier=holder.card, firstName=name, pointsBalance=str(holder.balance))

    def _earns(self, points: int) -> str:
        return f"+ {points} {translator(self._runtime.config.till.language)('points')}"


def _line(selection: Selection, currency: str, *, before: bool) -> Line:
    price = selection.pre_discount if before and selection.pre_discount is not None else selection.price
    return Line(
        line_id=selection.guid,
        sku=selection.item.guid if selection.item else selection.guid,
        category=selection.group.guid if selection.group else "",
        text=(selection.text or "")[:80],
        quantity=int(selection.quantity * Decimal(1000)),
        gross_minor=minor(price, currency),
        eligible=not selection.deferred,
    )


def _choices(redemptions: Sequence[Redemption]) -> list[Choice]:
    return [Choice(reward=each.identifier) for each in redemptions]


async def _raw(request: Request) -> bytes:
    return await request.body()


def router(runtime: Runtime, answered: Answered) -> APIRouter:
    """The one call, for a till whose configuration lets it in."""
    toast = Toast(runtime, answered)
    routes = APIRouter(include_in_schema=False, dependencies=[Depends(Needs(Scope.SELL))], route_class=_InToastsWords)

    @routes.post(PATH)
    def transaction(
        raw: Annotated[bytes, Depends(_raw)],
        kind: Annotated[str, Header(alias="Toast-Transaction-Type")] = "",
        guid: Annotated[str, Header(alias="Toast-Transaction-GUID")] = "",
    ) -> HttpResponse:
        """Answer one transaction."""
        if kind not in set(TransactionType):
            return _respond(Response(transactionStatus=Status.TYPE))
        try:
            asked, name = Transaction.model_validate_json(raw), UUID(guid)
        except (ValidationError, ValueError):
            return _respond(Response(transactionStatus=Status.INPUT))
        if asked.type != kind:
            return _respond(Response(transactionStatus=Status.TYPE))
        return _respond(toast.answer(asked, name))

    return routes


def refuse(code: str, detail: str) -> HttpResponse:
    """What is said when the till says no: the word for it, or that it is a fault of ours."""
    status = _CODES.get(code, Status.FAULT)
    if status is not Status.FAULT:
        return _respond(Response(transactionStatus=status))
    log.error("a transaction is not carried out", code=code, detail=detail)
    return _respond(Response(transactionStatus=status, message=f"{detail} ({code})"))


def _respond(response: Response) -> HttpResponse:
    return HttpResponse(
        response.model_dump_json(exclude_none=True),
        _HTTP.get(response.transactionStatus, 400),
        media_type="application/json",
    )
