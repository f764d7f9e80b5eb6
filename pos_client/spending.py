"""What the points of a sale are spent on: those held for it, those leased to this till, or the till's own word."""

from __future__ import annotations

from collections.abc import Callable

from loyalty.spending import SetAside
from pos_client.session import Session
from sync.holds import Held, HoldDesk
from sync.leases import Leases


class Spending:
    """Knows what is set aside for a sale, has more held, and gives back what is not needed."""

    def __init__(
        self, leases: Leases, desk: HoldDesk | None, now_ms: Callable[[], int], short_of_room: Callable[[], bool]
    ) -> None:
        """Without a desk head office is never asked: everything goes by the offline policy."""
        self._leases = leases
        self._desk = desk
        self._now_ms = now_ms
        self._short_of_room = short_of_room

    @property
    def online(self) -> bool:
        """Whether head office can be asked to hold points now."""
        return self._desk is not None and self._desk.reachable

    def held(self, session: Session | None) -> list[SetAside]:
        """What is held for a sale and has not ended."""
        return self._desk.usable(session.holds) if self._desk is not None and session is not None else []

    def leased(self, account: str | None) -> list[SetAside]:
        """What is set aside of an account at this till."""
        return self._leases.of(account, self._now_ms())

    def short(self, session: Session, account: str | None, spent: int) -> int:
        """How many points more have to be held for a sale that spends `spent`; 0 when there is nobody to ask."""
        if not spent or not self.online:
            return 0
        return max(0, spent - _total(self.held(session)) - self._from_leases(account))

    def ask(self, card: str, points: int, session: str) -> Held | None:
        """Have points held; None when nobody answers in time. Not under the till's lock: it waits for the line.

        Raises:
            RewardRefused: as `HoldDesk.ask`.
        """
        return self._desk.ask(card, points, session) if self._desk is not None and points else None

    def trim(self, session: Session, account: str | None, spent: int) -> None:
        """Give back the holds that a sale which spends `spent` does not need."""
        if self._desk is None or not session.holds:
            return
        usable = {source.id for source in self.held(session)}
        needed = max(0, spent - self._from_leases(account)) if spent else 0
        total = sum(hold.points for hold in session.holds if hold.id in usable)
        surplus = []
        for hold in list(session.holds):
            if hold.id not in usable:
                surplus.append(hold)
            elif total - hold.points >= needed:
                surplus.append(hold)
                total -= hold.points
        self.give_back(session, surplus)

    def give_back(self, session: Session, holds: list[Held]) -> None:
        """Take `holds` off a sale; head office hears of it when it can."""
        if self._desk is not None and holds:
            self._desk.free(hold.id for hold in holds)  # first: where the disk fails, the sale still has them
            session.holds[:] = [hold for hold in session.holds if hold not in holds]

    def _from_leases(self, account: str | None) -> int:
        """Points that need no hold; while this till is short of room nothing is given from a lease (`assess`)."""
        return 0 if self._short_of_room() else _total(self.leased(account))


def _total(sources: list[SetAside]) -> int:
    return sum(source.points for source in sources)
