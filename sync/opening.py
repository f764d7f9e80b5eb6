"""How a till opens its file: salvages a damaged one, and notices a copy or a backup."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from sync.epochs import Doubt, Epochs
from sync.errors import StoreDamaged
from sync.salvage import Salvaged, finish, salvage
from sync.store import Store, hold_folder
from sync.terminal import wall_ms

log = structlog.get_logger("spaarpunt.sync")


@dataclass(frozen=True, slots=True)
class Opened:
    """An open store, and what happened to it on the way."""

    store: Store
    salvaged: Salvaged | None = None


def open_till(path: Path, key: bytes, now_ms: Callable[[], int] = wall_ms) -> Opened:
    """Open the till's file for writing, as the only till on it.

    A damaged file is set aside and salvaged. A file that is a backup, or lies elsewhere than when it was last used, is
    put in doubt: the till asks head office before its first write (`Agent.before_selling`).

    Raises:
        StoreUnusable: see `Store.open`; also a damaged file that does not say who this till is.
    """
    lock = hold_folder(path)
    salvaged = None
    try:
        finish(path, now_ms())
        try:
            store = Store.open(path, key, held=lock)
        except StoreDamaged as damaged:
            log.warning("the database is damaged: salvaging it", problem=str(damaged))
            salvaged = salvage(path, key, now_ms())
            store = Store.open(path, key, held=lock)
    except BaseException:
        lock.release()
        raise
    if salvaged is not None:
        Epochs(store).tell(now_ms(), "salvaged", str(salvaged))
    _notice_copy(store, path)
    return Opened(store, salvaged)


def _notice_copy(store: Store, path: Path) -> None:
    row = store.row("SELECT place, backup_ms FROM origin")
    assert row is not None, "the schema has the row"
    known, backup_ms = row
    here = _place(path)
    if known == here and backup_ms is None:
        return
    doubt = Doubt.RESTORED if backup_ms is not None else Doubt.COPIED if known is not None else None
    with store.transaction() as connection:
        connection.execute("UPDATE origin SET place = ?, backup_ms = NULL, doubt = COALESCE(?, doubt)", (here, doubt))
    if doubt is not None:
        log.warning("this database is not where it was, or is a backup: head office is asked first", doubt=doubt)


def _place(path: Path) -> str:
    """Names the file on its file system. By the file system's own id: a device's number may change with a restart."""
    return f"{os.statvfs(path).f_fsid}:{path.stat().st_ino}"
