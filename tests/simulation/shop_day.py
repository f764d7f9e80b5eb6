"""A till's day on a disk: sales, voids, exchanges, acknowledgements, pages of changes, a restart. Promises are marked.

Run as a process of its own on a logged disk. The two ways of being wrong that the gate must catch are arguments.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from pathlib import Path
from typing import Any

from loyalty.ledger import Entry, EntryKind
from sync.journal import Journal
from sync.store import Store
from tests.support.disk import MARKS
from tests.sync.build import account, card, draft, enrolled, hear, published, void_of


class Day:
    """One till at work in `folder`, all of its choices from `seed`."""

    def __init__(self, folder: Path, seed: int, synchronous: str, promise: str) -> None:
        self._path = folder / "till.db"
        self._chance = random.Random(seed)
        self._synchronous = synchronous
        self._promise_first = promise == "before"
        self._marks = os.open(folder / MARKS, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._sales: list[Entry] = []
        self._seq = 0
        self._store, self._journal = self._start()

    def _start(self) -> tuple[Store, Journal]:
        store, journal = enrolled(self._path)
        store._connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        return store, journal

    def work(self, commits: int) -> None:
        """Book until `commits` transactions are through, with what else a till writes in between."""
        hear(self._store, published(), account(1000), card())
        for number in range(commits):
            self._book()
            if self._chance.random() < 0.2:
                self._journal.acknowledge(1, self._chance.randint(max(1, self._seq - 5), self._seq))
            if self._chance.random() < 0.1:
                hear(self._store, *(account(number, f"m{other}") for other in range(20)), seq=self._seq)
            if number == commits // 2:
                self._store.close()
                self._store, self._journal = self._start()

    def _book(self) -> None:
        drafts: list[Any] = [draft(*[self._chance.randint(1, 9999)] * self._chance.randint(1, 12))]
        if self._sales and self._chance.random() < 0.2:
            sale = self._sales.pop(self._chance.randrange(len(self._sales)))
            drafts = [void_of(sale), *drafts] if self._chance.random() < 0.5 else [void_of(sale)]
        if self._promise_first:
            self._promise(drafts)
        entries = self._journal.append_all(drafts)
        if not self._promise_first:
            self._promise(drafts)
        self._seq += len(drafts)
        self._sales += [entry for entry in entries if entry.kind is EntryKind.SALE]

    def _promise(self, drafts: list[Any]) -> None:
        promised = [[self._seq + number, made.id] for number, made in enumerate(drafts, 1)]
        os.write(self._marks, json.dumps(promised).encode() + b"\n")

    def end(self) -> None:
        """Switch the till off as it should be."""
        self._store.close()


def main() -> None:
    """Work on the disk that is mounted at the first argument."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--commits", type=int, required=True)
    arguments.add_argument("--seed", type=int, required=True)
    arguments.add_argument("--synchronous", default="FULL")
    arguments.add_argument("--promise", choices=["before", "after"], default="after")
    given = arguments.parse_args()
    day = Day(given.folder, given.seed, given.synchronous, given.promise)
    day.work(given.commits)
    day.end()


if __name__ == "__main__":
    main()
