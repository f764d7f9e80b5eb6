"""Points set aside at tills for when they are alone: granted where the member shops, closed, reclaimed, revoked."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from loyalty.programme import OfflineMode, OfflinePolicy
from sync.hq.available import lock_accounts, spendable
from sync.hq.database import Connection
from sync.hq.errors import HqError, Refused
from sync.wire_mirror import LeaseChange
from sync.wire_spending import ClosedLeases, LeasesClosed

CHUNK = 500
"""Accounts in one transaction of the night: checkouts of these wait for well under a second."""

RECENT = timedelta(days=90)
"""A till where a member was not seen for this long gets none of their points."""

HOLD_KEPT = timedelta(days=30)
"""How long a hold is remembered after it ran out, to answer a till that asks late."""

MAX_LISTED = 1000
"""Leases listed at once: more than anybody reads."""

LEFT = "state = 'active' AND spent < points"


@dataclass(frozen=True, slots=True)
class Wish:
    """A till that should have points of an account."""

    account: str
    terminal: str
    epoch: int


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """A live lease. Times in UTC; `closed` when the till has said that it spends no more from it."""

    lease: str
    account: str
    terminal: str
    epoch: int
    points: int
    spent: int
    expires_at: datetime
    reclaim_at: datetime
    closed: bool


def grant(
    conn: Connection,
    policy: OfflinePolicy,
    wishes: Sequence[Wish],
    now: datetime,
    new_id: Callable[[], UUID] = uuid.uuid4,
) -> int:
    """Set points aside at tills, in the order of `wishes`; returns how many leases were granted.

    A till is topped up when less than half of what it may have is left, so that small sums do not make many leases.
    Within a transaction.
    """
    if policy.redeem is not OfflineMode.LEASE or not wishes:
        return 0
    # An entry may be booked long after its terminal left the epoch; a till in another epoch has no use for a lease.
    present: dict[str, int] = dict(
        conn.execute(
            "SELECT terminal_id, epoch FROM stream WHERE terminal_id = ANY(%s)", ([wish.terminal for wish in wishes],)
        ).fetchall()
    )
    wishes = [wish for wish in wishes if present.get(wish.terminal, wish.epoch) == wish.epoch]
    accounts = sorted({wish.account for wish in wishes})
    lock_accounts(conn, accounts)
    free = spendable(conn, accounts, now)
    at: dict[str, dict[tuple[str, int], int]] = {}
    for account, terminal, epoch, left in conn.execute(
        "SELECT account_id, terminal_id, epoch, sum(points - spent)::bigint FROM lease "
        f"WHERE account_id = ANY(%s) AND {LEFT} AND closed_seq IS NULL AND expires_at > %s GROUP BY 1, 2, 3",
        (accounts, now),
    ):
        at.setdefault(account, {})[terminal, epoch] = left
    rows = []
    for wish in wishes:
        tills = at.setdefault(wish.account, {})
        till = (wish.terminal, wish.epoch)
        if till not in tills and len(tills) >= policy.lease_tills:
            continue
        has = tills.get(till, 0)
        wanted = min(policy.lease_points, has + max(0, free[wish.account]))
        if has * 2 >= wanted:
            continue
        rows.append((wish.account, new_id(), wish.terminal, wish.epoch, wanted - has))
        free[wish.account] -= wanted - has
        tills[till] = wanted
    expires = now + timedelta(seconds=policy.lease_lifetime_s)
    reclaim = expires + timedelta(seconds=policy.lease_grace_s)
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO lease (account_id, lease_id, terminal_id, epoch, points, granted_at, expires_at, reclaim_at) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [(*row, now, expires, reclaim) for row in rows],
        )
    tell(conn, [(str(lease_id), terminal) for _, lease_id, terminal, _, _ in rows])
    return len(rows)


def close(conn: Connection, terminal: str, message: ClosedLeases) -> LeasesClosed:
    """Take a till's word that none of its entries after `seq` spends from these leases. Saying it again is harmless.

    Raises:
        Refused: 409 `stream_conflict`: the till is in another epoch by now.
    """
    with conn.transaction():
        row = conn.execute("SELECT epoch FROM stream WHERE terminal_id = %s", (terminal,)).fetchone()
        if row is None or row[0] != message.epoch:
            raise Refused(409, "stream_conflict", f"expected the epoch of this terminal, got {message.epoch}")
        done = conn.execute(
            "UPDATE lease SET closed_seq = coalesce(closed_seq, %s) "
            "WHERE lease_id = ANY(%s) AND terminal_id = %s AND epoch = %s",
            (message.seq, [UUID(lease) for lease in message.leases], terminal, message.epoch),
        )
    return LeasesClosed(closed=done.rowcount)


def reclaim_due(conn: Connection, now: datetime) -> int:
    """Reclaim what is due and forget holds long over; returns how many leases. Before points lapse: these may.

    A lease is reclaimed when its lifetime and grace are over and its terminal's stream has passed it: everything up to
    the number at which the till closed it is here, or an entry of the later epoch that the terminal is in. In that
    epoch it has dropped its leases, and before that entry it sent all that it still had of the epochs it left.

    Args:
        conn: a pooled connection, outside any transaction.
    """
    conn.execute("DELETE FROM hold WHERE expires_at < %s", (now - HOLD_KEPT,))
    reclaimed = 0
    while accounts := _due(conn, now):
        with conn.transaction():
            lock_accounts(conn, accounts)
            reclaimed += _reclaim(conn, accounts, now)
    return reclaimed


def grant_anew(conn: Connection, policy: OfflinePolicy | None, now: datetime) -> int:
    """Set points aside anew where members shop, most recent first; returns how many leases. After points lapsed.

    Args:
        conn: a pooled connection, outside any transaction.
        policy: of the programme in force; None grants nothing.
    """
    granted = 0
    if policy is not None and policy.redeem is OfflineMode.LEASE:
        after = ""
        while accounts := _shoppers(conn, after):
            with conn.transaction():
                granted += grant(conn, policy, _recent(conn, accounts, policy.lease_tills, now), now)
            after = accounts[-1]
    return granted


def revoke(conn: Connection, lease: str, by: str, now: datetime) -> LeaseRow:
    """Free what is left of a lease on an operator's word, and tell the till. Returns it as it was.

    What the till still spends from it before it hears becomes a debt.

    Raises:
        HqError: no live lease of that id.
    """
    with conn.transaction():
        found = next(iter(live(conn, lease=lease)), None)
        if found is None:
            raise HqError(f"no live lease '{lease[:40]}' is here: `spaarpunt hq lease list` shows them")
        lock_accounts(conn, [found.account])
        conn.execute(
            "UPDATE lease SET state = 'revoked', ended_at = %s, ended_by = %s "
            "WHERE account_id = %s AND lease_id = %s::uuid AND state = 'active'",
            (now, by, found.account, lease),
        )
        tell(conn, [(lease, found.terminal)])
    return found


def live(conn: Connection, *, lease: str | None = None) -> list[LeaseRow]:
    """Live leases with points left, the oldest first, at most `MAX_LISTED`; or the one with the id `lease`."""
    rows = conn.execute(
        "SELECT lease_id::text, account_id, terminal_id, epoch, points, spent, expires_at, reclaim_at, "
        f"closed_seq IS NOT NULL FROM lease WHERE {LEFT} AND (%(lease)s::text IS NULL OR lease_id::text = %(lease)s) "
        "ORDER BY reclaim_at, account_id, lease_id LIMIT %(most)s",
        {"lease": lease, "most": MAX_LISTED},
    )
    return [LeaseRow(*row) for row in rows]


def named_leases(conn: Connection, leases: Sequence[str]) -> Iterable[LeaseChange]:
    """The leases of these ids as tills hear of them, signed."""
    if not leases:
        return
    row = conn.execute("SELECT signing_key FROM head_office").fetchone()
    assert row is not None, "head office has its one row"
    key = Ed25519PrivateKey.from_private_bytes(row[0])
    for lease, account, terminal, epoch, points, spent, expires_at, active in conn.execute(
        "SELECT lease_id::text, account_id, terminal_id, epoch, points, spent, expires_at, state = 'active' FROM lease "
        "WHERE lease_id = ANY(%s::uuid[]) ORDER BY lease_id",
        (list(leases),),
    ):
        change = LeaseChange(
            id=lease,
            account=account,
            terminal=terminal,
            epoch=epoch,
            points=points,
            spent=spent,
            expires_ms=int(expires_at.timestamp() * 1000),
            state="active" if active else "gone",
            signature="",
        )
        signature = base64.b64encode(key.sign(change.signed_bytes())).decode("ascii")
        yield replace(change, signature=signature)


def leases_after(conn: Connection, terminal: str, lease: str, most: int) -> list[str]:
    """The ids of the next `most` live leases of a terminal above the id `lease` ("" for the start)."""
    rows = conn.execute(
        "SELECT lease_id::text FROM lease WHERE terminal_id = %s AND state = 'active' AND lease_id > %s::uuid "
        "ORDER BY lease_id LIMIT %s",
        (terminal, lease or str(UUID(int=0)), most),
    )
    return [name for (name,) in rows]


def _due(conn: Connection, now: datetime) -> list[str]:
    rows = conn.execute(f"SELECT DISTINCT l.account_id FROM {_PASSED} ORDER BY 1 LIMIT {CHUNK}", {"now": now})
    return [account for (account,) in rows]


_PASSED = (
    "lease l JOIN stream s USING (terminal_id) WHERE l.state = 'active' AND l.reclaim_at <= %(now)s "
    "AND ((s.epoch = l.epoch AND l.closed_seq <= s.durable_to) OR (s.epoch > l.epoch AND s.durable_to > 0))"
)


def _reclaim(conn: Connection, accounts: Sequence[str], now: datetime) -> int:
    rows = conn.execute(
        "UPDATE lease SET state = 'reclaimed', ended_at = %(now)s, ended_by = 'night' WHERE (account_id, lease_id) IN "
        f"(SELECT l.account_id, l.lease_id FROM {_PASSED} AND l.account_id = ANY(%(accounts)s)) "
        "RETURNING lease_id::text, terminal_id",
        {"now": now, "accounts": list(accounts)},
    ).fetchall()
    tell(conn, rows)
    return len(rows)


def _shoppers(conn: Connection, after: str) -> list[str]:
    rows = conn.execute(
        "SELECT account_id FROM balance WHERE account_id > %s AND points > 0 ORDER BY account_id LIMIT %s",
        (after, CHUNK),
    )
    return [account for (account,) in rows]


def _recent(conn: Connection, accounts: Sequence[str], tills: int, now: datetime) -> list[Wish]:
    """For each account the tills where it was last, the most recent first."""
    rows = conn.execute(
        "SELECT account_id, terminal_id, epoch FROM (SELECT l.account_id, l.terminal_id, s.epoch, "
        "row_number() OVER (PARTITION BY l.account_id ORDER BY max(l.position) DESC) AS place "
        "FROM ledger l JOIN stream s USING (terminal_id) JOIN terminal t USING (terminal_id) "
        "WHERE l.account_id = ANY(%s) AND l.kind = 'sale' AND l.booked_at > %s AND t.revoked_at IS NULL "
        "GROUP BY l.account_id, l.terminal_id, s.epoch) seen WHERE place <= %s ORDER BY place, account_id",
        (list(accounts), now - RECENT, tills),
    )
    return [Wish(*row) for row in rows]


def tell(conn: Connection, leases: Sequence[tuple[str, str]]) -> None:
    """Let each terminal hear of its lease."""
    with conn.cursor() as cursor:
        cursor.executemany("INSERT INTO feed (subject, key, terminal_id) VALUES ('lease', %s, %s)", leases)
