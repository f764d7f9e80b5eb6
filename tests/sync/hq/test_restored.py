"""A database that comes back from a backup: noticed where PostgreSQL can tell, and by a cursor of the future."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from sync.hq.changes import changes, newest_cursor
from sync.hq.database import Connection, Database
from sync.hq.errors import Refused
from sync.hq.restored import begin_anew, notice_restore
from tests.support.entries import TestTill

Member = Callable[..., tuple[str, str]]


def refusal(conn: Connection, till: TestTill, cursor: str) -> str:
    with pytest.raises(Refused, match="take a snapshot") as caught:
        changes(conn, till.terminal, "till", cursor)
    assert caught.value.status == 410
    return caught.value.code


def test_the_same_database_opened_again_is_no_restore(database_url: str, conn: Connection) -> None:
    cursor = newest_cursor(conn)
    Database(database_url).close()
    assert newest_cursor(conn).split(":")[0] == cursor.split(":")[0]
    assert not notice_restore(conn)


def test_a_copy_of_the_database_is_noticed_when_it_is_opened(
    postgres: str, database: Database, till: TestTill, member: Member
) -> None:
    _, account = member(points=7)
    with database.connection() as conn:
        before = newest_cursor(conn)
    database.close()
    with contextlib.closing(psycopg.connect(postgres, autocommit=True)) as admin:
        # A database is copied while nobody uses it: connections that were let go may still be ending.
        admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'hq_tests'")
        admin.execute("CREATE DATABASE restored TEMPLATE hq_tests")
        with Database(make_conninfo(postgres, dbname="restored")) as restored, restored.connection() as held:
            assert refusal(held, till, before) == "feed_epoch"
            assert refusal(held, till, "") == "feed_dropped"
            now = newest_cursor(held)
            assert now.split(":")[0] != before.split(":")[0]
            held.execute("INSERT INTO feed (subject, key) VALUES ('account', %s)", (account,))
            page = changes(held, till.terminal, "till", now)
            assert len(page.changes) == 1
        admin.execute("DROP DATABASE restored WITH (FORCE)")


def test_a_cursor_of_the_future_is_of_a_database_that_is_gone(conn: Connection, till: TestTill) -> None:
    """A copy of the server's files keeps its name; what it lost shows in what tills have read already."""
    epoch, tx, _ = newest_cursor(conn).split(":")
    assert refusal(conn, till, f"{epoch}:{int(tx) + 10_000}:1") == "feed_epoch"


def test_begun_anew_beside_writers_that_are_under_way(
    database: Database, conn: Connection, till: TestTill, member: Member
) -> None:
    """A transaction with an older number that writes to the feed later is heard of all the same."""
    _, early = member()
    _, late = member()
    with ThreadPoolExecutor() as pool, database.connection() as other:
        with other.transaction():
            other.execute("UPDATE balance SET points = 5 WHERE account_id = %s", (late,))  # takes its number
            begin_anew(conn)
            start = newest_cursor(conn)
            assert changes(conn, till.terminal, "till", start).changes == ()
            other.execute("INSERT INTO feed (subject, key) VALUES ('account', %s)", (late,))
        page = changes(conn, till.terminal, "till", start)
        assert [getattr(change, "account", None) for change in page.changes] == [late]
        with other.transaction():
            other.execute("INSERT INTO feed (subject, key) VALUES ('account', %s)", (early,))
            waiting = pool.submit(lambda: begin_anew(conn))  # waits for the writer, and drops its row
        waiting.result(20)
    assert changes(conn, till.terminal, "till", newest_cursor(conn)).changes == ()
