"""Head office for simulations: a real PostgreSQL, a real server on loopback, or the application itself as a wire."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import psycopg
from psycopg.conninfo import make_conninfo
from starlette.types import ASGIApp

from loyalty.programme import Programme
from sync.hq.app import create_app
from sync.hq.database import Connection, Database
from sync.hq.enrolment import new_code
from sync.hq.members import import_members
from sync.hq.programmes import Programmes, publish
from sync.hq.restored import begin_anew
from sync.hq.serve import listen, make_server
from tests.simulation.counter import FORMATS
from tests.support.entries import DAY, programme

DEADLINE_S = 20
NAME = "simulation"


class Office:
    """An open head office with the tests' programme."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.connection() as conn:
            publish(conn, programme())

        self.app = create_app(database)
        """It keeps nothing of its own: all chains that are played on this head office are carried to the same one."""
        self._tables = [
            name
            for (name,) in conn.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
                "AND tablename NOT IN ('migration', 'head_office') ORDER BY tablename"
            )
        ]

    def empty(self, rules: Programme | None = None) -> None:
        """Forget every till, member and booking: a new chain, on the same server, with these rules."""
        with self.database.connection() as conn:
            self._forget(conn)
            publish(conn, rules or programme())

    def _forget(self, conn: Connection) -> None:
        conn.execute("; ".join(f"DELETE FROM {table}" for table in self._tables).encode())
        self.database.programmes = Programmes()

    def backup(self) -> dict[str, bytes]:
        """All that head office knows, by table."""
        kept = {}
        with self.database.connection() as conn, conn.transaction():
            for table in self._tables:
                with conn.cursor().copy(f"COPY {table} TO STDOUT (FORMAT binary)") as rows:
                    kept[table] = b"".join(bytes(row) for row in rows)
        return kept

    def restore(self, kept: dict[str, bytes]) -> None:
        """Put a backup back, and begin the feed anew, as at the start after a restore."""
        with self.database.connection() as conn:
            with conn.transaction():
                self._forget(conn)
                for table, rows in kept.items():
                    with conn.cursor().copy(f"COPY {table} FROM STDIN (FORMAT binary)") as into:
                        into.write(rows)
            begin_anew(conn)

    def code(self) -> str:
        """A one-time code for a till."""
        with self.database.connection() as conn:
            return new_code(conn, "s01", "Dorpsstraat", datetime.now(UTC))[0]

    def join(self, number: str, points: int = 0) -> None:
        """Make the card with this number a new member's, with these points to begin with."""
        lines = ["card_number,first_name,tier,points", f"{number},Anna,basic,{points}"]
        with self.database.connection() as conn:
            import_members(conn, self.database.keys.card, FORMATS, lines, today=DAY)

    @contextlib.contextmanager
    def books(self) -> Iterator[Connection]:
        """A connection to look at the books."""
        with self.database.connection() as conn:
            yield conn

    @contextlib.contextmanager
    def served(self) -> Iterator[int]:
        """Serve on a free loopback port, which is returned."""
        ready = threading.Event()
        with listen("127.0.0.1", 0) as listener:
            server = make_server(self.database, listener, lambda _: ready.set())
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            try:
                assert ready.wait(DEADLINE_S)
                yield listener.getsockname()[1]
            finally:
                server.should_exit = True
                thread.join(DEADLINE_S)
                assert not thread.is_alive()


@contextlib.contextmanager
def office(server_url: str) -> Iterator[Office]:
    """A head office on a new database of the PostgreSQL server at `server_url`; the database goes at the end."""
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {NAME}")
        admin.execute(f"CREATE DATABASE {NAME}")
    with Database(make_conninfo(server_url, dbname=NAME)) as database:
        yield Office(database)
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {NAME} WITH (FORCE)")


class InProcess(httpx.BaseTransport):
    """Carries requests straight into the application, one at a time: a wire without sockets. Close it."""

    def __init__(self, app: ASGIApp) -> None:
        self._runner = asyncio.Runner()
        self._inner = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Hand `request` over and return the whole answer."""
        return self._runner.run(self._carry(request))

    async def _carry(self, request: httpx.Request) -> httpx.Response:
        sent = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        answer = await self._inner.handle_async_request(sent)
        body = b"".join([part async for part in answer.stream])  # type: ignore[union-attr]
        return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(body))

    def close(self) -> None:
        """End the loop."""
        self._runner.close()


def application(made: Office) -> InProcess:
    """A wire into `made`."""
    return InProcess(made.app)
