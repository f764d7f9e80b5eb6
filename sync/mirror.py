"""What this till knows of head office: members, cards, balances, programme, as of when. Written by sync alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from loyalty.errors import ProgrammeError
from loyalty.ledger import Entry, EntryKind
from loyalty.programme import Programme
from sync.errors import OtherVersion
from sync.store import Store
from sync.wire import AccountBalance, AccountChange, CardChange, ChangesPage, ProgrammeChange

# A page that was read before this till's last batch must not take back what the batch's answer already stated.
_UPSERT_ACCOUNT = """
    INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (account) DO UPDATE SET
        first_name = excluded.first_name, tier = excluded.tier, points = excluded.points,
        counters = excluded.counters, first_purchase = excluded.first_purchase,
        includes_epoch = excluded.includes_epoch, includes_seq = excluded.includes_seq
    WHERE (excluded.includes_epoch, excluded.includes_seq) >= (includes_epoch, includes_seq)"""
_UPSERT_CARD = """
    INSERT INTO card VALUES (?, ?, ?)
    ON CONFLICT (token) DO UPDATE SET account = excluded.account, blocked = excluded.blocked"""


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

    @property
    def known(self) -> bool:
        """False for a card that is well-formed but not in the mirror: it earns, and head office settles it."""
        return self.account is not None

    @property
    def balance(self) -> int:
        """The points to show: confirmed plus queued here."""
        return self.confirmed + self.queued


@dataclass(frozen=True, slots=True)
class Standing:
    """What is counted of a member (stamp cards, challenges, limits), and whether they never bought anything yet."""

    counters: Mapping[str, int]
    first_purchase: bool


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

    def find(self, card: str) -> Holder:
        """Who holds the card with token `card`; a token that is not in the mirror gives a holder without account."""
        row = self._store.row(
            """SELECT c.account, a.first_name, a.tier, c.blocked, a.points,
                   (SELECT COALESCE(SUM(j.points), 0) FROM journal j
                    WHERE j.account = a.account AND (j.epoch, j.seq) > (a.includes_epoch, a.includes_seq))
                 + (SELECT COALESCE(SUM(j.points), 0) FROM journal j
                    WHERE j.card = c.token AND j.account IS NULL
                      AND (j.epoch, j.seq) > (a.includes_epoch, a.includes_seq))
               FROM card c JOIN account a ON a.account = c.account WHERE c.token = ?""",
            (card,),
        )
        if row is not None:
            return Holder(card, row[0], row[1], row[2], bool(row[3]), row[4], row[5])
        orphans = self._store.row(
            "SELECT COALESCE(SUM(points), 0) FROM journal WHERE card = ? AND account IS NULL", (card,)
        )
        return Holder(card, None, None, None, False, 0, int(orphans[0]) if orphans else 0)

    def standing(self, holder: Holder) -> Standing:
        """How far a member is: what head office counted, and what this till's own entries added since."""
        known = self._store.row(
            "SELECT counters, first_purchase, includes_epoch, includes_seq FROM account WHERE account = ?",
            (holder.account,),
        )
        counters: Counter[str] = Counter(json.loads(known[0]) if known else {})
        rows = self._store.rows(
            "SELECT raw FROM journal WHERE (account = ? OR (card = ? AND account IS NULL)) AND (epoch, seq) > (?, ?)",
            (holder.account, holder.card, *(known[2:] if known else (0, 0))),
        )
        for row in rows:
            entry = Entry.decode(row[0])
            for progress in entry.settlement.counters:
                counters[progress.counter] += -progress.count if entry.kind is EntryKind.VOID else progress.count
        return Standing(dict(counters), bool(known and known[1]) and not rows)

    def programme(self) -> Programme | None:
        """The programme in force: the highest published version; None before the first contact."""
        row = self._store.row("SELECT max(version) FROM programme")
        version = row[0] if row else None
        if version is None:
            return None
        if self._programme is None or self._programme.version != version:
            document = self._store.rows("SELECT document FROM programme WHERE version = ?", (version,))
            self._programme = Programme.from_document(json.loads(document[0][0]))
        return self._programme

    def contact(self) -> Contact:
        """When head office was last heard of."""
        row = self._store.row("SELECT as_of_ms, last_contact_ms, clock_offset_ms FROM feed")
        return Contact(*row) if row else Contact(None, None, None)

    def cursor(self) -> str:
        """Where the change feed was read up to; empty for from the start."""
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
        with self._store.transaction() as connection:
            for change in page.changes:
                match change:
                    case AccountChange():
                        connection.execute(
                            _UPSERT_ACCOUNT,
                            (
                                change.account,
                                change.first_name,
                                change.tier,
                                change.points,
                                page.epoch,
                                page.includes_seq,
                                json.dumps(change.counters),
                                change.first_purchase,
                            ),
                        )
                    case CardChange():
                        connection.execute(_UPSERT_CARD, (change.token, change.account, int(change.blocked)))
                    case ProgrammeChange():
                        programme = _read_programme(change)
                        document = json.dumps(change.document, ensure_ascii=False)
                        connection.execute(
                            "INSERT OR REPLACE INTO programme VALUES (?, ?)", (programme.version, document)
                        )
            # Every page is word from head office: a till that sells nothing must not look out of touch.
            connection.execute(
                "UPDATE feed SET cursor = ?, last_contact_ms = ?, clock_offset_ms = ?",
                (page.cursor, now_ms, page.as_of_ms - now_ms),
            )
            if not page.more:
                connection.execute("UPDATE feed SET as_of_ms = ?", (now_ms,))

    def start_over(self) -> None:
        """Head office's feed began anew (it was restored from a backup): read it from the start, over what is here."""
        with self._store.transaction() as connection:
            connection.execute("UPDATE feed SET cursor = ''")

    def confirm(self, balances: Iterable[AccountBalance], epoch: int, seq: int, *, within: Any = None) -> None:
        """Take over balances that head office stated with this till's entries up to `seq` included.

        Args:
            within: the connection of the caller's own transaction, to be part of that one.
        """
        with self._store.transaction(within) as connection:
            connection.executemany(
                """UPDATE account SET points = ?, counters = ?, first_purchase = 0, includes_epoch = ?, includes_seq = ?
                   WHERE account = ? AND (includes_epoch, includes_seq) <= (?, ?)""",
                [
                    (balance.points, json.dumps(balance.counters), epoch, seq, balance.account, epoch, seq)
                    for balance in balances
                ],
            )

    def heard(self, now_ms: int, server_time_ms: int, *, within: Any = None) -> None:
        """Head office answered at `now_ms` of this till's clock and said its own time; `within` as for `confirm`."""
        with self._store.transaction(within) as connection:
            connection.execute(
                "UPDATE feed SET last_contact_ms = ?, clock_offset_ms = ?", (now_ms, server_time_ms - now_ms)
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
