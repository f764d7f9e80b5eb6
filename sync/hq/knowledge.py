"""What the database knows that judging a batch needs, and what a booked batch adds to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from uuid import UUID

from loyalty.ledger import Entry, EntryKind
from loyalty.programme import Programme
from sync.hq.claims import Claim, claims
from sync.hq.database import Connection
from sync.hq.packing import Texts
from sync.hq.plain import PlainSale
from sync.hq.programmes import Programmes
from sync.hq.received import Received
from sync.hq.records import read_records
from sync.hq.verdicts import Booking, Knowledge, coupons_of

_COUPON_LOCK = 0x5350_4743
"""First key of the advisory locks on single-use codes."""


def learn(conn: Connection, programmes: Programmes, fresh: Iterable[Received], *, sure_ids: bool = True) -> Knowledge:
    """Fetch in a handful of statements all that judging these entries needs.

    Args:
        sure_ids: look up as well whether any id is booked already. Without it such an id shows as a UniqueViolation
            when the entry is written; ids hardly ever meet, so that is the cheaper way to find out.
    """
    fresh = [received for received in fresh if received.read is not None]
    entries = [received.read for received in fresh if received.read is not None]
    cards = _pairs(conn, "SELECT token, account_id FROM card WHERE token = ANY(%b)", [entry.card for entry in entries])
    named = {entry.account for entry in entries if entry.account is not None and entry.card not in cards}
    accounts = (
        _pairs(conn, "SELECT account_id, account_id FROM account WHERE account_id = ANY(%b)", list(named))
        if named
        else {}
    )
    published: dict[int, Programme] = {}
    for version in {entry.programme_version for entry in entries}:
        if (programme := programmes.get(conn, version)) is not None:
            published[version] = programme
    touched = frozenset(sale for received in fresh for sale in (received.reverses, received.original) if sale)
    known = Knowledge(cards, frozenset(accounts), published, {}, set())
    if not sure_ids and not touched:
        wanted: list[tuple[str, UUID]] = []
    else:
        wanted = [
            (account, entry_id)
            for received in fresh
            if received.read is not None and (account := known.account_of(received.read)) is not None
            for entry_id in (received.entry_id, received.reverses, received.original)
            if entry_id is not None and (sure_ids or entry_id in touched)
        ]
    reopened = [pair for pair in wanted if pair[1] in touched]
    if reopened:
        # Two terminals may void or return the same sale at once: the accounts are locked before their ledger is read.
        # All of the batch, in order: those that only sales name are locked too when balances move.
        conn.execute(
            "SELECT 1 FROM balance WHERE account_id = ANY(%s) ORDER BY account_id FOR UPDATE",
            ([account for entry in entries if (account := known.account_of(entry)) is not None],),
        )
    claimed = _claimed(known, entries)
    if claimed:
        known.records.update(read_records(conn, claimed, entries))
    if not wanted and not any(isinstance(entry, Entry) for entry in entries):
        return known
    known.booked.update(_bookings(conn, wanted, touched))
    known.voided.update(_voided(conn, reopened))
    for account, original, entry in _returns(conn, reopened):
        known.returned.setdefault((account, original), []).append(entry)
    codes = [code for entry in entries if isinstance(entry, Entry) for code in coupons_of(entry)]
    if codes:
        # Two tills may use one code at once; the second waits here until the first is booked.
        for code in sorted(set(codes)):
            conn.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_COUPON_LOCK, code))
        rows = conn.execute("SELECT code, entry_id FROM coupon_use WHERE code = ANY(%s)", (codes,))
        known.coupons.update(rows.fetchall())
    return known


def _claimed(known: Knowledge, entries: Sequence[Entry | PlainSale]) -> dict[str, set[Claim]]:
    """By account, what the sales state that has to be held against something. Of most accounts nothing."""
    claimed: dict[str, set[Claim]] = {}
    for entry in entries:
        programme = known.programmes.get(entry.programme_version)
        if programme is None or entry.kind != EntryKind.SALE:
            continue
        if (found := claims(entry, programme)) and (account := known.account_of(entry)) is not None:
            claimed.setdefault(account, set()).update(found)
    return claimed


def _pairs(conn: Connection, statement: str, keys: Sequence[str]) -> dict[str, str]:
    return dict(conn.execute(statement, (Texts(keys),)).fetchall())


def _bookings(
    conn: Connection, wanted: Sequence[tuple[str, UUID]], touched: frozenset[UUID]
) -> dict[tuple[str, UUID], Booking]:
    """What is booked under these ids; with its bytes for those that are `touched`."""
    rows = conn.execute(
        "SELECT l.account_id, l.entry_id, l.kind, l.points_earned, l.points_spent, l.terminal_id, l.epoch, l.seq, "
        "CASE WHEN l.entry_id = ANY(%s) THEN l.raw END "
        "FROM unnest(%s::text[], %s::uuid[]) AS w (account_id, entry_id) JOIN ledger l USING (account_id, entry_id)",
        (list(touched), [account for account, _ in wanted], [entry_id for _, entry_id in wanted]),
    )
    return {(account, entry_id): Booking(*rest) for account, entry_id, *rest in rows}


def _voided(conn: Connection, wanted: Sequence[tuple[str, UUID]]) -> set[tuple[str, UUID]]:
    rows = conn.execute(
        "SELECT account_id, reverses FROM unnest(%s::text[], %s::uuid[]) AS w (account_id, reverses) "
        "JOIN ledger l USING (account_id, reverses)",
        ([account for account, _ in wanted], [entry_id for _, entry_id in wanted]),
    )
    return set(rows)


def _returns(conn: Connection, wanted: Sequence[tuple[str, UUID]]) -> list[tuple[str, UUID, Entry]]:
    rows = conn.execute(
        "SELECT account_id, original, raw FROM unnest(%s::text[], %s::uuid[]) AS w (account_id, original) "
        "JOIN ledger l USING (account_id, original)",
        ([account for account, _ in wanted], [entry_id for _, entry_id in wanted]),
    )
    return [(account, original, Entry.decode(raw)) for account, original, raw in rows]


def count(conn: Connection, booked: Iterable[tuple[Received, str]]) -> None:
    """Move the counters of booked entries, and note the codes they used; a void moves them back and frees its codes."""
    counts: Counter[tuple[str, str]] = Counter()
    used: list[tuple[str, str, UUID | None]] = []
    freed: list[tuple[str, UUID]] = []
    for received, account in booked:
        entry = received.read
        assert entry is not None
        for progress in entry.settlement.counters:
            counts[account, progress.counter] += received.sign * progress.count
        if isinstance(entry, Entry):
            used += [(code, account, received.entry_id) for code in coupons_of(entry)]
        if received.reverses is not None and isinstance(entry, Entry):
            codes = [redemption.coupon for redemption in entry.settlement.redemptions]
            freed += [(code, received.reverses) for code in codes if code is not None]
    moved = [(account, name, count) for (account, name), count in sorted(counts.items()) if count]
    if moved:
        conn.execute(
            "INSERT INTO counter (account_id, name, count) "
            "SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS moved (account_id, name, count) "
            "ORDER BY account_id, name "
            "ON CONFLICT (account_id, name) DO UPDATE SET count = counter.count + excluded.count",
            tuple(map(list, zip(*moved, strict=True))),
        )
    if used:
        conn.execute(
            "INSERT INTO coupon_use (code, account_id, entry_id) "
            "SELECT * FROM unnest(%s::text[], %s::text[], %s::uuid[]) ON CONFLICT (code) DO NOTHING",
            tuple(map(list, zip(*used, strict=True))),
        )
    if freed:
        conn.execute(
            "DELETE FROM coupon_use u USING unnest(%s::text[], %s::uuid[]) AS freed (code, entry_id) "
            "WHERE u.code = freed.code AND u.entry_id = freed.entry_id",
            tuple(map(list, zip(*freed, strict=True))),
        )
