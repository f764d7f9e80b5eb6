"""The sales that a till remembers: which are open, which one is on the screen, and the card that waits for the next."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from loyalty.basket import Basket
from loyalty.ledger import EntryKind
from loyalty.redemption import Choice
from pos_client.reckoning import TillError
from pos_client.session import Session, SessionState
from pos_client.suspended import Suspended
from sync.journal import Journal

MAX_SESSIONS = 64
"""Sessions remembered: far more than one till has customers; past it the oldest that is not open goes first."""


class Sessions:
    """Not thread-safe: the till asks under its lock."""

    def __init__(
        self, journal: Journal, timeout_s: int, now_ms: Callable[[], int], on_forgotten: Callable[[Session], None]
    ) -> None:
        """`on_forgotten` hears of a session that had to make room."""
        self._journal = journal
        self._timeout_ms = timeout_s * 1000
        self._now_ms = now_ms
        self._on_forgotten = on_forgotten
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._waiting: tuple[str, bool, int] | None = None  # card, rotating, when
        self.current: str | None = None
        """The session on the cashier's screen."""

    # -- the card that waits --------------------------------------------------------------------------------------

    def waiting(self) -> tuple[str | None, bool]:
        """The card presented before a sale, and whether it was proven by a rotating credential.

        Kept for as long as a sale may rest: then its customer has walked away.
        """
        if self._waiting is None or self._now_ms() - self._waiting[2] > self._timeout_ms:
            return None, False
        return self._waiting[0], self._waiting[1]

    def wait(self, card: str, *, rotating: bool) -> None:
        """Keep a card for the next sale."""
        self._waiting = (card, rotating, self._now_ms())
        self.current = None

    def forget_waiting(self) -> None:
        """No card waits any more."""
        self._waiting = None

    def proven(self) -> str | None:
        """The card that a rotating credential proved for the sale under way or, before one is opened, for the next."""
        session = self._sessions.get(self.current or "")
        if session is not None and session.state is SessionState.OPEN:
            card, rotating = session.card, session.rotating
        else:
            card, rotating = self.waiting()
        return card if rotating else None

    # -- over a restart -------------------------------------------------------------------------------------------

    def suspend(self) -> Suspended:
        """What is open now."""
        return Suspended.of(list(self._sessions.values()), self.current, self._waiting)

    def resume(self, suspended: Suspended) -> None:
        """Go on with what was open; a sale that was booked since is left out."""
        for session in suspended.sessions():
            if not self._journal.find_all(session=session.id):
                self._sessions[session.id] = session
        self._waiting = suspended.waiting
        self.current = suspended.current if suspended.current in self._sessions else None

    # -- the sales ------------------------------------------------------------------------------------------------

    def start(self, session_id: str, currency: str, *, aside: bool = False) -> Session:
        """A new sale with an empty basket; the card that waits goes with it, unless it is `aside`."""
        while len(self._sessions) >= MAX_SESSIONS:
            closed = next((key for key, held in self._sessions.items() if held.state is not SessionState.OPEN), None)
            self._on_forgotten(self._sessions.pop(closed or next(iter(self._sessions))))
        now = self._now_ms()
        session = Session(session_id, now, now, Basket(currency=currency), aside=aside, priced_ms=now)
        if not aside:
            session.card, session.rotating = self.waiting()
            self._waiting = None
        self._sessions[session_id] = session
        return session

    def show(self, session: Session) -> None:
        """Put a sale on the screen, unless it is aside."""
        if not session.aside:
            self.current = session.id

    def find(self, session_id: str) -> Session | None:
        """A session that is remembered."""
        return self._sessions.get(session_id)

    def recall(self, session_id: str) -> Session | None:
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
            rewards=[Choice.of(redemption) for redemption in sale.settlement.redemptions],
            state=SessionState.VOIDED if voided else SessionState.BOOKED,
            entry=sale,
        )

    def open(self, session_id: str) -> Session:
        """A session that something is done with: it comes on the screen, unless it is aside.

        Raises:
            TillError: `unknown_session`, `session_closed`.
        """
        session = self.recall(session_id)
        if session is None:
            raise TillError("unknown_session", "no such session: open one first")
        if session.state is not SessionState.OPEN:
            raise TillError("session_closed", f"this session is {session.state}: open a new one")
        session.touched_ms = self._now_ms()
        self.show(session)
        return session

    def open_ones(self) -> list[Session]:
        """The sales that are not closed."""
        return [session for session in self._sessions.values() if session.state is SessionState.OPEN]

    def rests(self, session: Session) -> bool:
        """Whether nothing touched a sale for so long that its customer has walked away."""
        now = self._now_ms()
        session.touched_ms = min(session.touched_ms, now)  # a clock that was set back must not make it wait for that
        return now - session.touched_ms > self._timeout_ms

    def rest_in_s(self) -> float:
        """Seconds until the next sale for which points are held rests; at most what a sale may rest."""
        touched = [session.touched_ms for session in self.open_ones() if session.holds]
        return min([self._timeout_ms, *(at + self._timeout_ms + 1 - self._now_ms() for at in touched)]) / 1000

    def under_way(self) -> Session | None:
        """The open sale on the screen, unless it has rested for too long to be this customer's."""
        session = self._sessions.get(self.current or "")
        if session is None or session.state is not SessionState.OPEN:
            return None
        if self.rests(session):
            return None
        session.touched_ms = self._now_ms()
        return session

    def leave(self, session: Session) -> None:
        """Take a session off the screen."""
        if self.current == session.id:
            self.current = None
