"""Power cuts: on whatever a cut leaves of the disk, the till starts with every booking it ever acknowledged."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulation.power_cuts import ROOT, cut_the_power, fast_folder, log_of_a_day
from tests.support.disk import (
    Create,
    Flush,
    FlushNames,
    Mark,
    NoFuse,
    Op,
    Remove,
    Rename,
    Truncate,
    Write,
    expect_fuse,
    logged_disk,
    read_log,
)
from tests.support.missing import missing
from tests.support.power import Left, Remains, remains

COMMITS = 160
"""The first restart, an automatic checkpoint (1000 pages) and some five hundred moments of each kind fit in this."""
CUTS = 1500


@pytest.fixture(scope="module")
def can_mount() -> None:
    try:
        expect_fuse()
    except NoFuse as error:
        missing(error.reason)


@pytest.fixture(scope="module")
def day(can_mount: None, seed: int) -> list[Op]:
    """All that a till did to its disk on a day."""
    with fast_folder() as folder:
        return log_of_a_day(Path(folder), commits=COMMITS, seed=seed)


@pytest.mark.timeout(300)
def test_no_power_cut_loses_what_was_acknowledged(day: list[Op], fast: Path, seed: int) -> None:
    verdict = cut_the_power(day, fast, cuts=CUTS, seed=seed)
    assert verdict.losses == []
    assert verdict.states == CUTS
    assert set(verdict.kinds) == set(Left)
    assert verdict.promised >= COMMITS


def test_the_day_has_what_a_cut_could_break(day: list[Op]) -> None:
    """Checkpoints, a removed log and a shortened one are among what is cut through."""
    files = {op.inode: op.name for op in day if isinstance(op, Create)}
    flushed = [files[op.inode] for op in day if isinstance(op, Flush)]
    assert flushed.count("till.db-wal") >= COMMITS  # a flush for each commit at the least
    assert flushed.count("till.db") >= 3  # checkpoints
    assert [op.name for op in day if isinstance(op, Remove)].count("till.db-wal") == 2
    assert any(isinstance(op, FlushNames) for op in day)


@pytest.mark.usefixtures("can_mount")
def test_a_cut_while_the_file_is_made_leaves_a_till_that_can_be_enrolled_again(fast: Path, seed: int) -> None:
    log = log_of_a_day(fast, commits=1, seed=seed)
    first_promise = next(at for at, op in enumerate(log) if isinstance(op, Mark))
    verdict = cut_the_power(log[:first_promise], fast, cuts=300, seed=seed)
    assert verdict.losses == []


@pytest.mark.usefixtures("can_mount")
@pytest.mark.parametrize(
    "fault", [{"synchronous": "NORMAL"}, {"promise": "before"}], ids=lambda fault: next(iter(fault))
)
def test_the_gate_sees_a_till_that_promises_too_early(fast: Path, seed: int, fault: dict[str, str]) -> None:
    log = log_of_a_day(fast, commits=30, seed=seed, **fault)
    verdict = cut_the_power(log, fast, cuts=60, seed=seed)
    assert len(verdict.losses) > 10
    assert "acknowledged bookings are gone" in verdict.losses[0]


@pytest.mark.usefixtures("can_mount")
def test_the_gate_sees_a_broken_file(fast: Path, seed: int) -> None:
    """A disk that loses what it flushed: the till must not be called sound on it."""
    log = [op for op in log_of_a_day(fast, commits=30, seed=seed) if not isinstance(op, Write) or op.offset != 4096]
    assert cut_the_power(log, fast, cuts=20, seed=seed).losses


# -- what the cuts themselves are -------------------------------------------------------------------------------------


def kept(log: list[Op], left: Left) -> dict[str, bytes]:
    """The files when the power goes after the whole of `log`."""
    cuts = [cut for cut in remains(log, 200, seed=1) if cut.at == len(log) and cut.left is left]
    assert cuts, f"no cut at the end that leaves {left}"
    return cuts[0].files


BEFORE: list[Op] = [Create(2, "a"), FlushNames(), Write(2, 0, b"old."), Flush(2)]


def test_a_cut_keeps_what_was_flushed_and_may_lose_the_rest() -> None:
    log = [*BEFORE, Write(2, 0, b"new!")]
    assert kept(log, Left.NOTHING) == {"a": b"old."}
    assert kept(log, Left.ALL) == {"a": b"new!"}


def test_a_name_lasts_once_its_folder_is_flushed() -> None:
    assert kept([*BEFORE, Create(3, "b"), Write(3, 0, b"x"), Flush(3)], Left.NOTHING) == {"a": b"old."}
    assert kept([*BEFORE, Create(3, "b"), FlushNames()], Left.NOTHING) == {"a": b"old.", "b": b""}
    assert kept([*BEFORE, Remove("a")], Left.NOTHING) == {"a": b"old."}
    assert kept([*BEFORE, Rename("a", "b")], Left.ALL) == {"b": b"old."}


def test_a_length_comes_back_until_it_is_flushed() -> None:
    assert kept([*BEFORE, Truncate(2, 1)], Left.NOTHING) == {"a": b"old."}
    assert kept([*BEFORE, Truncate(2, 1)], Left.ALL) == {"a": b"o"}


@given(st.integers(0, 3000), st.integers(1, 3000), st.integers(0, 10))
def test_a_torn_write_is_whole_sectors(offset: int, length: int, seed: int) -> None:
    log: list[Op] = [Create(2, "a"), FlushNames(), Write(2, 0, bytes(8192)), Flush(2), Write(2, offset, b"x" * length)]
    for cut in remains(log, 40, seed):
        held = cut.files.get("a", b"")
        for start in range(0, len(held), 512):
            sector = held[start : start + 512]
            whole = range(max(start, offset), min(start + 512, offset + length))
            assert sector.count(b"x") in (0, len(whole))


def test_the_same_seed_gives_the_same_cuts() -> None:
    chance = random.Random(1)
    log: list[Op] = [*BEFORE, *(Write(2, chance.randint(0, 99), b"abc") for _ in range(50)), Mark(b"m\n")]

    def cuts(seed: int) -> list[Remains]:
        return list(remains(log, 30, seed))

    assert cuts(7) == cuts(7)
    assert cuts(7) != cuts(8)
    assert any(cut.marks for cut in cuts(7))


@pytest.mark.usefixtures("can_mount")
def test_the_disk_keeps_files_as_a_disk_does(fast: Path) -> None:
    """Plain file calls on the mounted disk, read back by another process through the kernel."""
    with logged_disk(fast) as disk:
        (disk / "a").write_bytes(b"x" * 10_000)
        with (disk / "a").open("r+b") as file:
            file.seek(5000)
            file.write(b"y")
            file.truncate(6000)
        (disk / "a").rename(disk / "b")
        read = "import sys; print(open(sys.argv[1], 'rb').read().count(b'x'))"
        done = subprocess.run([sys.executable, "-c", read, disk / "b"], cwd=ROOT, capture_output=True, check=True)
        assert int(done.stdout) == 5999
        (disk / "b").unlink()
        assert list(disk.iterdir()) == []
    log = read_log(fast)
    assert [op for op in log if isinstance(op, Create | Rename | Remove)] == [
        Create(2, "a"),
        Rename("a", "b"),
        Remove("b"),
    ]
