"""Books entries that were judged good: balances, ledger, counters, tiers, and word of it to the tills."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from sync.hq import card_orders, stock, vesting
from sync.hq.database import Connection
from sync.hq.knowledge import count
from sync.hq.leases import Wish, grant
from sync.hq.parked import feed_key
from sync.hq.programmes import Programmes
from sync.hq.received import Parking, Received
from sync.hq.spending import settle_spending
from sync.hq.tiering import upgrade

Verdict = tuple[Received, str | None, Parking | None]
"""An entry as it came, its account, and why it is parked; without account and reason there is nothing to book."""

Columns = dict[str, str]
"""Names of columns and their types, in the order in which rows have them."""

_LEDGER: Columns = {
    "account_id": "text",
    "entry_id": "uuid",
    "kind": "text",
    "terminal_id": "text",
    "epoch": "int4",
    "seq": "int8",
    "digest": "bytea",
    "raw": "bytea",
    "card": "text",
    "business_date": "date",
    "points": "int8",
    "points_earned": "int8",
    "points_spent": "int8",
    "programme_version": "int4",
    "reverses": "uuid",
    "original": "uuid",
    "paid_minor": "int8",
}


_RECEIVED: Columns = {
    "terminal_id": "text",
    "epoch": "int4",
    "seq": "int8",
    "digest": "bytea",
    "business_date": "date",
    "points_earned": "int8",
    "points_spent": "int8",
    "account_id": "text",
    "parked": "bool",
}

_PARKED: Columns = {
    "terminal_id": "text",
    "epoch": "int4",
    "seq": "int8",
    "digest": "bytea",
    "code": "text",
    "text": "text",
    "account_id": "text",
    "raw": "bytea",
    "card": "text",
    "kind": "text",
    "points": "int8",
    "business_date": "date",
    "original": "uuid",
}


def keep(conn: Connection, terminal: str, epoch: int, verdicts: Sequence[Verdict]) -> None:
    """Note what was received, and park what is not to be booked. Within the caller's transaction."""
    name = (terminal, epoch)
    _copy(
        conn,
        "received",
        _RECEIVED,
        (
            (
                *name,
                received.seq,
                received.digest,
                received.business_date,
                received.earned,
                received.spent,
                account,
                parking is not None,
            )
            for received, account, parking in verdicts
        ),
    )
    parked = [
        (
            *name,
            received.seq,
            received.digest,
            parking.code.value,
            parking.text,
            account,
            received.raw,
            received.read.card if received.read else None,
            str(received.read.kind) if received.read else None,
            received.read.points if received.read else 0,
            received.business_date,
            received.original,
        )
        for received, account, parking in verdicts
        if parking is not None
    ]
    if parked:
        _copy(conn, "parked", _PARKED, parked)
        conn.execute(
            "INSERT INTO feed (subject, key) SELECT 'parked', unnest(%s::text[])",
            ([feed_key(*name, seq, digest) for _, _, seq, digest, *_ in parked],),
        )


def _copy(conn: Connection, table: str, columns: Columns, rows: Iterable[Sequence[object]]) -> None:
    """COPY `rows` into `table`; in binary, which costs Python a quarter of what text costs."""
    with conn.cursor().copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(list(columns.values()))
        for row in rows:
            copy.write_row(row)


def post(
    conn: Connection,
    programmes: Programmes,
    terminal: str,
    epoch: int,
    verdicts: Sequence[Verdict],
    *,
    now: datetime,
) -> None:
    """Book what is not parked, under the numbers of `terminal` and `epoch`. Within the caller's transaction."""
    booked = [(received, account) for received, account, parking in verdicts if account and parking is None]
    if not booked:
        return
    moved: defaultdict[str, int] = defaultdict(int)
    for received, account in booked:
        assert received.read is not None
        moved[account] += received.read.points
    accounts = sorted(moved)
    # What waits for nobody comes first: once the balances move, whoever books to the same accounts waits for this
    # transaction to end.
    programme = programmes.newest(conn)
    conn.execute("INSERT INTO feed (subject, key) SELECT 'account', unnest(%b::text[])", (accounts,))
    # In account order, so that two workers on the same accounts wait for one another instead of deadlocking; before
    # the ledger, whose positions are to be in the order of commits within an account.
    conn.execute(
        "INSERT INTO balance (account_id, points) SELECT * FROM unnest(%b::text[], %b::bigint[]) "
        "ON CONFLICT (account_id) DO UPDATE SET points = balance.points + excluded.points",
        (accounts, [moved[account] for account in accounts]),
    )
    _copy(conn, "ledger", _LEDGER, (_row(received, account, terminal, epoch) for received, account in booked))
    card_orders.carry_out(conn, booked)
    count(conn, booked)
    stock.count(conn, programmes, booked)
    vesting.note(conn, programmes, booked)
    settle_spending(conn, booked, now)
    if programme is not None and programme.tier_policy is not None:
        upgrade(conn, programme, accounts, now.date())
    if programme is not None:
        grant(conn, programme.offline, [Wish(account, terminal, epoch) for account in accounts], now)


def _row(received: Received, account: str, terminal: str, epoch: int) -> tuple[object, ...]:
    entry = received.read
    assert entry is not None
    return (
        account,
        received.entry_id,
        str(entry.kind),
        terminal,
        epoch,
        received.seq,
        received.digest,
        received.raw,
        entry.card,
        received.business_date,
        entry.points,
        received.earned,
        received.spent,
        entry.programme_version,
        received.reverses,
        received.original,
        received.sign * entry.settlement.payable_minor,
    )
