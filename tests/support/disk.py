"""A disk in memory, mounted through FUSE, that notes every write and flush: what a power cut can be worked out from."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import pickle
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

MARKS = "marks"
"""Bytes written to the file of this name are no data: they note in the log, in order, what was promised by then."""
READY_S = 20
"""How long mounting may take on a busy machine."""
BLOCK = 4096


class Create(NamedTuple):
    """A new file; its name lasts once the folder is flushed."""

    inode: int
    name: str


class Write(NamedTuple):
    """Bytes at an offset; they last once the file is flushed."""

    inode: int
    offset: int
    data: bytes


class Truncate(NamedTuple):
    """A new length; it lasts once the file is flushed."""

    inode: int
    length: int


class Remove(NamedTuple):
    """A name goes; it may come back unless the folder is flushed."""

    name: str


class Rename(NamedTuple):
    """A name moves, over whatever had the new one."""

    old: str
    new: str


class Flush(NamedTuple):
    """fsync or fdatasync of a file."""

    inode: int


class FlushNames(NamedTuple):
    """fsync of the folder."""


class Mark(NamedTuple):
    """A promise that somebody made."""

    text: bytes


Op = Create | Write | Truncate | Remove | Rename | Flush | FlushNames | Mark


@dataclass(frozen=True, slots=True)
class NoFuse(Exception):
    """This machine cannot mount; says what is missing."""

    reason: str


def expect_fuse() -> None:
    """Say what is missing to mount a disk here.

    Raises:
        NoFuse: no /dev/fuse, no permission on it, no libfuse, no fusermount3.
    """
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        raise NoFuse(
            "no /dev/fuse here, or it is not ours: power cuts are not tried; to try them: sudo modprobe fuse, in a "
            "container --device /dev/fuse --cap-add SYS_ADMIN"
        )
    if shutil.which("fusermount3") is None:
        raise NoFuse("no fusermount3 here: power cuts are not tried; to try them: sudo apt install fuse3")
    try:
        import mfusepy  # noqa: F401
    except OSError as error:
        raise NoFuse(f"{error}: power cuts are not tried; to try them: sudo apt install fuse3") from error


@contextlib.contextmanager
def logged_disk(folder: Path) -> Iterator[Path]:
    """Mount an empty disk in a process of its own; `read_log(folder)` has its log after the block.

    Raises:
        NoFuse: mounting did not work.
    """
    mount = folder / "disk"
    mount.mkdir()
    with (folder / "disk.err").open("w+b") as said:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.disk", str(mount), str(folder / "log")],
            cwd=Path(__file__).parents[2],
            stdout=said,
            stderr=said,
        )
        try:
            deadline = time.monotonic() + READY_S
            while not os.path.ismount(mount):
                if server.poll() is not None or time.monotonic() > deadline:
                    said.seek(0)
                    raise NoFuse(f"mounting does not work here: {said.read().decode(errors='replace')[-300:]}")
                time.sleep(0.005)
            yield mount
        finally:
            if os.path.ismount(mount):
                subprocess.run(["fusermount3", "-u", str(mount)], check=True)
                server.wait(READY_S)
            else:
                server.kill()
                server.wait()


def read_log(folder: Path) -> list[Op]:
    """What was done to the disk of `logged_disk(folder)`, in order."""
    with (folder / "log").open("rb") as file:
        log: list[Op] = pickle.load(file)
    return log


def main() -> None:
    """Serve a disk until it is unmounted, then write its log."""
    import mfusepy

    class Disk(mfusepy.Operations):
        """One flat folder of files. One thread serves it, so the order of the log is the order of calls."""

        use_ns = True

        def __init__(self) -> None:
            self.log: list[Op] = []
            self.names: dict[str, int] = {}
            self.files: dict[int, bytearray] = {}
            self.modes: dict[int, int] = {}

        def _inode(self, path: str) -> int:
            inode = self.names.get(path[1:])
            if inode is None:
                raise mfusepy.FuseOSError(errno.ENOENT)
            return inode

        def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
            if path == "/":
                return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2, "st_uid": os.getuid(), "st_gid": os.getgid()}
            inode = self._inode(path)
            return {
                "st_mode": stat.S_IFREG | self.modes[inode],
                "st_nlink": 1,
                "st_size": len(self.files[inode]),
                "st_uid": os.getuid(),
                "st_gid": os.getgid(),
                "st_ino": inode,
            }

        def readdir(self, path: str, fh: int) -> list[str]:
            return [".", "..", *self.names]

        def create(self, path: str, mode: int, fi: Any = None) -> int:
            inode = len(self.files) + 2
            self.names[path[1:]] = inode
            self.files[inode] = bytearray()
            self.modes[inode] = mode & 0o777
            if path[1:] != MARKS:
                self.log.append(Create(inode, path[1:]))
            return inode

        def open(self, path: str, flags: int) -> int:
            return self._inode(path)

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            return bytes(self.files[fh][offset : offset + size])

        def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
            if path[1:] == MARKS:
                self.log.append(Mark(bytes(data)))
            else:
                self.log.append(Write(fh, offset, bytes(data)))
            put(self.files[fh], offset, data)
            return len(data)

        def truncate(self, path: str, length: int, fh: int | None = None) -> int:
            inode = self._inode(path) if fh is None else fh
            self.log.append(Truncate(inode, length))
            cut(self.files[inode], length)
            return 0

        def unlink(self, path: str) -> int:
            self._inode(path)
            self.log.append(Remove(path[1:]))
            del self.names[path[1:]]
            return 0

        def rename(self, old: str, new: str) -> int:
            inode = self._inode(old)
            self.log.append(Rename(old[1:], new[1:]))
            del self.names[old[1:]]
            self.names[new[1:]] = inode
            return 0

        def fsync(self, path: str, datasync: int, fh: int) -> int:
            self.log.append(Flush(fh))
            return 0

        def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
            self.log.append(FlushNames())
            return 0

        def chmod(self, path: str, mode: int) -> int:
            self.modes[self._inode(path)] = mode & 0o777
            return 0

        def chown(self, path: str, uid: int, gid: int) -> int:
            return 0

        def utimens(self, path: str, times: Any = None) -> int:
            return 0

        def statfs(self, path: str) -> dict[str, int]:
            return {"f_bsize": BLOCK, "f_frsize": BLOCK, "f_blocks": 1 << 20, "f_bavail": 1 << 19, "f_bfree": 1 << 19}

    arguments = argparse.ArgumentParser()
    arguments.add_argument("mount")
    arguments.add_argument("log", type=Path)
    given = arguments.parse_args()
    disk = Disk()
    mfusepy.FUSE(disk, given.mount, foreground=True, nothreads=True)
    with given.log.open("wb") as file:
        pickle.dump(disk.log, file, protocol=pickle.HIGHEST_PROTOCOL)


def put(held: bytearray, offset: int, data: bytes) -> None:
    """Write `data` into a file's bytes; a gap before it reads as zeros."""
    if offset > len(held):
        held.extend(bytes(offset - len(held)))
    held[offset : offset + len(data)] = data


def cut(held: bytearray, length: int) -> None:
    """Give a file's bytes another length."""
    del held[length:]
    held.extend(bytes(length - len(held)))


if __name__ == "__main__":
    # The records must be named as the reader imports them, not as parts of __main__.
    from tests.support.disk import main as serve

    serve()
