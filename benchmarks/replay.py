"""A programme over a year of past sales: a million made-up lines through reader and engine, on one core."""

from __future__ import annotations

import csv
import random
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.result import Result
from pos_client.programme_tools.reading import read_programme
from pos_client.programme_tools.replaying import Replay
from pos_client.programme_tools.sales import OUR_COLUMNS, read_sales

LINES = 1_000_000
PER_RECEIPT = range(1, 21)
"""Lines on a receipt, ten on average: a supermarket's."""

CARDS = 5_000
WITHOUT_CARD = 0.2
CATEGORIES = ("brood", "groente", "fruit", "zuivel", "dranken", "tabak", "statiegeld", "vlees")
SEED = 20260301


def measure() -> list[Result]:
    """Seconds of one core for the whole file with the supermarket sample. The floor is the csv module reading it."""
    with tempfile.TemporaryDirectory(prefix="bench-replay-") as folder:
        path = Path(folder) / "sales.csv"
        write_sales(path, LINES)
        start = time.process_time()
        with path.open(encoding="utf-8", newline="") as file:
            read = sum(1 for _ in csv.reader(file))
        floor = time.process_time() - start
        assert read == LINES + 1
        start = time.process_time()
        replay = Replay(read_programme("supermarket"))
        for receipt in read_sales(path, "EUR", lambda _bytes: None):
            replay.take(receipt)
        replay.finish()
        ours = time.process_time() - start
        assert replay.whole.lines == LINES
    return [Result(bench="replay", ours=ours, unit="s per million lines", better="lower", floor=floor)]


def write_sales(path: Path, lines: int) -> None:
    """A year of receipts in our columns, the same at every call."""
    dice = random.Random(SEED)
    at, step = datetime(2025, 1, 1, 8, 0), timedelta(days=364) / (lines / 10)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(OUR_COLUMNS)
        left, receipt = lines, 0
        while left:
            receipt += 1
            at += step
            card = "" if dice.random() < WITHOUT_CARD else f"card-{dice.randrange(CARDS):05d}"
            for _ in range(min(left, dice.choice(PER_RECEIPT))):
                left -= 1
                article = dice.randrange(4_000)
                items, cents = dice.choice((1, 1, 1, 2, 3)), 50 + article % 900
                if dice.random() < 0.01:
                    items = -1
                writer.writerow(
                    (
                        receipt,
                        at.isoformat(" ", "seconds"),
                        f"A{article:05d}",
                        CATEGORIES[article % len(CATEGORIES)],
                        items,
                        _euros(items * cents),
                        card,
                    )
                )


def _euros(cents: int) -> str:
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"
