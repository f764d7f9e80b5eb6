"""A disk that is soon full, for what has to outlive that."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.missing import missing


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """An empty file system of `megabytes`, until the block ends; where none can be mounted the test is not run."""
    # Not pytest's own folder: that has a long name, and the path of a socket on it may have 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="small-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    try:
        if mounted.returncode != 0:
            missing(f"no small disk can be mounted here ({mounted.stderr.strip()}): run the tests as root")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
    finally:
        folder.rmdir()
