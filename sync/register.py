"""Who has which card and which phone number: an index that a snapshot leaves behind, and that is put right after it.

A snapshot brings cards in the order of their tokens, and the accounts they are of lie all over an index: a page of the
file for each of a million cards. Sorted first, a hundred of them share a page.
"""

from __future__ import annotations

from collections.abc import Callable

from sync.store import Store

SORTED_AT_ONCE = 100_000
"""Rows sorted in one go, some 20 MB: each go reads the whole table, beside the sales."""
WRITTEN_AT_ONCE = 250
"""Rows in one transaction: some five pages."""

_SOURCES = {
    "card": "SELECT account AS key, token AS value FROM card",
    "email": "SELECT email_hash AS key, account AS value FROM account WHERE email_hash IS NOT NULL",
    "phone": "SELECT phone_hash AS key, account AS value FROM account WHERE phone_hash IS NOT NULL",
}
"""What the register is made of, by kind, in the order in which it is gone through."""
_KINDS = tuple(_SOURCES)

Place = tuple[str, str]
"""A key and what is found by it: the register is sorted by both."""


class Register:
    """Puts the register right. For one thread at a time; look-ups and sales go on meanwhile."""

    def __init__(self, store: Store, at_once: int = SORTED_AT_ONCE) -> None:
        self._store = store
        self._at_once = at_once

    def catch_up(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Go through the register where a snapshot left it behind. What a crash breaks off goes on the next time.

        Args:
            stopped: asked now and then; this ends early when it says so.

        Raises:
            StoreError: the disk failed.
        """
        while not stopped() and (due := self._store.row("SELECT kind, key, value FROM register_due")) is not None:
            self._go_through(due[0], (due[1], due[2]))

    def _go_through(self, kind: str, after: Place) -> None:
        """Put the next rows of a kind right, and note where it goes on."""
        wanted: list[Place] = self._store.rows_beside(
            f"SELECT key, value FROM ({_SOURCES[kind]}) "  # noqa: S608
            "WHERE (key, value) > (?, ?) ORDER BY key, value LIMIT ?",
            (*after, self._at_once),
        )
        upto = wanted[-1] if len(wanted) == self._at_once else None
        self._change("INSERT OR IGNORE INTO register VALUES (?, ?, ?)", kind, wanted)
        self._forget(kind, after, upto, wanted)
        following = _KINDS[_KINDS.index(kind) + 1 :]
        with self._store.transaction(flushed=False) as connection:
            if upto is not None:
                connection.execute("UPDATE register_due SET key = ?, value = ?", upto)
            elif following:
                connection.execute("UPDATE register_due SET kind = ?, key = '', value = ''", following[:1])
            else:
                connection.execute("DELETE FROM register_due")

    def _forget(self, kind: str, after: Place, upto: Place | None, wanted: list[Place]) -> None:
        """Take out what is in the register and is so no more."""
        within = "kind = ? AND (key, value) > (?, ?)"
        values: tuple[str, ...] = (kind, *after)
        if upto is not None:
            within, values = f"{within} AND (key, value) <= (?, ?)", (*values, *upto)
        if self._store.rows_beside(f"SELECT count(*) FROM register WHERE {within}", values) == [(len(wanted),)]:  # noqa: S608
            return
        here = self._store.rows_beside(f"SELECT key, value FROM register WHERE {within}", values)  # noqa: S608
        self._change(
            # One may have come while this was read.
            "DELETE FROM register WHERE (kind, key, value) = (?1, ?2, ?3) "  # noqa: S608
            f"AND NOT EXISTS (SELECT 1 FROM ({_SOURCES[kind]}) WHERE (key, value) = (?2, ?3))",
            kind,
            list(set(here).difference(wanted)),
        )

    def _change(self, statement: str, kind: str, rows: list[Place]) -> None:
        for start in range(0, len(rows), WRITTEN_AT_ONCE):
            with self._store.transaction(flushed=False) as connection:
                connection.executemany(statement, [(kind, *row) for row in rows[start : start + WRITTEN_AT_ONCE]])
