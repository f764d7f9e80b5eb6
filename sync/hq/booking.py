"""Books entries that were judged good: balances, ledger, counters, tiers, and word of it to the tills."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from struct import Struct, pack

from loyalty.ledger import Entry
from sync.hq import card_orders, expiring, stock, vesting
from sync.hq.database import Connection
from sync.hq.knowledge import count
from sync.hq.leases import Wish, grant
from sync.hq.packing import NULL, Bigints, Texts, copy_rows, days, int4, int8, packed
from sync.hq.parked import feed_key
from sync.hq.programmes import Programmes
from sync.hq.received import Parking, Received
from sync.hq.spending import settle_spending
from sync.hq.tiering import upgrade

Verdict = tuple[Received, str | None, Parking | None]
"""An entry as it came, its account, and why it is parked; without account and reason there is nothing to book."""

Columns = dict[str, str]
"""Names of columns and their types, in the order in which rows have them."""

_LEDGER = (
    "account_id, entry_id, kind, terminal_id, epoch, seq, digest, raw, card, business_date, points, points_earned, "
    "points_spent, programme_version, reverses, original, paid_minor"
)
"""In the order in which `_ledger_row` packs them."""

_RECEIVED = "terminal_id, epoch, seq, digest, business_date, points_earned, points_spent, account_id, parked"
"""In the order in which `_received_row` packs them."""

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
    stream = packed(terminal.encode()) + int4(epoch)
    copy_rows(conn, "received", _RECEIVED, [_received_row(stream, *verdict) for verdict in verdicts])
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
    stream = packed(terminal.encode()) + int4(epoch)
    rows = [_ledger_row(stream, received, account) for received, account in booked]
    # Nearly all are plain sales, which order nothing about cards and spend nothing: the rooms for that see the others.
    others = [(received, account) for received, account in booked if isinstance(received.read, Entry)]
    conn.execute("INSERT INTO feed (subject, key) SELECT 'account', unnest(%b::text[])", (Texts(accounts),))
    # In account order, so that two workers on the same accounts wait for one another instead of deadlocking (unless a
    # batch is posted in parts: `ingest._parts`); before the ledger, whose positions are to be in the order of commits
    # within an account.
    conn.execute(
        "INSERT INTO balance (account_id, points) SELECT * FROM unnest(%b::text[], %b::bigint[]) "
        "ON CONFLICT (account_id) DO UPDATE SET points = balance.points + excluded.points",
        (Texts(accounts), Bigints([moved[account] for account in accounts])),
    )
    copy_rows(conn, "ledger", _LEDGER, rows)
    card_orders.carry_out(conn, others)
    count(conn, booked)
    stock.count(conn, programmes, others)
    vesting.note(conn, programmes, booked)
    expiring.spend(conn, booked)
    settle_spending(conn, others, now)
    if programme is not None and programme.tier_policy is not None:
        upgrade(conn, programme, accounts, now.date())
    if programme is not None:
        grant(conn, programme.offline, [Wish(account, terminal, epoch) for account in accounts], now)


_RECEIVED_COUNT, _LEDGER_COUNT = (pack("!h", names.count(",") + 1) for names in (_RECEIVED, _LEDGER))
_SEQ_DIGEST = Struct("!iqi32s")
_RECEIVED_AMOUNTS = Struct("!iiiqiq")
_FLAG = Struct("!i?")
_ENTRY_ID = Struct("!i16s")
_SEQ_DIGEST_RAW = Struct("!iqi32si")
_LEDGER_AMOUNTS = Struct("!iiiqiqiqii")


def _received_row(stream: bytes, received: Received, account: str | None, parking: Parking | None) -> bytes:
    """One row; `stream` is its terminal and epoch, packed."""
    return b"".join(
        (
            _RECEIVED_COUNT,
            stream,
            _SEQ_DIGEST.pack(8, received.seq, 32, received.digest),
            _RECEIVED_AMOUNTS.pack(4, days(received.business_date), 8, received.earned, 8, received.spent),
            NULL if account is None else packed(account.encode()),
            _FLAG.pack(1, parking is not None),
        )
    )


def _ledger_row(stream: bytes, received: Received, account: str) -> bytes:
    """One row; `stream` is its terminal and epoch, packed."""
    entry, entry_id = received.read, received.entry_id
    assert entry is not None
    assert entry_id is not None
    return b"".join(
        (
            _LEDGER_COUNT,
            packed(account.encode()),
            _ENTRY_ID.pack(16, entry_id.bytes),
            packed(entry.kind.encode()),
            stream,
            _SEQ_DIGEST_RAW.pack(8, received.seq, 32, received.digest, len(received.raw)),
            received.raw,
            packed(entry.card.encode()),
            _LEDGER_AMOUNTS.pack(
                4,
                days(received.business_date),
                8,
                entry.points,
                8,
                received.earned,
                8,
                received.spent,
                4,
                entry.programme_version,
            ),
            NULL if received.reverses is None else packed(received.reverses.bytes),
            NULL if received.original is None else packed(received.original.bytes),
            int8(received.sign * entry.settlement.payable_minor),
        )
    )
