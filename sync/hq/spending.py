"""What booked sales spent: holds captured, leases drawn down, and points that were not there flagged as debt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from loyalty.ledger import Entry, EntryKind
from loyalty.spending import Authority, AuthorityKind
from sync.hq.available import available
from sync.hq.database import Connection
from sync.hq.received import Received

MAX_DEBTS = 1000
"""Debts listed at once: more than anybody reads; the count says how many there are."""


@dataclass(frozen=True, slots=True)
class Debt:
    """An entry that took points which were not there, or were set aside. `balance` is the account's now. UTC."""

    account: str
    entry: str
    terminal: str
    seq: int
    points: int
    balance: int
    booked_at: datetime


@dataclass(slots=True)
class _Hold:
    terminal: str
    points: int
    stands: bool
    entry: UUID | None = None


@dataclass(slots=True)
class _Lease:
    terminal: str
    epoch: int
    left: int
    spent: int = 0


@dataclass(slots=True)
class _SetAside:
    """The holds and leases that a batch names, by account and id."""

    holds: dict[tuple[str, UUID], _Hold] = field(default_factory=dict)
    leases: dict[tuple[str, UUID], _Lease] = field(default_factory=dict)

    def draw(self, part: Authority, account: str, entry: Entry, entry_id: UUID) -> int:
        """Spend `part` on what it names; returns the points that were set aside indeed."""
        key = (account, _id(part))
        if part.kind is AuthorityKind.HOLD and (hold := self.holds.get(key)) is not None:
            # One hold is of one sale: a second sale that names it spends what nobody set aside for it.
            if hold.terminal != entry.terminal or hold.entry is not None:
                return 0
            hold.entry = entry_id
            return min(part.points, hold.points) if hold.stands else 0
        if part.kind is AuthorityKind.LEASE and (lease := self.leases.get(key)) is not None:
            if (lease.terminal, lease.epoch) != (entry.terminal, entry.epoch):
                return 0
            drawn = min(part.points, lease.left - lease.spent)
            lease.spent += drawn
            return drawn
        return 0


def settle_spending(conn: Connection, booked: Sequence[tuple[Received, str]], now: datetime) -> None:
    """Draw what these sales spent from holds and leases. Within the transaction that booked them, in its order.

    What takes points back (a return, a void, an adjustment) is flagged as debt as far as it takes what is set aside: a
    till may spend that without asking.

    What a sale spent beyond what was set aside for it is booked all the same; as far as the account's points do not
    reach once holds and leases of others are counted, it is flagged as debt.
    """
    sales = [
        (received.read, received.entry_id, account)
        for received, account in booked
        # A sale without rewards is read in a plainer way, and spends nothing.
        if isinstance(received.read, Entry) and received.entry_id is not None
        if received.read.kind is EntryKind.SALE and received.read.settlement.points_spent > 0
    ]
    takers: dict[str, list[tuple[UUID, int]]] = {}
    for received, account in booked:
        if (
            isinstance(received.read, Entry)
            and received.entry_id is not None
            and received.read.kind is not EntryKind.SALE
            and received.read.points < 0
        ):
            takers.setdefault(account, []).append((received.entry_id, -received.read.points))
    if not sales:
        _flag_takers(conn, takers, now)
        return
    named = {(account, _id(part), part.kind) for entry, _, account in sales for part in entry.authority}
    aside = _fetch(conn, [(account, name, kind) for account, name, kind in named if name.int], now)
    unbacked: dict[str, list[tuple[UUID, int]]] = {}
    for entry, entry_id, account in sales:
        backed = sum(aside.draw(part, account, entry, entry_id) for part in entry.authority)
        if backed < entry.settlement.points_spent:
            unbacked.setdefault(account, []).append((entry_id, entry.settlement.points_spent - backed))
    _write(conn, aside)
    _flag(conn, unbacked, now)
    _flag_takers(conn, takers, now)


def debts(conn: Connection) -> list[Debt]:
    """Entries that took points which were not there, and were not taken back since; the newest first."""
    rows = conn.execute(
        "SELECT l.account_id, l.entry_id::text, l.terminal_id, l.seq, l.debt, coalesce(b.points, 0), l.booked_at "
        f"FROM ledger l LEFT JOIN balance b USING (account_id) WHERE {_STANDS} ORDER BY l.booked_at DESC LIMIT %s",
        (MAX_DEBTS,),
    )
    return [Debt(*row) for row in rows]


def debt_totals(conn: Connection) -> tuple[int, int]:
    """How many such entries there are, and their points together."""
    row = conn.execute(f"SELECT count(*), coalesce(sum(l.debt), 0)::bigint FROM ledger l WHERE {_STANDS}").fetchone()
    assert row is not None
    return row[0], row[1]


_STANDS = (
    "l.debt > 0 AND NOT EXISTS (SELECT FROM ledger v WHERE v.account_id = l.account_id AND v.reverses = l.entry_id)"
)


def _id(part: Authority) -> UUID:
    """The hold's or lease's id; the nil UUID for a text that is none, which nothing here is called."""
    try:
        return UUID(part.id or "")
    except ValueError:
        return UUID(int=0)


def _fetch(conn: Connection, named: Sequence[tuple[str, UUID, AuthorityKind]], now: datetime) -> _SetAside:
    aside = _SetAside()
    for kind in (AuthorityKind.HOLD, AuthorityKind.LEASE):
        keys = sorted((account, name) for account, name, found in named if found is kind)
        if not keys:
            continue
        columns = ([account for account, _ in keys], [name for _, name in keys])
        if kind is AuthorityKind.HOLD:
            for account, name, *rest in conn.execute(
                "SELECT account_id, hold_id, terminal_id, points, state IN ('active', 'captured') AND expires_at > %s, "
                "entry_id FROM unnest(%s::text[], %s::uuid[]) AS w (account_id, hold_id) "
                "JOIN hold USING (account_id, hold_id)",
                (now, *columns),
            ):
                aside.holds[account, name] = _Hold(*rest)
        else:
            for account, name, *rest in conn.execute(
                "SELECT account_id, lease_id, terminal_id, epoch, "
                "CASE WHEN state = 'active' THEN points - spent ELSE 0 END "
                "FROM unnest(%s::text[], %s::uuid[]) AS w (account_id, lease_id) "
                "JOIN lease USING (account_id, lease_id)",
                columns,
            ):
                aside.leases[account, name] = _Lease(*rest)
    return aside


def _write(conn: Connection, aside: _SetAside) -> None:
    with conn.cursor() as cursor:
        cursor.executemany(
            "UPDATE hold SET state = 'booked', entry_id = %s WHERE account_id = %s AND hold_id = %s",
            [(hold.entry, *key) for key, hold in aside.holds.items() if hold.entry is not None],
        )
        cursor.executemany(
            "UPDATE lease SET spent = spent + %s WHERE account_id = %s AND lease_id = %s",
            [(lease.spent, *key) for key, lease in aside.leases.items() if lease.spent],
        )


def _flag(conn: Connection, unbacked: dict[str, list[tuple[UUID, int]]], now: datetime) -> None:
    """Flag what was not there, on the last sales first: those before them found it."""
    flags = []
    for account, left in available(conn, list(unbacked), now).items() if unbacked else ():
        flags += _last_first(account, unbacked[account], max(0, -left))
    _put(conn, flags)


def _flag_takers(conn: Connection, takers: dict[str, list[tuple[UUID, int]]], now: datetime) -> None:
    """Flag what was taken back of points that are set aside. A balance below zero by itself is no debt of this kind."""
    flags = []
    left = available(conn, list(takers), now) if takers else {}
    if not any(points < 0 for points in left.values()):
        return
    for account, balance in conn.execute(
        "SELECT account_id, points FROM balance WHERE account_id = ANY(%s)", (list(takers),)
    ):
        flags += _last_first(account, takers[account], min(max(0, -left[account]), balance - left[account]))
    _put(conn, flags)


def _last_first(account: str, entries: Sequence[tuple[UUID, int]], short: int) -> list[tuple[int, str, UUID]]:
    flags = []
    for entry_id, points in reversed(entries):
        if debt := min(short, points):
            flags.append((debt, account, entry_id))
            short -= debt
    return flags


def _put(conn: Connection, flags: Sequence[tuple[int, str, UUID]]) -> None:
    with conn.cursor() as cursor:
        cursor.executemany("UPDATE ledger SET debt = %s WHERE account_id = %s AND entry_id = %s", flags)
