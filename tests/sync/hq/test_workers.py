"""Head office in several processes on one port and one database: nothing lost, nothing twice, nobody left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx
import psutil
import pytest

from sync.hq.database import Connection, Database
from sync.wire import BatchAnswer
from tests.support.entries import TestTill
from tests.support.postgres import Refusals
from tests.sync.hq.conftest import code

Member = Callable[..., tuple[str, str]]

DEADLINE_S = 60


@contextmanager
def workers(database_url: str, number: int, errors: IO[str] | None = None) -> Iterator[tuple[str, psutil.Process]]:
    """The real command, its standard error into `errors`; yields its address and process."""
    command = [sys.executable, "-m", "pos_client", "hq", "serve", "--port", "0", "--workers", str(number)]
    command += ["--database-url", database_url]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert child.stdout is not None
        line = child.stdout.readline()
        assert line.startswith("head office listens on http://"), line
        yield line.removeprefix("head office listens on ").strip(), psutil.Process(child.pid)
    finally:
        if child.poll() is None:
            child.terminate()
        child.wait(DEADLINE_S)
        if child.stdout is not None:
            child.stdout.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def servers(process: psutil.Process) -> list[psutil.Process]:
    """The worker processes; not the helper of Python's that watches shared resources."""
    # One that was killed is a zombie until head office has seen it.
    living = [child for child in process.children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in living if "resource_tracker" not in " ".join(child.cmdline())]


def enrolled(address: str, database: Database) -> TestTill:
    """A till with a connection of its own, as in a shop."""
    till = TestTill(httpx.Client(base_url=address, timeout=DEADLINE_S))
    till.enrol(code(database))
    return till


def send(till: TestTill, batch: int, *, patient: bool) -> None:
    """Send the journal in batches; a patient till tries again for as long as it gets no answer."""
    for start in range(1, len(till.chain.raws) + 1, batch):
        while True:
            try:
                response = till.send(till.chain.batch(start, min(start + batch - 1, len(till.chain.raws))))
            except httpx.TransportError:
                assert patient
                continue
            if response.status_code == 200:
                assert {result.code for result in BatchAnswer.decode(response.content).results} == {None}
                break
            assert patient, response.text
            assert response.status_code == 503


def test_two_workers_on_the_same_accounts(
    database_url: str, database: Database, member: Member, conn: Connection
) -> None:
    cards = [member() for _ in range(25)]
    refusals = Refusals(conn)
    with workers(database_url, 2) as (address, process):
        assert len(servers(process)) == 2
        tills = [enrolled(address, database) for _ in range(6)]
        for turn, till in enumerate(tills):
            for number in range(150):
                # Each till meets the accounts in another order, and none begins with the same.
                card, account = cards[(number * (1, 24, 3, 22, 7, 18)[turn] + 4 * turn) % 25]
                till.chain.sale(card, (100 * (turn + 1),), account=account)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda till: send(till, 25, patient=False), tills))
        for till in tills:
            till.client.close()
        below = servers(process)
    # Told to stop, it takes its workers along.
    assert psutil.wait_procs(below, DEADLINE_S)[1] == []
    assert refusals.of("40P01") == 0
    assert conn.execute("SELECT sum(points), count(*) FROM ledger WHERE kind = 'sale'").fetchone() == (150 * 21, 900)
    assert conn.execute("SELECT sum(points) FROM balance").fetchone() == (150 * 21,)


def test_a_killed_worker_is_replaced_and_nothing_is_lost_or_booked_twice(
    database_url: str, database: Database, member: Member, conn: Connection
) -> None:
    card, account = member()
    with workers(database_url, 2) as (address, process):
        tills = [enrolled(address, database) for _ in range(4)]
        for till in tills:
            for _ in range(200):
                till.chain.sale(card, (100,), account=account)
        first = {worker.pid for worker in servers(process)}
        with ThreadPoolExecutor() as pool:
            sending = [pool.submit(send, till, 5, patient=True) for till in tills]
            until(lambda: conn.execute("SELECT count(*) > 50 FROM ledger").fetchone() == (True,))
            for worker in servers(process)[:1]:
                worker.kill()
            for each in sending:
                each.result(DEADLINE_S)
        until(lambda: len({worker.pid for worker in servers(process)} - first) == 1)
        assert len(servers(process)) == 2
        for till in tills:
            till.client.close()
    assert conn.execute("SELECT sum(points), count(*) FROM ledger WHERE kind = 'sale'").fetchone() == (800, 800)


def test_no_worker_outlives_a_killed_head_office(database_url: str) -> None:
    with workers(database_url, 2) as (address, process):
        below = servers(process)
        assert len(below) == 2
        os.kill(process.pid, signal.SIGKILL)
        assert psutil.wait_procs(below, DEADLINE_S)[1] == []
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{address}/healthz")


def test_the_log_of_a_worker_holds_no_card(
    database_url: str, database: Database, member: Member, conn: Connection, tmp_path: Path
) -> None:
    card, account = member()
    conn.execute(
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no room for 4111 1111 1111 1111'; END $$"
    )
    conn.execute("CREATE TRIGGER broken BEFORE INSERT ON received EXECUTE FUNCTION broken()")
    log = tmp_path / "log"
    try:
        with log.open("w") as errors, workers(database_url, 2, errors) as (address, _):
            till = enrolled(address, database)
            till.chain.sale(card, (100,), account=account)
            assert till.send(till.chain.batch(1, 1)).status_code == 500
            till.client.close()
    finally:
        conn.execute("DROP FUNCTION broken CASCADE")
    said = log.read_text(encoding="utf-8")
    assert "head office failed on POST /v1/entries" in said
    assert "[error    ]" in said  # a line of ours, not one that Python prints for want of a set-up
    assert "no room for" in said
    assert "1111 1111" not in said
