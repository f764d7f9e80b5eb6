"""What a disk may hold after a power cut, worked out from the log of what was written and flushed to it.

A flushed file holds what was written before the flush; a flushed folder has its names. Of everything later any part may
be there, in any order, torn at sectors: ALICE (Pillai et al., OSDI 2014) and CrashMonkey (Mohan et al., OSDI 2018).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.support.disk import Create, Flush, FlushNames, Mark, Op, Remove, Rename, Truncate, Write, cut, put

SECTOR = 512
"""What a disk writes whole or not at all."""


class Left(StrEnum):
    """What the cut leaves of what was not flushed."""

    NOTHING = "nothing"
    ALL = "all"
    SOME = "some writes"
    TORN = "some sectors"
    SHUFFLED = "some writes, in another order"
    HALF_LAST = "all, the last write torn"


@dataclass(frozen=True, slots=True)
class Remains:
    """The disk after a cut: its files, and the promises made before it."""

    at: int
    """Operations done before the cut."""
    left: Left
    files: dict[str, bytes]
    marks: tuple[bytes, ...]

    def write_to(self, folder: Path) -> None:
        """Make the folder hold these files and no others."""
        for old in folder.iterdir():
            if old.name not in self.files:
                old.unlink()
        for name, held in self.files.items():
            (folder / name).write_bytes(held)


@dataclass
class _Platter:
    """What is safe, and what is under way."""

    names: dict[str, int] = field(default_factory=dict)
    files: dict[int, bytearray] = field(default_factory=dict)
    name_changes: list[Create | Remove | Rename] = field(default_factory=list)
    under_way: dict[int, list[Write | Truncate]] = field(default_factory=dict)
    marks: list[bytes] = field(default_factory=list)

    def do(self, op: Op) -> None:
        match op:
            case Write() | Truncate():
                self.under_way.setdefault(op.inode, []).append(op)
            case Create() | Remove() | Rename():
                self.name_changes.append(op)
            case Flush():
                held = self.files.setdefault(op.inode, bytearray())
                for change in self.under_way.pop(op.inode, ()):
                    _apply(held, change)
            case FlushNames():
                for name_change in self.name_changes:
                    _rename(self.names, name_change)
                self.name_changes.clear()
            case Mark():
                self.marks.append(op.text)

    def cut(self, at: int, left: Left, chance: random.Random) -> Remains:
        names = dict(self.names)
        # A file system's journal keeps names in order: a cut leaves the first few changes, never a later one alone.
        count = {Left.NOTHING: 0, Left.ALL: len(self.name_changes), Left.HALF_LAST: len(self.name_changes)}
        for name_change in self.name_changes[: count.get(left, chance.randint(0, len(self.name_changes)))]:
            _rename(names, name_change)
        files = {}
        for name, inode in names.items():
            held = bytearray(self.files.get(inode, b""))
            for change in _survivors(self.under_way.get(inode, ()), left, chance):
                _apply(held, change)
            files[name] = bytes(held)
        return Remains(at, left, files, tuple(self.marks))


def remains(log: Sequence[Op], count: int, seed: int) -> Iterator[Remains]:
    """What `count` power cuts leave, from the first operation to the last; each kind of loss at many moments.

    At least as many cuts as operations: every prefix is tried. Fewer: moments are spread evenly, and a cut just before
    each promise comes first, since that is when the least is on its way.
    """
    chance = random.Random(seed)
    moments = _moments(log, count, chance)
    kinds = [chance.choice(list(Left)) if number % 2 else Left.NOTHING for number in range(len(moments))]
    platter = _Platter()
    done = 0
    for at, left in zip(moments, kinds, strict=True):
        for op in log[done:at]:
            platter.do(op)
        done = at
        yield platter.cut(at, left, chance)


def _moments(log: Sequence[Op], count: int, chance: random.Random) -> list[int]:
    after_promises = [at for at, op in enumerate(log, 1) if isinstance(op, Mark)]
    chosen = chance.sample(after_promises, min(len(after_promises), count // 2))
    rest = count - len(chosen)
    step = len(log) / rest
    return sorted(chosen + [min(len(log), int(number * step + chance.random() * step) + 1) for number in range(rest)])


def _survivors(changes: Sequence[Write | Truncate], left: Left, chance: random.Random) -> list[Write | Truncate]:
    kept = list(changes)
    match left:
        case Left.NOTHING:
            kept = []
        case Left.SOME:
            kept = [change for change in changes if chance.random() < 0.5]
        case Left.SHUFFLED:
            kept = [change for change in changes if chance.random() < 0.7]
            chance.shuffle(kept)
        case Left.TORN:
            kept = [part for change in changes for part in _sectors(change) if chance.random() < 0.5]
        case Left.HALF_LAST if kept:
            parts = _sectors(kept.pop())
            kept += parts[: chance.randint(0, len(parts))]
    return kept


def _sectors(change: Write | Truncate) -> list[Write | Truncate]:
    """The change as parts that a disk writes whole."""
    if isinstance(change, Truncate):
        return [change]
    first = SECTOR - change.offset % SECTOR
    edges = [0, *range(first, len(change.data), SECTOR), len(change.data)]
    return [
        Write(change.inode, change.offset + start, change.data[start:end]) for start, end in itertools.pairwise(edges)
    ]


def _apply(held: bytearray, change: Write | Truncate) -> None:
    if isinstance(change, Write):
        put(held, change.offset, change.data)
    else:
        cut(held, change.length)


def _rename(names: dict[str, int], change: Create | Remove | Rename) -> None:
    match change:
        case Create():
            names[change.name] = change.inode
        case Remove():
            names.pop(change.name, None)
        case Rename():
            if change.old in names:
                names[change.new] = names.pop(change.old)
