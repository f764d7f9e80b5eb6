"""The till's epochs: leaving one for the next, and whether this file may be a copy or a backup of another."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from loyalty.ledger import GENESIS
from sync.store import Store
from sync.wire import EnrolAnswer, key_bytes

MAX_NOTICES = 200
"""Notices kept: far more than a till has in a year; past it the oldest go."""

log = structlog.get_logger("spaarpunt.sync")


class Doubt(StrEnum):
    """Why this journal may not be the only one, or not the newest, until head office has said how far it has it."""

    RESTORED = "restored"  # a backup of this software was put back
    COPIED = "copied"  # the file lies elsewhere than when it was last used
    SALVAGED = "salvaged"  # made from a damaged file that may have lost entries
    SUPERSEDED = "superseded"  # head office says that another copy of this till goes on in its place


@dataclass(frozen=True, slots=True)
class Declared:
    """An epoch that this till writes in, or is about to, and that head office has not opened yet."""

    epoch: int
    key: Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the manager must hear of. `at_ms`: this till's clock, Unix ms UTC."""

    at_ms: int
    code: str
    text: str


class Epochs:
    """What the store knows of this till's epochs. Written by start-up and sync alone."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def doubt(self) -> Doubt | None:
        """Why nothing is redeemed until head office was heard, or None."""
        row = self._store.row("SELECT doubt FROM origin")
        return Doubt(row[0]) if row and row[0] else None

    def doubted(self, doubt: Doubt) -> None:
        """Note that this journal is in doubt."""
        with self._store.transaction() as connection:
            connection.execute("UPDATE origin SET doubt = ?", (doubt,))

    def settled(self) -> None:
        """Head office has confirmed where this journal stands."""
        with self._store.transaction() as connection:
            connection.execute("UPDATE origin SET doubt = NULL")

    def declared(self) -> Declared | None:
        """The epoch that is still to be opened at head office, or None."""
        row = self._store.row("SELECT epoch, private_key FROM next_key JOIN head USING (one)")
        return Declared(row[0], Ed25519PrivateKey.from_private_bytes(row[1])) if row else None

    def begin(self, epoch: int) -> Declared:
        """Leave the present epoch for `epoch`, with a new key that is on the disk before head office hears of it.

        What was not acknowledged stays, and is sent before anything of the new epoch.
        """
        with self._store.transaction() as connection:
            begin(connection, epoch)
        log.warning("next epoch", epoch=epoch)
        found = self.declared()
        assert found is not None
        return found

    def opened(self) -> None:
        """Head office has opened the declared epoch: its key signs from here on, and the journal is in no doubt."""
        with self._store.transaction() as connection:
            connection.execute("UPDATE terminal SET private_key = (SELECT private_key FROM next_key)")
            connection.execute("DELETE FROM next_key")
            connection.execute("UPDATE origin SET doubt = NULL")

    def enrolled_again(self, answer: EnrolAnswer, key: Ed25519PrivateKey) -> None:
        """Head office gave this till another key and epoch: close the present one, and sign with `key` from here on.

        Head office may lack entries that it once acknowledged, so all that is here of earlier epochs is sent again; it
        knows what it has.
        """
        with self._store.transaction() as connection:
            begin(connection, answer.epoch)
            connection.execute("DELETE FROM next_key")
            _send_again(connection)
            connection.execute(
                "UPDATE terminal SET store_name = ?, private_key = ?, hq_public_key = ?",
                (answer.store_name, key.private_bytes_raw(), key_bytes(answer.hq_public_key)),
            )
            connection.execute("DELETE FROM enrolment")
            connection.execute("UPDATE origin SET doubt = NULL")
        log.warning("enrolled again", epoch=answer.epoch)

    def diverged(self, epoch: int) -> None:
        """Head office has other entries of an epoch that was left than this journal."""
        with self._store.transaction() as connection:
            connection.execute("UPDATE closed_epoch SET diverged = 1 WHERE epoch = ?", (epoch,))

    def send_closed_again(self) -> None:
        """Head office may lack what it acknowledged of epochs that were left, as after a restore: it all goes again."""
        with self._store.transaction() as connection:
            _send_again(connection)

    def tell(self, at_ms: int, code: str, text: str) -> None:
        """Keep something for the manager; the same thing again while it is the newest is told once."""
        with self._store.transaction() as connection:
            tell(connection, at_ms, code, text)
        log.warning(text, code=code)

    def notices(self, *, unreported: bool = False) -> tuple[Notice, ...]:
        """What the manager was to hear of, oldest first."""
        told = 0 if unreported else 1
        rows = self._store.rows("SELECT at_ms, code, text FROM notice WHERE reported <= ? ORDER BY number", (told,))
        return tuple(Notice(*row) for row in rows)

    def reported(self) -> None:
        """The night's report has told them."""
        with self._store.transaction() as connection:
            connection.execute("UPDATE notice SET reported = 1")


def begin(connection: Any, epoch: int) -> None:
    """As `Epochs.begin`, within a transaction."""
    connection.execute(
        "INSERT INTO closed_epoch (epoch, seq, digest, acked_seq) SELECT epoch, seq, digest, acked_seq FROM head"
    )
    connection.execute("UPDATE head SET epoch = ?, seq = 0, digest = ?, acked_seq = 0", (epoch, GENESIS))
    connection.execute(
        "INSERT OR REPLACE INTO next_key VALUES (1, ?)", (Ed25519PrivateKey.generate().private_bytes_raw(),)
    )


def _send_again(connection: Any) -> None:
    """All that is here of epochs that were left is unacknowledged; head office knows what it has of it."""
    connection.execute(
        "UPDATE closed_epoch SET acked_seq = COALESCE("
        "(SELECT seq FROM pruned WHERE pruned.epoch = closed_epoch.epoch), 0)"
    )
    # Until it is acknowledged anew nothing of it is pruned.
    connection.execute("DELETE FROM acked_day WHERE epoch <> (SELECT epoch FROM head)")


def tell(connection: Any, at_ms: int, code: str, text: str) -> None:
    """As `Epochs.tell`, within a transaction."""
    newest = connection.execute("SELECT code, text FROM notice ORDER BY number DESC LIMIT 1").fetchone()
    if newest == (code, text):
        return
    connection.execute("INSERT INTO notice (at_ms, code, text) VALUES (?, ?, ?)", (at_ms, code, text))
    connection.execute("DELETE FROM notice WHERE number <= (SELECT max(number) FROM notice) - ?", (MAX_NOTICES,))
