"""A snapshot of head office taken into the mirror: part by part, in small steps beside the checkouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.card_orders import keep as keep_orders
from sync.errors import ServerFault
from sync.inbox import take_over_all
from sync.leases import replace_leases
from sync.mirror import (
    PUT_ACCOUNT,
    PUT_CARD,
    PUT_PROGRAMME,
    PUT_STOCK,
    account_row,
    card_row,
    programme_row,
    stock_row,
)
from sync.store import Store
from sync.wire_mirror import ParkedChange, Section, SnapshotPart

_ORDER = tuple(Section)

AT_ONCE = 250
"""Rows in one transaction, some ten pages: a checkout that comes meanwhile waits for a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a snapshot stands: the next part is that of `section` above the key `after`; `cursor` is the feed's."""

    cursor: str
    section: Section
    after: str


@dataclass(frozen=True, slots=True)
class _Kept:
    """How a section is kept: which keys are here above one and not above another, and how rows go and come."""

    keys: str
    forget: str
    put: str
    row: Callable[[Any, SnapshotPart], tuple[Any, ...]]
    read_key: Callable[[str], Any] = str


_KEPT = {
    Section.PROGRAMMES: _Kept(
        keys="SELECT version FROM programme WHERE version > ? AND version <= ?",
        forget="DELETE FROM programme WHERE version = ?",
        put=PUT_PROGRAMME,
        row=lambda state, _: programme_row(state),
        read_key=lambda text: int(text or 0),
    ),
    Section.STOCKS: _Kept(
        keys="SELECT reward FROM stock WHERE reward > ? AND reward <= ?",
        forget="DELETE FROM stock WHERE reward = ?",
        put=PUT_STOCK,
        row=lambda state, part: stock_row(state, part.epoch, part.includes_seq),
    ),
    Section.ACCOUNTS: _Kept(
        keys="SELECT account FROM account WHERE account > ? AND account <= ?",
        forget="DELETE FROM account WHERE account = ?",
        put=PUT_ACCOUNT,
        row=lambda state, part: account_row(state, part.epoch, part.includes_seq),
    ),
    Section.CARDS: _Kept(
        keys="SELECT token FROM card WHERE token > ? AND token <= ?",
        forget="DELETE FROM card WHERE token = ?",
        put=PUT_CARD,
        row=lambda state, _: card_row(state),
    ),
}

_AFTER_EVERYTHING = b""
"""A blob comes after every number and text (SQLite, "Datatypes In SQLite", 4.1)."""


class Snapshots:
    """Takes snapshots. While one is under way the till sells from the mirror as it is, part old and part new."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def place(self) -> Place | None:
        """Where the one under way stands, also one that a crash broke off; None for none."""
        row = self._store.row("SELECT cursor, section, after FROM snapshot")
        return Place(row[0], Section(row[1]), row[2]) if row else None

    def give_up(self) -> None:
        """Forget the one under way: the next begins anew. What it brought stays, and so does the rest."""
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM snapshot")

    def apply(self, part: SnapshotPart, now_ms: int) -> None:
        """Write one part; after the last the mirror follows the feed from the snapshot's cursor.

        What the part says replaces whatever is here: a till's own entries past `includes_seq` are in its journal, and
        what others did since comes with the feed. Accounts and cards are written by ranges of `AT_ONCE`, each true by
        itself as the part is: a snapshot that is broken off goes on after the last of them.

        Args:
            now_ms: this till's clock.

        Raises:
            ServerFault: not the part that comes next; nothing was written.
            OtherVersion: a programme that this version cannot read; nothing was written.
        """
        for piece in _pieces(part):
            self._write(piece, now_ms)

    def _write(self, part: SnapshotPart, now_ms: int) -> None:
        with self._store.transaction(flushed=False) as connection:
            found = connection.execute("SELECT cursor, section, after FROM snapshot").fetchone()
            wanted = Place(found[0], Section(found[1]), found[2]) if found else Place(part.cursor, _ORDER[0], "")
            got = Place(part.cursor, part.section, part.after)
            if got != wanted:
                raise ServerFault(f"expected the part of the snapshot at {wanted}, got {got}; it is asked for again")
            if part.section is Section.PARKED:
                take_over_all(connection, (row for row in part.rows if isinstance(row, ParkedChange)), now_ms)
            elif part.section is Section.LEASES:
                replace_leases(connection, part)
            else:
                _replace(connection, _KEPT[part.section], part)
                if part.section is Section.CARDS:
                    keep_orders(connection, part.epoch, part.includes_seq)
            connection.execute(
                "UPDATE feed SET last_contact_ms = ?, clock_offset_ms = ?", (now_ms, part.as_of_ms - now_ms)
            )
            if part.section is Section.PROGRAMMES:
                connection.execute("UPDATE feed SET programme_set = programme_set + 1")
            if part.is_last:
                connection.execute("DELETE FROM snapshot")
                connection.execute("UPDATE feed SET cursor = ?", (part.cursor,))
                connection.execute("INSERT OR REPLACE INTO register_due VALUES (1, 'card', '', '')")
                return
            section = part.section if part.upto is not None else _ORDER[_ORDER.index(part.section) + 1]
            connection.execute(
                "INSERT OR REPLACE INTO snapshot VALUES (1, ?, ?, ?)", (part.cursor, section, part.upto or "")
            )


def _pieces(part: SnapshotPart) -> Iterator[SnapshotPart]:
    """A part as ranges that are soon written; the last goes up to where the part does."""
    after, rows = part.after, part.rows
    if part.section in {Section.ACCOUNTS, Section.CARDS}:
        while len(rows) > AT_ONCE:
            upto = _KEPT[part.section].row(rows[AT_ONCE - 1], part)[0]
            yield msgspec.structs.replace(part, after=after, upto=upto, rows=rows[:AT_ONCE])
            after, rows = upto, rows[AT_ONCE:]
    yield msgspec.structs.replace(part, after=after, rows=rows)


def _replace(connection: Any, kept: _Kept, part: SnapshotPart) -> None:
    rows = [kept.row(state, part) for state in part.rows]
    upto = _AFTER_EVERYTHING if part.upto is None else kept.read_key(part.upto)
    here = {key for (key,) in connection.execute(kept.keys, (kept.read_key(part.after), upto))}
    connection.executemany(kept.forget, [(key,) for key in here - {row[0] for row in rows}])
    connection.executemany(kept.put, rows)
