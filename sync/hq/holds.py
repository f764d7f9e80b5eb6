"""Points held for a sale under way: placed, captured, released. Each is safe to ask again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sync.hq.available import lock_accounts, spendable
from sync.hq.database import Connection
from sync.hq.errors import Refused
from sync.wire_spending import HoldAnswer, HoldRequest, HoldState

CAPTURE_KEEPS = timedelta(days=7)
"""How long captured points wait for their entry: a till that is away for longer is looked after by people."""

_COLUMNS = "account_id, hold_id, terminal_id, points, state, expires_at"


@dataclass(frozen=True, slots=True)
class _Hold:
    account: str
    hold_id: UUID
    terminal: str
    points: int
    state: HoldState
    expires_at: datetime

    def answer(self, now: datetime) -> HoldAnswer:
        lasts = self.state in {HoldState.ACTIVE, HoldState.CAPTURED}
        left = max(0, int((self.expires_at - now).total_seconds())) if lasts else 0
        return HoldAnswer(
            id=str(self.hold_id), account=self.account, points=self.points, state=self.state, expires_s=left
        )


def place(conn: Connection, terminal: str, request: HoldRequest, now: datetime) -> HoldAnswer:
    """Set points aside for a sale of `terminal`. The same request again answers the hold that is there.

    Raises:
        Refused: 404 `unknown_card`; 409 `card_blocked`, `points_short`; for an id that is here already 403
            `other_terminal`, 409 `hold_differs`, `hold_released`.
    """
    hold_id = UUID(request.id)
    with conn.transaction():
        card = conn.execute("SELECT account_id, blocked FROM card WHERE token = %s", (request.card,)).fetchone()
        if card is None:
            raise Refused(404, "unknown_card", "the card belongs to no member here: it earns, but cannot spend")
        account, blocked = card
        if blocked:
            raise Refused(409, "card_blocked", "the card is blocked: its points cannot be spent")
        lock_accounts(conn, [account])
        if known := _find(conn, hold_id):
            return _same(known, terminal, account, request.points).answer(now)
        left = spendable(conn, [account], now)[account]
        if request.points > left:
            raise Refused(409, "points_short", f"expected at most {max(0, left)} points, got {request.points}")
        expires = now + timedelta(seconds=request.expires_s)
        conn.execute(
            "INSERT INTO hold (account_id, hold_id, terminal_id, session, points, made_at, expires_at) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (account, hold_id, terminal, request.session, request.points, now, expires),
        )
    return _Hold(account, hold_id, terminal, request.points, HoldState.ACTIVE, expires).answer(now)


def capture(conn: Connection, terminal: str, hold_id: UUID, now: datetime) -> HoldAnswer:
    """The sale is booked at the till: keep the points until its entry arrives. Capturing again changes nothing.

    A hold that has expired takes its points again when they are still there; else it is `late`: the entry books a debt.

    Raises:
        Refused: 404 `unknown_hold`; 403 `other_terminal`; 409 `hold_released`.
    """
    with conn.transaction():
        held = _locked(conn, terminal, hold_id)
        if held.state is HoldState.RELEASED:
            raise Refused(409, "hold_released", "this hold was released before: its points are free")
        if held.state is not HoldState.ACTIVE:
            return held.answer(now)
        state, expires = HoldState.CAPTURED, now + CAPTURE_KEEPS
        if held.expires_at <= now and spendable(conn, [held.account], now)[held.account] < held.points:
            state, expires = HoldState.LATE, held.expires_at
        return _put(conn, held, state, expires).answer(now)


def release(conn: Connection, terminal: str, hold_id: UUID, now: datetime) -> HoldAnswer:
    """Free the points. Releasing again changes nothing.

    Raises:
        Refused: 404 `unknown_hold`; 403 `other_terminal`; 409 `hold_captured`.
    """
    with conn.transaction():
        held = _locked(conn, terminal, hold_id)
        if held.state is HoldState.RELEASED:
            return held.answer(now)
        if held.state is not HoldState.ACTIVE:
            raise Refused(409, "hold_captured", f"this hold is {held.state}: void the sale instead")
        return _put(conn, held, HoldState.RELEASED, held.expires_at).answer(now)


def _put(conn: Connection, held: _Hold, state: HoldState, expires: datetime) -> _Hold:
    conn.execute(
        "UPDATE hold SET state = %s, expires_at = %s WHERE account_id = %s AND hold_id = %s",
        (state, expires, held.account, held.hold_id),
    )
    return _Hold(held.account, held.hold_id, held.terminal, held.points, state, expires)


def _find(conn: Connection, hold_id: UUID) -> _Hold | None:
    row = conn.execute(f"SELECT {_COLUMNS} FROM hold WHERE hold_id = %s", (hold_id,)).fetchone()
    return None if row is None else _Hold(row[0], row[1], row[2], row[3], HoldState(row[4]), row[5])


def _locked(conn: Connection, terminal: str, hold_id: UUID) -> _Hold:
    held = _find(conn, hold_id)
    if held is None:
        raise Refused(404, "unknown_hold", "no hold of that id is here")
    _expect_own(held, terminal)
    lock_accounts(conn, [held.account])
    again = _find(conn, hold_id)
    assert again is not None, "holds are deleted long after their end"
    return again


def _expect_own(held: _Hold, terminal: str) -> None:
    if held.terminal != terminal:
        raise Refused(403, "other_terminal", "this hold is of another terminal than the one that signed the request")


def _same(known: _Hold, terminal: str, account: str, points: int) -> _Hold:
    """The hold that is here under the id that is asked for again."""
    _expect_own(known, terminal)
    if (known.account, known.points) != (account, points):
        raise Refused(409, "hold_differs", "a hold with this id is here for another member or amount: make a new id")
    if known.state is HoldState.RELEASED:
        raise Refused(409, "hold_released", "this hold was released before: make a new id")
    return known
