"""What this till knows of head office: members, cards, balances, programme, as of when. Written by sync alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec

from loyalty.errors import ProgrammeError
from loyalty.ledger import Entry, EntryKind
from loyalty.lots import Expiring
from loyalty.programme import Programme
from sync.card_orders import keep as keep_orders
from sync.errors import OtherVersion
from sync.inbox import take_over
from sync.leases import doubt_leases, keep_lease
from sync.store import Store
from sync.wire import AccountBalance
from sync.wire_mirror import (
    AccountChange,
    AccountGone,
    CardChange,
    CardGone,
    ChangesPage,
    LeaseChange,
    ParkedChange,
    ProgrammeChange,
    StockChange,
)

PUT_ACCOUNT = """
    INSERT INTO account (account, first_name, tier, points, includes_epoch, includes_seq, counters, first_purchase,
        pending, birthday, segments, pin_hash, phone_hash, email_hash, expires_on, expiring)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (account) DO UPDATE SET
        first_name = excluded.first_name, tier = excluded.tier, points = excluded.points,
        counters = excluded.counters, first_purchase = excluded.first_purchase, pending = excluded.pending,
        birthday = excluded.birthday, segments = excluded.segments, pin_hash = excluded.pin_hash,
        phone_hash = excluded.phone_hash, email_hash = excluded.email_hash,
        expires_on = excluded.expires_on, expiring = excluded.expiring,
        includes_epoch = excluded.includes_epoch, includes_seq = excluded.includes_seq"""
"""Writes an `account_row`, whatever was known of the account."""
PUT_STOCK = """
    INSERT INTO stock (reward, given, includes_epoch, includes_seq) VALUES (?, ?, ?, ?)
    ON CONFLICT (reward) DO UPDATE SET given = excluded.given,
        includes_epoch = excluded.includes_epoch, includes_seq = excluded.includes_seq"""
"""Writes a `stock_row`, whatever was known of the reward."""
# A page that was read before this till's last batch must not take back what the batch's answer already stated.
_UNLESS_OLDER = """
    WHERE (excluded.includes_epoch, excluded.includes_seq) >= (includes_epoch, includes_seq)"""
PUT_CARD = """
    INSERT INTO card VALUES (?, ?, ?)
    ON CONFLICT (token) DO UPDATE SET account = excluded.account, blocked = excluded.blocked"""
"""Writes a `card_row`."""
PUT_PROGRAMME = "INSERT OR REPLACE INTO programme VALUES (?, ?)"
"""Writes a `programme_row`."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a card, as far as this till knows. Points.

    `confirmed` is what head office stated; `queued` is what this till added since and head office has not confirmed.
    """

    card: str
    account: str | None
    first_name: str | None
    tier: str | None
    blocked: bool
    confirmed: int
    queued: int
    pending: int = 0
    """Of the balance, what cannot be spent yet: points in their vesting period, stated or queued here."""
    expiring: Expiring | None = None
    """Of the balance, what lapses next, less what was spent here since; None where nothing does."""

    @property
    def known(self) -> bool:
        """False for a card that is well-formed but not in the mirror: it earns, and head office settles it."""
        return self.account is not None

    @property
    def balance(self) -> int:
        """The points to show: confirmed plus queued here."""
        return self.confirmed + self.queued

    @property
    def spendable(self) -> int:
        """The balance less what is pending; below zero when the member owes points."""
        return self.balance - max(0, min(self.pending, self.balance))


@dataclass(frozen=True, slots=True)
class Standing:
    """What is counted of a member (stamp cards, challenges, limits), and whether they never bought anything yet."""

    counters: Mapping[str, int]
    first_purchase: bool
    birthday: tuple[int, int] | None = None
    """Month and day."""
    segments: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Contact:
    """When head office was last heard of. Unix milliseconds UTC of this till's clock; None for never."""

    as_of_ms: int | None
    last_contact_ms: int | None
    clock_offset_ms: int | None


class Mirror:
    """Look-ups in, and updates of, the mirror."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._programme: Programme | None = None
        self._of: tuple[int, ...] = ()

    def find(self, card: str) -> Holder:
        """Who holds the card with token `card`; a token that is not in the mirror gives a holder without account."""
        row = self._store.row(
            """SELECT c.account, a.first_name, a.tier, c.blocked, a.pending, a.expires_on, a.expiring, a.points,
                   (SELECT COALESCE(SUM(j.points), 0) FROM counting j
                    WHERE j.account = a.account AND (j.epoch, j.seq) > (a.includes_epoch, a.includes_seq))
                 + (SELECT COALESCE(SUM(j.points), 0) FROM counting j
                    WHERE j.card = c.token AND j.account IS NULL
                      AND (j.epoch, j.seq) > (a.includes_epoch, a.includes_seq))
               FROM card c JOIN account a ON a.account = c.account WHERE c.token = ?""",
            (card,),
        )
        if row is not None:
            pending = row[4] + self._pending_here(row[0], card)
            expiring = self._expiring(row[0], row[6], row[5], row[7] + row[8]) if row[5] else None
            return Holder(card, row[0], row[1], row[2], bool(row[3]), row[7], row[8], pending, expiring)
        orphans = self._store.row("SELECT COALESCE(SUM(points), 0) FROM promised WHERE card = ?", (card,))
        return Holder(card, None, None, None, False, 0, int(orphans[0]) if orphans else 0)

    def _expiring(self, account: str, points: int, on: str, balance: int) -> Expiring | None:
        """What is left of the points that head office says lapse next: they are those that are spent first."""
        row = self._store.row(
            """SELECT COALESCE(SUM(j.earned - j.points), 0) FROM counting j JOIN account a ON a.account = j.account
               WHERE j.account = ? AND j.kind IN ('sale', 'void')
                 AND (j.epoch, j.seq) > (a.includes_epoch, a.includes_seq)""",
            (account,),
        )
        left = min(points - max(0, int(row[0]) if row else 0), balance)
        return Expiring(left, date.fromisoformat(on)) if left > 0 else None

    def _pending_here(self, account: str, card: str) -> int:
        """What this till's own entries add to the pending points, until head office states them.

        Where points vest, everything earned here and not confirmed is pending, however long ago: head office says when
        it can be spent. A return or void cancels what its sale earned, if that sale is not confirmed either.
        """
        programme = self.programme()
        if programme is None or not programme.expiry.vesting_days:
            return 0
        row = self._store.row(
            """WITH here AS (
                   SELECT j.id, j.session, j.kind, j.earned, j.original FROM counting j JOIN account a ON a.account = ?
                   WHERE (j.account = a.account OR (j.card = ? AND j.account IS NULL))
                     AND (j.epoch, j.seq) > (a.includes_epoch, a.includes_seq))
               SELECT COALESCE(SUM(earned), 0) FROM here h
               WHERE kind = 'sale'
                  OR (kind = 'void' AND EXISTS (SELECT 1 FROM here s WHERE s.kind = 'sale' AND s.session = h.session))
                  OR (kind = 'return' AND EXISTS (SELECT 1 FROM here s WHERE s.kind = 'sale' AND s.id = h.original))""",
            (account, card),
        )
        return max(0, int(row[0])) if row else 0

    def standing(self, holder: Holder) -> Standing:
        """How far a member is: what head office counted, and what this till's own entries added since."""
        known = self._store.row(
            "SELECT counters, first_purchase, birthday, segments, includes_epoch, includes_seq "
            "FROM account WHERE account = ?",
            (holder.account,),
        )
        counters: Counter[str] = Counter(json.loads(known[0]) if known else {})
        rows = self._store.rows(
            "SELECT raw FROM counting WHERE (account = ? OR (card = ? AND account IS NULL)) "
            "AND (epoch, seq) > (?, ?) AND kind NOT IN ('resolution', 'enrolment', 'answer')",
            (holder.account, holder.card, *(known[4:] if known else (0, 0))),
        )
        for row in rows:
            entry = Entry.decode(row[0])
            for progress in entry.settlement.counters:
                counters[progress.counter] += -progress.count if entry.kind is EntryKind.VOID else progress.count
        birthday = (int(known[2][:2]), int(known[2][3:])) if known and known[2] else None
        segments = frozenset(json.loads(known[3])) if known else frozenset()
        return Standing(dict(counters), bool(known and known[1]) and not rows, birthday, segments)

    def given(self, reward: str) -> int:
        """How many of a reward with a stock were given: in the whole chain as head office said, and here since."""
        row = self._store.row(
            """SELECT COALESCE(MAX(s.given), 0) + COALESCE((
                   SELECT SUM(g.count) FROM reward_given g WHERE g.reward = ?1 AND (g.epoch, g.seq) >
                   (COALESCE(MAX(s.includes_epoch), 0), COALESCE(MAX(s.includes_seq), 0))), 0)
               FROM stock s WHERE s.reward = ?1""",
            (reward,),
        )
        return int(row[0]) if row else 0

    def pin_hash(self, account: str | None) -> str | None:
        """The hash of a member's PIN, or None when they have none that this till knows of."""
        row = self._store.row("SELECT pin_hash FROM account WHERE account = ?", (account,))
        return row[0] if row else None

    def programme(self) -> Programme | None:
        """The programme in force: the highest published version; None before the first contact."""
        row = self._store.row("SELECT max(version), (SELECT programme_set FROM feed) FROM programme")
        if row is None or row[0] is None:
            return None
        if self._programme is None or self._of != row:
            document = self._store.rows("SELECT document FROM programme WHERE version = ?", (row[0],))
            self._programme, self._of = Programme.from_document(json.loads(document[0][0])), row
        return self._programme

    def contact(self) -> Contact:
        """When head office was last heard of."""
        row = self._store.row("SELECT as_of_ms, last_contact_ms, clock_offset_ms FROM feed")
        return Contact(*row) if row else Contact(None, None, None)

    def cursor(self) -> str:
        """Where the change feed was read up to; empty when a snapshot is wanted first."""
        row = self._store.row("SELECT cursor FROM feed")
        return str(row[0]) if row else ""

    def accounts(self) -> int:
        """Number of accounts in the mirror."""
        row = self._store.row("SELECT count(*) FROM account")
        return int(row[0]) if row else 0

    def apply(self, page: ChangesPage, now_ms: int) -> None:
        """Write one page of changes and the new cursor, in one transaction.

        Args:
            now_ms: this till's clock; the mirror's age counts from here, so that a wrong clock does not age it.

        Raises:
            OtherVersion: a programme that this version cannot read; nothing of the page was written.
        """
        with self._store.transaction(flushed=False) as connection:
            for change in page.changes:
                match change:
                    case AccountChange():
                        row = account_row(change, page.epoch, page.includes_seq)
                        connection.execute(PUT_ACCOUNT + _UNLESS_OLDER, row)
                    case CardChange():
                        connection.execute(PUT_CARD, card_row(change))
                    case ParkedChange():
                        take_over(connection, change, now_ms)
                    case ProgrammeChange():
                        connection.execute(PUT_PROGRAMME, programme_row(change))
                    case AccountGone():
                        connection.execute("DELETE FROM account WHERE account = ?", (change.account,))
                    case CardGone():
                        connection.execute("DELETE FROM card WHERE token = ?", (change.token,))
                    case LeaseChange():
                        keep_lease(connection, change, page.epoch, page.includes_seq, page.as_of_ms)
                    case StockChange():
                        row = stock_row(change, page.epoch, page.includes_seq)
                        connection.execute(PUT_STOCK + _UNLESS_OLDER, row)
                        forget_given(connection, change, page.epoch, page.includes_seq)
            if any(isinstance(change, CardChange) for change in page.changes):
                keep_orders(connection, page.epoch, page.includes_seq)
            # Every page is word from head office: a till that sells nothing must not look out of touch.
            connection.execute(
                "UPDATE feed SET cursor = ?, last_contact_ms = ?, clock_offset_ms = ?",
                (page.cursor, now_ms, page.as_of_ms - now_ms),
            )
            if not page.more:
                connection.execute("UPDATE feed SET as_of_ms = ?", (now_ms,))

    def start_over(self) -> None:
        """The feed cannot be followed any more: a snapshot is wanted. What is here serves until it has come."""
        with self._store.transaction() as connection:
            connection.execute("UPDATE feed SET cursor = ''")
            doubt_leases(connection)

    def confirm(self, balances: Iterable[AccountBalance], epoch: int, seq: int, *, within: Any = None) -> None:
        """Take over balances that head office stated with this till's entries up to `seq` included.

        Args:
            within: the connection of the caller's own transaction, to be part of that one.
        """
        with self._store.transaction(within, flushed=False) as connection:
            connection.executemany(
                """UPDATE account SET points = ?, counters = ?, pending = ?, expires_on = ?, expiring = ?,
                       first_purchase = 0,
                       includes_epoch = ?, includes_seq = ?
                   WHERE account = ? AND (includes_epoch, includes_seq) <= (?, ?)""",
                [
                    (
                        balance.points,
                        _json(balance.counters),
                        balance.pending,
                        _day(balance.expires_on),
                        balance.expiring,
                        epoch,
                        seq,
                        balance.account,
                        epoch,
                        seq,
                    )
                    for balance in balances
                ],
            )

    def heard(self, now_ms: int, server_time_ms: int, *, within: Any = None) -> None:
        """Head office answered at `now_ms` of this till's clock and said its own time; `within` as for `confirm`."""
        with self._store.transaction(within) as connection:
            connection.execute(
                "UPDATE feed SET last_contact_ms = ?, clock_offset_ms = ?", (now_ms, server_time_ms - now_ms)
            )


def account_row(change: AccountChange, epoch: int, includes_seq: int) -> tuple[Any, ...]:
    """An account as `PUT_ACCOUNT` writes it; its balance includes our entries of `epoch` up to `includes_seq`."""
    return (
        change.account,
        change.first_name,
        change.tier,
        change.points,
        epoch,
        includes_seq,
        _json(change.counters),
        change.first_purchase,
        change.pending,
        change.birthday,
        _json(change.segments),
        change.pin,
        change.phone,
        change.email,
        _day(change.expires_on),
        change.expiring,
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def card_row(change: CardChange) -> tuple[Any, ...]:
    """A card as `PUT_CARD` writes it."""
    return (change.token, change.account, int(change.blocked))


def programme_row(change: ProgrammeChange) -> tuple[Any, ...]:
    """A programme as `PUT_PROGRAMME` writes it.

    Raises:
        OtherVersion: this version cannot read it.
    """
    return (_read_programme(change).version, json.dumps(change.document, ensure_ascii=False))


def stock_row(change: StockChange, epoch: int, includes_seq: int) -> tuple[Any, ...]:
    """What was given of a reward as `PUT_STOCK` writes it, our entries of `epoch` up to `includes_seq` included."""
    return (change.reward, change.given, epoch, includes_seq)


def forget_given(connection: Any, change: StockChange, epoch: int, includes_seq: int) -> None:
    """Drop what this till noted itself and head office includes by now."""
    connection.execute(
        "DELETE FROM reward_given WHERE reward = ? AND (epoch, seq) <= (?, ?)", (change.reward, epoch, includes_seq)
    )


def _read_programme(change: ProgrammeChange) -> Programme:
    try:
        return Programme.from_document(change.document)
    except ProgrammeError as error:
        # Head office checked it before publishing, so it knows rules that this version does not.
        raise OtherVersion(
            f"head office published a programme that this till cannot read ({error.problems[0]}): update the till; "
            "sales go on by the programme it has"
        ) from error
