"""Keeps a till's open sales right while nobody asks: over a restart, when head office tells, when a sale rests."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from threading import RLock

import structlog

from pos_client.events import EventBus, EventKind
from pos_client.sessions import Sessions
from pos_client.spending import Spending
from pos_client.suspended import keep, take
from sync.errors import StoreError
from sync.mirror import Mirror
from sync.store import Store
from sync.wire_mirror import AccountChange, Change

LEAST_S = 0.5
"""Between two looks: a sale that rests is found at most this late, and a disk that fails is not asked without end."""

log = structlog.get_logger("spaarpunt.till")


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
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look after sales that rest, in a thread of its own until `stop`: with or without a line to head office."""
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        # Whatever is touched from now on rests later than this looks again.
        while not self._stop.wait(max(LEAST_S, self._rest_in_s())):
            try:
                self.rest()
            except StoreError as error:
                log.warning("what is held for sales that rest is given back later", problem=str(error))

    def _rest_in_s(self) -> float:
        with self._lock:
            return self._sessions.rest_in_s()

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

        Raises:
            StoreError: it could not be written; the sales keep what they have.
        """
        with self._lock:
            for session in self._sessions.open_ones():
                if session.holds and self._sessions.rests(session):
                    self._spending.give_back(session, list(session.holds))
