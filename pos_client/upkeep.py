"""Keeps a till's open sales right while nobody asks: over a restart, when head office tells, when a sale rests."""

from __future__ import annotations

from collections.abc import Sequence
from threading import RLock

from pos_client.events import EventBus, EventKind
from pos_client.sessions import Sessions
from pos_client.spending import Spending
from pos_client.suspended import keep, take
from sync.mirror import Mirror
from sync.store import Store
from sync.wire_mirror import AccountChange, Change


class Upkeep:
    """Thread-safe, under the till's lock."""

    def __init__(
        self, store: Store, mirror: Mirror, sessions: Sessions, spending: Spending, *, bus: EventBus, lock: RLock
    ) -> None:
        self._store = store
        self._mirror = mirror
        self._sessions = sessions
        self._spending = spending
        self._bus = bus
        self._lock = lock

    def suspend(self) -> None:
        """The till stops: keep what is open for its next start.

        Raises:
            StoreError: it could not be written.
        """
        with self._lock:
            keep(self._store, self._sessions.suspend())

    def resume(self) -> None:
        """The till starts: go on with what was open when it was told to stop.

        Raises:
            StoreError: the database could not be read or written.
        """
        with self._lock:
            self._sessions.resume(take(self._store))

    def heard(self, changes: Sequence[Change]) -> None:
        """Head office told of members: those who are at this till may have other points now."""
        accounts = {change.account for change in changes if isinstance(change, AccountChange)}
        with self._lock:
            here = [(session.id, session.card) for session in self._sessions.open_ones()]
            for session, card in [*here, (None, self._sessions.waiting()[0])]:
                holder = self._mirror.find(card) if card else None
                if holder is not None and holder.account in accounts:
                    told = {"session": session, "balance": holder.balance, "confirmed": holder.confirmed}
                    self._bus.publish(EventKind.BALANCE_CHANGED, told)

    def rest(self) -> None:
        """Give back what is held for sales that rest too long: their till software may have died.

        The sale itself stays: whoever goes on with it has its rewards held again when it is booked.
        """
        with self._lock:
            for session in self._sessions.open_ones():
                if session.holds and self._sessions.rests(session):
                    self._spending.give_back(session, list(session.holds))
