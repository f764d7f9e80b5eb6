"""The till's use cases while a sale is open: present a card, quote, redeem; and the way to all else it does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import time

import uuid6

from loyalty.basket import Basket
from loyalty.cards import CardFormat
from loyalty.credentials import CredentialRefused
from loyalty.errors import CardFormatError, RewardRefused
from loyalty.redemption import Choice, coupon_of
from loyalty.serving import Tender
from loyalty.settlement import settle
from pos_client.bookings import Bookings
from pos_client.choices import Choices, expect_allowed, expect_offered
from pos_client.corrections import Corrections
from pos_client.credential_uses import CredentialUses
from pos_client.credentials import CredentialReader
from pos_client.drafts import Drafts
from pos_client.events import EventBus, EventKind
from pos_client.pins import Pins
from pos_client.receipts.code import ReceiptCodes
from pos_client.reckoning import BasketStale, Reckoning, TillError
from pos_client.session import Presented, Quote, Session, SessionState
from pos_client.sessions import Sessions
from pos_client.spending import Spending
from pos_client.upkeep import Upkeep
from sync.holds import HoldDesk
from sync.journal import Journal
from sync.leases import Leases
from sync.mirror import Holder, Mirror
from sync.store import Store
from sync.terminal import Terminal, wall_ms


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
        credentials: CredentialReader | None = None,
        holds: HoldDesk | None = None,
        on_booked: Callable[[], None] = lambda: None,
        now_ms: Callable[[], int] = wall_ms,
        short_of_room: Callable[[], bool] = lambda: False,
    ) -> None:
        self._bus = bus
        self._now_ms = now_ms
        self._journal = Journal(store, terminal)
        self._mirror = Mirror(store)
        self._spending = Spending(Leases(store), holds, now_ms, short_of_room)
        self.reckoning = Reckoning(
            self._mirror,
            self._journal,
            formats=formats,
            card_key=terminal.card_key,
            credentials=credentials or CredentialReader(),
            spending=self._spending,
            uses=CredentialUses(store, terminal.card_key),
            time_zone=time_zone,
            business_day_starts=business_day_starts,
            now_ms=now_ms,
            short_of_room=short_of_room,
        )
        self.drafts = Drafts(store, self._journal, self.reckoning, now_ms)
        self._pins = Pins(store, self._mirror, now_ms)
        self._lock = threading.RLock()
        self._sessions = Sessions(
            self._journal, session_timeout_s, now_ms, lambda gone: self._spending.give_back(gone, list(gone.holds))
        )
        self._choices = Choices(self._sessions, self.reckoning, self._spending, self._lock)
        self.corrections = Corrections(
            self._journal,
            self.drafts,
            self._mirror,
            self.reckoning,
            codes=ReceiptCodes(store),
            bus=bus,
            lock=self._lock,
            on_booked=on_booked,
            now_ms=now_ms,
        )
        self.bookings = Bookings(
            self._journal,
            self.drafts,
            self.reckoning,
            self._sessions,
            mirror=self._mirror,
            choices=self._choices,
            spending=self._spending,
            corrections=self.corrections,
            bus=bus,
            lock=self._lock,
            on_booked=on_booked,
        )
        self.upkeep = Upkeep(store, self._mirror, self._sessions, self._spending, bus=bus, lock=self._lock)

    # -- what is known --------------------------------------------------------------------------------------------

    @property
    def current(self) -> str | None:
        """The session on the cashier's screen."""
        return self._sessions.current

    @property
    def waiting(self) -> Holder | None:
        """The holder of a card that was presented before any session was opened."""
        card = self._sessions.waiting()[0]
        return self._mirror.find(card) if card else None

    @property
    def waiting_rotating(self) -> bool:
        """Whether the holder that waits was proven by a rotating credential."""
        return self._sessions.waiting()[1]

    # -- the card -------------------------------------------------------------------------------------------------

    def present_card(self, card_text: str, scan_type: str) -> Holder | None:
        """A card was scanned or swiped: show its holder, and give it to the sale under way, or keep it for the next.

        Returns:
            The holder, or None when the text is no loyalty card (an article, say), the card is blocked, or its
            rotating credential does not count.
        """
        with self._lock:
            try:
                presented = self.reckoning.recognise(card_text, self._sessions.proven())
            except CredentialRefused as error:
                self.refuse_card(error.code)
                return None
            except CardFormatError:
                self._bus.publish(EventKind.LABEL_SCANNED, {"text": card_text, "type": scan_type})
                return None
            return self._present(presented)

    def present_member(self, card: str) -> Holder | None:
        """A member was found by what they said, their phone number say: as if their card (token) was scanned.

        Returns:
            The holder, or None when the card is blocked.
        """
        with self._lock:
            return self._present(Presented(self._mirror.find(card)))

    def _present(self, presented: Presented) -> Holder | None:
        """Give a card to the sale under way, or keep it for the next; None for a blocked one."""
        holder = presented.holder
        if holder.blocked:
            self._bus.publish(EventKind.CARD_REFUSED, {"code": "blocked"})
            return None
        session = self._sessions.under_way()
        if session is not None:
            self._attach(session, presented)
        else:
            rotating = presented.rotating or self._sessions.waiting() == (holder.card, True)
            self._sessions.wait(holder.card, rotating=rotating)
        self._bus.publish(
            EventKind.CARD_PRESENTED,
            {"session": session.id if session else None, "known": holder.known, "balance": holder.balance},
        )
        return holder

    def forget_card(self) -> None:
        """The card that was presented before a sale is not wanted after all."""
        with self._lock:
            self._sessions.forget_waiting()
            self._bus.publish(EventKind.SESSION_CHANGED, {"session": None, "payable_minor": 0})

    def refuse_card(self, code: str) -> None:
        """A card that may not be used (a payment card, or one that would not read): tell the cashier, keep nothing."""
        self._bus.publish(EventKind.CARD_REFUSED, {"code": code})

    # -- the sale -------------------------------------------------------------------------------------------------

    def open_session(self, session_id: str | None = None, cashier: str | None = None, *, aside: bool = False) -> Quote:
        """Start a sale; a card that is waiting goes with it. The same id again is the same session.

        Args:
            session_id: chosen by the till's software, so that it can ask again after any fault; made here when None.
            cashier: who serves, by the till software's own number.
            aside: for a message that brings its card: the one that waits, and the screen, are another customer's.
        """
        with self._lock:
            key = session_id or str(uuid6.uuid7())
            if (session := self._sessions.recall(key)) is None:
                session = self._sessions.start(key, self.reckoning.programme().currency, aside=aside)
            if cashier is not None and session.state is SessionState.OPEN:
                session.serving = session.serving.model_copy(update={"cashier": cashier})
            self._sessions.show(session)
            return self._changed(session)

    def tender(self, session_id: str, tender: Tender) -> Quote:
        """The customer begins to pay. Asking again, with another tender say, leaves the first: it is when it began.

        Raises:
            TillError: `unknown_session`, `session_closed`.
        """
        with self._lock:
            session = self._sessions.open(session_id)
            if session.serving.tender is None:
                session.serving = session.serving.model_copy(update={"tender": tender})
            return self._changed(session)

    def set_basket(self, session_id: str, basket: Basket, version: int | None = None) -> Quote:
        """Put the whole basket, as it is now. Rewards that no longer fit are taken off and named in the quote.

        Args:
            version: of the basket that this one was made from; None to replace whatever is there. The same basket in
                place of the same version again changes nothing, so that whoever did not hear the answer may ask again.

        Raises:
            TillError: `unknown_session`, `session_closed`; BasketStale; BasketError: another currency.
        """
        with self._lock:
            session = self._sessions.open(session_id)
            if version not in (None, session.basket_version):
                if (version, basket) == (session.basket_version - 1, session.basket):
                    return self.reckoning.quote(session)
                raise BasketStale(session.basket_version, session.basket)
            settle(self.reckoning.programme(), basket, "", ())
            session.basket, session.priced_ms = basket, self._now_ms()
            session.basket_version += 1
            session.dropped_rewards = ()
            return self._changed(session)

    def identify(self, session_id: str, card_text: str) -> Quote:
        """Give the sale a card by its number, or by the rotating credential that the member's phone shows.

        Raises:
            TillError: `unknown_session`, `session_closed`, `card_blocked`; CardFormatError; CredentialRefused.
        """
        with self._lock:
            session = self._sessions.open(session_id)
            return self._given(session, self.reckoning.look_up(card_text, session.card if session.rotating else None))

    def identify_member(self, session_id: str, card: str) -> Quote:
        """Give the sale a member who was found by what they said: as if their card (token) was identified.

        Raises:
            TillError: `unknown_session`, `session_closed`, `card_blocked`.
        """
        with self._lock:
            return self._given(self._sessions.open(session_id), Presented(self._mirror.find(card)))

    def enter_pin(self, session_id: str, pin: str) -> Quote:
        """Prove the card on this sale by the member's PIN: enough for rewards that ask for it.

        Raises:
            TillError: `unknown_session`, `session_closed`, `no_card`, `pin_unknown`, `pin_wrong`, `pin_locked`.
            StoreError: the try could not be counted.
        """
        with self._lock:
            card = self._sessions.open(session_id).card
            if card is None:
                raise TillError("no_card", "a PIN needs a card: ask the customer to scan it")
            account = self._mirror.find(card).account
        self._pins.check(account, pin)  # takes tens of milliseconds: no other customer waits for it
        with self._lock:
            session = self._sessions.open(session_id)
            if session.card == card:  # another card may have been scanned meanwhile
                session.pin = True
            return self._changed(session)

    def quote(self, session_id: str) -> Quote:
        """What the sale comes to now: points, rewards that may be given, what is to be paid.

        Raises:
            TillError: `unknown_session`.
        """
        with self._lock:
            session = self._sessions.recall(session_id)
            if session is None:
                raise TillError("unknown_session", "no such session: it was closed long ago, or the till was restarted")
            return self.reckoning.quote(session)

    def redeem(self, session_id: str, reward_id: str, amount_minor: int | None = None) -> Quote:
        """Take a reward on this sale. It is spent when the sale is committed.

        While head office answers its points are held there first, for other tills not to spend them. When it does not
        answer at once the offline policy decides.

        Args:
            amount_minor: for points as part payment, what the customer wants to pay with them; one step when None.

        Raises:
            RewardRefused: with the code that the quote shows beside the reward; `points_held` when head office says
                that the points are in use, or set aside, elsewhere.
            TillError: `unknown_session`, `session_closed`, `no_card`.
        """
        with self._lock:
            session = self._sessions.open(session_id)
            quote = self.reckoning.quote(session)
            if quote.holder is None:
                raise TillError("no_card", "a reward needs a card: ask the customer to scan it")
            expect_offered(quote, reward_id)
            choice = Choice(reward=reward_id, amount_minor=amount_minor)
            expect_allowed(session, quote, choice)
        return self._take(session_id, choice)

    def use_coupon(self, session_id: str, code: str) -> Quote:
        """Take the coupon with this single-use code on this sale. It is used up when the sale is committed.

        Raises:
            RewardRefused: `coupon_invalid` (mistyped), `coupon_unknown`, `coupon_used` (here, before), or why its gift
                cannot be given on this basket.
            TillError: `unknown_session`, `session_closed`, `no_card`.
        """
        with self._lock:
            session = self._sessions.open(session_id)
            quote = self.reckoning.quote(session)
            if quote.holder is None:
                raise TillError("no_card", "a coupon needs a card: ask the customer to scan it")
            choice = coupon_of(quote.programme, code)
            if self._journal.coupon_used(choice.code or ""):
                raise RewardRefused("coupon_used", "this coupon was used at this till before")
            expect_allowed(session, quote, choice)
        return self._take(session_id, choice)

    def unredeem(self, session_id: str, reward_id: str) -> Quote:
        """Take a chosen reward off this sale again; one that is not chosen changes nothing.

        Raises:
            TillError: `unknown_session`, `session_closed`.
        """
        with self._lock:
            session = self._sessions.open(session_id)
            if chosen := [choice for choice in session.rewards if choice.reward == reward_id]:
                session.rewards.remove(chosen[-1])
            return self._changed(session)

    # -- within ---------------------------------------------------------------------------------------------------

    def _take(self, session_id: str, choice: Choice) -> Quote:
        """Put `choice` on the sale, its points held when head office can be asked."""
        self._choices.hold(session_id, choice)
        with self._lock:
            session = self._sessions.open(session_id)
            try:
                quote = self.reckoning.quote(session, offer=False)
                if quote.holder is None:
                    raise TillError("no_card", "a reward needs a card: ask the customer to scan it")
                expect_allowed(session, quote, choice)
                session.rewards.append(choice)
            finally:
                changed = self._changed(session)
            return changed

    def _given(self, session: Session, presented: Presented) -> Quote:
        if presented.holder.blocked:
            raise TillError("card_blocked", "this card is blocked: send the customer to the service desk")
        if session.aside and self._sessions.waiting() == (presented.holder.card, True):
            presented = Presented(presented.holder, rotating=True)  # this very member showed their phone here
        self._attach(session, presented)
        return self._changed(session)

    def _attach(self, session: Session, presented: Presented) -> None:
        card = presented.holder.card
        if session.card != card:
            self._spending.give_back(session, list(session.holds))
            session.card, session.rotating, session.pin = card, presented.rotating, False
            if session.serving.tender is not None:
                session.serving = session.serving.model_copy(update={"card_after_tender": True})
            session.rewards.clear()  # the points of one member never pay for another's reward
        elif presented.rotating:
            session.rotating = True

    def _changed(self, session: Session) -> Quote:
        quote = self.reckoning.quote(session)
        account = quote.holder.account if quote.holder else None
        self._spending.trim(session, account, quote.settlement.points_spent)
        if not session.aside:
            told = {"session": session.id, "payable_minor": quote.settlement.payable_minor}
            self._bus.publish(EventKind.SESSION_CHANGED, told)
        return quote
