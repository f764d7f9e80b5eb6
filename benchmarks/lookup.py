"""A till's mirror of a million accounts: finding a card's holder, and applying a page of changes."""

from __future__ import annotations

import hashlib
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.result import Result
from sync.mirror import PUT_ACCOUNT, PUT_CARD, Mirror, account_row, card_row
from sync.store import Store
from sync.wire_mirror import MAX_CHANGES, AccountChange, CardChange, ChangesPage, ProgrammeChange
from tests.support.entries import programme

ACCOUNTS = 1_000_000
LOOKUPS = 5_000
PAGES = 21
SEED = 20260301


def measure() -> list[Result]:
    """Milliseconds: the 99th percentile of `Mirror.find` for random cards, beside one bare SELECT by primary key on the
    same connection; and the median page of 500 changes, on the disk."""
    dice = random.Random(SEED)
    with tempfile.TemporaryDirectory(prefix="bench-lookup-") as folder:
        store = Store.open(Path(folder) / "till.db", bytes(32))
        fill(store)
        mirror = Mirror(store)
        mirror.apply(published(), 1)
        picked = [token(dice.randrange(ACCOUNTS)) for _ in range(LOOKUPS)]
        ours, bare = [], []
        for card in picked:
            start = time.perf_counter()
            holder = mirror.find(card)
            ours.append(time.perf_counter() - start)
            assert holder.known
        for card in reversed(picked):
            start = time.perf_counter()
            store.row("SELECT account FROM card WHERE token = ?", (card,))
            bare.append(time.perf_counter() - start)
        pages = [_page(dice, number) for number in range(PAGES)]
        applied = []
        for page in pages:
            start = time.perf_counter()
            mirror.apply(page, 1)
            applied.append(time.perf_counter() - start)
        store.close()
    return [
        Result("lookup of 1 000 000, p99", _p99(ours), "ms", "lower", floor=_p99(bare)),
        Result("page of 500 changes in 1 000 000", statistics.median(applied) * 1000, "ms", "lower"),
    ]


def fill(store: Store) -> None:
    """The million, a card each, in the order of their keys."""
    with store.transaction() as connection:
        connection.executemany(PUT_ACCOUNT, (account_row(_account(number), 1, 0) for number in range(ACCOUNTS)))
        connection.executemany(PUT_CARD, map(card_row, _cards()))


def published() -> ChangesPage:
    """A programme in force, as every look-up reads it."""
    change = ProgrammeChange(document=programme().model_dump(mode="json"))
    return ChangesPage(changes=(change,), cursor="c", more=False, epoch=1, includes_seq=0, as_of_ms=1)


def token(number: int) -> str:
    """The card of an account."""
    return hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()


def _account(number: int) -> AccountChange:
    return AccountChange(account=f"m{number:016x}", first_name="Sanne", tier="basic", points=number % 5000)


def _cards() -> Iterator[CardChange]:
    for card, number in sorted((token(number), number) for number in range(ACCOUNTS)):
        yield CardChange(token=card, account=f"m{number:016x}", blocked=False)


def _page(dice: random.Random, number: int) -> ChangesPage:
    changes = tuple(_account(dice.randrange(ACCOUNTS)) for _ in range(MAX_CHANGES))
    return ChangesPage(changes=changes, cursor=f"c{number}", more=True, epoch=1, includes_seq=number, as_of_ms=1)


def _p99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98] * 1000
