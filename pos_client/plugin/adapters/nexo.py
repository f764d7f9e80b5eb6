"""nexo Sale-to-POI loyalty messages: Award, Rebate, Redemption and the refund of each, one POST.

A ticket (SaleTransactionID) is booked once: by the Redemption or Rebate when there is one, else by the Award. A message
sent again answers what it booked, also after a restart.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError

from loyalty.basket import Basket, Line
from loyalty.cards import mask
from loyalty.credentials import CredentialRefused
from loyalty.errors import BasketError, CardFormatError, RewardRefused
from loyalty.ledger import Entry, EntryKind
from loyalty.programme_rewards import PayWithPoints
from loyalty.redemption import Choice, RewardOption, discounts_by_line
from pos_client.plugin.adapters.nexo_messages import (
    Asked,
    Envelope,
    ErrorCondition,
    Item,
    Loyalty,
    LoyaltyType,
    Quantity,
)
from pos_client.plugin.adapters.tickets import Tickets, major, minor
from pos_client.plugin.answered import Answered
from pos_client.plugin.gate import Needs
from pos_client.reckoning import TillError
from pos_client.runtime import Runtime
from pos_client.session import Booked
from pos_client.tokens import Scope

PATH = "/v1/adapters/nexo"
_REFUNDS = {
    LoyaltyType.AWARD_REFUND: LoyaltyType.AWARD,
    LoyaltyType.REBATE_REFUND: LoyaltyType.REBATE,
    LoyaltyType.REDEMPTION_REFUND: LoyaltyType.REDEMPTION,
}
_CODES = {
    "payment_card": ErrorCondition.INVALID_CARD,
    "card_blocked": ErrorCondition.INVALID_CARD,
    "other_member": ErrorCondition.INVALID_CARD,
    "unknown_transaction": ErrorCondition.NOT_FOUND,
    "ticket_taken": ErrorCondition.NOT_ALLOWED,
    "transaction_undone": ErrorCondition.NOT_ALLOWED,
    "sale_returned": ErrorCondition.NOT_ALLOWED,
    "no_programme": ErrorCondition.UNAVAILABLE_SERVICE,
}


class _Refused(Exception):
    """The answer is Failure."""

    def __init__(self, condition: ErrorCondition, text: str) -> None:
        self.condition = condition
        super().__init__(text)


class Nexo:
    """The use cases, message by message."""

    def __init__(self, runtime: Runtime, answered: Answered) -> None:
        self._runtime = runtime
        self._tickets = Tickets(runtime, answered, "nexo")

    def answer(self, asked: Asked) -> dict[str, Any]:
        """The SaleToPOIResponse to a request, whatever came of it.

        Raises:
            SyncError: the till's store failed.
        """
        if asked.header.category != "Loyalty" or asked.loyalty is None:
            refused = _failure(ErrorCondition.UNAVAILABLE_SERVICE, "expected a LoyaltyRequest")
            return _envelope(asked, {"Response": refused})
        try:
            told = self._loyalty(asked.header.sale, asked.loyalty)
        except _Refused as error:
            told = {"Response": _failure(error.condition, str(error))}
        except RewardRefused as error:
            told = {"Response": _failure(ErrorCondition.REFUSAL, str(error))}
        except (CardFormatError, CredentialRefused):
            # Their own texts may end with characters of what came.
            told = {"Response": _failure(ErrorCondition.INVALID_CARD, "expected a card of this shop")}
        except TillError as error:
            told = {"Response": _failure(_CODES.get(error.code, ErrorCondition.REFUSAL), str(error))}
        except (BasketError, ValidationError):
            told = {"Response": _failure(ErrorCondition.MESSAGE_FORMAT, "expected a basket in the shop's currency")}
        return _envelope(asked, told)

    def _loyalty(self, sale: str, loyalty: Loyalty) -> dict[str, Any]:
        kind = loyalty.transaction.type
        member = loyalty.data[0].account.number
        if kind in _REFUNDS:
            return self._refund(loyalty, member, _REFUNDS[kind])
        basket = self._basket(loyalty)
        ticket = f"{sale}|{loyalty.sale.ticket.name}|{loyalty.sale.ticket.moment.isoformat()}"
        transaction = f"{ticket}|{kind}"
        if kind is LoyaltyType.AWARD:
            return self._told(loyalty, self._tickets.earn(transaction, ticket, member, basket), kind)
        booked = self._tickets.again(transaction, member)
        if booked is None:
            wanted = (
                self._rebates(member, basket)
                if kind is LoyaltyType.REBATE
                else [self._reward(member, basket, loyalty.data[0].amount)]
            )
            booked = self._tickets.spend(transaction, ticket, member, basket, wanted)
        return self._told(loyalty, booked, kind)

    def _refund(self, loyalty: Loyalty, member: str, kind: LoyaltyType) -> dict[str, Any]:
        """Take back what the original transaction booked; an Award that was booked with a Redemption takes nothing."""
        if (original := loyalty.transaction.original) is None:
            raise _Refused(ErrorCondition.MESSAGE_FORMAT, "expected OriginalPOITransaction, as its answer told it")
        entry = self._runtime.journal.find(original.transaction.name)
        if entry is None or entry.kind is not EntryKind.SALE or not entry.session.startswith("nexo."):
            raise _Refused(ErrorCondition.NOT_FOUND, "this till has booked no such transaction")
        if _kind_of(entry) is not kind:
            if kind is not LoyaltyType.AWARD:
                raise _Refused(ErrorCondition.NOT_FOUND, f"the original transaction is no {kind}")
            self._tickets.expect_member(entry, member)
            return self._told(loyalty, Booked(entry, self._runtime.mirror.find(entry.card).balance), None)
        return self._told(loyalty, self._tickets.take_back(entry, member), None)

    # -- in our words ---------------------------------------------------------------------------------------------

    def _basket(self, loyalty: Loyalty) -> Basket:
        transaction = loyalty.transaction
        currency = transaction.currency or self._runtime.till.reckoning.programme().currency
        lines = tuple(_line(item, currency) for item in transaction.items or ())
        if transaction.total is None:
            if not lines:
                raise _Refused(ErrorCondition.MESSAGE_FORMAT, "expected TotalAmount or SaleItem")
            return Basket(currency=currency, lines=lines)
        total = minor(transaction.total, currency)
        basket = Basket(currency=currency, lines=lines or (Line(line_id="total", sku="total", gross_minor=total),))
        if basket.gross_minor != total:
            raise _Refused(ErrorCondition.MESSAGE_FORMAT, "expected items that add up to TotalAmount")
        return basket

    def _rebates(self, member: str, basket: Basket) -> list[Choice]:
        """Every reward that costs this member nothing and takes something off."""
        options = self._tickets.look(member, basket).quote.rewards
        free = [
            Choice(reward=each.reward.id)
            for each in options
            if each.available and each.value_minor and not each.cost_points and not each.cost_stamps
        ]
        wanted = [free[place] for place in self._tickets.look(member, basket, free).taken]
        if not wanted:
            raise _Refused(ErrorCondition.REFUSAL, "no rebate is due on these items")
        return wanted

    def _reward(self, member: str, basket: Basket, amount: Quantity | None) -> Choice:
        """The reward that an amount to redeem stands for.

        Points are a reward that costs just as many, money is one that takes just as much off; both may be points as
        part payment.
        """
        if amount is None:
            raise _Refused(ErrorCondition.MESSAGE_FORMAT, "expected LoyaltyAmount: how much to redeem")
        if amount.currency not in (None, basket.currency):
            raise _Refused(ErrorCondition.MESSAGE_FORMAT, f"expected an amount in {basket.currency}")
        options = sorted(self._tickets.look(member, basket).quote.rewards, key=lambda each: not each.available)
        for option in options:
            if choice := _fits(option, amount, minor(amount.value, basket.currency)):
                return choice
        costs = ", ".join(str(each.cost_points) for each in options if each.cost_points)
        raise _Refused(
            ErrorCondition.NOT_ALLOWED, f"no reward is for this amount: expected points of {costs or 'none'}"
        )

    def _told(self, loyalty: Loyalty, booked: Booked, kind: LoyaltyType | None) -> dict[str, Any]:
        """The parts of a LoyaltyResponse for what was booked. `kind`: None for a refund."""
        entry = booked.entry
        settlement = entry.settlement
        if kind is LoyaltyType.AWARD:
            points = settlement.points_earned
        elif kind is None:
            points = abs(entry.points) if entry.kind is EntryKind.VOID else 0
        else:
            points = settlement.points_spent
        result: dict[str, Any] = {
            "LoyaltyAccount": {"LoyaltyAccountID": _account(loyalty)},
            "CurrentBalance": max(0, booked.balance),
            "LoyaltyAmount": {"LoyaltyUnit": "Point", "AmountValue": points},
        }
        if kind in (LoyaltyType.REBATE, LoyaltyType.REDEMPTION):
            result["Rebates"] = _rebates(entry)
        return {
            "Response": {"Result": "Success"},
            "POIData": {"POITransactionID": {"TransactionID": entry.id, "TimeStamp": _moment(entry.clock.wall_ms)}},
            "LoyaltyResult": [result],
        }


def _kind_of(sale: Entry) -> LoyaltyType:
    """Which message booked a sale."""
    if sale.settlement.points_spent:
        return LoyaltyType.REDEMPTION
    return LoyaltyType.REBATE if sale.settlement.redemptions else LoyaltyType.AWARD


def _fits(option: RewardOption, amount: Quantity, value_minor: int) -> Choice | None:
    reward, points = option.reward, int(amount.value)
    if isinstance(reward, PayWithPoints):
        if amount.unit == "Point":
            value_minor = points * reward.value_minor // reward.cost_points
        fits = value_minor and value_minor % reward.step == 0
        return Choice(reward=reward.id, amount_minor=value_minor) if fits else None
    asked, worth = (points, option.cost_points) if amount.unit == "Point" else (value_minor, option.value_minor)
    return Choice(reward=reward.id) if asked and asked == worth and option.cost_points else None


def _line(item: Item, currency: str) -> Line:
    return Line(
        line_id=str(item.number),
        sku=item.product,
        gtin=item.gtin if item.gtin and item.gtin.isdigit() and len(item.gtin) >= 8 else None,
        text=(item.label or "")[:80],
        quantity=int(item.quantity * Decimal(1000)),
        gross_minor=minor(item.amount, currency),
    )


def _rebates(entry: Entry) -> dict[str, Any]:
    currency = entry.basket.currency
    by_line = discounts_by_line(entry.settlement.redemptions)
    told: dict[str, Any] = {"TotalRebate": major(sum(by_line.values()), currency)}
    items = [
        {"ItemID": int(line.line_id), "ProductCode": line.sku, "ItemAmount": major(by_line[line.line_id], currency)}
        for line in entry.basket.lines
        if line.line_id.isdigit() and by_line.get(line.line_id)
    ]
    return told | ({"SaleItemRebate": items} if items else {})


def _account(loyalty: Loyalty) -> dict[str, Any]:
    """The account as it was asked about, its number masked."""
    account = loyalty.data[0].account
    return {"EntryMode": account.entry, "IdentificationType": account.kind, "LoyaltyID": mask(account.number)}


def _envelope(asked: Asked, told: dict[str, Any]) -> dict[str, Any]:
    header = asked.header.model_dump(by_alias=True, exclude_none=True) | {"MessageType": "Response"}
    body = {"POIData": {}} | told
    if asked.loyalty:
        body["SaleData"] = asked.loyalty.sale.model_dump(mode="json", by_alias=True)
    return {"SaleToPOIResponse": {"MessageHeader": header, "LoyaltyResponse": body}}


def _failure(condition: ErrorCondition, text: str) -> dict[str, str]:
    return {"Result": "Failure", "ErrorCondition": condition, "AdditionalResponse": text}


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def _raw(request: Request) -> bytes:
    return await request.body()


def router(runtime: Runtime, answered: Answered) -> APIRouter:
    """The one call, for a till whose configuration lets it in."""
    nexo = Nexo(runtime, answered)
    routes = APIRouter(include_in_schema=False, dependencies=[Depends(Needs(Scope.SELL))])

    @routes.post(PATH)
    def message(raw: Annotated[bytes, Depends(_raw)]) -> dict[str, Any]:
        """Answer one message."""
        try:
            envelope = Envelope.model_validate_json(raw)
        except ValidationError as error:
            parts = "; ".join(".".join(str(part) for part in each["loc"]) for each in error.errors()[:3])
            refused = _failure(ErrorCondition.MESSAGE_FORMAT, f"expected a loyalty request; look at {parts}"[:200])
            return {"SaleToPOIResponse": {"LoyaltyResponse": {"Response": refused, "POIData": {}}}}
        return nexo.answer(envelope.asked)

    return routes
