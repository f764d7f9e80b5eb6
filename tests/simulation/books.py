"""Head office's books held against what the tills printed: the invariants that no fault may break."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Sequence

from loyalty.ledger import GENESIS, Entry, chain
from sync.hq.database import Connection
from tests.simulation.counter import Counter, Receipt


class BooksWrong(AssertionError):
    """An invariant does not hold; the text names the entries, accounts and terminals."""


def expect_sound(conn: Connection, tills: Sequence[Counter], *, settled: bool = False) -> None:
    """Check every invariant.

    Args:
        settled: every till has synced to its end, so nothing may be missing either.

    Raises:
        BooksWrong: with all that is wrong.
    """
    if found := [*problems(conn, tills), *(missing(conn, tills) if settled else [])]:
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
        allowed = set(till.printed)
        found += [
            f"{extra} is at head office and was never printed"
            for extra in _here(conn, till.terminal.terminal)
            if extra not in allowed
        ]
    return found


def missing(conn: Connection, tills: Sequence[Counter]) -> list[str]:
    """Receipts that are not at head office exactly once, booked or parked: none once every till has synced."""
    found = []
    for till in tills:
        here = Tally(_here(conn, till.terminal.terminal))
        found += [
            f"{receipt} is at head office {here[receipt]} times" for receipt in till.printed if here[receipt] != 1
        ]
    return found


def _here(conn: Connection, terminal: str) -> list[Receipt]:
    """Every entry of a terminal that is booked or parked, as often as it is."""
    rows = conn.execute(
        "SELECT raw FROM ledger WHERE terminal_id = %s AND raw IS NOT NULL "
        "UNION ALL SELECT raw FROM parked WHERE terminal_id = %s AND state NOT IN ('linked', 'approved')",
        (terminal, terminal),
    )
    return [Receipt.of(Entry.decode(raw)) for (raw,) in rows]


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
