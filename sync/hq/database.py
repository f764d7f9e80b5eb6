"""Head office's database: opened, brought to the newest schema, and handed out as pooled connections."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool

from sync.hq.embedded import EmbeddedPostgres
from sync.hq.errors import HqError
from sync.hq.programmes import Programmes
from sync.hq.restored import notice_restore

Connection = psycopg.Connection

OLDEST_POSTGRES = 140_000
"""PostgreSQL 14: the oldest release that is still maintained and has pg_current_xact_id (from 13)."""

POOL_SIZE = 10
"""Connections of one head office process: more than its one core can keep busy, PostgreSQL has 100."""

CONNECT_TIMEOUT_S = 5
"""A database on the same network answers in milliseconds; longer means it is not there."""

POOL_TIMEOUT_S = 10
"""How long a request waits for a connection before the till is told to come back."""

_MIGRATION_LOCK = 0x5350_4152
"""Advisory lock under which the schema is brought up to date, by one process at a time."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Head office's own secrets: made once, at the first start."""

    signing: Ed25519PrivateKey = field(repr=False)
    card: bytes = field(repr=False)
    """32 bytes, the key of card tokens."""

    @property
    def public(self) -> bytes:
        """The 32 bytes of the public half of `signing`."""
        return self.signing.public_key().public_bytes_raw()


class Database:
    """An open head office. Close it, or use it as a context manager."""

    def __init__(self, url: str, embedded: EmbeddedPostgres | None = None) -> None:
        """Use `open`."""
        self._embedded = embedded
        self.url = url
        """How to connect; may hold a password."""
        self.programmes = Programmes()
        with _connect(url) as conn:
            _migrate(conn)
            self.keys = _keys(conn)
            notice_restore(conn)
        self._pool = ConnectionPool(
            url,
            min_size=1,
            max_size=POOL_SIZE,
            timeout=POOL_TIMEOUT_S,
            kwargs={"autocommit": True, "connect_timeout": CONNECT_TIMEOUT_S},
            open=True,
        )

    @classmethod
    def open(cls, database_url: str | None, data_dir: Path) -> Self:
        """Connect to `database_url`, or without one start the embedded PostgreSQL in `data_dir`; then migrate.

        Raises:
            HqError: no database there, too old a server, or a schema from a newer version of this software.
        """
        if database_url is not None:
            return cls(database_url)
        embedded = EmbeddedPostgres(data_dir)
        try:
            return cls(embedded.url, embedded)
        except BaseException:
            embedded.close()
            raise

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection in autocommit mode; whoever needs a transaction opens it with `conn.transaction()`.

        Raises:
            psycopg.OperationalError: none free in time, or the server is gone.
        """
        with self._pool.connection() as conn:
            yield conn

    def close(self) -> None:
        """Close the connections, and let go of the embedded server if there is one. May be called twice."""
        self._pool.close()
        if self._embedded is not None:
            self._embedded.close()
            self._embedded = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _connect(url: str) -> Connection:
    try:
        conn = psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)
    except psycopg.ProgrammingError as error:
        raise HqError(
            "expected hq.database_url such as 'postgresql://user@host:5432/name', got something that is no such address"
        ) from error
    except psycopg.OperationalError as error:
        parts = conninfo_to_dict(url)  # never the whole address: it may hold a password
        where = f"'{parts.get('dbname', '')}' on {parts.get('host', 'this machine')}:{parts.get('port', 5432)}"
        reason = str(error).strip().splitlines()[0].rsplit(": ", 1)[-1].strip()
        raise HqError(
            f"head office's database {where} cannot be reached: {reason}; check hq.database_url and that it runs"
        ) from error
    if conn.info.server_version < OLDEST_POSTGRES:
        found = conn.info.server_version // 10_000
        conn.close()
        raise HqError(f"expected PostgreSQL {OLDEST_POSTGRES // 10_000} or newer, got {found}: upgrade the database")
    return conn


def _migrate(conn: Connection) -> None:
    """Run the steps not yet run, in one transaction with the note that they were: a kill in between leaves neither."""
    steps = sorted(
        (int(step.name.split("_")[0]), step)
        for step in files("sync.hq.migrations").iterdir()
        if step.name.endswith(".sql")
    )
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
        conn.execute("SET LOCAL client_min_messages = warning")
        conn.execute(
            "CREATE TABLE IF NOT EXISTS migration (number integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())"
        )
        done = {number for (number,) in conn.execute("SELECT number FROM migration")}
        known = {number for number, _ in steps}
        if done - known:
            raise HqError(
                f"the database has schema step {max(done - known)}, this software knows up to {max(known)}: "
                "start the newer version that made it"
            )
        for number, step in steps:
            if number not in done:
                conn.execute(step.read_text(encoding="utf-8").encode())
                conn.execute("INSERT INTO migration (number) VALUES (%s)", (number,))


def _keys(conn: Connection) -> Keys:
    fresh = Ed25519PrivateKey.generate().private_bytes_raw()
    conn.execute(
        "INSERT INTO head_office (signing_key, card_key, feed_epoch) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (fresh, secrets.token_bytes(32), secrets.token_hex(4)),
    )
    row = conn.execute("SELECT signing_key, card_key FROM head_office").fetchone()
    assert row is not None
    signing, card = row
    return Keys(Ed25519PrivateKey.from_private_bytes(signing), card)
