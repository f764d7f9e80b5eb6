"""From the till's own values to the API's answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload

from loyalty.basket import Basket
from loyalty.ledger import Entry
from loyalty.programme import Programme
from loyalty.programme_rewards import kind_of
from loyalty.redemption import discounts_by_line
from loyalty.resolution import Action
from loyalty.settlement import Settlement
from pos_client import __version__
from pos_client.inbox import Item
from pos_client.plugin import messages, messages_manager, messages_till
from pos_client.runtime import Runtime
from pos_client.session import Quote, SessionState
from pos_client.troubles import Gravity, troubles
from sync.epochs import Epochs
from sync.mirror import Holder
from sync.terminal import skew_problem, wall_ms


@overload
def at(ms: int) -> datetime: ...
@overload
def at(ms: None) -> None: ...
def at(ms: int | None) -> datetime | None:
    """Unix milliseconds UTC as a time."""
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)


def quote_answer(runtime: Runtime, quote: Quote) -> messages.QuoteAnswer:
    """A session as it stands."""
    language = runtime.config.till.language
    open_now = quote.state is SessionState.OPEN
    return messages.QuoteAnswer(
        session=quote.session,
        state=quote.state,
        basket_version=quote.basket_version,
        programme=quote.programme.id,
        programme_version=quote.programme.version,
        member=_member(runtime, quote.holder, quote.programme) if quote.holder else None,
        settlement=_settlement(quote.settlement, quote.basket, quote.programme, language),
        rewards=tuple(
            messages.Reward(
                id=option.reward.id,
                name=option.reward.name.get(language),
                kind=kind_of(option.reward),
                cost_points=option.cost_points,
                cost_stamps=option.cost_stamps,
                discount_minor=option.value_minor,
                available=option.available and open_now,
                code=option.code if open_now else "session_closed",
            )
            for option in quote.rewards
        ),
        redeemable=messages.Redeemable(
            limit_points=quote.verdict.limit, reason=quote.verdict.reason, mode=quote.verdict.mode
        )
        if quote.verdict
        else None,
        dropped_rewards=quote.dropped_rewards,
        balance_after=quote.balance_after,
        offline=offline_answer(runtime, quote.holder),
    )


def booked_answer(runtime: Runtime, session: str, state: SessionState, entry: Entry | None) -> messages.BookedAnswer:
    """A sale that was booked or undone; `entry` is None when an open session was dropped."""
    holder = runtime.mirror.find(entry.card) if entry else None
    programme = runtime.till.reckoning.programme()
    return messages.BookedAnswer(
        session=session,
        state=state,
        entry=_entry(entry) if entry else None,
        member=_member(runtime, holder, programme) if holder else None,
        settlement=_settlement(entry.settlement, entry.basket, programme, runtime.config.till.language)
        if entry
        else None,
        offline=offline_answer(runtime, holder),
    )


def status_answer(runtime: Runtime) -> messages_till.StatusAnswer:
    """How the till is doing."""
    sync = runtime.agent.state
    language = runtime.config.till.language
    found = troubles(runtime)
    proof = runtime.proofs.latest()
    return messages_till.StatusAnswer(
        till=runtime.config.till.name,
        terminal=runtime.terminal.terminal,
        store=runtime.terminal.store_name,
        software=f"spaarpunt/{__version__}",
        online=sync.online,
        since=at(sync.since_ms),
        problem=sync.problem or skew_problem(runtime.mirror.contact().clock_offset_ms) or _newest_notice(runtime),
        at=at(wall_ms()),
        started=at(runtime.started_ms),
        healthy=all(trouble.gravity is Gravity.INFO for trouble in found),
        problems=tuple(
            messages_till.TroubleAnswer(
                code=trouble.code, gravity=trouble.gravity, text=trouble.text(language), todo=trouble.todo(language)
            )
            for trouble in found
        ),
        queue_length=runtime.journal.head().queued,
        mirror_as_of=at(runtime.mirror.contact().as_of_ms),
        devices=tuple(
            messages_till.DeviceAnswer(name=device.name, status=device.status, text=device.text)
            for device in runtime.board.states()
        ),
        payment_cards_refused=runtime.board.payment_cards_refused,
        proof=messages_till.DayAnswer.model_validate(proof, from_attributes=True) if proof else None,
    )


def _newest_notice(runtime: Runtime) -> str | None:
    """What the manager must hear of and the night has not reported: a file salvaged or restored, a head office too."""
    notices = Epochs(runtime.store).notices(unreported=True)
    return notices[-1].text if notices else None


def adjusted_answer(runtime: Runtime, entry: Entry) -> messages_manager.AdjustedAnswer:
    """An adjustment that was booked."""
    holder = runtime.mirror.find(entry.card)
    return messages_manager.AdjustedAnswer(
        entry=_entry(entry),
        member=_member(runtime, holder, runtime.till.reckoning.programme()),
        offline=offline_answer(runtime, holder),
    )


def parked_answer(item: Item) -> messages_manager.ParkedAnswer:
    """A parked entry, as it stands."""
    entry = item.entry
    return messages_manager.ParkedAnswer(
        number=entry.number,
        till=entry.till,
        terminal=entry.terminal,
        epoch=entry.epoch,
        seq=entry.seq,
        code=entry.code,
        reason=item.reason,
        detail=entry.text,
        state=entry.state,
        kind=entry.entry_kind,
        points=entry.points,
        business_date=entry.business_date,
        parked_at=at(entry.parked_ms),
        actions=item.actions,
        asked=Action(entry.asked) if entry.asked else None,
        approver=entry.approver,
        decision=entry.reason,
        decided_at=at(entry.decided_ms),
    )


def decided_answer(runtime: Runtime, number: int, entry: Entry) -> messages_manager.DecidedAnswer:
    """A decision that was journalled."""
    item = next((item for item in runtime.inbox.items(everything=True) if item.entry.number == number), None)
    return messages_manager.DecidedAnswer(
        entry=_entry(entry), parked=parked_answer(item) if item else None, offline=offline_answer(runtime, None)
    )


def _member(runtime: Runtime, holder: Holder, programme: Programme) -> messages.Member:
    settings = runtime.config.till
    tier = programme.tier(holder.tier or "")
    return messages.Member(
        known=holder.known,
        first_name=holder.first_name if settings.show_first_name else None,
        tier=messages.Named(id=tier.id, name=tier.name.get(settings.language)),
        balance=messages.Balance(
            confirmed=holder.confirmed,
            queued=holder.queued,
            total=holder.balance,
            pending=holder.balance - holder.spendable,
            expiring=messages.Expiring.model_validate(holder.expiring, from_attributes=True)
            if holder.expiring
            else None,
        ),
    )


def _settlement(settlement: Settlement, basket: Basket, programme: Programme, language: str) -> messages.Settlement:
    # A booked sale may be of an older programme version: a rule or reward that is gone shows its id.
    taken = discounts_by_line(settlement.redemptions)
    return messages.Settlement(
        currency=basket.currency,
        gross_minor=basket.gross_minor,
        payable_minor=settlement.payable_minor,
        points_earned=settlement.points_earned,
        points_spent=settlement.points_spent,
        components=tuple(
            messages.Component(
                rule=part.rule,
                name=programme.name_of(part.rule, language),
                kind=part.kind,
                base=part.base,
                points=part.points,
            )
            for part in settlement.accrual.components
        ),
        lines=tuple(
            messages.LineResult(line_id=line.line_id, points=line.points, discount_minor=taken.get(line.line_id, 0))
            for line in settlement.accrual.lines
        ),
        redemptions=tuple(
            messages.Redeemed(
                reward=taken_reward.reward,
                name=programme.name_of(taken_reward.reward, language),
                points=taken_reward.points,
                discount_minor=taken_reward.discount_minor,
            )
            for taken_reward in settlement.redemptions
        ),
    )


def _entry(entry: Entry) -> messages.EntryAnswer:
    return messages.EntryAnswer(
        id=entry.id,
        seq=entry.seq,
        kind=entry.kind.value,
        points=entry.points,
        business_date=entry.business_date,
        reverses=entry.reverses,
    )


def balance_answer(runtime: Runtime, holder: Holder) -> messages.BalanceAnswer:
    """What the holder of a card has."""
    return messages.BalanceAnswer(
        member=_member(runtime, holder, runtime.till.reckoning.programme()),
        blocked=holder.blocked,
        offline=offline_answer(runtime, holder),
    )


def offline_answer(runtime: Runtime, holder: Holder | None) -> messages.Offline:
    """How far an answer is confirmed, for a member when it is about one."""
    return messages.Offline(
        online=runtime.agent.state.online,
        confirmed_as_of=at(runtime.mirror.contact().as_of_ms),
        queued_points=holder.queued if holder else 0,
        queue_length=runtime.journal.head().queued,
    )
