"""The append-only journal. Its tail past the acknowledged sequence is the queue to head office."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from typing import Any

from loyalty.basket import Basket
from loyalty.card_orders import CardOrder
from loyalty.errors import RewardRefused
from loyalty.facts import Facts
from loyalty.ledger import GENESIS, Clock, Entry, EntryKind, chain
from loyalty.resolution import Resolution
from loyalty.serving import Serving
from loyalty.settlement import Settlement
from loyalty.spending import Authority
from sync.card_orders import carry_out
from sync.errors import StoreError
from sync.inbox import note_decision
from sync.leases import spend
from sync.store import Store
from sync.terminal import Terminal
from sync.wire import MAX_BATCH_ENTRIES, Proof

SENT_KEPT_MS = 8 * 86_400_000
"""How long it is kept when entries were taken: a week's queue to look at, and the day it began on."""

_ACKNOWLEDGE = (
    "UPDATE head SET acked_seq = ? WHERE epoch = ? AND acked_seq < ? AND seq >= ?",
    "UPDATE closed_epoch SET acked_seq = ? WHERE epoch = ? AND acked_seq < ? AND seq >= ?",
)
_REWIND = (
    "UPDATE head SET acked_seq = ? WHERE epoch = ? AND acked_seq > ?",
    "UPDATE closed_epoch SET acked_seq = ? WHERE epoch = ? AND acked_seq > ?",
)


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before it has its place in the journal; fields as in `loyalty.ledger.Entry`."""

    id: str
    kind: EntryKind
    session: str
    clock: Clock
    business_date: date
    card: str
    account: str | None
    programme: str
    programme_version: int
    tier: str
    basket: Basket
    settlement: Settlement
    reverses: str | None = None
    facts: Facts | None = None
    original: str | None = None
    reason: str | None = None
    approver: str | None = None
    resolves: Resolution | None = None
    authority: tuple[Authority, ...] = ()
    order: CardOrder | None = None
    consent: str | None = None
    answer: int | None = None
    serving: Serving | None = None


Also = Callable[[Any, Sequence[Entry]], None]
"""What else is written in the transaction of the entries: gets its connection and them. What it raises undoes all."""

_DRAWN = tuple(place.name for place in fields(Draft))
_INSERT = "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (session, kind) DO NOTHING"
_OF_SESSION = "SELECT raw FROM journal WHERE session = ? AND kind = ?"


class CouponUsed(RewardRefused):
    """A single-use code comes a second time to this till."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where the journal stands: last sequence, its digest, and how far head office has it.

    `left`: entries of earlier epochs that head office does not have yet.
    """

    epoch: int
    seq: int
    digest: bytes
    acked_seq: int
    left: int = 0

    @property
    def queued(self) -> int:
        """Entries not yet acknowledged."""
        return self.seq - self.acked_seq + self.left


@dataclass(frozen=True, slots=True)
class Tail:
    """Consecutive entries past the acknowledged sequence, as their exact bytes."""

    epoch: int
    from_seq: int
    previous: bytes
    raws: tuple[bytes, ...]
    digests: tuple[bytes, ...]


class Journal:
    """The journal of one terminal."""

    def __init__(self, store: Store, terminal: Terminal) -> None:
        self._store = store
        self._terminal = terminal

    def append(self, draft: Draft, also: Also | None = None) -> Entry:
        """Give `draft` the next sequence and write it, in one transaction that is on the disk when this returns.

        Appending a session's sale (or its void) again returns the entry that is there.

        Raises:
            CouponUsed: a single-use code of the sale was used here before; nothing was written.
            CardTaken: an order that gives a member somebody else's card; nothing was written.
            DecidedBefore: a resolution of an entry that waits for nobody here any more; nothing was written.
            StoreFull, StoreError: nothing was written.
        """
        return self.append_all([draft], also)[0]

    def append_all(self, drafts: Sequence[Draft], also: Also | None = None) -> list[Entry]:
        """Append `drafts` in order, all of them or none: an exchange is a return and a sale in one transaction.

        Raises:
            CouponUsed: a single-use code was used here before; nothing was written.
            StoreFull, StoreError: nothing was written.
        """
        with self._store.transaction() as connection:
            entries = [self._append(connection, draft) for draft in drafts]
            if also is not None:
                also(connection, entries)
        return entries

    def _append(self, connection: Any, draft: Draft) -> Entry:
        epoch, seq, digest = connection.execute("SELECT epoch, seq, digest FROM head").fetchone()
        sign = -1 if draft.kind is EntryKind.VOID else 1
        entry = Entry(
            terminal=self._terminal.terminal,
            epoch=epoch,
            seq=seq + 1,
            points=sign * draft.settlement.points_delta,
            **{name: getattr(draft, name) for name in _DRAWN},
        )
        raw = entry.encode()
        head = chain(digest, raw)
        written = connection.execute(
            _INSERT,
            (
                epoch,
                entry.seq,
                entry.id,
                entry.session,
                entry.kind,
                entry.business_date.isoformat(),
                entry.card,
                entry.account,
                entry.points,
                sign * draft.settlement.points_earned,
                sign * draft.settlement.points_spent,
                raw,
                head,
                entry.original,
            ),
        )
        if not written.rowcount:
            booked = connection.execute(_OF_SESSION, (draft.session, draft.kind)).fetchone()
            return Entry.decode(booked[0])
        connection.execute("UPDATE head SET seq = ?, digest = ?", (entry.seq, head))
        self._use_coupons(connection, entry)
        spend(connection, entry)
        carry_out(connection, entry)
        if entry.resolves is not None:
            note_decision(connection, entry, head)
        self._give(connection, entry)
        return entry

    def _use_coupons(self, connection: Any, entry: Entry) -> None:
        """Note the single-use codes of a sale; a void frees them."""
        if entry.kind is EntryKind.VOID:
            connection.execute("DELETE FROM coupon_use WHERE sale = ?", (entry.reverses,))
        for redemption in entry.settlement.redemptions if entry.kind is EntryKind.SALE else ():
            if redemption.coupon is None:
                continue
            if connection.execute("SELECT 1 FROM coupon_use WHERE code = ?", (redemption.coupon,)).fetchone():
                raise CouponUsed("coupon_used", "this coupon was used at this till before")
            connection.execute("INSERT INTO coupon_use VALUES (?, ?)", (redemption.coupon, entry.id))

    def _give(self, connection: Any, entry: Entry) -> None:
        """Count the rewards with a stock that a sale gave, or that a void brings back, until head office states them.

        Which rewards have one stands in the facts of the sale.
        """
        if not entry.settlement.redemptions or entry.kind not in {EntryKind.SALE, EntryKind.VOID}:
            return
        sale: Entry | None = entry
        if entry.kind is EntryKind.VOID:
            row = connection.execute(_OF_SESSION, (entry.session, EntryKind.SALE)).fetchone()
            sale = Entry.decode(row[0]) if row else None
        stocked = {known.counter for known in sale.known_facts.stock} if sale else set()
        given = Counter(
            redemption.reward for redemption in entry.settlement.redemptions if redemption.reward in stocked
        )
        sign = -1 if entry.kind is EntryKind.VOID else 1
        connection.executemany(
            "INSERT INTO reward_given VALUES (?, ?, ?, ?)",
            [(reward, entry.epoch, entry.seq, sign * count) for reward, count in given.items()],
        )

    def head(self) -> Head:
        """Where the journal stands.

        Raises:
            StoreError: the till is not enrolled.
        """
        row = self._store.row(
            "SELECT epoch, seq, digest, acked_seq, (SELECT COALESCE(SUM(seq - acked_seq), 0) FROM closed_epoch) "
            "FROM head"
        )
        if row is None:
            raise StoreError("this till is not enrolled: it has no journal yet")
        return Head(*row)

    def tail(self, most: int = MAX_BATCH_ENTRIES) -> Tail | None:
        """Up to `most` consecutive entries that head office does not have, oldest first; None when the queue is empty.

        What is left of an earlier epoch comes first; entries that such an epoch lost are skipped.
        """
        while left := self._store.row(
            "SELECT epoch, acked_seq, seq FROM closed_epoch WHERE acked_seq < seq ORDER BY epoch LIMIT 1"
        ):
            epoch, acked, last = left
            found = self._store.row("SELECT min(seq) FROM journal WHERE epoch = ? AND seq > ?", (epoch, acked))
            if found is not None and found[0] is not None:
                return self._tail(epoch, found[0], most)
            self.acknowledge(epoch, last)
        head = self.head()
        if head.acked_seq == head.seq:
            return None
        tail = self._tail(head.epoch, head.acked_seq + 1, most)
        if not tail.raws or self.digest_at(head.epoch, head.acked_seq) is None:
            raise StoreError(
                f"entry {head.acked_seq + 1} of epoch {head.epoch}, or the one before it, is missing from the journal: "
                "start the till again, which repairs the file"
            )
        return tail

    def _tail(self, epoch: int, start: int, most: int) -> Tail:
        rows = self._store.rows_beside(
            "SELECT raw, digest, seq FROM journal WHERE epoch = ? AND seq >= ? ORDER BY seq LIMIT ?",
            (epoch, start, most),
        )
        run = [row for place, row in enumerate(rows) if row[2] == start + place]
        return Tail(
            epoch,
            start,
            self.digest_at(epoch, start - 1) or bytes(32),
            tuple(row[0] for row in run),
            tuple(row[1] for row in run),
        )

    def digest_at(self, epoch: int, seq: int) -> bytes | None:
        """The digest after entry `seq`, 0 being the start of the epoch; None when the journal has no such entry."""
        if seq == 0:
            return GENESIS
        row = self._store.row(
            "SELECT digest FROM journal WHERE epoch = ? AND seq = ? "
            "UNION ALL SELECT digest FROM pruned WHERE epoch = ? AND seq = ?",
            (epoch, seq, epoch, seq),
        )
        return None if row is None else row[0]

    def in_doubt(self) -> bool:
        """Whether this journal may be a copy or a backup, which head office has not settled yet."""
        row = self._store.row("SELECT doubt IS NOT NULL FROM origin")
        return bool(row and row[0])

    def reached(self, epoch: int) -> tuple[int, int] | None:
        """The last sequence this journal wrote in an epoch, and the last acknowledged; None when it never was in it."""
        row = self._store.row(
            "SELECT seq, acked_seq FROM head WHERE epoch = ?1 "
            "UNION ALL SELECT seq, acked_seq FROM closed_epoch WHERE epoch = ?1",
            (epoch,),
        )
        return None if row is None else (row[0], row[1])

    def acknowledge(self, epoch: int, seq: int, *, at_ms: int | None = None, within: Any = None) -> None:
        """Head office has everything up to `seq`. A lower or equal number, or one not written, changes nothing.

        Args:
            at_ms: head office's time, Unix ms UTC: pruning counts from it. None leaves it to the next one.
            within: the connection of the caller's own transaction, to be part of that one.
        """
        with self._store.transaction(within) as connection:
            for update in _ACKNOWLEDGE:
                connection.execute(update, (seq, epoch, seq, seq))
            if at_ms is not None:
                connection.execute(
                    "INSERT INTO acked_day VALUES (?, ?, ?) "
                    "ON CONFLICT (epoch, day) DO UPDATE SET seq = max(seq, excluded.seq)",
                    (epoch, datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat(), seq),
                )
                connection.execute("INSERT OR IGNORE INTO sent VALUES (?, ?, ?)", (at_ms, epoch, seq))
                connection.execute("DELETE FROM sent WHERE at_ms < ?", (at_ms - SENT_KEPT_MS,))

    def rewind(self, epoch: int, seq: int) -> bool:
        """Head office was restored and has only up to `seq`: what comes after is sent again.

        Returns:
            False, and nothing changed, when this journal no longer has what is missing there.
        """
        pruned = self._store.row("SELECT seq FROM pruned WHERE epoch = ?", (epoch,))
        if pruned is not None and seq < pruned[0]:
            return False
        with self._store.transaction() as connection:
            for update in _REWIND:
                connection.execute(update, (seq, epoch, seq))
            # Until it is acknowledged anew nothing of it may be pruned.
            connection.execute("DELETE FROM acked_day WHERE epoch = ? AND seq > ?", (epoch, seq))
        return True

    def find_all(self, *, session: str) -> dict[EntryKind, Entry]:
        """The entries of a session that were booked here, by kind."""
        rows = self._store.rows("SELECT kind, raw FROM journal WHERE session = ?", (session,))
        return {EntryKind(kind): Entry.decode(raw) for kind, raw in rows}

    def find(self, entry_id: str) -> Entry | None:
        """The entry booked here with this id, or None."""
        row = self._store.row("SELECT raw FROM journal WHERE id = ?", (entry_id,))
        return Entry.decode(row[0]) if row else None

    def returns_of(self, sale: str) -> list[Entry]:
        """The returns booked here of the sale with this entry id, oldest first."""
        rows = self._store.rows("SELECT raw FROM journal WHERE original = ? ORDER BY epoch, seq", (sale,))
        return [Entry.decode(row[0]) for row in rows]

    def coupon_used(self, code: str) -> bool:
        """Whether a single-use code was used at this till."""
        return self._store.row("SELECT 1 FROM coupon_use WHERE code = ?", (code,)) is not None

    def earned_on(self, business_date: date, card: str) -> int:
        """Points a card earned at this till on a business date, for the daily cap; voids take back, returns do not."""
        row = self._store.row(
            "SELECT COALESCE(SUM(earned), 0) FROM journal "
            "WHERE epoch IN (SELECT epoch FROM head UNION ALL SELECT epoch FROM closed_epoch) "
            "AND business_date = ? AND card = ? AND kind IN ('sale', 'void')",
            (business_date.isoformat(), card),
        )
        return max(0, int(row[0])) if row else 0

    def spent_on(self, business_date: date, card: str | None = None) -> int:
        """Points redeemed on this till's own word on a business date, by one card token or by all; voids give back."""
        spent = "SELECT COALESCE(SUM(points), 0) FROM own_word WHERE business_date = ?"
        day = business_date.isoformat()
        row = self._store.row(spent, (day,)) if card is None else self._store.row(f"{spent} AND card = ?", (day, card))
        return int(row[0]) if row else 0

    def business_dates(self) -> Sequence[tuple[int, date]]:
        """Every business date with entries that head office acknowledged, with its epoch, oldest first."""
        rows = self._store.rows("SELECT DISTINCT epoch, business_date FROM journal ORDER BY 1, 2")
        return [(epoch, date.fromisoformat(day)) for epoch, day in rows]

    def proof(self, business_date: date, epoch: int | None = None) -> Proof:
        """This till's side of the proof of a day in the present epoch or another: what head office acknowledged of it.

        A sale booked while the two sides compare is not sent yet, and must not look like a difference.
        """
        head = self.head()
        if epoch is None:
            epoch = head.epoch
        row = self._store.row(
            """SELECT count(*), COALESCE(SUM(earned), 0), COALESCE(SUM(spent), 0), COALESCE(MAX(seq), 0)
               FROM journal INDEXED BY journal_day_card
               WHERE business_date = ? AND epoch = ? AND seq <= COALESCE(
                   (SELECT acked_seq FROM closed_epoch WHERE epoch = ?), ?)""",
            (business_date.isoformat(), epoch, epoch, head.acked_seq),
        )
        entries, earned, spent, last = row or (0, 0, 0, 0)
        return Proof(
            terminal=self._terminal.terminal,
            epoch=epoch,
            business_date=business_date,
            entries=entries,
            points_earned=earned,
            points_spent=spent,
            last_seq=last,
            head_digest=(self.digest_at(epoch, last) or GENESIS).hex() if last else "",
        )
