"""Where the tests write: in memory, if there is enough of it."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 2 << 30
"""Of memory that may hold files: a run has at most some hundreds of megabytes at a time."""
_OURS = "spaarpunt-tests-"


def files_in_memory() -> None:
    """From now on, temporary files of this process and those it starts are in a folder in memory, gone at its end.

    Thousands of small databases are written by the tests, each booking with a flush that a disk takes its time for.
    What a power cut does to a disk is tried on one that is logged (tests/support/disk.py), never on the machine's own.
    A folder that somebody names in TMPDIR stays as it is.
    """
    if "TMPDIR" in os.environ or not MEMORY.is_dir():
        return
    for left in MEMORY.glob(f"{_OURS}*"):
        if not Path("/proc", left.name.removeprefix(_OURS)).exists():
            shutil.rmtree(left, ignore_errors=True)  # of a run that was killed; a database there stops by itself
    if shutil.disk_usage(MEMORY).free < ENOUGH_BYTES:
        return
    folder = MEMORY / f"{_OURS}{os.getpid()}"
    folder.mkdir(mode=0o711)  # PostgreSQL runs as another user, which passes through
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
