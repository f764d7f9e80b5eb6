"""Backups of the till's file: made beside a running till, kept for some nights, put back by hand."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlcipher3.dbapi2 as sqlcipher

from sync.errors import StoreError, StoreFull, StoreUnusable
from sync.store import connect, hold_folder

FOLDER = "backups"
KEPT = 7
"""Backups kept: a week of nights, so that what went wrong on Friday is found before it is gone."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup on the disk. `at`: when it was made, UTC."""

    path: Path
    at: datetime
    bytes: int


def backups(database: Path) -> tuple[Backup, ...]:
    """The backups of the till's file `database`, the newest first."""
    found = []
    for path in (database.parent / FOLDER).glob(f"{database.stem}-*{database.suffix}"):
        with contextlib.suppress(ValueError):  # a file of somebody else's
            at = datetime.strptime(path.stem.removeprefix(f"{database.stem}-"), _STAMP).replace(tzinfo=UTC)
            found.append(Backup(path, at, path.stat().st_size))
    return tuple(sorted(found, key=lambda backup: backup.at, reverse=True))


def back_up(database: Path, key: bytes, now_ms: int) -> Backup:
    """Write a backup under its time and drop the oldest beyond `KEPT`; sales go on meanwhile.

    It is encrypted with the same key, and knows that it is a backup: a till that starts on it asks head office first.

    Raises:
        StoreFull: no space for it; the till's file and the older backups are as they were.
        StoreError: it could not be written.
    """
    at = datetime.fromtimestamp(now_ms // 1000, UTC)
    folder = database.parent / FOLDER
    target = folder / f"{database.stem}-{at.strftime(_STAMP)}{database.suffix}"
    draft = target.with_suffix(".part")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        draft.unlink(missing_ok=True)
        with contextlib.closing(connect(database, key)) as connection:
            # A reader of its own: VACUUM INTO copies one moment of the file while others write.
            connection.execute("VACUUM INTO ?", [str(draft)])
        with contextlib.closing(connect(draft, key)) as copy:
            copy.execute("PRAGMA journal_mode = DELETE")
            copy.execute("UPDATE origin SET backup_ms = ?", (now_ms,))
        draft.chmod(stat.S_IRUSR | stat.S_IWUSR)
        durable(draft)
        draft.rename(target)
        durable(folder)
    except (OSError, sqlcipher.DatabaseError, StoreUnusable) as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        full = "full" in str(error) or (isinstance(error, OSError) and error.errno == errno.ENOSPC)
        if full or shutil.disk_usage(database.parent).free < database.stat().st_size:
            raise StoreFull(f"no space for a backup in {folder}: free some; the till goes on without") from error
        raise StoreError(f"no backup was made in {folder}: {error}") from error
    for old in backups(database)[KEPT:]:
        old.path.unlink(missing_ok=True)
    return Backup(target, at, target.stat().st_size)


def restore(database: Path, key: bytes, backup: Path, now_ms: int) -> Path | None:
    """Put `backup` in the place of the till's file, which is set aside and never overwritten. No till may run.

    Returns:
        Where the file that was there is now; None when there was none.

    Raises:
        StoreUnusable: a till runs, or the backup does not open with this key; nothing was changed.
        StoreFull: no space; nothing was changed.
    """
    if not backup.is_file():
        raise StoreUnusable(f"no backup at {backup}: spaarpunt sync backups lists them")
    lock = hold_folder(database)
    draft = database.with_suffix(".restore")
    try:
        with contextlib.closing(connect(backup, key)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'origin'").fetchone():
                raise StoreUnusable(f"{backup} is no backup of a till of this version: choose one of {FOLDER}/")
        shutil.copyfile(backup, draft)
        durable(draft)
        aside = set_aside(database, "replaced", now_ms) if database.exists() else None
        draft.rename(database)
        durable(database.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        if error.errno == errno.ENOSPC:
            raise StoreFull(f"no space to restore in {database.parent}: free some; nothing was changed") from error
        raise StoreUnusable(f"{backup} cannot be restored: {error.strerror}") from error
    finally:
        lock.release()
    return aside


def set_aside(database: Path, why: str, now_ms: int) -> Path:
    """Give the till's file, with its log, a dated name of its own; nothing is ever overwritten."""
    stamp = datetime.fromtimestamp(now_ms // 1000, UTC).strftime(_STAMP)
    number = 0
    while True:
        name = f"{database.stem}.{why}-{stamp}" + (f"-{number}" if number else "")
        aside = database.with_name(name + database.suffix)
        if not aside.exists():
            break
        number += 1
    # The log first: a file without its log would look whole, and lack its newest sales.
    for ending in ("-wal", "-shm", ""):
        part = database.with_name(database.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
    durable(database.parent)
    return aside


def durable(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_STAMP = "%Y%m%dT%H%M%SZ"
