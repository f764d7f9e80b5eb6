"""Cuts the power under a till at work a thousand times, and starts the till on what each cut left."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from loyalty.errors import ChainBroken
from loyalty.ledger import GENESIS, expect_head
from sync.epochs import Doubt, Epochs
from sync.errors import SyncError
from sync.journal import Journal
from sync.store import Store
from tests.support.disk import Op, logged_disk, read_log
from tests.support.power import Remains, remains
from tests.sync.build import draft, enrolled

ROOT = Path(__file__).parents[2]
SHARED_MEMORY = Path("/dev/shm")
WORK_S = 60
"""A day of some hundred bookings takes two seconds."""


@dataclass
class Verdict:
    """What the starts after the cuts showed."""

    states: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    promised: int = 0
    """Most bookings that were promised before a cut."""
    losses: list[str] = field(default_factory=list)


def fast_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder in memory where there is one: thousands of files are written for a moment each."""
    return tempfile.TemporaryDirectory(prefix="spaarpunt-cuts-", dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None)


def log_of_a_day(
    folder: Path, *, commits: int, seed: int, synchronous: str = "FULL", promise: str = "after"
) -> list[Op]:
    """Let a till work on a logged disk; everything that it did to the disk.

    Args:
        synchronous: SQLite's setting; the product's is FULL.
        promise: "before" acknowledges each booking before it is committed, as no till must.

    Raises:
        NoFuse: no disk can be mounted here.
    """
    with logged_disk(folder) as disk:
        command = [sys.executable, "-m", "tests.simulation.shop_day", str(disk), "--commits", str(commits)]
        command += ["--seed", str(seed), "--synchronous", synchronous, "--promise", promise]
        subprocess.run(command, cwd=ROOT, check=True, timeout=WORK_S)
    return read_log(folder)


def cut_the_power(
    log: list[Op], folder: Path, *, cuts: int, seed: int, on_cut: Callable[[], None] = lambda: None
) -> Verdict:
    """Start a till on what each of `cuts` power cuts leaves, and look for what was promised and is gone."""
    verdict = Verdict()
    for left in remains(log, cuts, seed):
        place = folder / "till"
        place.mkdir()
        left.write_to(place)
        promised = promises(left)
        verdict.states += 1
        verdict.kinds[left.left] += 1
        verdict.promised = max(verdict.promised, len(promised))
        if loss := loss_after(place / "till.db", promised):
            verdict.losses.append(f"cut after operation {left.at} of {len(log)}, {left.left} unflushed left: {loss}")
        shutil.rmtree(place)
        on_cut()
    return verdict


def promises(left: Remains) -> list[tuple[int, str]]:
    """The bookings, as number and id, that were acknowledged before the cut."""
    *whole, _half = b"".join(left.marks).split(b"\n")
    return [(int(seq), str(name)) for line in whole for seq, name in json.loads(line)]


def loss_after(path: Path, promised: list[tuple[int, str]]) -> str | None:
    """Start the till on `path` by its own start-up code; what is missing or wrong, or None when all is well."""
    try:
        store, journal = enrolled(path)
    except SyncError as error:
        return f"it does not start: {error}"
    try:
        return _loss_in(store, journal, promised)
    except (SyncError, ChainBroken) as error:
        return str(error)
    finally:
        store.close()


def _loss_in(store: Store, journal: Journal, promised: list[tuple[int, str]]) -> str | None:
    if Epochs(store).doubt() is Doubt.SALVAGED:
        return "what a cut left was taken for a damaged file"
    rows = store.rows("SELECT seq, id, raw FROM journal ORDER BY seq")
    head = journal.head()
    missing = sorted(set(promised) - {(seq, name) for seq, name, _ in rows})
    if missing:
        return f"{len(missing)} of {len(promised)} acknowledged bookings are gone, the first is number {missing[0][0]}"
    if [seq for seq, _, _ in rows] != list(range(1, head.seq + 1)):
        return f"expected entries 1 to {head.seq} without a gap"
    expect_head(GENESIS, [raw for _, _, raw in rows], head.digest)
    if journal.append(draft(session="after the cut")).seq != head.seq + 1:
        return "the next booking does not follow the last"
    return None
