"""The calls of a store manager: adjustments and the inbox. What changes anything takes a manager's name and PIN."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from pos_client.plugin import decisions
from pos_client.plugin.answers import offline_answer, parked_answer
from pos_client.plugin.messages_manager import Adjust, AdjustedAnswer, Decide, DecidedAnswer, InboxAnswer, OrderCard
from pos_client.plugin.once import Claimed, Once
from pos_client.plugin.sales import Running

router = APIRouter(prefix="/v1", tags=["manager"], route_class=Once)

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.post("/adjustments")
def adjust(runtime: Running, body: Adjust, claim: Claimed) -> AdjustedAnswer:
    """Give points to a member, or take them (negative). Asking again with the same id changes nothing."""
    return decisions.adjust(runtime, body, claim)


@router.post("/cards")
def order_card(runtime: Running, body: OrderCard, claim: Claimed) -> AdjustedAnswer:
    """Block a member's card, let it in again, or replace it. Asking again with the same id changes nothing."""
    return decisions.order_card(runtime, body, claim)


@router.get("/inbox")
def inbox(runtime: Running, everything: bool = False) -> InboxAnswer:
    """Say what head office did not book in this store; with `everything`, also what was decided about lately."""
    return InboxAnswer(
        entries=tuple(parked_answer(item) for item in runtime.inbox.items(everything=everything)),
        offline=offline_answer(runtime, None),
    )


@router.post("/inbox/{number}")
def decide(runtime: Running, number: Number, body: Decide, claim: Claimed) -> DecidedAnswer:
    """Decide about a parked entry. Asking again with the same id changes nothing."""
    return decisions.decide(runtime, number, body, claim)
