"""The write-ahead log is folded in beside the sales, and under their lock only when it has grown."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.checkpoints import COMMITS, PATIENT_PAGES, Checkpoints
from sync.store import connect
from tests.sync.build import KEY

PAGE = 4096
WAIT_S = 30


class Turn:
    """A lock that says when it was taken, and when it was given back."""

    def __init__(self, on_taken: Callable[[], object] = lambda: None) -> None:
        self._on_taken = on_taken
        self.given_back = threading.Event()

    def __enter__(self) -> None:
        self._on_taken()

    def __exit__(self, *_: object) -> None:
        self.given_back.set()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "till.db"


@pytest.fixture
def writer(path: Path) -> Iterator[Any]:
    """A till's connection that never folds the log in itself."""
    with contextlib.closing(connect(path, KEY)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("CREATE TABLE entry (raw BLOB)")
        yield connection


@pytest.fixture
def in_the_way(writer: Any, path: Path) -> Iterator[Any]:
    """A transaction that began before what is written next: until it ends nothing of that can be folded in."""
    with contextlib.closing(connect(path, KEY)) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM entry").fetchone()
        yield connection


def write(connection: Any, pages: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO entry VALUES (zeroblob(?))", [(PAGE,)] * pages)
    connection.execute("COMMIT")


def log(path: Path) -> tuple[int, int]:
    """Pages in the log, and how many of them are folded in."""
    with contextlib.closing(connect(path, KEY)) as connection:
        _, pages, folded = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return pages, folded


def test_a_long_log_that_sales_come_in_the_way_of_is_folded_in_under_their_lock(
    writer: Any, in_the_way: Any, path: Path
) -> None:
    write(writer, PATIENT_PAGES)
    sales = Turn(lambda: in_the_way.execute("COMMIT"))  # whoever has this finds that the sale under way is done
    checkpoints = Checkpoints(lambda: connect(path, KEY), contextlib.nullcontext(), sales)
    for _ in range(COMMITS):
        checkpoints.committed()
    assert sales.given_back.wait(WAIT_S)
    checkpoints.stop()
    before = path.with_name(f"{path.name}-wal").stat().st_size
    assert before > PATIENT_PAGES * PAGE
    # Folded in to its end, the log is written over from its start: it has grown enough.
    write(writer, 10)
    assert path.with_name(f"{path.name}-wal").stat().st_size == before
    assert log(path)[0] < PATIENT_PAGES


def test_a_short_log_waits_for_the_next_time(writer: Any, in_the_way: Any, path: Path) -> None:
    write(writer, PATIENT_PAGES // 2)
    aside, sales = Turn(), Turn()
    checkpoints = Checkpoints(lambda: connect(path, KEY), aside, sales)
    for _ in range(COMMITS):
        checkpoints.committed()
    assert aside.given_back.wait(WAIT_S)
    checkpoints.stop()
    assert not sales.given_back.is_set()
    pages, folded = log(path)
    assert folded < pages, "nothing was in the way"
    in_the_way.execute("COMMIT")
    pages, folded = log(path)
    assert folded == pages
