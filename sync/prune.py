"""Takes from the journal what head office has had for a month, from the old end, day by day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sync.proofs import Proofs
from sync.store import Store

KEPT = timedelta(days=30)
"""How long entries stay after head office acknowledged them: so long can it be restored from an older backup and get
from the tills what it lost, and so long do goods come back to the till that sold them."""
AT_ONCE = 500
"""Entries deleted in one transaction, beside checkouts."""


def prune(store: Store, proofs: Proofs, now_ms: int) -> int:
    """Delete whole days that both sides agree on and that were acknowledged at least `KEPT` ago; how many entries.

    The digest after the last of them stays, so that the chain goes on from it.

    Args:
        proofs: says which days are still to be compared; those stay.
        now_ms: head office's time, Unix ms UTC: a till's own clock may be a year ahead.
    """
    oldest = (datetime.fromtimestamp(now_ms / 1000, UTC).date() - KEPT).isoformat()
    count = 0
    for (epoch,) in store.rows("SELECT DISTINCT epoch FROM acked_day WHERE day <= ? ORDER BY epoch", (oldest,)):
        row = store.row("SELECT max(seq) FROM acked_day WHERE epoch = ? AND day <= ?", (epoch, oldest))
        days = {day.isoformat() for found, day in proofs.open_days() if found == epoch}
        count += _prune_epoch(store, epoch, _whole_days(store, epoch, days, row[0] if row else 0))
    return count


def _prune_epoch(store: Store, epoch: int, last: int) -> int:
    count = 0
    while True:
        with store.transaction() as connection:
            (end,) = connection.execute(
                "SELECT max(seq) FROM (SELECT seq FROM journal WHERE epoch = ? AND seq <= ? ORDER BY seq LIMIT ?)",
                (epoch, last, AT_ONCE),
            ).fetchone()
            if end is None:
                return count
            _close_days(connection, epoch, end)
            connection.execute(
                "INSERT OR REPLACE INTO pruned SELECT epoch, seq, digest FROM journal WHERE epoch = ? AND seq = ?",
                (epoch, end),
            )
            count += connection.execute("DELETE FROM journal WHERE epoch = ? AND seq <= ?", (epoch, end)).rowcount
            connection.execute("DELETE FROM acked_day WHERE epoch = ? AND seq <= ?", (epoch, end))


def _whole_days(store: Store, epoch: int, open_days: set[str], last: int) -> int:
    """The highest sequence up to `last` below which no day is cut in two, and none waits to be compared."""
    days = store.rows(
        "SELECT business_date, min(seq), max(seq) FROM journal WHERE epoch = ? GROUP BY business_date", (epoch,)
    )
    while True:
        held = [first for day, first, end in days if first <= last and (end > last or day in open_days)]
        if not held:
            return last
        last = min(held) - 1


def _close_days(connection: Any, epoch: int, end: int) -> None:
    connection.execute(
        "UPDATE day_proof SET closed = 1 WHERE epoch = ? AND business_date IN "
        "(SELECT DISTINCT business_date FROM journal WHERE epoch = ? AND seq <= ?)",
        (epoch, epoch, end),
    )
