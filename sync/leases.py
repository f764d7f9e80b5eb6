"""Points that head office set aside at this till: kept, spent from, closed in time."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from loyalty.errors import RewardRefused
from loyalty.ledger import Entry, EntryKind
from loyalty.spending import AuthorityKind, SetAside
from sync.store import Store
from sync.wire_mirror import MAX_CHANGES, LeaseChange, SnapshotPart

log = structlog.get_logger("spaarpunt.sync")


class LeaseSpent(RewardRefused):
    """A sale wants more of a lease than is left of it, or one of an epoch that was left."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Leases that this till spends from no more, by the number of its last entry then."""

    epoch: int
    seq: int
    leases: tuple[str, ...]


class Leases:
    """The leases of one till."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, account: str | None, now_ms: int) -> list[SetAside]:
        """What may be spent of an account's leases now, those that end first going first.

        Args:
            now_ms: this till's clock, Unix milliseconds UTC. A lease ends by head office's time: this clock with the
                last known offset, or the last time head office said when that is later (a clock set back).
        """
        rows = self._store.rows(
            "SELECT lease, points - spent FROM lease, feed, head WHERE account = ? AND lease.epoch = head.epoch "
            "AND confirmed AND closed_seq IS NULL AND spent < points AND expires_ms > "
            "max(? + coalesce(clock_offset_ms, 0), coalesce(last_contact_ms + clock_offset_ms, 0)) "
            "ORDER BY expires_ms, lease",
            (account, now_ms),
        )
        return [SetAside(AuthorityKind.LEASE, lease, points) for lease, points in rows]

    def close_due(self, now_ms: int) -> list[Closed]:
        """Close the leases whose time is over; returns those that head office has not heard of, all of them to tell.

        Leases of an earlier epoch are dropped: this database may be older than what was spent from them.
        """
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM lease WHERE epoch <> (SELECT epoch FROM head)")
            connection.execute(
                "UPDATE lease SET closed_seq = (SELECT seq FROM head) WHERE closed_seq IS NULL AND expires_ms <= "
                "(SELECT max(? + coalesce(clock_offset_ms, 0), coalesce(last_contact_ms + clock_offset_ms, 0)) "
                "FROM feed)",
                (now_ms,),
            )
        rows = self._store.rows(
            "SELECT epoch, closed_seq, lease FROM lease WHERE closed_seq IS NOT NULL ORDER BY 1, 2, 3 LIMIT ?",
            (MAX_CHANGES,),
        )
        found: dict[tuple[int, int], list[str]] = {}
        for epoch, seq, lease in rows:
            found.setdefault((epoch, seq), []).append(lease)
        return [Closed(epoch, seq, tuple(leases)) for (epoch, seq), leases in found.items()]

    def told(self, closed: Closed) -> None:
        """Head office has heard that these are closed."""
        with self._store.transaction() as connection:
            connection.executemany("DELETE FROM lease WHERE lease = ?", [(lease,) for lease in closed.leases])


def keep_lease(connection: Any, change: LeaseChange, epoch: int, includes_seq: int, as_of_ms: int) -> None:
    """Take over what head office says of a lease. Within the transaction that takes over the page it came on.

    Args:
        epoch: with `includes_seq`, this till's entries that `change.spent` includes.
        as_of_ms: head office's time, Unix milliseconds UTC.
    """
    if change.state == "gone":
        connection.execute("DELETE FROM lease WHERE lease = ?", (change.id,))
        return
    terminal, key, ours = connection.execute(
        "SELECT terminal, hq_public_key, epoch FROM terminal JOIN head USING (one)"
    ).fetchone()
    try:
        signature = base64.b64decode(change.signature, validate=True)
        Ed25519PublicKey.from_public_bytes(key).verify(signature, change.signed_bytes())
    except (InvalidSignature, ValueError):
        log.warning("a lease is not signed by head office: not used", lease=change.id)
        return
    if (change.terminal, change.epoch) != (terminal, ours) or change.expires_ms <= as_of_ms:
        return  # of another till, of a database before this one, or over: this till may have closed it
    known = connection.execute("SELECT 1 FROM lease WHERE lease = ?", (change.id,)).fetchone()
    if known:
        # What was spent of it is counted here: head office may not have heard of all of it.
        connection.execute("UPDATE lease SET confirmed = 1 WHERE lease = ?", (change.id,))
        return
    rows = connection.execute(
        "SELECT raw FROM journal WHERE spent <> 0 AND (epoch, seq) > (?, ?) AND instr(raw, ?)",
        (epoch, includes_seq, change.id.encode()),
    ).fetchall()
    here = sum(part.points for (raw,) in rows for part in Entry.decode(raw).authority if part.id == change.id)
    connection.execute(
        "INSERT INTO lease (lease, account, epoch, points, spent, expires_ms) VALUES (?, ?, ?, ?, ?, ?)",
        (
            change.id,
            change.account,
            change.epoch,
            change.points,
            min(change.points, change.spent + here),
            change.expires_ms,
        ),
    )


def replace_leases(connection: Any, part: SnapshotPart) -> None:
    """Take over the leases of a part of a snapshot: what lies between its ends and is not on it, is gone."""
    here = connection.execute(
        "SELECT lease FROM lease WHERE lease > ? AND (?2 IS NULL OR lease <= ?2) AND closed_seq IS NULL",
        (part.after, part.upto),
    ).fetchall()
    leases = [row for row in part.rows if isinstance(row, LeaseChange)]
    gone = {lease for (lease,) in here} - {lease.id for lease in leases}
    connection.executemany("DELETE FROM lease WHERE lease = ?", [(lease,) for lease in gone])
    for lease in leases:
        keep_lease(connection, lease, part.epoch, part.includes_seq, part.as_of_ms)


def doubt_leases(connection: Any) -> None:
    """Head office's database is another than before: spend from no lease until it is confirmed."""
    connection.execute("UPDATE lease SET confirmed = 0")


def spend(connection: Any, entry: Entry) -> None:
    """Note what a sale spent, and on what: leases, holds, or this till's own word. Within the entry's transaction.

    Raises:
        LeaseSpent: less is left of a lease than the sale wants, or it is of another epoch than the sale; the
            transaction must not go on.
    """
    if entry.kind is EntryKind.VOID:
        connection.execute(
            "INSERT INTO own_word SELECT ?, ?, card, -points FROM own_word WHERE entry = ?",
            (entry.id, entry.business_date.isoformat(), entry.reverses),
        )
    if entry.kind is not EntryKind.SALE or not entry.settlement.points_spent:
        return
    own = entry.settlement.points_spent
    for part in entry.authority:
        if part.kind is AuthorityKind.FLOOR:
            continue
        own -= part.points
        if part.kind is AuthorityKind.HOLD:
            connection.execute("DELETE FROM hold WHERE hold = ?", (part.id,))
            continue
        drawn = connection.execute(
            "UPDATE lease SET spent = spent + ?1 WHERE lease = ?2 AND epoch = ?3 AND spent + ?1 <= points "
            "AND closed_seq IS NULL",
            (part.points, part.id, entry.epoch),
        )
        if drawn.rowcount != 1:
            raise LeaseSpent("lease_short", "the points set aside here were spent meanwhile: choose the reward again")
    if own:
        connection.execute(
            "INSERT INTO own_word VALUES (?, ?, ?, ?)", (entry.id, entry.business_date.isoformat(), entry.card, own)
        )
