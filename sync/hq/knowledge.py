"""What the database knows that judging a batch needs, and what a booked batch adds to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from uuid import UUID

from loyalty.ledger import Entry, EntryKind
from loyalty.programme import Programme
from sync.hq.claims import Claim, claims
from sync.hq.database import Connection
from sync.hq.programmes import Programmes
from sync.hq.records import read_records
from sync.hq.verdicts import Booking, Knowledge, Received, coupons_of

_COUPON_LOCK = 0x5350_4743
"""First key of the advisory locks on single-use codes."""


def learn(conn: Connection, programmes: Programmes, fresh: Iterable[Received]) -> Knowledge:
    """Fetch in a handful of statements all that judging these entries needs."""
    entries = [received.entry for received in fresh if received.entry is not None]
    cards = _pairs(conn, "SELECT token, account_id FROM card WHERE token = ANY(%s)", [entry.card for entry in entries])
    named = list({entry.account for entry in entries if entry.account is not None})
    accounts = _pairs(conn, "SELECT account_id, account_id FROM account WHERE account_id = ANY(%s)", named)
    published: dict[int, Programme] = {}
    for version in {entry.programme_version for entry in entries}:
        if (programme := programmes.get(conn, version)) is not None:
            published[version] = programme
    known = Knowledge(cards, frozenset(accounts), published, {}, set())
    wanted = [
        (account, entry_id)
        for received in fresh
        if received.entry is not None and (account := known.account_of(received.entry)) is not None
        for entry_id in (received.entry_id, received.reverses, received.original)
        if entry_id is not None
    ]
    touched = {sale for received in fresh for sale in (received.reverses, received.original) if sale is not None}
    reopened = [pair for pair in wanted if pair[1] in touched]
    if reopened:
        # Two terminals may void or return the same sale at once: the accounts are locked, in order, before their
        # ledger is read.
        conn.execute(
            "SELECT 1 FROM balance WHERE account_id = ANY(%s) ORDER BY account_id FOR UPDATE",
            ([account for account, _ in wanted],),
        )
    known.booked.update(_bookings(conn, wanted))
    known.voided.update(_voided(conn, reopened))
    known.sales.update(_sales(conn, reopened))
    for account, original, entry in _returns(conn, reopened):
        known.returned.setdefault((account, original), []).append(entry)
    claimed: dict[str, set[Claim]] = {}
    for entry in entries:
        programme = published.get(entry.programme_version)
        if programme is None or entry.kind is not EntryKind.SALE:
            continue
        if (found := claims(entry, programme)) and (account := known.account_of(entry)) is not None:
            claimed.setdefault(account, set()).update(found)
    if claimed:
        known.records.update(read_records(conn, claimed, entries))
    codes = [code for entry in entries for code in coupons_of(entry)]
    if codes:
        # Two tills may use one code at once; the second waits here until the first is booked.
        for code in sorted(set(codes)):
            conn.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_COUPON_LOCK, code))
        rows = conn.execute("SELECT code, entry_id FROM coupon_use WHERE code = ANY(%s)", (codes,))
        known.coupons.update(rows.fetchall())
    return known


def _pairs(conn: Connection, statement: str, keys: Sequence[str]) -> dict[str, str]:
    return dict(conn.execute(statement, (list(keys),)).fetchall())


def _bookings(conn: Connection, wanted: Sequence[tuple[str, UUID]]) -> dict[tuple[str, UUID], Booking]:
    rows = conn.execute(
        "SELECT l.account_id, l.entry_id, l.kind, l.points_earned, l.points_spent, "
        "'terminal ' || l.terminal_id || ', epoch ' || l.epoch || ', number ' || l.seq "
        "FROM unnest(%s::text[], %s::uuid[]) AS w (account_id, entry_id) JOIN ledger l USING (account_id, entry_id)",
        ([account for account, _ in wanted], [entry_id for _, entry_id in wanted]),
    )
    return {(account, entry_id): Booking(*rest) for account, entry_id, *rest in rows}


def _voided(conn: Connection, wanted: Sequence[tuple[str, UUID]]) -> set[tuple[str, UUID]]:
    rows = conn.execute(
        "SELECT account_id, reverses FROM unnest(%s::text[], %s::uuid[]) AS w (account_id, reverses) "
        "JOIN ledger l USING (account_id, reverses)",
        ([account for account, _ in wanted], [entry_id for _, entry_id in wanted]),
    )
    return set(rows)


def _sales(conn: Connection, wanted: Sequence[tuple[str, UUID]]) -> dict[tuple[str, UUID], Entry]:
    rows = conn.execute(
        "SELECT account_id, entry_id, raw FROM unnest(%s::text[], %s::uuid[]) AS w (account_id, entry_id) "
        "JOIN ledger l USING (account_id, entry_id) WHERE l.kind = 'sale'",
        ([account for account, _ in wanted], [entry_id for _, entry_id in wanted]),
    )
    return {(account, entry_id): Entry.decode(raw) for account, entry_id, raw in rows}


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
    freed: list[UUID | None] = []
    for received, account in booked:
        assert received.entry is not None
        for progress in received.entry.settlement.counters:
            counts[account, progress.counter] += received.sign * progress.count
        if received.entry.kind is EntryKind.SALE:
            used += [(code, account, received.entry_id) for code in coupons_of(received.entry)]
        elif received.reverses is not None:
            freed.append(received.reverses)
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO counter (account_id, name, count) VALUES (%s, %s, %s) "
            "ON CONFLICT (account_id, name) DO UPDATE SET count = counter.count + excluded.count",
            [(account, name, count) for (account, name), count in sorted(counts.items()) if count],
        )
        cursor.executemany(
            "INSERT INTO coupon_use (code, account_id, entry_id) VALUES (%s, %s, %s) ON CONFLICT (code) DO NOTHING",
            used,
        )
    if freed:
        conn.execute("DELETE FROM coupon_use WHERE entry_id = ANY(%s)", (freed,))
