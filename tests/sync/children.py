"""Runs Python in a process of its own: to be killed, to lose root's rights, or to live on another file system."""

from __future__ import annotations

import os
import signal
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
    done = _ended([*before, *command(code, *arguments)])
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_until_killed(code: str, *arguments: object) -> None:
    """Run `code`, which ends itself with kill -9 and in no other way."""
    done = _ended(command(code, *arguments))
    assert done.returncode == -signal.SIGKILL, done.stderr


def _ended(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
