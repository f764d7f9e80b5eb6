"""A damaged file: set aside, and what can be read of it carried into a new one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlcipher3.dbapi2 as sqlcipher
import structlog

from loyalty.ledger import GENESIS
from sync.backups import backups, durable, set_aside
from sync.epochs import Doubt, begin
from sync.errors import StoreUnusable
from sync.health import broken_chain
from sync.store import Store, connect

RANGE = 500
"""Rows read at once; a range that fails is halved."""
SMALLEST_ROW = 400
"""Bytes that a row of the journal takes at least: how many there can be, when nothing in the file says so."""

log = structlog.get_logger("spaarpunt.sync")

_IDENTITY = ("terminal", "next_key")
_APART = frozenset({"journal", "head", "origin", "_sqlite_migrations", "sqlite_sequence", *_IDENTITY})
"""Tables that are not copied row for row."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What became of a damaged file.

    `waiting`: entries carried over that head office does not have yet. `lost`: numbers among those that could not be
    read, None when that cannot be told. `new_epoch`: the chain did not hold, and the journal goes on in another.
    """

    aside: Path
    waiting: int
    lost: int | None
    new_epoch: bool

    def __str__(self) -> str:
        lost = "how many more there were cannot be told" if self.lost is None else f"{self.lost} could not be read"
        return (
            f"the till's database was damaged and is kept as {self.aside.name}; {self.waiting} entries that wait for "
            f"head office were carried over, {lost}"
            + ("; the journal goes on in a new epoch" if self.new_epoch else "")
        )


def salvage(path: Path, key: bytes, now_ms: int) -> Salvaged:
    """Make a new file from what can be read of the damaged one at `path`, and set that aside.

    The caller holds the folder. Stopped at any moment, the next start finds the damaged file as it was, or the new one
    whole.

    Raises:
        StoreUnusable: who this till is cannot be read, here or in any backup; nothing was changed.
    """
    draft = path.with_suffix(".part")
    for ending in ("", "-wal", "-shm"):
        draft.with_name(draft.name + ending).unlink(missing_ok=True)
    with contextlib.closing(connect(path, key)) as damaged:
        identity, epoch_before = _identity(damaged, path, key)
        new = Store(draft, connect(draft, key))
        try:
            new.migrate()
            with new.transaction() as connection:
                for table, row in identity.items():
                    _insert(connection, table, [row])
                _copy_tables(damaged, connection)
                waiting, lost, moved = _carry_journal(damaged, connection, epoch_before, path.stat().st_size)
                connection.execute("UPDATE origin SET doubt = ?", (Doubt.SALVAGED if moved else None,))
        finally:
            new.close()
    durable(draft)
    draft.rename(_ready(path))
    durable(path.parent)
    report = Salvaged(set_aside(path, "damaged", now_ms), waiting, lost, moved)
    finish(path, now_ms)
    return report


def finish(path: Path, now_ms: int) -> None:
    """Put a salvaged file in its place, when a start was stopped before it could. The caller holds the folder."""
    if not _ready(path).exists():
        return
    if path.exists():
        set_aside(path, "damaged", now_ms)
    _ready(path).rename(path)
    durable(path.parent)


def _ready(path: Path) -> Path:
    return path.with_suffix(".salvaged")


def _identity(damaged: Any, path: Path, key: bytes) -> tuple[dict[str, dict[str, Any]], int]:
    """The rows that say who this till is, from the file or else from its newest backup that can be read.

    And the epoch of that backup; 1 without one.
    """
    found, epoch = _single_rows(damaged), 1
    for backup in backups(path):
        with contextlib.suppress(StoreUnusable), contextlib.closing(connect(backup.path, key)) as connection:
            head = _head(connection)
            epoch = max(epoch, head[0] if head else 1)
            if "terminal" not in found:
                found = _single_rows(connection)
    if "terminal" not in found:
        raise StoreUnusable(
            f"database {path} is damaged, and who this till is cannot be read in it or in a backup: keep the file and "
            "call support"
        )
    return found, epoch


def _single_rows(connection: Any) -> dict[str, dict[str, Any]]:
    found = {}
    for table in _IDENTITY:
        with contextlib.suppress(sqlcipher.DatabaseError):
            columns = _columns(connection, table)
            row = connection.execute(f"SELECT * FROM {table}").fetchone()  # noqa: S608 - a name of our own
            if row is not None:
                found[table] = dict(zip(columns, row, strict=True))
    return found


def _columns(connection: Any, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def _insert(connection: Any, table: str, rows: Iterable[dict[str, Any]]) -> None:
    known = _columns(connection, table)
    for row in rows:
        names = [name for name in row if name in known]
        places = ", ".join("?" * len(names))
        connection.execute(
            f"INSERT OR REPLACE INTO {table} ({', '.join(names)}) VALUES ({places})",  # noqa: S608 - names of our own
            [row[name] for name in names],
        )


def _copy_tables(damaged: Any, connection: Any) -> None:
    """Everything but the journal, as far as it can be read. A mirror with gaps is read anew from head office."""
    tables = [
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if name not in _APART
    ]
    whole = True
    for table in tables:
        try:
            columns = _columns(damaged, table)
            rows = damaged.execute(f"SELECT * FROM {table}")  # noqa: S608 - a name of our own
            _insert(connection, table, (dict(zip(columns, row, strict=True)) for row in rows))
        except sqlcipher.DatabaseError as error:
            log.warning("a table could not be read to its end", table=table, problem=str(error))
            whole = False
    if not whole:
        connection.execute("UPDATE feed SET cursor = ''")


def _carry_journal(damaged: Any, connection: Any, epoch_before: int, size: int) -> tuple[int, int | None, bool]:
    """Carry the journal over: entries that wait, numbers lost among them, and whether a new epoch had to begin.

    Args:
        epoch_before: the epoch of the newest backup, for a file that does not even say its own.
        size: bytes of the file.
    """
    head = _head(damaged)
    columns: list[str] = []
    with contextlib.suppress(sqlcipher.DatabaseError):
        columns = _columns(damaged, "journal")
    if columns:
        rows = _readable(damaged, _most_rows(damaged, head, size))
        _insert(connection, "journal", (dict(zip(columns, row, strict=True)) for row in rows))
    known = head is not None
    if head is None:
        epoch, last = connection.execute(
            "SELECT epoch, max(seq) FROM journal GROUP BY epoch ORDER BY epoch DESC LIMIT 1"
        ).fetchone() or (epoch_before, 0)
        head = (max(epoch, epoch_before), last, GENESIS, 0)
    epoch, last, _, acked = head
    connection.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?, ?, ?)", head)
    query = "SELECT count(*) FROM journal WHERE epoch = ? AND seq > ?"
    waiting = int(connection.execute(query, (epoch, acked)).fetchone()[0])
    _close_days(connection, epoch, acked)
    if known and broken_chain(connection) is None:
        return waiting, 0, False
    begin(connection, epoch + 1)
    return waiting, last - acked - waiting if known else None, True


def _head(damaged: Any) -> tuple[int, int, bytes, int] | None:
    with contextlib.suppress(sqlcipher.DatabaseError):
        row = damaged.execute("SELECT epoch, seq, digest, acked_seq FROM head").fetchone()
        return None if row is None else tuple(row)
    return None


def _most_rows(damaged: Any, head: tuple[int, int, bytes, int] | None, size: int) -> int:
    """At least the highest rowid of the journal: rows are numbered as they are written."""
    for query in ("SELECT max(rowid) FROM journal", "SELECT max(rowid) FROM journal INDEXED BY journal_id"):
        with contextlib.suppress(sqlcipher.DatabaseError):
            return int(damaged.execute(query).fetchone()[0] or 0)
    total = head[1] if head else size // SMALLEST_ROW
    for table in ("closed_epoch", "pruned"):
        with contextlib.suppress(sqlcipher.DatabaseError):
            total += int(damaged.execute(f"SELECT COALESCE(SUM(seq), 0) FROM {table}").fetchone()[0])  # noqa: S608
    return total


def _readable(damaged: Any, most: int) -> Iterator[tuple[Any, ...]]:
    """Every row of the journal that can be read: a range that fails is halved, down to single rows."""
    ranges = [(low, min(low + RANGE - 1, most)) for low in range(1, most + 1, RANGE)]
    while ranges:
        low, high = ranges.pop()
        try:
            yield from damaged.execute("SELECT * FROM journal WHERE rowid BETWEEN ? AND ?", (low, high)).fetchall()
        except sqlcipher.DatabaseError:
            if low < high:
                middle = (low + high) // 2
                ranges += [(low, middle), (middle + 1, high)]


def _close_days(connection: Any, epoch: int, acked: int) -> None:
    """Days that lost acknowledged entries cannot agree with head office any more: they are compared no more."""
    row = connection.execute("SELECT seq FROM pruned WHERE epoch = ?", (epoch,)).fetchone()
    start = row[0] if row else 0
    seqs = {
        seq for (seq,) in connection.execute("SELECT seq FROM journal WHERE epoch = ? AND seq <= ?", (epoch, acked))
    }
    missing = [seq for seq in range(start + 1, acked + 1) if seq not in seqs]
    if missing:
        connection.execute(
            "INSERT OR REPLACE INTO day_proof (epoch, business_date, agrees, closed, ours, theirs, parked, checked_ms) "
            "SELECT DISTINCT epoch, business_date, 0, 1, '', '', 0, 0 FROM journal "
            "WHERE epoch = ? AND seq <= ?",
            (epoch, missing[-1] + 1),
        )
