"""A real PostgreSQL for all tests of a process that need one, with an empty database of head office's in it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from sync.hq.database import Connection, Database
from sync.hq.embedded import EmbeddedPostgres


@contextmanager
def started() -> Iterator[str]:
    """The address of a server with a migrated database `hq_tests`, until the block ends."""
    # Not pytest's own folder: that has a long name, and a socket's path may have 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="hq-"))
    server = EmbeddedPostgres(folder)
    try:
        with psycopg.connect(server.url, autocommit=True) as admin:
            # Nothing here cuts the power; flushing to disk is most of the time that small databases take.
            admin.execute("ALTER SYSTEM SET fsync = off")
            # What it counts in a table that a test emptied, it may plan by when the next has filled it: a query over
            # thousands of rows as if there were none. Of a table it never counted it goes by the size.
            admin.execute("ALTER SYSTEM SET autovacuum = off")
            # Each line of the server's log begins with the SQLSTATE: what it refused can be read there.
            admin.execute("ALTER SYSTEM SET log_line_prefix = '%e '")
            admin.execute("SELECT pg_reload_conf()")
            admin.execute("CREATE DATABASE hq_tests")
        Database(make_conninfo(server.url, dbname="hq_tests")).close()
        yield server.url
    finally:
        server.close()
        shutil.rmtree(folder)


class Refusals:
    """What the server of `started` refused since this was made, by SQLSTATE, read from its log: a session's line is
    there before the answer is, while `pg_stat_database` counts later."""

    def __init__(self, conn: Connection) -> None:
        row = conn.execute("SHOW data_directory").fetchone()
        assert row is not None
        self._log = Path(row[0]) / "log"
        self._start = self._log.stat().st_size

    def of(self, state: str) -> int:
        """How often it refused with `state`, such as `40P01` for whoever gave way in a deadlock."""
        with self._log.open("rb") as log:
            log.seek(self._start)
            return sum(line.startswith(f"{state} ERROR:".encode()) for line in log)
