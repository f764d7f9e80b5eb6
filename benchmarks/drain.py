"""A till that was away for long sends 20 000 entries to a real head office."""

from __future__ import annotations

import time

from benchmarks.one_till import OneTill, fill_journal, one_till
from benchmarks.result import Result

ENTRIES = 20_000
PROMISED_S = 5.0


def measure() -> list[Result]:
    """Seconds for the whole queue, and the till's processor time in them."""
    with one_till() as till:
        wall, processor = _drain(till)
    return [
        Result("drain of 20 000 over HTTP", wall, "s", "lower", {}, PROMISED_S),
        Result("drain: the till's processor", processor, "s", "lower", {}, PROMISED_S),
    ]


def _drain(till: OneTill) -> tuple[float, float]:
    fill_journal(till, ENTRIES)
    start, used = time.perf_counter(), time.process_time()
    report = till.agent.run_once()
    taken = time.perf_counter() - start, time.process_time() - used
    assert report.sent == ENTRIES
    assert till.journal.head().queued == 0
    return taken
