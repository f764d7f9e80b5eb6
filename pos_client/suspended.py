"""The sales that are open when a till is told to stop: kept in its database, and taken up again by its next start."""

from __future__ import annotations

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from loyalty.basket import Basket
from loyalty.redemption import Choice
from loyalty.serving import Serving
from pos_client.session import Session, SessionState
from sync.store import Store

log = structlog.get_logger("spaarpunt.till")


class _Sale(BaseModel):
    """Of a session what cannot be worked out again. Points that were held are not in it: they are given back."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: str
    opened_ms: int
    touched_ms: int
    basket: Basket
    basket_version: int
    card: str | None
    rotating: bool
    pin: bool
    aside: bool = False
    rewards: tuple[Choice, ...]
    priced_ms: int
    serving: Serving


class Suspended(BaseModel):
    """Open sales, oldest first; the one on the screen; the card that waits: token, rotating, since when (ms UTC)."""

    model_config = ConfigDict(frozen=True)

    sales: tuple[_Sale, ...] = ()
    current: str | None = None
    waiting: tuple[str, bool, int] | None = None

    @classmethod
    def of(cls, sessions: list[Session], current: str | None, waiting: tuple[str, bool, int] | None) -> Suspended:
        """From what a till remembers."""
        sales = tuple(_Sale.model_validate(one) for one in sessions if one.state is SessionState.OPEN)
        return cls(sales=sales, current=current, waiting=waiting)

    def sessions(self) -> list[Session]:
        """The sales as a till remembers them."""
        return [Session(**{**dict(sale), "rewards": list(sale.rewards)}) for sale in self.sales]


def keep(store: Store, suspended: Suspended) -> None:
    """Write what is open, for the next start.

    Raises:
        StoreError: it could not be written; the sales start again.
    """
    with store.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO open_sales VALUES (1, ?)", (suspended.model_dump_json(),))


def take(store: Store) -> Suspended:
    """What was open when the till was stopped, once: a till that is killed later must not find it again.

    Raises:
        StoreError: the database could not be read or written.
    """
    row = store.row("SELECT document FROM open_sales")
    if row is None:
        return Suspended()
    with store.transaction() as connection:
        connection.execute("DELETE FROM open_sales")
    try:
        return Suspended.model_validate_json(row[0])
    except ValidationError:
        log.warning("the open sales are of another version of this software: they start again")
        return Suspended()
