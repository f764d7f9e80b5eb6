"""What a manager's requests do: the PIN is checked, then the decision is journalled. For the API and the commands."""

from __future__ import annotations

from pos_client.plugin.answered import Claim
from pos_client.plugin.answers import adjusted_answer, decided_answer
from pos_client.plugin.messages_manager import Adjust, AdjustedAnswer, Approved, Decide, DecidedAnswer, OrderCard
from pos_client.plugin.once import kept_with
from pos_client.runtime import Runtime


def adjust(runtime: Runtime, body: Adjust, claim: Claim | None = None) -> AdjustedAnswer:
    """Give points to a member, or take them.

    Raises:
        TillError: `no_manager`, `approval_wrong`, `approval_locked`, and as `Till.adjust`.
    """
    approver = _approver(runtime, body)
    done = runtime.till.corrections.adjust(
        body.id,
        body.card,
        body.points,
        reason=body.reason,
        approver=approver,
        also=kept_with(claim, lambda entries: adjusted_answer(runtime, entries[0])),
    )
    return adjusted_answer(runtime, done.entry)


def order_card(runtime: Runtime, body: OrderCard, claim: Claim | None = None) -> AdjustedAnswer:
    """Block a member's card, let it in again, or replace it.

    Raises:
        TillError: `no_manager`, `approval_wrong`, `approval_locked`, and as `Corrections.order_card`.
    """
    approver = _approver(runtime, body)
    card = runtime.till.reckoning.look_up(body.card).holder.card
    done = runtime.till.corrections.order_card(
        body.id,
        card,
        body.action,
        new_card_text=body.new_card,
        reason=body.reason,
        approver=approver,
        also=kept_with(claim, lambda entries: adjusted_answer(runtime, entries[0])),
    )
    return adjusted_answer(runtime, done.entry)


def decide(runtime: Runtime, number: int, body: Decide, claim: Claim | None = None) -> DecidedAnswer:
    """Decide about the parked entry that this till calls `number`.

    Raises:
        TillError: `no_manager`, `approval_wrong`, `approval_locked`, and as `Inbox.decide`.
    """
    approver = _approver(runtime, body)
    entry = runtime.inbox.decide(
        body.id,
        number,
        body.action,
        reason=body.reason,
        approver=approver,
        card_text=body.card,
        also=kept_with(claim, lambda entries: decided_answer(runtime, number, entries[0])),
    )
    return decided_answer(runtime, number, entry)


def _approver(runtime: Runtime, body: Approved) -> str:
    return runtime.approvals.approve(body.approver, body.pin.get_secret_value())
