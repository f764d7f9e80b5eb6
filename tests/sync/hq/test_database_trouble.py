"""A database that says "again", and one without space: real deadlocks, real conflicts, a real full disk."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from sync.hq import booking
from sync.hq.database import Connection, Database
from sync.hq.ingest import book
from sync.hq.members import import_members
from sync.hq.programmes import publish
from sync.hq.serve import listen, make_server
from sync.wire import BatchAnswer, Problem
from tests.support.entries import DAY, TestTill, programme
from tests.support.postgres import Refusals
from tests.support.small_disk import small_disk
from tests.sync.hq.conftest import CARDS, code

Member = Callable[..., tuple[str, str]]
DEADLINE_S = 30


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)


def waiting_for_a_lock(conn: Connection) -> int:
    """How many sessions do."""
    row = conn.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = 'hq_tests'"
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_the_loser_of_a_deadlock_books_after_all(till: TestTill, member: Member, database_url: str) -> None:
    """Somebody locks the second account, head office the first and waits; then they want each other's."""
    (first, one), (second, two) = sorted((member(points=1), member(points=1)), key=lambda pair: pair[1])
    till.chain.sale(first, account=one)
    till.chain.sale(second, account=two)
    with (
        psycopg.connect(database_url) as other,
        psycopg.connect(database_url, autocommit=True) as watch,
        ThreadPoolExecutor() as pool,
    ):
        refusals = Refusals(watch)
        # The other one does not look for deadlocks: head office does after a second, and is the one to give way.
        other.execute("SET deadlock_timeout = '60s'")
        other.execute("UPDATE balance SET points = points + 1000 WHERE account_id = %s", (two,))
        sending = pool.submit(till.send)
        until(lambda: waiting_for_a_lock(watch) == 1)
        other.execute("UPDATE balance SET points = points + 1000 WHERE account_id = %s", (one,))
        other.commit()
        response = sending.result(DEADLINE_S)
        assert response.status_code == 200, response.text
        balances = {balance.account: balance.points for balance in BatchAnswer.decode(response.content).balances}
        assert balances == {one: 1011, two: 1011}
        assert refusals.of("40P01") == 1
        assert watch.execute("SELECT count(*) FROM ledger WHERE kind = 'sale'").fetchone() == (2,)


@pytest.mark.parametrize("order", [sorted, list], ids=["in account order", "as they came"])
def test_two_tills_that_meet_the_accounts_in_opposite_orders(
    new_till: Callable[[], TestTill],
    member: Member,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    order: Callable[[Iterable[str]], list[str]],
) -> None:
    """Both come as far as they can before the account in the middle is free. In the order of accounts one then waits
    for the other; with that order taken away each has what the other wants."""
    monkeypatch.setattr(booking, "sorted", order, raising=False)
    cards = sorted((member() for _ in range(3)), key=lambda pair: pair[1])
    here, there = new_till(), new_till()
    for till, met in ((here, cards), (there, cards[::-1])):
        for card, account in met:
            till.chain.sale(card, account=account)
    with (
        psycopg.connect(database_url) as other,
        psycopg.connect(database_url, autocommit=True) as watch,
        ThreadPoolExecutor() as pool,
    ):
        refusals = Refusals(watch)
        other.execute("UPDATE balance SET points = points + 0 WHERE account_id = %s", (cards[1][1],))
        sending = [pool.submit(till.send) for till in (here, there)]
        until(lambda: waiting_for_a_lock(watch) == 2)
        other.commit()
        assert [each.result(DEADLINE_S).status_code for each in sending] == [200, 200]
        assert refusals.of("40P01") == (0 if order is sorted else 1)
        assert watch.execute("SELECT array_agg(points) FROM balance").fetchone() == ([20, 20, 20],)


def test_what_cannot_be_put_in_order_is_tried_again(till: TestTill, member: Member, database_url: str) -> None:
    """A database that books serializably refuses the second of two who move one balance."""
    card, account = member(points=1)
    till.chain.sale(card, account=account)
    strict = make_conninfo(database_url, options="-c default_transaction_isolation=serializable")
    with (
        Database(strict) as database,
        psycopg.connect(database_url) as other,
        psycopg.connect(database_url, autocommit=True) as watch,
        ThreadPoolExecutor() as pool,
    ):
        refusals = Refusals(watch)
        other.execute("UPDATE balance SET points = points + 1000 WHERE account_id = %s", (account,))

        def send() -> BatchAnswer:
            with database.connection() as conn:
                return book(conn, database.programmes, till.chain.batch())

        sending = pool.submit(send)
        until(lambda: waiting_for_a_lock(watch) == 1)
        other.commit()
        assert [balance.points for balance in sending.result(DEADLINE_S).balances] == [1011]
        assert refusals.of("40001") >= 1
        assert watch.execute("SELECT count(*) FROM ledger WHERE kind = 'sale'").fetchone() == (1,)


def test_an_id_booked_before_is_found_though_nobody_looked_it_up(
    new_till: Callable[[], TestTill], member: Member, conn: Connection
) -> None:
    card, account = member()
    here, there = new_till(), new_till()
    sale = here.chain.sale(card, account=account)
    here.send()
    there.chain.sale(card, account=account)
    there.chain.sale(card, account=account, id=sale.id)
    there.chain.sale(card, account=account)
    answer = BatchAnswer.decode(there.send().content)
    assert [result.code for result in answer.results] == [None, "id_twice", None]
    assert answer.results[1].text is not None
    assert here.terminal in answer.results[1].text
    assert conn.execute("SELECT points FROM balance").fetchone() == (30,)


# -- no space left -----------------------------------------------------------------------------------------------------

DISK_MB = 220
"""A new cluster of PostgreSQL's, its write-ahead log, and some room."""


def test_a_full_disk_books_nothing_by_halves_and_goes_on_when_there_is_space() -> None:
    with (
        small_disk(DISK_MB) as disk,
        Database.open(None, disk / "hq") as database,
        listen("127.0.0.1", 0) as listener,
    ):
        ready = threading.Event()
        server = make_server(database, listener, lambda _: ready.set())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        assert ready.wait(DEADLINE_S)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=DEADLINE_S) as client:
                _fill_up(database, TestTill(client), disk)
        finally:
            server.should_exit = True
            thread.join(DEADLINE_S)


def _fill_up(database: Database, till: TestTill, disk: Path) -> None:
    till.enrol(code(database))
    with database.connection() as conn:
        publish(conn, programme())
        lines = ["card_number,first_name,tier,points", "2900000000001,Anna,basic,0"]
        import_members(conn, database.keys.card, CARDS, lines, today=DAY)
        row = conn.execute("SELECT token, account_id FROM card").fetchone()
        assert row is not None
        # A fresh segment of the write-ahead log, whole on the disk: what runs out then is room for rows.
        conn.execute("SELECT pg_switch_wal()")
        conn.execute("CREATE TABLE touched (n integer)")
    card, account = row
    for _ in range(1200):
        till.chain.sale(card, (100,) * 6, account=account)
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        file.write(bytes(max(0, shutil.disk_usage(disk).free - 600_000)))
    done, refused = 0, None
    while done < 1200 and refused is None:
        response = till.send(till.chain.batch(done + 1, done + 100))
        if response.status_code == 200:
            done = BatchAnswer.decode(response.content).durable_to
        else:
            refused = response
    assert refused is not None, "the disk never got full"
    assert refused.status_code == 503
    assert Problem.decode(refused.content).code == "unavailable"
    assert int(refused.headers["Retry-After"]) > 0
    _nothing_by_halves(database, done)

    ballast.unlink()
    while done < 1200:
        response = till.send(till.chain.batch(done + 1, done + 100))
        assert response.status_code == 200, response.text
        done = BatchAnswer.decode(response.content).durable_to
    _nothing_by_halves(database, 1200)


def _nothing_by_halves(database: Database, done: int) -> None:
    with database.connection() as conn:
        found = conn.execute(
            "SELECT (SELECT durable_to FROM stream), (SELECT count(*) FROM received), "
            "(SELECT count(*) FROM ledger WHERE kind = 'sale'), (SELECT sum(points) FROM balance)"
        ).fetchone()
    assert found == (done, done, done, 6 * done)
