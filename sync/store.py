"""The till's encrypted SQLite file: opening it safely, and the one way to write: transaction()."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlcipher3.dbapi2 as sqlcipher
from filelock import FileLock, Timeout

from sync.checkpoints import LAST_RESORT_PAGES, Checkpoints
from sync.errors import StoreDamaged, StoreError, StoreFull, StoreTaken, StoreUnusable
from sync.health import damage
from sync.turns import Turns

if TYPE_CHECKING:
    from sqlite_utils import Database

BUSY_TIMEOUT_MS = 5000
"""How long another connection may hold a writer up before that is an error."""
WAL_LIMIT_BYTES = 64 * 1024 * 1024
"""The write-ahead log is cut back to this after a checkpoint: one long reader must not fill the disk for good."""
KEY_BYTES = 32

_STEPS = {path.stem for path in Path(__file__).with_name("migrations").glob("m[0-9]*.py")}
"""The steps of the schema, each in a file of its name."""

LEAST_FREE_BYTES = 64 * 1024
"""With less than this free, a disk error is a full disk: the log's index grows by 32 KiB, and SQLite calls that I/O."""


def read_key(path: Path, *, create: bool) -> bytes:
    """Read the database key: 64 hex digits in a file that only its owner may read.

    Args:
        create: make a new random key when the file does not exist.

    Raises:
        StoreUnusable: missing, unreadable, open to others, or not a key.
    """
    try:
        if create and not path.exists():
            _make_key(path)
        if path.stat().st_mode & 0o077:
            raise StoreUnusable(f"database key {path} can be read by others: run chmod 600 {path}")
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except FileNotFoundError as error:
        raise StoreUnusable(f"database key {path} is missing: put it back, or enrol this till again") from error
    except OSError as error:
        hint = "free some space" if error.errno == errno.ENOSPC else "check the folder's owner"
        raise StoreUnusable(f"database key {path} cannot be used: {error.strerror}; {hint}") from error
    except ValueError as error:
        raise StoreUnusable(f"database key {path} is not a key: expected {KEY_BYTES * 2} hex digits") from error
    if len(key) != KEY_BYTES:
        raise StoreUnusable(
            f"database key {path} is not a key: expected {KEY_BYTES * 2} hex digits, got {len(key) * 2}"
        )
    return key


def _make_key(path: Path) -> None:
    """Write a new key, whole and durable: without it every entry booked later would be unreadable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(KEY_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name itself must outlive a power cut, as the database will
    finally:
        os.close(folder)


def connect(path: Path, key: bytes) -> Any:
    """A raw connection with the settings that the journal's durability rests on.

    WAL with synchronous=FULL: with NORMAL an acknowledged commit can be lost at a power cut (SQLite documentation,
    "PRAGMA synchronous").

    Raises:
        StoreUnusable: wrong key, damaged, or not writable.
    """
    try:
        # A rollback journal is there only when power went while the file was being made: nothing is in it yet, and
        # whoever may not write cannot look past the journal.
        if path.exists() and not path.with_name(f"{path.name}-journal").exists():
            _try_key(path, key)
        connection = sqlcipher.connect(str(path), isolation_level=None, check_same_thread=False, cached_statements=256)
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        for setting in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
            f"journal_size_limit = {WAL_LIMIT_BYTES}",
        ):
            connection.execute(f"PRAGMA {setting}")
    except sqlcipher.DatabaseError as error:
        raise StoreUnusable(_why(path, error)) from error
    return connection


def _try_key(path: Path, key: bytes) -> None:
    """Fail on a wrong key before anything could be written.

    After a crash even a connection with the wrong key would fold the write-ahead log into the file as it closes.
    """
    with contextlib.closing(sqlcipher.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("PRAGMA cipher_log_level = NONE")  # the library's own lines on standard error say no more
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _is_full(path: Path, error: Exception) -> bool:
    text = str(error)
    if "disk I/O error" in text:
        return shutil.disk_usage(path.parent).free < LEAST_FREE_BYTES
    return "database or disk is full" in text


def _why(path: Path, error: Exception) -> str:
    text = str(error)
    if "not a database" in text:
        return (
            f"database {path} does not open with this key: put the right key file back; "
            "the file was left as it is and nothing in it is lost"
        )
    if "readonly" in text or "unable to open" in text:
        return f"database {path} cannot be written: check that the folder exists and belongs to the till's user"
    if _is_full(path, error):
        return f"database {path} cannot be opened, the disk is full: free some space and start again"
    return f"database {path} cannot be used: {text}; keep the file, and put a backup back: spaarpunt sync restore"


class Store:
    """One till's database: one writing connection for the whole process, shared under a lock."""

    def __init__(self, path: Path, connection: Any, key: bytes = b"") -> None:
        self.path = path
        self.key = key
        self._connection = connection
        self._lock = Turns()
        # Whoever writes beside the sales, the checkpoints included, takes turns here first, and only then the lock.
        self._aside = threading.Lock()
        self._reader: Any = None
        self._reading = threading.Lock()
        self._till_lock: FileLock | None = None
        self._checkpoints: Checkpoints | None = None

    @classmethod
    def open(cls, path: Path, key: bytes, held: FileLock | None = None) -> Store:
        """Open for writing, as the only till on this file, and bring the schema up to date.

        Args:
            held: the folder's lock, when the caller has it; the store gives it back when it is closed.

        Raises:
            StoreDamaged: pages, or the chain of what head office does not have; nothing was changed.
            StoreUnusable: another till has it, wrong key, read-only folder, or full.
        """
        lock = held or hold_folder(path)
        try:
            connection = connect(path, key)
            wrong = damage(connection)
            if wrong is not None:
                connection.close()
                raise StoreDamaged(f"database {path} is damaged ({wrong}): keep the file and call support")
            store = cls(path, connection, key)
            store._till_lock = lock
            store.migrate()
            # A file of another user opens for reading without complaint: better found now than at the first sale.
            store._connection.execute("BEGIN IMMEDIATE")
            store._connection.execute("UPDATE feed SET cursor = cursor")
            store._connection.execute("ROLLBACK")
            store._connection.execute(f"PRAGMA wal_autocheckpoint = {LAST_RESORT_PAGES}")
            store._checkpoints = Checkpoints(lambda: connect(path, key), store._aside, store._lock)
        except sqlcipher.DatabaseError as error:
            lock.release()
            raise StoreUnusable(_why(path, error)) from error
        except BaseException:
            lock.release()
            raise
        return store

    @classmethod
    def look(cls, path: Path, key: bytes) -> Store:
        """Open beside a running till, to read only.

        Raises:
            StoreUnusable: there is no database here, or the key is wrong.
        """
        if not path.exists():
            raise StoreUnusable(f"no till database at {path}: enrol this till, or check till.data_dir")
        store = cls(path, connect(path, key), key)
        store._connection.execute("PRAGMA query_only = ON")
        return store

    def migrate(self) -> None:
        """Bring the schema up to date, after a backup of the file as it was.

        What does it is loaded only where there is something to do: it brings numpy, and people wait for a start.
        """
        applied = self._applied()
        if applied >= _STEPS:
            return
        from sync.migrations import migrations

        if applied:
            backup = self.path.with_suffix(".before-migration.db")
            backup.unlink(missing_ok=True)
            self._connection.execute("VACUUM INTO ?", [str(backup)])
        with self.db.atomic():  # all steps or none, and one wait for the disk instead of one for each
            migrations.apply(self.db)

    def _applied(self) -> set[str]:
        """The steps that this file has had, by name, as sqlite-utils keeps them."""
        kept = "SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'"
        if self._connection.execute(kept).fetchone() is None:
            return set()
        rows = self._connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = 'till'")
        return {name for (name,) in rows}

    @functools.cached_property
    def db(self) -> Database:
        """The file as sqlite-utils sees it."""
        from sqlite_utils import Database

        return Database(self._connection)

    @contextlib.contextmanager
    def transaction(self, within: Any = None, *, flushed: bool = True) -> Iterator[Any]:
        """A write transaction: all of it is on the disk when the block ends, or none of it.

        BEGIN IMMEDIATE, since a deferred BEGIN that reads first fails with SQLITE_BUSY_SNAPSHOT beside another writer.

        Args:
            within: the connection of the caller's own transaction, to be part of that one.
            flushed: False for what head office says again when it is lost: written aside, with a breath after it, and
                never while the log is folded in. A checkout then waits for no flush of ours; the next transaction that
                is flushed takes this one to the disk too, before itself.

        Raises:
            StoreFull: no space left; nothing was written.
            StoreError: the disk failed or turned read-only; nothing was written.
        """
        if within is not None:
            yield within
            return
        with contextlib.nullcontext() if flushed else self._writing_aside(), self._lock, self._flushing(flushed):
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                    if self._checkpoints is not None:
                        self._checkpoints.committed()
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlcipher.IntegrityError:
                raise
            except sqlcipher.DatabaseError as error:
                if _is_full(self.path, error):
                    raise StoreFull(
                        f"disk full, nothing was booked: free space on the disk of {self.path.parent} and book again"
                    ) from error
                raise StoreError(f"nothing was booked, {_why(self.path, error)}") from error

    @contextlib.contextmanager
    def _writing_aside(self) -> Iterator[None]:
        with self._aside:
            yield
        self._lock.breathe()

    @contextlib.contextmanager
    def _flushing(self, flushed: bool) -> Iterator[None]:
        """WAL with synchronous=NORMAL keeps the file whole and the order of commits, and flushes none of them."""
        if flushed:
            yield
            return
        (before,) = self._connection.execute("PRAGMA synchronous").fetchone()
        self._connection.execute("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            self._connection.execute(f"PRAGMA synchronous = {before}")

    def rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of a short read.

        Raises:
            StoreError: the disk failed, or the file is damaged.
        """
        with self._lock:
            try:
                result: list[tuple[Any, ...]] = self._connection.execute(sql, values).fetchall()
            except sqlcipher.DatabaseError as error:
                raise StoreError(_why(self.path, error)) from error
            return result

    def row(self, sql: str, values: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        """The first row of a short read, or None.

        Raises:
            StoreError: the disk failed, or the file is damaged.
        """
        with self._lock:
            try:
                result: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
            except sqlcipher.DatabaseError as error:
                raise StoreError(_why(self.path, error)) from error
            return result

    def rows_beside(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of a long read, on a connection of its own: no checkout waits for it. Sees what is committed.

        Raises:
            StoreError: the disk failed, or the file is damaged.
        """
        with self._reading:
            try:
                if self._reader is None:
                    self._reader = connect(self.path, self.key)
                    self._reader.execute("PRAGMA query_only = ON")
                result: list[tuple[Any, ...]] = self._reader.execute(sql, values).fetchall()
            except sqlcipher.DatabaseError as error:
                raise StoreError(_why(self.path, error)) from error
            return result

    def close(self) -> None:
        """Close the file; the last connection folds the write-ahead log back in."""
        if self._checkpoints is not None:
            self._checkpoints.stop()
        with self._reading:
            if self._reader is not None:
                self._reader.close()
                self._reader = None
        with self._lock:
            self._connection.close()
            if self._till_lock is not None:
                self._till_lock.release()
                self._till_lock = None


def hold_folder(path: Path) -> FileLock:
    """Become the only till on the file at `path`, until the lock is released.

    Raises:
        StoreTaken, StoreUnusable.
    """
    lock = FileLock(path.with_suffix(".lock"), timeout=0, mode=0o600)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise StoreTaken(f"another till already runs on {path.parent}: stop it first, or use it") from error
    except OSError as error:
        raise StoreUnusable(
            f"data folder {path.parent} cannot be written: {error.strerror}; give the till's user this folder"
        ) from error
    return lock
