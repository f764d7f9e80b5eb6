"""What ends a sale: it is booked, booked with goods that come back, dropped, or reversed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import RLock

from loyalty.ledger import Entry, EntryKind
from pos_client.choices import Choices
from pos_client.corrections import Corrections
from pos_client.drafts import Drafts
from pos_client.events import EventBus, EventKind
from pos_client.reckoning import Reckoning, TillError
from pos_client.session import Booked, Session, SessionState
from pos_client.sessions import Sessions
from pos_client.spending import Spending
from sync.journal import Also, Journal
from sync.mirror import Mirror


class Bookings:
    """Thread-safe, under the till's lock."""

    def __init__(
        self,
        journal: Journal,
        drafts: Drafts,
        reckoning: Reckoning,
        sessions: Sessions,
        *,
        mirror: Mirror,
        choices: Choices,
        spending: Spending,
        corrections: Corrections,
        bus: EventBus,
        lock: RLock,
        on_booked: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._drafts = drafts
        self._mirror = mirror
        self._reckoning = reckoning
        self._sessions = sessions
        self._choices = choices
        self._spending = spending
        self._corrections = corrections
        self._bus = bus
        self._lock = lock
        self._on_booked = on_booked

    def commit(self, session_id: str, also: Also | None = None) -> Booked:
        """Book the sale. When this returns it is on the disk.

        Committing again returns the same entry, also after a restart.

        Args:
            also: written in the same transaction, when this call is the one that books.

        Raises:
            TillError: `unknown_session`, `session_closed` (voided), `no_card`.
            RewardRefused: the points or the till's limits no longer allow a chosen reward.
            StoreFull, StoreError: nothing was booked.
        """
        self._choices.hold(session_id)
        with self._lock:
            if done := self._booked_before(session_id):
                return done
            session = self._sessions.open(session_id)
            quote = self._reckoning.quote(session, offer=False)
            entry = self._journal.append(self._drafts.sale(quote), also)
            assert quote.holder is not None
            booked = self._sale_booked(session, entry, quote.holder.balance + entry.points)
        self._on_booked()
        return booked

    def exchange(
        self, session_id: str, receipt: str, lines: Mapping[str, int], also: Also | None = None
    ) -> tuple[Booked, Booked]:
        """Take goods back and book the open sale `session_id` in one transaction: both are on the disk, or neither.

        Args:
            also: as for `commit`; gets the return and the sale.

        Returns:
            The return and the sale.

        Raises:
            As `Corrections.return_goods` and `commit`.
        """
        self._choices.hold(session_id)
        with self._lock:
            returned = self._journal.find_all(session=session_id).get(EntryKind.RETURN)
            if returned and (done := self._booked_before(session_id)):
                return Booked(returned, done.balance), done
            session = self._sessions.open(session_id)
            bought = self._corrections.sale_of(receipt)
            back = self._drafts.returned(session_id, bought, lines)
            taken_back = self._drafts.takes(back, bought)
            sale = self._drafts.sale(self._reckoning.quote(session, offer=False), taken_back=taken_back)
            returned, entry = self._journal.append_all([back, sale], also)
            back_booked = Booked(returned, self._mirror.find(returned.card).balance)
            self._bus.publish(EventKind.RETURN_BOOKED, back_booked.told)
            sold = self._sale_booked(session, entry, self._mirror.find(entry.card).balance)
        self._on_booked()
        return back_booked, sold

    def void(self, session_id: str, also: Also | None = None) -> Booked | None:
        """Drop an open sale (None), or reverse a booked one with an entry of its own. Voiding again changes nothing.

        Args:
            also: as for `commit`, for a reversal.

        Raises:
            TillError: `unknown_session`, `sale_returned`; StoreFull, StoreError: nothing was booked.
        """
        with self._lock:
            entries = self._journal.find_all(session=session_id)
            if done := entries.get(EntryKind.VOID):
                return Booked(done, self._mirror.find(done.card).balance)
            session = self._sessions.find(session_id)
            if (sale := entries.get(EntryKind.SALE)) is None:
                if session is None:
                    raise TillError("unknown_session", "no such session to void")
                session.state = SessionState.VOIDED
                self._spending.give_back(session, list(session.holds))
                self._sessions.leave(session)
                if not session.aside:
                    self._bus.publish(EventKind.SESSION_CHANGED, {"session": session.id, "payable_minor": 0})
                return None
            entry = self._journal.append(self._drafts.void(sale), also)
            if session is not None:
                session.state = SessionState.VOIDED
                self._sessions.leave(session)
            booked = Booked(entry, self._mirror.find(entry.card).balance)
            self._bus.publish(EventKind.SALE_VOIDED, booked.told)
        self._on_booked()
        return booked

    def _booked_before(self, session_id: str) -> Booked | None:
        """The sale of a session when it is booked; a sale that was voided since cannot be booked again."""
        entries = self._journal.find_all(session=session_id)
        if EntryKind.VOID in entries:
            raise TillError("session_closed", "this sale was booked and then voided: open a new session")
        done = entries.get(EntryKind.SALE)
        return Booked(done, self._mirror.find(done.card).balance) if done else None

    def _sale_booked(self, session: Session, entry: Entry, balance: int) -> Booked:
        session.state, session.entry = SessionState.BOOKED, entry
        # Those that the entry names are spent with it, and are not given back by this.
        self._spending.give_back(session, list(session.holds))
        booked = Booked(entry, balance)
        self._bus.publish(EventKind.SALE_BOOKED, booked.told)
        return booked
