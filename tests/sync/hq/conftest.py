"""Head office for its tests, on the PostgreSQL of all tests: an empty database for each."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import cast

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from loyalty.cards import CardFormat, CardNumber, CheckDigit
from sync.hq.database import Connection, Database
from sync.hq.enrolment import new_code
from sync.hq.members import import_members
from sync.hq.programmes import publish
from sync.hq.serve import listen, make_server
from tests.support.entries import DAY, TestTill, programme

CARDS = [CardFormat(name="card", prefix="29", length=13, check=CheckDigit.NONE)]
DEADLINE_S = 20

_numbers = itertools.count(1)


@pytest.fixture
def database_url(postgres: str) -> str:
    """An empty, migrated database. Rows are deleted: truncating some thirty tables makes a hundred files each time."""
    url = make_conninfo(postgres, dbname="hq_tests")
    with psycopg.connect(url, autocommit=True) as conn:
        emptying = conn.execute(
            "SELECT string_agg(format('DELETE FROM %I', tablename), '; ') FROM pg_tables "
            "WHERE schemaname = 'public' AND tablename NOT IN ('migration', 'head_office')"
        ).fetchone()
        assert emptying is not None
        conn.execute(emptying[0].encode())
        conn.execute("UPDATE head_office SET feed_from_tx = 0, feed_from_position = 0")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open head office with the tests' programme."""
    with Database(database_url) as opened:
        with opened.connection() as conn:
            publish(conn, programme())
        yield opened


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with database.connection() as held:
        yield held


@pytest.fixture
def hq(database: Database) -> Iterator[httpx.Client]:
    """Head office behind a real server on loopback."""
    ready = threading.Event()
    with listen("127.0.0.1", 0) as listener:
        server = make_server(database, listener, lambda _: ready.set())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        assert ready.wait(DEADLINE_S)
        with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=DEADLINE_S) as client:
            yield client
        server.should_exit = True
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


@pytest.fixture
def new_till(database: Database, hq: httpx.Client) -> Callable[[], TestTill]:
    """Makes enrolled tills."""

    def make() -> TestTill:
        till = TestTill(hq)
        till.enrol(code(database))
        return till

    return make


@pytest.fixture
def till(new_till: Callable[[], TestTill]) -> TestTill:
    return new_till()


@pytest.fixture
def member(database: Database) -> Callable[..., tuple[str, str]]:
    """Imports a member; returns card token and account."""

    def make(points: int = 0, tier: str = "basic") -> tuple[str, str]:
        number = f"29{next(_numbers):011d}"
        lines = ["card_number,first_name,tier,points", f"{number},Anna,{tier},{points}"]
        with database.connection() as conn:
            import_members(conn, database.keys.card, CARDS, lines, today=DAY)
            row = conn.execute("SELECT token, account_id FROM card ORDER BY account_id").fetchall()
            token = CardNumber.parse(number, CARDS).token(database.keys.card)
            return token, cast(str, dict(row)[token])

    return make


def code(database: Database) -> str:
    """A fresh one-time code."""
    with database.connection() as conn:
        return new_code(conn, "s01", "Dorpsstraat", datetime.now(UTC))[0]
