"""Head office's books held against what the tills printed: the invariants that no fault may break."""

from __future__ import annotations

from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from loyalty.ledger import GENESIS, Entry, EntryKind, chain
from sync.hq.database import Connection
from tests.simulation.counter import Counter, Receipt

Place = tuple[str, int, int, bytes]


class BooksWrong(AssertionError):
    """An invariant does not hold; the text names the entries, accounts and terminals."""


def expect_sound(
    conn: Connection, tills: Sequence[Counter], *, settled: bool = False, bounded: bool = False, told: bool = True
) -> None:
    """Check every invariant.

    Args:
        told: as for `problems`.
        settled: every till has synced to its end, so nothing may be missing either.
        bounded: tills spend what was set aside and nothing else, so nobody may have spent too much.

    Raises:
        BooksWrong: with all that is wrong.
    """
    found = problems(conn, tills, told=told)
    found += missing(conn, tills) if settled else []
    found += overspent(conn) if bounded else []
    if found:
        raise BooksWrong("; ".join(found))


def problems(conn: Connection, tills: Sequence[Counter], *, told: bool = True) -> list[str]:
    """What is wrong at head office now, in sentences; empty when every invariant holds.

    Holds at any moment: what is here is here once and follows from its chain, and sums are sums; what a till was told
    is safe, is.

    Args:
        told: False while a head office that came back from a backup has not heard from every till.
    """
    books = _Books.read(conn)
    found = [*_sums(conn), *books.wrong_chains()]
    promised: defaultdict[str, set[Receipt]] = defaultdict(set)
    for till in tills:
        promised[till.terminal.terminal] |= {*till.printed, *till.lost}
        head = till.journal.head()
        here = sum(
            1
            for place in books.received
            if place[:2] == (till.terminal.terminal, head.epoch) and place[2] <= head.acked_seq
        )
        if told and here != head.acked_seq:
            found.append(
                f"terminal {till.terminal.terminal} was told that {head.acked_seq} entries are safe, {here} are here"
            )
    for terminal, receipts in promised.items():
        times = Tally(books.receipts(terminal))
        found += [f"{what} is at head office {count} times" for what, count in times.items() if count > 1]
        found += [f"{what} is at head office and was never printed" for what in set(times) - receipts]
    return found


def overspent(conn: Connection) -> list[str]:
    """Accounts with more set aside than they have, or with points spent that nobody had set aside.

    What takes points that may be set aside already, or spent, allows for as much: goods that come back, a manager who
    takes points or books what was parked, and a sale whose hold ran out before it arrived.
    """
    rows = conn.execute(
        "SELECT b.account_id, b.points, held.points, leased.points, l.debt, l.taken FROM balance b "
        "CROSS JOIN LATERAL (SELECT coalesce(sum(points), 0) AS points FROM hold h WHERE h.account_id = b.account_id "
        "AND state IN ('active', 'captured') AND expires_at > now()) held "
        "CROSS JOIN LATERAL (SELECT coalesce(sum(points - spent), 0) AS points FROM lease l "
        "WHERE l.account_id = b.account_id AND state = 'active') leased "
        "CROSS JOIN LATERAL (SELECT coalesce(sum(debt), 0) AS debt, coalesce(-sum(least(points, 0)) "
        "FILTER (WHERE kind IN ('void', 'return', 'adjustment')), 0) + coalesce(sum(points_spent) FILTER (WHERE "
        "EXISTS (SELECT FROM parked p WHERE p.digest = l.digest) "
        """OR (convert_from(l.raw, 'UTF8')::jsonb->'authority' @> '[{"kind": "hold"}]' AND NOT EXISTS (SELECT FROM """
        "hold h WHERE h.account_id = l.account_id AND h.entry_id = l.entry_id AND h.expires_at > l.booked_at))), 0) "
        "AS taken FROM ledger l WHERE l.account_id = b.account_id) l "
        "WHERE b.points - held.points - leased.points < -l.taken OR l.debt > l.taken"
    )
    return [
        f"account {account} has {points} points, {held} held and {leased} leased; {debt} spent without any of these, "
        f"{taken} taken back"
        for account, points, held, leased, debt, taken in rows
    ]


def missing(conn: Connection, tills: Sequence[Counter]) -> list[str]:
    """Receipts that are not at head office, booked or parked: none once every till has synced."""
    books = _Books.read(conn)
    return [
        f"{receipt} is not at head office"
        for till in tills
        for receipt in sorted(set(till.printed) - set(books.receipts(till.terminal.terminal)))
    ]


@dataclass(frozen=True, slots=True)
class _Books:
    """What head office has of tills' entries. A place is terminal, epoch, number and digest."""

    received: dict[Place, None]
    booked: list[tuple[Place, bytes]]
    """Bookings that stand: neither taken back by a manager's undo, nor what took them back."""
    waiting: list[tuple[Place, bytes]]
    """Parked entries that are not booked, decided about or not."""
    said: set[tuple[str, int, int]]
    """Decisions that were carried out, by the place of their entry."""
    raws: dict[bytes, bytes]
    """The bytes of each entry that is here, by its digest."""
    heads: list[tuple[str, int, int, bytes]]

    @classmethod
    def read(cls, conn: Connection) -> _Books:
        """As of now."""
        with conn.transaction():
            decisions = conn.execute("SELECT by_terminal, by_epoch, by_seq, action FROM resolution").fetchall()
            said = {(terminal, epoch, seq) for terminal, epoch, seq, _ in decisions}
            undoing = {(terminal, epoch, seq) for terminal, epoch, seq, action in decisions if action == "undo"}
            ledger = conn.execute(
                "SELECT terminal_id, epoch, seq, digest, raw, account_id, entry_id, reverses FROM ledger "
                "WHERE raw IS NOT NULL"
            ).fetchall()
            parked = conn.execute(
                "SELECT terminal_id, epoch, seq, digest, raw, state IN ('linked', 'approved') FROM parked"
            ).fetchall()
            received = conn.execute(
                "SELECT terminal_id, epoch, seq, digest FROM received ORDER BY terminal_id, epoch, seq"
            ).fetchall()
            heads = conn.execute(
                "SELECT terminal_id, epoch, durable_to, head_digest FROM stream "
                "UNION ALL SELECT terminal_id, epoch, durable_to, head_digest FROM stream_closed"
            ).fetchall()
        undone = {(account, sale) for *place, _, _, account, _, sale in ledger if tuple(place) in undoing}
        booked = [
            ((terminal, epoch, seq, digest), raw)
            for terminal, epoch, seq, digest, raw, account, entry_id, _ in ledger
            if (terminal, epoch, seq) not in undoing and (account, entry_id) not in undone
        ]
        waiting = [(tuple(place), raw) for *place, raw, settled in parked if not settled]
        raws = {row[3]: row[4] for row in (*ledger, *parked)}
        return cls(dict.fromkeys(received), booked, waiting, said, raws, heads)  # type: ignore[arg-type]

    def receipts(self, terminal: str) -> list[Receipt]:
        """Every entry of a terminal that is booked or parked, as often as it is; decisions are none."""
        found = (_receipt(raw) for place, raw in (*self.booked, *self.waiting) if place[0] == terminal)
        return [receipt for receipt in found if receipt is not None]

    def wrong_chains(self) -> Iterable[str]:
        """Streams whose entries do not lead to their head, or are not what was received."""
        booked, waiting = {place for place, _ in self.booked}, {place for place, _ in self.waiting}
        heads: dict[tuple[str, int], tuple[int, bytes]] = {}
        for place in self.received:
            terminal, epoch, seq, digest = place
            before, previous = heads.get((terminal, epoch), (0, GENESIS))
            where = f"terminal {terminal}, epoch {epoch}, number {seq}"
            raw = self.raws.get(digest)
            said = place[:3] in self.said
            if seq != before + 1:
                yield f"{where} follows {before}"
            elif (raw is None and not said) or (raw is not None and chain(previous, raw) != digest):
                yield f"{where} does not follow from the entry before it"
            if (place in booked) + (place in waiting) + said != 1:
                yield f"{where} is {'both booked and parked' if place in booked else 'neither booked nor parked'}"
            heads[terminal, epoch] = (seq, digest)
        for terminal, epoch, durable_to, head in self.heads:
            if heads.get((terminal, epoch), (0, GENESIS)) != (durable_to, head):
                yield f"the watermark of terminal {terminal} says {durable_to}, its entries another"


@lru_cache(maxsize=10_000)
def _receipt(raw: bytes) -> Receipt | None:
    """What an entry's bytes say, None of a decision; the same bytes are looked at after each step."""
    entry = Entry.decode(raw)
    return None if entry.kind is EntryKind.RESOLUTION else Receipt.of(entry)


def _sums(conn: Connection) -> Iterable[str]:
    """Balances that are not the sum of their ledger."""
    rows = conn.execute(
        "SELECT coalesce(b.account_id, l.account_id), coalesce(b.points, 0), coalesce(l.points, 0) FROM balance b "
        "FULL JOIN (SELECT account_id, sum(points) AS points FROM ledger GROUP BY account_id) l USING (account_id) "
        "WHERE coalesce(b.points, 0) <> coalesce(l.points, 0)"
    )
    for account, balance, ledger in rows:
        yield f"account {account} has a balance of {balance}, its ledger says {ledger}"
