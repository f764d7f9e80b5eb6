"""One ticket, one entry: for protocols that send what a customer spends and what they earn as messages of their own.

A sale of the journal is both: points are earned on what rewards leave to pay. So the message that spends books the
whole ticket, and the one that earns books it only when nothing was spent. Which message booked what stands in the
session's name, so that a message sent again, also after a restart, finds its own entry.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import threading
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from babel.numbers import get_currency_precision

from loyalty.basket import Basket
from loyalty.credentials import is_credential
from loyalty.errors import RewardRefused
from loyalty.ledger import Entry, EntryKind
from loyalty.redemption import Choice
from pos_client.plugin.answered import Answered, Claim
from pos_client.reckoning import TillError
from pos_client.runtime import Runtime
from pos_client.session import Booked, Quote, SessionState

_MERGED = b"earned with what was spent"
_TOKEN = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Looked:
    """What a ticket would come to. `taken` are places in what was wanted; `refused` has the reason for each other."""

    quote: Quote
    taken: tuple[int, ...]
    refused: tuple[tuple[int, RewardRefused], ...]


class Tickets:
    """The tickets of one protocol at one till. Thread-safe: one message at a time.

    Transactions and tickets are names of the other side's choosing; a member is a card as typed or scanned, or the
    token of one. Beside what is said, every call raises what the till's use cases raise.
    """

    def __init__(self, runtime: Runtime, answered: Answered, protocol: str) -> None:
        """`protocol`: a few letters, the same for ever: entries are found again by them.

        `answered` remembers for a day which messages earned with what was spent before, and booked nothing.
        """
        self._runtime = runtime
        self._till = runtime.till
        self._protocol = protocol
        self._lock = threading.Lock()
        self._answered = answered

    def look(self, member: str, basket: Basket, wanted: Sequence[Choice] = ()) -> Looked:
        """What the ticket would come to with as many of the rewards `wanted` as can be given. Books nothing."""
        with self._lock, self._scratch() as session:
            return self._ask(session, member, basket, wanted)

    def spend(self, transaction: str, ticket: str, member: str, basket: Basket, wanted: Sequence[Choice]) -> Booked:
        """Book the ticket with all of the rewards `wanted`: what it spends and what it earns. Again: the same entry.

        Raises:
            RewardRefused: one of them cannot be given; nothing was booked.
            TillError: `ticket_taken`: another message booked this ticket; `transaction_undone`.
        """
        with self._lock:
            if done := self._of_transaction(transaction):
                return self._again(done, member)
            if self._of_ticket(ticket):
                raise TillError("ticket_taken", "this ticket is booked: take that back first, then spend on it anew")
            return self._book(self._session(transaction, ticket), member, basket, wanted)

    def earn(self, transaction: str, ticket: str, member: str, basket: Basket) -> Booked:
        """Book the ticket's points, unless they were booked with what it spent. Again: the same entry.

        Raises:
            TillError: `transaction_undone`.
        """
        with self._lock:
            if done := self._of_transaction(transaction):
                return self._again(done, member)
            if sale := self._of_ticket(ticket):
                booked = self._again(sale, member)
                with self._claimed(transaction) as claim:
                    claim.keep(200, sale.session.encode())
                return booked
            return self._book(self._session(transaction, ticket), member, basket, ())

    def undo(self, transaction: str, member: str) -> Booked | None:
        """Take back what a transaction booked; None when it booked nothing of its own. Again changes nothing.

        Raises:
            TillError: `unknown_transaction`; `other_member`: it is not this member's; `sale_returned`.
        """
        with self._lock:
            if sale := self._of_transaction(transaction):
                return self.take_back(sale, member)
            with self._claimed(transaction) as claim:
                if claim.kept is not None:
                    return None
            raise TillError("unknown_transaction", "this till has booked no such transaction")

    def take_back(self, sale: Entry, member: str) -> Booked:
        """Take back a sale that a transaction booked. Again changes nothing.

        Raises:
            TillError: `other_member`, `sale_returned`.
        """
        self.expect_member(sale, member)
        undone = self._till.bookings.void(sale.session)
        assert undone is not None  # only what was never booked has nothing to take back
        return undone

    def again(self, transaction: str, member: str) -> Booked | None:
        """What a transaction booked before; None when it did not.

        Raises:
            TillError: `transaction_undone`, `other_member`.
        """
        done = self._of_transaction(transaction)
        return self._again(done, member) if done else None

    def expect_member(self, sale: Entry, member: str) -> None:
        """Refuse a message about another member's sale.

        Raises:
            TillError: `other_member`; CardFormatError: not a card.
        """
        # A phone's code cannot be read twice, and no other message may carry it: it proves nothing here.
        if is_credential(member) or member == sale.card:
            return
        if self._till.reckoning.look_up(member).holder.card != sale.card:
            raise TillError("other_member", "this transaction is of another member")

    def taken(self, transaction: str) -> tuple[str, ...]:
        """The rewards that a transaction booked, by id."""
        sale = self._of_transaction(transaction)
        return tuple(redemption.reward for redemption in sale.settlement.redemptions) if sale else ()

    # -- within ---------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _claimed(self, transaction: str) -> Iterator[Claim]:
        claim = self._answered.claim(f"adapter {self._protocol}", _short(transaction), _MERGED)
        try:
            yield claim
        finally:
            claim.release()

    @contextlib.contextmanager
    def _scratch(self) -> Iterator[str]:
        """A session that is dropped again, with the points held for it."""
        session = f"{self._protocol}.look.{uuid.uuid4()}"
        self._till.open_session(session, aside=True)
        try:
            yield session
        finally:
            self._till.bookings.void(session)

    def _book(self, session: str, member: str, basket: Basket, wanted: Sequence[Choice]) -> Booked:
        self._till.open_session(session, aside=True)
        try:
            self._identify(session, member, basket)
            for choice in wanted:
                self._till.redeem(session, choice.reward, choice.amount_minor)
            booked = self._till.bookings.commit(session)
        except Exception:
            # The session's name is this transaction's for ever, so it is emptied and not voided: sent again, the
            # message may be booked after all.
            self._empty(session)
            raise
        if (waiting := self._till.waiting) is not None and waiting.card == booked.entry.card:
            self._till.forget_card()  # it was this customer's, and not for the next sale
        return booked

    def _empty(self, session: str) -> None:
        if (quote := self._till.quote(session)).state is SessionState.OPEN:
            for redemption in quote.settlement.redemptions:
                self._till.unredeem(session, redemption.reward)

    def _ask(self, session: str, member: str, basket: Basket, wanted: Sequence[Choice]) -> Looked:
        quote = self._identify(session, member, basket)
        taken, refused = [], []
        for place, choice in enumerate(wanted):
            try:
                quote = self._till.redeem(session, choice.reward, choice.amount_minor)
            except RewardRefused as error:
                refused.append((place, error))
            else:
                taken.append(place)
        return Looked(quote, tuple(taken), tuple(refused))

    def _identify(self, session: str, member: str, basket: Basket) -> Quote:
        self._till.set_basket(session, basket)
        if _TOKEN.fullmatch(member) and self._runtime.mirror.find(member).known:
            return self._till.identify_member(session, member)
        return self._till.identify(session, member)

    def _session(self, transaction: str, ticket: str) -> str:
        return f"{self._protocol}.{_short(transaction)}.{_short(ticket)}"

    def _of_transaction(self, transaction: str) -> Entry | None:
        """The sale that this transaction booked, voided since or not."""
        start = f"{self._protocol}.{_short(transaction)}."
        return self._sale("session > ? AND session < ?", start, start[:-1] + "/")

    def _of_ticket(self, ticket: str) -> Entry | None:
        """The sale that stands for this ticket. The names of one protocol lie together, so few are looked through."""
        return self._sale(
            "session > ? AND session < ? AND substr(session, -22) = ? "
            "AND NOT EXISTS (SELECT 1 FROM journal v WHERE v.session = journal.session AND v.kind = 'void')",
            f"{self._protocol}.",
            f"{self._protocol}/",
            _short(ticket),
        )

    def _sale(self, where: str, *values: str) -> Entry | None:
        row = self._runtime.store.row(f"SELECT raw FROM journal WHERE kind = 'sale' AND {where}", values)  # noqa: S608
        return Entry.decode(row[0]) if row else None

    def _again(self, sale: Entry, member: str) -> Booked:
        if EntryKind.VOID in self._runtime.journal.find_all(session=sale.session):
            raise TillError("transaction_undone", "this transaction was booked and taken back: send a new one")
        self.expect_member(sale, member)
        return Booked(sale, self._runtime.mirror.find(sale.card).balance)


def minor(amount: Decimal, currency: str) -> int:
    """An amount of money in minor units, half up: what is left of a cent is nobody's."""
    scaled = amount.scaleb(get_currency_precision(currency))
    return int(scaled.quantize(Decimal(1), ROUND_HALF_UP))


def major(amount_minor: int, currency: str) -> float:
    """Minor units as JSON's decimal number."""
    return float(Decimal(amount_minor).scaleb(-get_currency_precision(currency)))


def _short(name: str) -> str:
    """A name of the other side's as 22 characters that a session's name may hold."""
    return base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()[:16]).decode().rstrip("=")
