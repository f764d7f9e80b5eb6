"""One durable checkout through the till, beside the same two rows written by bare statements on an identical file."""

from __future__ import annotations

import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import uuid6

from benchmarks.result import Result
from loyalty.basket import Basket, Line
from pos_client.runtime import Runtime
from sync.store import Store, connect
from tests.support.till import EAN_FORMAT, Member, card_text, make_runtime, member_changes, publish

ROUNDS = 11
"""Rounds of each, in turn, so that a slow moment of the disk falls on both; the median round counts."""

CHECKOUTS = 40
"""Checkouts in one round: below the sessions a till remembers, so that preparing them stays outside the clock."""

WARM_UP = 1
"""Rounds thrown away: the first commits grow the write-ahead log's file."""

MEMBERS = tuple(
    Member(f"acc-{number}", "Sanne", "zilver", 1284, card_text(EAN_FORMAT, number))
    for number in range(1, CHECKOUTS + 1)
)
"""Customers, in turn: in a shop the next sale is another member's."""

KEY = bytes(32)


def measure() -> list[Result]:
    """Checkouts a second: `Till.commit` of a ten-line basket with a card, beside BEGIN, INSERT, UPDATE, COMMIT.

    Both files are encrypted, WAL with synchronous=FULL, with the same tables and indexes and rows of the same size.
    """
    with tempfile.TemporaryDirectory(prefix="bench-checkout-") as folder:
        runtime = make_runtime(Path(folder) / "till")
        publish(runtime.mirror, member_changes(MEMBERS))
        bare = Bare(Path(folder) / "bare.db", _sample_row(runtime))
        ours, floor = _interleaved(lambda: _till_round(runtime), bare.round)
        bare.close()
        runtime.store.close()
    return [
        Result(
            bench="checkout",
            ours=CHECKOUTS / ours,
            unit="checkouts/s",
            better="higher",
            peers={"bare": CHECKOUTS / floor},
            floor=CHECKOUTS / floor,
        )
    ]


def ten_lines() -> Basket:
    """A basket of ten lines, € 24.75 in all, as a baker's till sends it."""
    return Basket(
        lines=tuple(
            Line(
                line_id=str(number),
                sku=f"sku-{number:05d}",
                gtin="8712345678906",
                category="brood",
                text=f"Volkoren brood {number}",
                gross_minor=90 + 35 * number,
            )
            for number in range(10)
        )
    )


class Bare:
    """The floor: a file made by the same migrations, written with the statements a checkout cannot do without."""

    def __init__(self, path: Path, row: Sequence[Any]) -> None:
        Store.open(path, KEY).close()
        self._connection = connect(path, KEY)
        self._row = list(row)
        self._numbers = itertools.count(1)
        self._connection.execute("INSERT INTO head VALUES (1, 1, 0, ?, 0)", (bytes(32),))

    def round(self) -> float:
        """Seconds for `CHECKOUTS` bare transactions; the values are made before the clock starts."""
        rows = []
        for _ in range(CHECKOUTS):
            number = next(self._numbers)
            # Sequence, public id and session are new for each, as in the journal; digest and entry keep their size.
            new = {1: number, 2: str(uuid6.uuid7()), 3: str(uuid6.uuid7()), 12: os.urandom(32)}
            rows.append(tuple(new.get(place, value) for place, value in enumerate(self._row)))
        execute = self._connection.execute
        start = time.perf_counter()
        for row in rows:
            execute("BEGIN IMMEDIATE")
            execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            execute("UPDATE head SET seq = ?, digest = ?", (row[1], row[12]))
            execute("COMMIT")
        return time.perf_counter() - start

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _till_round(runtime: Runtime) -> float:
    """Seconds for `CHECKOUTS` commits of prepared sales; each is on the disk before the next begins."""
    sessions = _prepare(runtime, CHECKOUTS)
    start = time.perf_counter()
    for session in sessions:
        runtime.till.bookings.commit(session)
    return time.perf_counter() - start


def _prepare(runtime: Runtime, count: int) -> list[str]:
    basket = ten_lines()
    sessions = []
    for member in MEMBERS[:count]:
        session = runtime.till.open_session(str(uuid6.uuid7())).session
        runtime.till.set_basket(session, basket)
        runtime.till.identify(session, member.card)
        sessions.append(session)
    return sessions


def _sample_row(runtime: Runtime) -> tuple[Any, ...]:
    """The journal's row for one such checkout."""
    (session,) = _prepare(runtime, 1)
    runtime.till.bookings.commit(session)
    row = runtime.store.row("SELECT * FROM journal WHERE session = ?", (session,))
    assert row is not None
    return row


def _interleaved(ours: Callable[[], float], floor: Callable[[], float]) -> tuple[float, float]:
    """The median seconds of a round of each."""
    taken: list[tuple[float, float]] = [(ours(), floor()) for _ in range(WARM_UP + ROUNDS)]
    kept = taken[WARM_UP:]
    return statistics.median(mine for mine, _ in kept), statistics.median(bare for _, bare in kept)
