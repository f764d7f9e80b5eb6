"""What is booked beside sales: goods that come back, and points that a manager gives or takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import RLock

from loyalty.basket import Basket
from loyalty.card_orders import CardAction, CardOrder
from loyalty.ledger import EntryKind
from loyalty.returns import Sold
from loyalty.serving import Serving
from loyalty.settlement import settle
from pos_client.drafts import Drafts
from pos_client.events import EventBus, EventKind
from pos_client.receipts.code import ReceiptCodes, is_code
from pos_client.reckoning import Reckoning, TillError
from pos_client.session import Booked, Session
from sync.card_orders import CardTaken
from sync.journal import Also, Draft, Journal
from sync.mirror import Mirror


class Corrections:
    """Thread-safe, under the till's lock."""

    def __init__(
        self,
        journal: Journal,
        drafts: Drafts,
        mirror: Mirror,
        reckoning: Reckoning,
        *,
        codes: ReceiptCodes,
        bus: EventBus,
        lock: RLock,
        on_booked: Callable[[], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._journal = journal
        self._drafts = drafts
        self._mirror = mirror
        self._reckoning = reckoning
        self._codes = codes
        self._bus = bus
        self._lock = lock
        self._on_booked = on_booked
        self._now_ms = now_ms

    def return_goods(self, return_id: str, receipt: str, lines: Mapping[str, int], also: Also | None = None) -> Booked:
        """Take goods back from a sale, with the points that it earned then.

        Args:
            return_id: chosen by the till's software; the same id again is the same return.
            receipt: as for `sale_of`.
            lines: quantity that comes back of each line, in thousandths, by the sale's line ids.
            also: written in the same transaction, when this call is the one that books.

        Raises:
            TillError: as `sale_of`.
            ReturnRefused: more comes back than was bought, or not of this sale.
            StoreFull, StoreError: nothing was booked.
        """
        with self._lock:
            if done := self._before(EntryKind.RETURN, return_id):
                return done
            draft = self._drafts.returned(return_id, self.sale_of(receipt), lines)
            booked = self._book(draft, EventKind.RETURN_BOOKED, also)
        self._on_booked()
        return booked

    def attach_late(
        self, receipt: str, card_text: str, basket: Basket, serving: Serving, also: Also | None = None
    ) -> Booked:
        """Book a sale that was paid while this till could not be asked, by its receipt; the entry is flagged.

        It earns by the programme of now. Rewards cannot be given any more: the customer has paid.

        Args:
            receipt: the till software's own number; the same again, or as the session of a sale that was booked after
                all, is the same sale.
            also: as for `return_goods`.

        Raises:
            TillError: `card_blocked`, `session_closed` (booked and voided), `no_programme`; BasketError.
            CardFormatError, CredentialRefused: not a card.
            StoreFull, StoreError: nothing was booked.
        """
        with self._lock:
            entries = self._journal.find_all(session=receipt)
            if EntryKind.VOID in entries:
                raise TillError("session_closed", "this sale was booked and then voided: it cannot be attached")
            if done := self._before(EntryKind.SALE, receipt):
                return done
            settle(self._reckoning.programme(), basket, "", ())
            presented = self._reckoning.look_up(card_text)
            if presented.holder.blocked:
                raise TillError("card_blocked", "this card is blocked: send the customer to the service desk")
            now = self._now_ms()
            sale = Session(receipt, now, now, basket, card=presented.holder.card, priced_ms=now)
            sale.serving = serving.model_copy(update={"late_attach": True})
            draft = self._drafts.sale(self._reckoning.quote(sale, offer=False))
            booked = self._book(draft, EventKind.SALE_BOOKED, also)
        self._on_booked()
        return booked

    def sale_of(self, receipt: str) -> Sold:
        """The sale of a receipt: of this till by its session, the id of its entry or the code on it; of another till of
        the chain by that code alone, which no line is needed for.

        Raises:
            TillError: `unknown_receipt`, `sale_voided`; `receipt_code_wrong`: a code that head office's tills did not
                make, or that was changed or misread since.
        """
        elsewhere = self._codes.read(receipt) if is_code(receipt) else None
        found = self._journal.find(elsewhere.id if elsewhere else receipt)
        entries = self._journal.find_all(session=found.session if found else receipt)
        if (sale := entries.get(EntryKind.SALE)) is None:
            if elsewhere is not None:
                return elsewhere
            raise TillError(
                "unknown_receipt",
                "this till has no such receipt: it is of another till, or older than this one keeps (30 days after "
                "head office had it); scan the code on it, or return the goods where they were bought",
            )
        if EntryKind.VOID in entries:
            raise TillError("sale_voided", "this sale was voided: its points are back already")
        return Sold.of(sale)

    def adjust(
        self,
        adjustment_id: str,
        card_text: str,
        points: int,
        *,
        reason: str,
        approver: str,
        also: Also | None = None,
    ) -> Booked:
        """Give points, or take them (negative), on a manager's word; who and why go with the entry.

        Args:
            adjustment_id: the same id again is the same adjustment.
            also: as for `return_goods`.

        Raises:
            TillError: `adjustment_incomplete` without points, a reason and an approver; `no_programme`.
            CardFormatError, CredentialRefused: not a card.
            StoreFull, StoreError: nothing was booked.
        """
        with self._lock:
            if done := self._before(EntryKind.ADJUSTMENT, adjustment_id):
                return done
            card = self._reckoning.look_up(card_text).holder.card
        return self.adjust_card(adjustment_id, card, points, reason=reason, approver=approver, also=also)

    def adjust_card(
        self,
        adjustment_id: str,
        card: str,
        points: int,
        *,
        reason: str,
        approver: str,
        also: Also | None = None,
    ) -> Booked:
        """As `adjust`, for the card with token `card`, whose member was looked up before.

        Raises:
            TillError, StoreFull, StoreError: as `adjust`.
        """
        with self._lock:
            if done := self._before(EntryKind.ADJUSTMENT, adjustment_id):
                return done
            holder = self._mirror.find(card)
            draft = self._drafts.adjustment(adjustment_id, holder, points, reason, approver)
            booked = self._book(draft, EventKind.POINTS_ADJUSTED, also)
        self._on_booked()
        return booked

    def order_card(
        self,
        order_id: str,
        card: str,
        action: CardAction,
        *,
        new_card_text: str | None = None,
        reason: str,
        approver: str,
        also: Also | None = None,
    ) -> Booked:
        """Block the card with token `card`, let it in again, or give its member another in its place.

        It counts at this till at once, and everywhere when head office has heard of it.

        Args:
            order_id: the same id again is the same order.
            new_card_text: for a replacement, and only then: the new card's number.
            also: as for `return_goods`.

        Raises:
            TillError: `adjustment_incomplete`, `member_unknown`, `card_taken`: the new card is somebody's already;
                `new_card_wanted`: none was given for a replacement, or one for something else.
            CardFormatError, CredentialRefused: the new card is none.
            StoreFull, StoreError: nothing was booked.
        """
        with self._lock:
            if done := self._before(EntryKind.ADJUSTMENT, order_id):
                return done
            if (new_card_text is not None) != (action is CardAction.REPLACE):
                raise TillError("new_card_wanted", "expected a new card for a replacement, and only for one")
            new = self._reckoning.look_up(new_card_text).holder if new_card_text is not None else None
            if new is not None and (new.known or new.card == card):
                raise TillError("card_taken", "the new card belongs to a member already: take one that nobody has")
            order = CardOrder(action=action, new_card=new.card if new else None)
            draft = self._drafts.card_order(order_id, self._mirror.find(card), order, reason, approver)
            try:
                booked = self._book(draft, EventKind.POINTS_ADJUSTED, also)
            except CardTaken as error:
                raise TillError("card_taken", str(error)) from error
        self._on_booked()
        return booked

    def _before(self, kind: EntryKind, its_id: str) -> Booked | None:
        done = self._journal.find_all(session=its_id).get(kind)
        return Booked(done, self._mirror.find(done.card).balance) if done else None

    def _book(self, draft: Draft, event: EventKind, also: Also | None) -> Booked:
        entry = self._journal.append(draft, also)
        booked = Booked(entry, self._mirror.find(entry.card).balance)
        self._bus.publish(event, booked.told)
        return booked
