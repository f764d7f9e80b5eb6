"""Reads what the facts of a batch's sales are held against: what tills were told, and the terminal's own stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loyalty.errors import LoyaltyError
from loyalty.ledger import Entry, EntryKind
from sync.hq.claims import Claim, Record, Stated
from sync.hq.database import Connection

_TOLD = (
    "SELECT account_id, 'tier:' || tier FROM account WHERE account_id = ANY(%(accounts)s) "
    "UNION ALL SELECT account_id, 'birthday:' || birthday FROM account "
    "WHERE account_id = ANY(%(accounts)s) AND birthday IS NOT NULL "
    "UNION ALL SELECT account_id, 'pin' FROM account WHERE account_id = ANY(%(accounts)s) AND pin_hash IS NOT NULL "
    "UNION ALL SELECT account_id, 'segment:' || segment FROM segment_member WHERE account_id = ANY(%(accounts)s) "
    "UNION ALL SELECT account_id, fact FROM formerly WHERE account_id = ANY(%(accounts)s)"
)

# An entry that was parked once and booked by a person's word is no proof of what its till knew when it went on selling.
_OWN = (
    "terminal_id = %(terminal)s AND epoch = %(epoch)s AND seq < %(seq)s AND NOT EXISTS (SELECT FROM parked p "
    "WHERE p.terminal_id = l.terminal_id AND p.epoch = l.epoch AND p.seq = l.seq AND p.digest = l.digest)"
)

_BOOKED = (
    f"SELECT account_id, kind, card, business_date, {_OWN} AS own, sum(points_earned)::bigint FROM ledger l "
    "WHERE account_id = ANY(%(accounts)s) AND (kind = 'opening' OR terminal_id = %(terminal)s) GROUP BY 1, 2, 3, 4, 5"
)

_COUNTED = (
    f"SELECT account_id, kind, {_OWN} AS own, c->>'counter', sum((c->>'count')::bigint)::bigint, "
    "sum(greatest((c->>'count')::bigint, 0))::bigint FROM ledger l, "
    "jsonb_array_elements(convert_from(raw, 'UTF8')::jsonb->'settlement'->'counters') c "
    "WHERE account_id = ANY(%(accounts)s) AND raw IS NOT NULL GROUP BY 1, 2, 3, 4"
)


def read_records(conn: Connection, claimed: Mapping[str, set[Claim]], batch: Sequence[Stated]) -> dict[str, Record]:
    """The records of accounts before the entries of `batch`, which are all of one terminal and epoch.

    Args:
        claimed: by account, what its sales in the batch state.
    """
    first = min(batch, key=lambda entry: entry.seq)
    records = {account: Record() for account in claimed}

    def of(*wanted: Claim) -> dict[str, object]:
        accounts = sorted(account for account, found in claimed.items() if found.intersection(wanted))
        return {"accounts": accounts, "terminal": first.terminal, "epoch": first.epoch, "seq": first.seq}

    if (told := of(Claim.TOLD))["accounts"]:
        for account, fact in conn.execute(_TOLD, told):
            records[account].told.add(fact)
    if (booked := of(Claim.BOOKED))["accounts"]:
        for account, kind, card, day, own, earned in conn.execute(_BOOKED, booked):
            record = records[account]
            record.brought = record.brought or kind == "opening"
            if own:
                record.sold = record.sold or kind == EntryKind.SALE
                if kind in {EntryKind.SALE, EntryKind.VOID}:
                    record.earned[card, day] += earned
    if (counted := of(Claim.COUNTED))["accounts"]:
        for account, kind, own, counter, count, added in conn.execute(_COUNTED, counted):
            record = records[account]
            if kind != EntryKind.VOID:
                record.added[counter] += added
            if own:
                record.counted[counter] += -count if kind == EntryKind.VOID else count
    if (proven := of(Claim.BOOKED, Claim.COUNTED))["accounts"]:
        _parked(conn, proven, records)
    return records


def _parked(conn: Connection, wanted: dict[str, object], records: dict[str, Record]) -> None:
    """What the terminal counted on entries that are parked: it went on selling by it before it heard of that."""
    rows = conn.execute(
        "SELECT account_id, raw FROM parked p "
        "WHERE terminal_id = %(terminal)s AND epoch = %(epoch)s AND seq < %(seq)s AND account_id = ANY(%(accounts)s) "
        "UNION ALL SELECT c.account_id, raw FROM parked p JOIN card c ON c.token = p.card "
        "WHERE terminal_id = %(terminal)s AND epoch = %(epoch)s AND seq < %(seq)s AND p.account_id IS NULL "
        "AND c.account_id = ANY(%(accounts)s)",
        wanted,
    )
    for account, raw in rows:
        try:
            records[account].follow(Entry.decode(raw), booked=False)
        except LoyaltyError:  # unreadable here, but not to the till that wrote it
            records[account].unproven = True
