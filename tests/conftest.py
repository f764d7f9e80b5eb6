"""What holds for every test."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
import structlog
from hypothesis import settings
from xdist.remote import Producer

from tests.support.order import ByUnit, longest_first

# Thousands of small databases are written here, each booking with a flush that a disk takes its time for. What a power
# cut does to a disk is tried on one that is logged (tests/support/disk.py), never on the machine's own.
MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 2 << 30
"""Of memory that may hold files: a run has at most some hundreds of megabytes at a time."""

if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES:
    os.environ["TMPDIR"] = str(MEMORY)
    tempfile.tempdir = None

# Machines that build images often forbid Python to keep what it compiled: each of the hundreds of processes that the
# tests start would then compile all that it imports, which is most of what such a process does.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# No stop-watch in a test: how long one example takes says something about the machine's other work.
# The same examples in every run: what fails, fails again. `pytest --hypothesis-profile=explore` looks for new ones.
settings.register_profile("explore", deadline=None)
settings.register_profile("tests", deadline=None, derandomize=True)
settings.load_profile("tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    longest_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByUnit:
    return ByUnit(config, log)


@pytest.fixture(autouse=True)
def logs_as_at_start() -> None:
    """Log everything to standard output: a command run by an earlier test may have set another level and place."""
    structlog.reset_defaults()
