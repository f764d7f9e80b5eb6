"""Points held at head office for a sale under way: asked for within a short time, and always given back."""

from __future__ import annotations

import concurrent.futures
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from loyalty.errors import RewardRefused
from loyalty.spending import AuthorityKind, SetAside
from sync.calls import Calls
from sync.errors import Rejected, TransportError
from sync.leases import Leases
from sync.store import Store
from sync.terminal import load_terminal
from sync.transport import Transport
from sync.wire_spending import ClosedLeases, HoldRequest, HoldState

SHY_S = 15
"""After no answer head office is left alone for so long: one slow reward, and not every one, while a line is down."""

HOLD_S = 900
"""How long points are held: longer than a customer packs and pays."""

MAX_ASKED = 4
"""Holds asked for at once: more sales than a till has open at its counter. One more goes by the offline policy."""

MARGIN_S = 30
"""A hold is used up to so long before it ends: its entry has to arrive as well."""

MAX_FREED = 100
"""Holds given back in one round of the agent."""

_REASONS = {"points_short": "points_held", "card_blocked": "card_blocked", "unknown_card": "card_unknown"}

log = structlog.get_logger("spaarpunt.sync")


@dataclass(frozen=True, slots=True)
class Held:
    """Points held for a sale. `until` is a moment of the desk's steady clock, in seconds."""

    id: str
    points: int
    until: float


class HoldDesk:
    """Asks head office to hold points, for one running till. Thread-safe."""

    def __init__(
        self,
        store: Store,
        transport: Transport,
        *,
        is_online: Callable[[], bool],
        on_free: Callable[[], None] = lambda: None,
        ask_s: float,
        steady_s: Callable[[], float] = time.monotonic,
        new_id: Callable[[], uuid.UUID] = uuid.uuid4,
    ) -> None:
        """Give back what an earlier run of this till left.

        Args:
            transport: of its own: the agent's may be in the middle of a long batch.
            is_online: whether head office answered last.
            on_free: told when there are holds to give back.
            ask_s: how long a checkout waits for head office, in seconds: a line that takes longer counts as away.
        """
        self._store = store
        self._transport = transport
        self._is_online = is_online
        self._on_free = on_free
        self._ask_s = ask_s
        self._steady_s = steady_s
        self._new_id = new_id
        self._shy_until = steady_s()
        self._asking = concurrent.futures.ThreadPoolExecutor(MAX_ASKED, "hold")
        self._places = threading.BoundedSemaphore(MAX_ASKED)
        with store.transaction() as connection:
            connection.execute("UPDATE hold SET free = 1")

    @property
    def reachable(self) -> bool:
        """Whether it makes sense to ask now."""
        return self._is_online() and self._steady_s() >= self._shy_until

    def ask(self, card: str, points: int, session: str) -> Held | None:
        """Have `points` held for a sale; None when head office does not answer in time.

        Sales that ask at the same time wait side by side, each no longer than `ask_s`. Whatever is still under way
        counts among the `MAX_ASKED` there may be, also when nobody waits for it any more.

        Raises:
            RewardRefused: head office says no: `points_held` when fewer are free, `card_blocked`, `card_unknown`.
        """
        if not self.reachable or not self._places.acquire(blocking=False):
            return None
        hold = str(self._new_id())
        try:
            with self._store.transaction() as connection:
                connection.execute("INSERT INTO hold (hold) VALUES (?)", (hold,))
            self._transport.sign_with(load_terminal(self._store).private_key)  # an epoch that began brought its own
            asked = self._steady_s()
            request = HoldRequest(id=hold, card=card, points=points, session=session, expires_s=HOLD_S)
            under_way = self._asking.submit(self._transport.hold, request)
        except BaseException:
            self._places.release()
            raise
        under_way.add_done_callback(lambda _: self._places.release())
        try:
            answer = under_way.result(self._ask_s)
        except Rejected as error:
            self._forget(hold)
            if error.code in _REASONS:
                raise RewardRefused(_REASONS[error.code], f"{points} points asked: {error}") from error
            log.warning("head office refuses to hold points", code=error.code, problem=str(error))
            self._leave_alone()
            return None
        except (TransportError, concurrent.futures.TimeoutError) as error:
            log.warning("no hold: head office did not answer in time", problem=str(error))
            self.free([hold])
            self._leave_alone()
            return None
        if answer.state is not HoldState.ACTIVE or answer.expires_s <= MARGIN_S:
            self.free([hold])
            return None
        return Held(hold, answer.points, asked + answer.expires_s - MARGIN_S)

    def usable(self, holds: Iterable[Held]) -> list[SetAside]:
        """Those of `holds` that have not ended, as what a sale may spend."""
        now = self._steady_s()
        return [SetAside(AuthorityKind.HOLD, hold.id, hold.points) for hold in holds if hold.until > now]

    def free(self, holds: Iterable[str]) -> None:
        """These are not needed any more: the agent gives them back when it can. Those that were spent stay so."""
        ids = [(hold,) for hold in holds]
        if ids:
            with self._store.transaction() as connection:
                connection.executemany("UPDATE hold SET free = 1 WHERE hold = ?", ids)
            self._on_free()

    def close(self) -> None:
        """Ask no more, and close the connection."""
        self._asking.shutdown(wait=True, cancel_futures=True)
        self._transport.close()

    def _leave_alone(self) -> None:
        self._shy_until = self._steady_s() + SHY_S

    def _forget(self, hold: str) -> None:
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM hold WHERE hold = ?", (hold,))


def tell_head_office(store: Store, transport: Calls, now_ms: int) -> None:
    """Give back the holds that are free, and tell which leases are closed. A part of the agent's round.

    Raises:
        TransportError: head office could not be used; what was not told is told next time.
    """
    for (hold,) in store.rows("SELECT hold FROM hold WHERE free LIMIT ?", (MAX_FREED,)):
        try:
            transport.free_hold(hold)
        except Rejected as error:
            # It was never made, is over, or was captured: nothing is set aside that could be given back.
            if error.code not in {"unknown_hold", "hold_captured", "other_terminal"}:
                raise
        with store.transaction() as connection:
            connection.execute("DELETE FROM hold WHERE hold = ?", (hold,))
    leases = Leases(store)
    for closed in leases.close_due(now_ms):
        transport.close_leases(ClosedLeases(epoch=closed.epoch, seq=closed.seq, leases=closed.leases))
        leases.told(closed)
