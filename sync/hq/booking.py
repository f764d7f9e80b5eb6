"""Books entries that were judged good: balances, ledger, counters, tiers, and word of it to the tills."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sync.hq import stock, vesting
from sync.hq.database import Connection
from sync.hq.knowledge import count
from sync.hq.nightly import upgrade
from sync.hq.programmes import Programmes
from sync.hq.verdicts import Parking, Received

Verdict = tuple[Received, str | None, Parking | None]
"""An entry as it came, its account, and why it is parked; without account and reason there is nothing to book."""

_COLUMNS = (
    "seq, digest, business_date, points_earned, points_spent, account_id, parked, code, text, raw, "
    "entry_id, kind, card, points, programme_version, reverses, original, paid_minor"
)


def fill(conn: Connection, verdicts: Sequence[Verdict]) -> None:
    """Copy the verdicts into the table `incoming` of this transaction, in place of what was there."""
    conn.execute("DELETE FROM incoming")
    with conn.cursor().copy(f"COPY incoming ({_COLUMNS}) FROM STDIN") as copy:
        for received, account, parking in verdicts:
            copy.write_row(_row(received, account, parking))


def post(conn: Connection, programmes: Programmes, terminal: str, epoch: int, verdicts: Sequence[Verdict]) -> None:
    """Book what of `incoming` is not parked. Within the caller's transaction, after `fill` with these verdicts."""
    # In account order, so that two workers on the same accounts wait for one another instead of deadlocking.
    conn.execute(
        "INSERT INTO balance (account_id, points) SELECT account_id, sum(points) FROM incoming "
        "WHERE NOT parked AND account_id IS NOT NULL GROUP BY account_id ORDER BY account_id "
        "ON CONFLICT (account_id) DO UPDATE SET points = balance.points + excluded.points"
    )
    conn.execute(
        "INSERT INTO ledger (account_id, entry_id, kind, terminal_id, epoch, seq, digest, raw, card, business_date, "
        "points, points_earned, points_spent, programme_version, reverses, original, paid_minor) "
        "SELECT account_id, entry_id, kind, %(terminal)s, %(epoch)s, seq, digest, raw, card, business_date, "
        "points, points_earned, points_spent, programme_version, reverses, original, paid_minor "
        "FROM incoming WHERE NOT parked AND account_id IS NOT NULL ORDER BY account_id, seq",
        {"terminal": terminal, "epoch": epoch},
    )
    booked = [(received, account) for received, account, parking in verdicts if account and parking is None]
    count(conn, booked)
    stock.count(conn, programmes, booked)
    vesting.note(conn, programmes, booked)
    programme = programmes.newest(conn)
    if programme is not None and programme.tier_policy is not None:
        upgrade(conn, programme, sorted({account for _, account in booked}), datetime.now(UTC).date())
    conn.execute(
        "INSERT INTO feed (subject, key) "
        "SELECT DISTINCT 'account', account_id FROM incoming WHERE NOT parked AND account_id IS NOT NULL"
    )


def _row(received: Received, account: str | None, parking: Parking | None) -> tuple[object, ...]:
    entry = received.entry
    ledger: tuple[object, ...] = (None,) * 8
    if entry is not None:
        ledger = (
            received.entry_id,
            entry.kind.value,
            entry.card,
            entry.points,
            entry.programme_version,
            received.reverses,
            received.original,
            received.sign * entry.settlement.payable_minor,
        )
    return (
        received.seq,
        received.digest,
        received.business_date,
        received.earned,
        received.spent,
        account,
        parking is not None,
        parking.code.value if parking else None,
        parking.text if parking else None,
        received.raw,
        *ledger,
    )
