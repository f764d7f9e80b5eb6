"""Entries before they are journalled: what a sale, a void, a return and an adjustment say, with the till's clocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
import uuid6

from loyalty.basket import Basket
from loyalty.card_orders import CardOrder
from loyalty.errors import RewardRefused
from loyalty.ledger import Entry, EntryKind
from loyalty.programme_members import Credential, CredentialPolicy
from loyalty.resolution import Resolution
from loyalty.returns import Sold, adjust, nothing, quantities, take_back
from loyalty.settlement import Settlement
from loyalty.spending import cover
from pos_client.reckoning import Reckoning, TillError
from pos_client.session import Quote
from sync.journal import Draft, Journal
from sync.mirror import Holder
from sync.store import Store
from sync.terminal import clock_problem, read_clock

log = structlog.get_logger("spaarpunt.till")


@dataclass(frozen=True, slots=True)
class _Whose:
    """Whose entry it is, and by which rules."""

    card: str
    account: str | None
    tier: str
    programme: str
    programme_version: int


class Drafts:
    """Writes drafts; books nothing."""

    def __init__(self, store: Store, journal: Journal, reckoning: Reckoning, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._journal = journal
        self._reckoning = reckoning
        self._now_ms = now_ms

    def sale(self, quote: Quote, taken_back: int = 0) -> Draft:
        """The sale that `quote` stands for.

        Args:
            taken_back: spendable points that a return in the same transaction takes from the member first.

        Raises:
            TillError: `no_card`.
            RewardRefused: the points, the till's limits or the credential no longer allow the chosen rewards.
        """
        holder, verdict = quote.holder, quote.verdict
        if holder is None or verdict is None:
            raise TillError("no_card", "nothing to book without a card: void the session, or scan the card first")
        spent = quote.settlement.points_spent
        if spent > verdict.limit:
            raise RewardRefused(str(verdict.reason), f"{spent} points asked, {verdict.limit} allowed now")
        if spent and spent > holder.spendable - taken_back:
            raise RewardRefused("points_short", f"{spent} points asked, {holder.spendable - taken_back} left")
        expect_credential(quote.programme.credential, quote.facts.credential, spent)
        whose = _Whose(holder.card, holder.account, quote.tier, quote.programme.id, quote.programme.version)
        draft = self._draft(quote.session, EntryKind.SALE, whose, quote.basket, quote.settlement)
        return replace(draft, facts=quote.facts, authority=cover(spent, quote.set_aside), serving=quote.serving or None)

    def void(self, sale: Entry) -> Draft:
        """The reversal of a whole sale.

        Raises:
            TillError: `sale_returned`: part of it came back before.
        """
        if self._journal.returns_of(sale.id):
            raise TillError("sale_returned", "goods of this sale came back before: return the rest instead")
        draft = self._draft(sale.session, EntryKind.VOID, _whose(sale), sale.basket, sale.settlement)
        return replace(draft, reverses=sale.id)

    def returned(self, return_id: str, sale: Sold, lines: Mapping[str, int]) -> Draft:
        """Goods that come back from a sale.

        Raises:
            ReturnRefused: see `loyalty.returns.take_back`.
        """
        back = take_back(sale, quantities(self._journal.returns_of(sale.id)), lines)
        draft = self._draft(return_id, EntryKind.RETURN, _whose(sale), back.basket, back.settlement)
        return replace(draft, original=sale.id)

    def takes(self, back: Draft, sale: Sold) -> int:
        """The points that a return from `sale` takes from what the member can spend now.

        Those that its sale earned and that wait to be vested cannot be spent anyhow: taking them back costs nothing.
        """
        days = self._reckoning.programme().expiry.vesting_days
        waiting = sale.business_date + timedelta(days=days) > back.business_date
        return -back.settlement.points_delta + (back.settlement.points_earned if waiting else 0)

    def adjustment(self, adjustment_id: str, holder: Holder, points: int, reason: str, approver: str) -> Draft:
        """Points given or taken by a manager.

        Raises:
            TillError: `adjustment_incomplete` without points, a reason and an approver; `no_programme`.
        """
        if not points or not reason.strip() or not approver.strip():
            raise TillError("adjustment_incomplete", "an adjustment needs points, a reason and who approves it")
        programme = self._reckoning.programme()
        made = adjust(points, programme.currency)
        tier = programme.tier(holder.tier or "").id
        whose = _Whose(holder.card, holder.account, tier, programme.id, programme.version)
        draft = self._draft(adjustment_id, EntryKind.ADJUSTMENT, whose, made.basket, made.settlement)
        return replace(draft, reason=reason.strip(), approver=approver.strip())

    def card_order(self, order_id: str, holder: Holder, order: CardOrder, reason: str, approver: str) -> Draft:
        """What a manager orders about the card of `holder`.

        Raises:
            TillError: `adjustment_incomplete` without a reason and an approver, `member_unknown`; `no_programme`.
        """
        if not reason.strip() or not approver.strip():
            raise TillError("adjustment_incomplete", "blocking a card needs a reason and who approves it")
        if holder.account is None:
            raise TillError("member_unknown", "this card belongs to no member that this till knows")
        programme = self._reckoning.programme()
        made = nothing(programme.currency)
        tier = programme.tier(holder.tier or "").id
        whose = _Whose(holder.card, holder.account, tier, programme.id, programme.version)
        draft = self._draft(order_id, EntryKind.ADJUSTMENT, whose, made.basket, made.settlement)
        return replace(draft, order=order, reason=reason.strip(), approver=approver.strip())

    def resolution(self, decision_id: str, what: Resolution, card: str, reason: str, approver: str) -> Draft:
        """What a manager decides about a parked entry; `card` is that entry's, as a token.

        Raises:
            TillError: `no_programme`.
        """
        programme = self._reckoning.programme()
        made = nothing(programme.currency)
        whose = _Whose(card, what.account, programme.tiers[0].id, programme.id, programme.version)
        draft = self._draft(decision_id, EntryKind.RESOLUTION, whose, made.basket, made.settlement)
        return replace(draft, resolves=what, reason=reason.strip(), approver=approver.strip())

    def enrolment(self, session: str, card: str, language: str) -> Draft:
        """A customer who became a member with `card` (token), and agreed to the terms in `language`.

        Raises:
            TillError: `no_terms`, `no_programme`.
        """
        programme = self._reckoning.programme()
        if programme.texts.terms is None:
            raise TillError("no_terms", "the programme has no terms to agree to: publish it with texts.terms")
        whose = _Whose(card, None, programme.tiers[0].id, programme.id, programme.version)
        made = nothing(programme.currency)
        return replace(self._draft(session, EntryKind.ENROLMENT, whose, made.basket, made.settlement), consent=language)

    def answer(self, sale: Entry, score: int) -> Draft:
        """What the customer of `sale` answered, 0 to 10."""
        made = nothing(sale.basket.currency)
        draft = self._draft(sale.session, EntryKind.ANSWER, _whose(sale), made.basket, made.settlement)
        return replace(draft, answer=score)

    def _draft(self, session: str, kind: EntryKind, whose: _Whose, basket: Basket, settlement: Settlement) -> Draft:
        clock = read_clock(self._store, self._now_ms)
        if problem := clock_problem(clock.wall_ms):
            log.warning("clock", problem=problem)
        return Draft(
            id=str(uuid6.uuid7()),
            kind=kind,
            session=session,
            clock=clock,
            business_date=self._reckoning.business_date(clock.wall_ms),
            card=whose.card,
            account=whose.account,
            programme=whose.programme,
            programme_version=whose.programme_version,
            tier=whose.tier,
            basket=basket,
            settlement=settlement,
        )


def expect_credential(policy: CredentialPolicy, shown: Credential, points: int) -> None:
    """Check that the way a member was recognised is enough to spend `points`.

    Raises:
        RewardRefused: `credential_needed`.
    """
    if not policy.allows(shown, points):
        raise RewardRefused("credential_needed", "spending this much needs " + _ways(policy))


def _ways(policy: CredentialPolicy) -> str:
    named = {Credential.ROTATING: "the code on the member's phone", Credential.PIN: "the member's PIN"}
    return " or ".join(text for way, text in named.items() if way in policy.spend)


def _whose(sale: Entry | Sold) -> _Whose:
    return _Whose(sale.card, sale.account, sale.tier, sale.programme, sale.programme_version)
