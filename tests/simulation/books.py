"""Head office's books held against what the tills printed: the invariants that no fault may break."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from functools import lru_cache

from loyalty.ledger import GENESIS, Entry, chain
from sync.hq.database import Connection
from tests.simulation.counter import Counter, Receipt


class BooksWrong(AssertionError):
    """An invariant does not hold; the text names the entries, accounts and terminals."""


def expect_sound(conn: Connection, tills: Sequence[Counter], *, settled: bool = False, bounded: bool = False) -> None:
    """Check every invariant.

    Args:
        settled: every till has synced to its end, so nothing may be missing either.
        bounded: tills spend what was set aside and nothing else, so nobody may have spent too much.

    Raises:
        BooksWrong: with all that is wrong.
    """
    found = problems(conn, tills)
    found += missing(conn, tills) if settled else []
    found += overspent(conn) if bounded else []
    if found:
        raise BooksWrong("; ".join(found))


def problems(conn: Connection, tills: Sequence[Counter]) -> list[str]:
    """What is wrong at head office now, in sentences; empty when every invariant holds.

    Holds at any moment: what is here is here once and follows from its chain, and sums are sums; what a till was told
    is safe, is.
    """
    found = [*_sums(conn), *_chains(conn)]
    for till in tills:
        head = till.journal.head()
        found += _acknowledged(conn, till.terminal.terminal, head.epoch, head.acked_seq)
        here = Tally(_here(conn, till.terminal.terminal))
        found += [f"{what} is at head office {times} times" for what, times in here.items() if times > 1]
        unknown = set(here) - {*till.printed, *till.lost}
        found += [f"{what} is at head office and was never printed" for what in unknown]
    return found


def overspent(conn: Connection) -> list[str]:
    """Accounts with more set aside than they have, or with points spent that nobody had set aside.

    Goods that come back may take points that are set aside already, or spent: only so much may be short.
    """
    rows = conn.execute(
        "SELECT b.account_id, b.points, held.points, leased.points, l.debt, l.taken FROM balance b "
        "CROSS JOIN LATERAL (SELECT coalesce(sum(points), 0) AS points FROM hold h WHERE h.account_id = b.account_id "
        "AND state IN ('active', 'captured') AND expires_at > now()) held "
        "CROSS JOIN LATERAL (SELECT coalesce(sum(points - spent), 0) AS points FROM lease l "
        "WHERE l.account_id = b.account_id AND state = 'active') leased "
        "CROSS JOIN LATERAL (SELECT coalesce(sum(debt), 0) AS debt, coalesce(-sum(least(points, 0)) "
        "FILTER (WHERE kind IN ('void', 'return')), 0) AS taken FROM ledger l WHERE l.account_id = b.account_id) l "
        "WHERE b.points - held.points - leased.points < -l.taken OR l.debt > l.taken"
    )
    return [
        f"account {account} has {points} points, {held} held and {leased} leased; {debt} spent without any of these, "
        f"{taken} taken back"
        for account, points, held, leased, debt, taken in rows
    ]


def missing(conn: Connection, tills: Sequence[Counter]) -> list[str]:
    """Receipts that are not at head office, booked or parked: none once every till has synced."""
    return [
        f"{receipt} is not at head office"
        for till in tills
        for receipt in sorted(set(till.printed) - set(_here(conn, till.terminal.terminal)))
    ]


def _here(conn: Connection, terminal: str) -> list[Receipt]:
    """Every entry of a terminal that is booked or parked, as often as it is."""
    rows = conn.execute(
        "SELECT raw FROM ledger WHERE terminal_id = %s AND raw IS NOT NULL "
        "UNION ALL SELECT raw FROM parked WHERE terminal_id = %s AND state NOT IN ('linked', 'approved')",
        (terminal, terminal),
    )
    return [_receipt(raw) for (raw,) in rows]


@lru_cache(maxsize=10_000)
def _receipt(raw: bytes) -> Receipt:
    """What an entry's bytes say; the same bytes are looked at after each step."""
    return Receipt.of(Entry.decode(raw))


def _sums(conn: Connection) -> Iterable[str]:
    """Balances that are not the sum of their ledger."""
    rows = conn.execute(
        "SELECT coalesce(b.account_id, l.account_id), coalesce(b.points, 0), coalesce(l.points, 0) FROM balance b "
        "FULL JOIN (SELECT account_id, sum(points) AS points FROM ledger GROUP BY account_id) l USING (account_id) "
        "WHERE coalesce(b.points, 0) <> coalesce(l.points, 0)"
    )
    for account, balance, ledger in rows:
        yield f"account {account} has a balance of {balance}, its ledger says {ledger}"


def _chains(conn: Connection) -> Iterable[str]:
    """Streams whose entries do not lead to their head, or are not what was received."""
    rows = conn.execute(
        "SELECT r.terminal_id, r.epoch, r.seq, r.digest, coalesce(l.raw, p.raw), l.raw IS NOT NULL, "
        "p.raw IS NOT NULL AND p.state NOT IN ('linked', 'approved') FROM received r "
        "LEFT JOIN ledger l USING (terminal_id, epoch, seq, digest) "
        "LEFT JOIN parked p USING (terminal_id, epoch, seq, digest) "
        "ORDER BY r.terminal_id, r.epoch, r.seq"
    ).fetchall()
    heads: dict[tuple[str, int], tuple[int, bytes]] = {}
    for terminal, epoch, seq, digest, raw, booked, parked in rows:
        before, previous = heads.get((terminal, epoch), (0, GENESIS))
        where = f"terminal {terminal}, epoch {epoch}, number {seq}"
        if seq != before + 1:
            yield f"{where} follows {before}"
        elif raw is None or chain(previous, raw) != digest:
            yield f"{where} does not follow from the entry before it"
        if booked == parked:
            yield f"{where} is {'both booked and parked' if booked else 'neither booked nor parked'}"
        heads[terminal, epoch] = (seq, digest)
    for terminal, epoch, durable_to, head in conn.execute(
        "SELECT terminal_id, epoch, durable_to, head_digest FROM stream "
        "UNION ALL SELECT terminal_id, epoch, durable_to, head_digest FROM stream_closed"
    ):
        if heads.get((terminal, epoch), (0, GENESIS)) != (durable_to, head):
            yield f"the watermark of terminal {terminal} says {durable_to}, its entries another"


def _acknowledged(conn: Connection, terminal: str, epoch: int, acked: int) -> Iterable[str]:
    """Numbers that the till was told are safe, and that are not here."""
    row = conn.execute(
        "SELECT count(*) FROM received WHERE terminal_id = %s AND epoch = %s AND seq <= %s", (terminal, epoch, acked)
    ).fetchone()
    if row is None or row[0] != acked:
        yield f"terminal {terminal} was told that {acked} entries are safe, {row and row[0]} are here"
