"""The till's use cases: present a card, quote a basket, redeem, commit, void. Everything a screen or the API does."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import time
from typing import Any

import structlog
import uuid6

from loyalty.basket import Basket
from loyalty.cards import CardFormat
from loyalty.errors import CardFormatError, RewardRefused
from loyalty.ledger import EntryKind
from loyalty.settlement import Settlement, settle
from pos_client.events import EventBus, EventKind
from pos_client.reckoning import Reckoning, TillError
from pos_client.session import Booked, Quote, Session, SessionState
from sync.journal import Draft, Journal
from sync.mirror import Holder, Mirror
from sync.store import Store
from sync.terminal import Terminal, clock_problem, read_clock, wall_ms

log = structlog.get_logger("spaarpunt.till")

MAX_SESSIONS = 64
"""Sessions remembered: far more than one till has customers; past it the oldest that is not open goes first."""


class Till:
    """One till. Thread-safe: one use case runs at a time."""

    def __init__(
        self,
        store: Store,
        terminal: Terminal,
        *,
        formats: Sequence[CardFormat],
        bus: EventBus,
        time_zone: str,
        business_day_starts: time,
        session_timeout_s: int,
        on_booked: Callable[[], None] = lambda: None,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._store = store
        self._terminal = terminal
        self._bus = bus
        self._timeout_ms = session_timeout_s * 1000
        self._on_booked = on_booked
        self._now_ms = now_ms
        self._journal = Journal(store, terminal)
        self._mirror = Mirror(store)
        self.reckoning = Reckoning(
            self._mirror,
            self._journal,
            formats=formats,
            card_key=terminal.card_key,
            time_zone=time_zone,
            business_day_starts=business_day_starts,
            now_ms=now_ms,
        )
        self._lock = threading.RLock()
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._current: str | None = None
        self._waiting: tuple[str, int] | None = None

    # -- what is known --------------------------------------------------------------------------------------------

    @property
    def current(self) -> str | None:
        """The session on the cashier's screen."""
        return self._current

    @property
    def waiting(self) -> Holder | None:
        """The holder of a card that was presented before any session was opened."""
        card = self._waiting_card()
        return self._mirror.find(card) if card else None

    # -- the card -------------------------------------------------------------------------------------------------

    def present_card(self, card_text: str, scan_type: str) -> Holder | None:
        """A card was scanned or swiped: show its holder, and give it to the sale under way, or keep it for the next.

        Returns:
            The holder, or None when the text is no loyalty card (an article, say) or the card is blocked.
        """
        with self._lock:
            try:
                holder = self.reckoning.recognise(card_text)
            except CardFormatError:
                self._bus.publish(EventKind.LABEL_SCANNED, {"text": card_text, "type": scan_type})
                return None
            if holder.blocked:
                self._bus.publish(EventKind.CARD_REFUSED, {"code": "blocked"})
                return None
            session = self._open_current()
            if session is not None:
                self._attach(session, holder.card)
            else:
                self._waiting = (holder.card, self._now_ms())
                self._current = None
            self._bus.publish(
                EventKind.CARD_PRESENTED,
                {"session": session.id if session else None, "known": holder.known, "balance": holder.balance},
            )
            return holder

    def forget_card(self) -> None:
        """The card that was presented before a sale is not wanted after all."""
        with self._lock:
            self._waiting = None
            self._bus.publish(EventKind.SESSION_CHANGED, {"session": None, "payable_minor": 0})

    def refuse_card(self, code: str) -> None:
        """A card that may not be used (a payment card, or one that would not read): tell the cashier, keep nothing."""
        self._bus.publish(EventKind.CARD_REFUSED, {"code": code})

    # -- the sale -------------------------------------------------------------------------------------------------

    def open_session(self, session_id: str | None = None) -> Quote:
        """Start a sale; a card that is waiting goes with it. The same id again is the same session.

        Args:
            session_id: chosen by the till's software, so that it can ask again after any fault; made here when None.
        """
        with self._lock:
            key = session_id or str(uuid6.uuid7())
            session = self._recall(key)
            if session is None:
                self._forget_old()
                now = self._now_ms()
                session = Session(
                    key, now, now, Basket(currency=self.reckoning.programme().currency), card=self._waiting_card()
                )
                self._sessions[key] = session
                self._waiting = None
            self._current = key
            return self._changed(session)

    def set_basket(self, session_id: str, basket: Basket) -> Quote:
        """Put the whole basket, as it is now. Rewards that no longer fit are taken off and named in the quote.

        Raises:
            TillError: `unknown_session`, `session_closed`; BasketError: another currency.
        """
        with self._lock:
            session = self._open(session_id)
            settle(self.reckoning.programme(), basket, "", ())
            session.basket = basket
            session.dropped_rewards = ()
            return self._changed(session)

    def identify(self, session_id: str, card_text: str) -> Quote:
        """Give the sale a card by its number.

        Raises:
            TillError: `unknown_session`, `session_closed`, `card_blocked`; CardFormatError.
        """
        with self._lock:
            session = self._open(session_id)
            holder = self.reckoning.look_up(card_text)
            if holder.blocked:
                raise TillError("card_blocked", "this card is blocked: send the customer to the service desk")
            self._attach(session, holder.card)
            return self._changed(session)

    def quote(self, session_id: str) -> Quote:
        """What the sale comes to now: points, rewards that may be given, what is to be paid.

        Raises:
            TillError: `unknown_session`.
        """
        with self._lock:
            session = self._recall(session_id)
            if session is None:
                raise TillError("unknown_session", "no such session: it was closed long ago, or the till was restarted")
            return self.reckoning.quote(session)

    def redeem(self, session_id: str, reward_id: str) -> Quote:
        """Take a reward on this sale. It is spent when the sale is committed.

        Raises:
            RewardRefused: with the code that the quote shows beside the reward.
            TillError: `unknown_session`, `session_closed`, `no_card`.
        """
        with self._lock:
            session = self._open(session_id)
            quote = self.reckoning.quote(session)
            if quote.holder is None:
                raise TillError("no_card", "a reward needs a card: ask the customer to scan it")
            option = next((option for option in quote.rewards if option.reward.id == reward_id), None)
            if option is None:
                raise RewardRefused("unknown_reward", f"no reward '{reward_id}' in programme {quote.programme.id}")
            if option.code is not None:
                raise RewardRefused(
                    option.code, f"reward '{reward_id}' cannot be given: {option.code.replace('_', ' ')}"
                )
            session.rewards.append(reward_id)
            return self._changed(session)

    def unredeem(self, session_id: str, reward_id: str) -> Quote:
        """Take a chosen reward off this sale again; one that is not chosen changes nothing.

        Raises:
            TillError: `unknown_session`, `session_closed`.
        """
        with self._lock:
            session = self._open(session_id)
            if reward_id in session.rewards:
                session.rewards.remove(reward_id)
            return self._changed(session)

    def commit(self, session_id: str) -> Booked:
        """Book the sale. When this returns it is on the disk.

        Committing again returns the same entry, also after a restart.

        Raises:
            TillError: `unknown_session`, `session_closed` (voided), `no_card`.
            RewardRefused: the points or the till's limits no longer allow a chosen reward.
            StoreFull, StoreError: nothing was booked.
        """
        with self._lock:
            entries = self._journal.find_all(session=session_id)
            if EntryKind.VOID in entries:
                raise TillError("session_closed", "this sale was booked and then voided: open a new session")
            if done := entries.get(EntryKind.SALE):
                return Booked(done, self._mirror.find(done.card).balance)
            session = self._open(session_id)
            if session.card is None:
                raise TillError("no_card", "nothing to book without a card: void the session, or scan the card first")
            holder = self._mirror.find(session.card)
            tier, settlement = self.reckoning.settlement(session, holder)
            verdict = self.reckoning.verdict(holder)
            if settlement.points_spent > verdict.limit:
                raise RewardRefused(
                    str(verdict.reason), f"{settlement.points_spent} points asked, {verdict.limit} allowed now"
                )
            entry = self._journal.append(
                self._draft(
                    session.id,
                    EntryKind.SALE,
                    card=holder.card,
                    account=holder.account,
                    tier=tier,
                    basket=session.basket,
                    settlement=settlement,
                )
            )
            session.state, session.entry = SessionState.BOOKED, entry
            balance = holder.balance + entry.points
            self._bus.publish(EventKind.SALE_BOOKED, _booked(session.id, entry.points, balance))
        self._on_booked()
        return Booked(entry, balance)

    def void(self, session_id: str) -> Booked | None:
        """Drop an open sale (None), or reverse a booked one with an entry of its own. Voiding again changes nothing.

        Raises:
            TillError: `unknown_session`; StoreFull, StoreError: nothing was booked.
        """
        with self._lock:
            entries = self._journal.find_all(session=session_id)
            if done := entries.get(EntryKind.VOID):
                return Booked(done, self._mirror.find(done.card).balance)
            sale = entries.get(EntryKind.SALE)
            session = self._sessions.get(session_id)
            if sale is None:
                if session is None:
                    raise TillError("unknown_session", "no such session to void")
                session.state = SessionState.VOIDED
                self._leave(session)
                self._bus.publish(EventKind.SESSION_CHANGED, {"session": session.id, "payable_minor": 0})
                return None
            entry = self._journal.append(
                replace(
                    self._draft(
                        session_id,
                        EntryKind.VOID,
                        card=sale.card,
                        account=sale.account,
                        tier=sale.tier,
                        basket=sale.basket,
                        settlement=sale.settlement,
                    ),
                    programme=sale.programme,
                    programme_version=sale.programme_version,
                    reverses=sale.id,
                )
            )
            if session is not None:
                session.state = SessionState.VOIDED
                self._leave(session)
            balance = self._mirror.find(entry.card).balance
            self._bus.publish(EventKind.SALE_VOIDED, _booked(session_id, entry.points, balance))
        self._on_booked()
        return Booked(entry, balance)

    # -- within ---------------------------------------------------------------------------------------------------

    def _draft(
        self,
        session_id: str,
        kind: EntryKind,
        *,
        card: str,
        account: str | None,
        tier: str,
        basket: Basket,
        settlement: Settlement,
    ) -> Draft:
        clock = read_clock(self._store, self._now_ms)
        if problem := clock_problem(clock.wall_ms):
            log.warning("clock", problem=problem)
        programme = self.reckoning.programme()
        return Draft(
            id=str(uuid6.uuid7()),
            kind=kind,
            session=session_id,
            clock=clock,
            business_date=self.reckoning.business_date(clock.wall_ms),
            card=card,
            account=account,
            programme=programme.id,
            programme_version=programme.version,
            tier=tier,
            basket=basket,
            settlement=settlement,
        )

    def _waiting_card(self) -> str | None:
        """The card presented before a sale, for as long as a sale may rest: then its customer has walked away."""
        if self._waiting is None or self._now_ms() - self._waiting[1] > self._timeout_ms:
            return None
        return self._waiting[0]

    def _attach(self, session: Session, card: str) -> None:
        if session.card != card:
            session.card = card
            session.rewards.clear()  # the points of one member never pay for another's reward

    def _recall(self, session_id: str) -> Session | None:
        """A session by its id; one that was booked is read back from the journal after a restart."""
        if session := self._sessions.get(session_id):
            return session
        entries = self._journal.find_all(session=session_id)
        sale = entries.get(EntryKind.SALE)
        if sale is None:
            return None
        voided = EntryKind.VOID in entries
        return Session(
            session_id,
            sale.clock.wall_ms,
            sale.clock.wall_ms,
            sale.basket,
            card=sale.card,
            rewards=[redemption.reward for redemption in sale.settlement.redemptions],
            state=SessionState.VOIDED if voided else SessionState.BOOKED,
            entry=sale,
        )

    def _open(self, session_id: str) -> Session:
        session = self._recall(session_id)
        if session is None:
            raise TillError("unknown_session", "no such session: open one first")
        if session.state is not SessionState.OPEN:
            raise TillError("session_closed", f"this session is {session.state}: open a new one")
        session.touched_ms = self._now_ms()
        self._current = session.id
        return session

    def _open_current(self) -> Session | None:
        session = self._sessions.get(self._current or "")
        if session is None or session.state is not SessionState.OPEN:
            return None
        if self._now_ms() - session.touched_ms > self._timeout_ms:
            return None
        session.touched_ms = self._now_ms()
        return session

    def _leave(self, session: Session) -> None:
        if self._current == session.id:
            self._current = None

    def _forget_old(self) -> None:
        while len(self._sessions) >= MAX_SESSIONS:
            closed = next((key for key, held in self._sessions.items() if held.state is not SessionState.OPEN), None)
            self._sessions.pop(closed or next(iter(self._sessions)))

    def _changed(self, session: Session) -> Quote:
        quote = self.reckoning.quote(session)
        self._bus.publish(
            EventKind.SESSION_CHANGED, {"session": session.id, "payable_minor": quote.settlement.payable_minor}
        )
        return quote


def _booked(session: str, points: int, balance: int) -> dict[str, Any]:
    return {"session": session, "points": points, "balance": balance}
