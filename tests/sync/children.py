"""Runs Python in a process of its own: to be killed, to lose root's rights, or to live on another file system."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
WAIT_S = 30
NOBODY = 65_534


def command(code: str, *arguments: object) -> list[str]:
    """The command line that runs `code` with the project on its path."""
    return [sys.executable, "-c", code, *map(str, arguments)]


def run(code: str, *arguments: object, before: Sequence[str] = ()) -> str:
    """Run `code` to its end and return what it printed; `before` is a command to run it under."""
    done = subprocess.run(
        [*before, *command(code, *arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
