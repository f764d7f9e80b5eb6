"""What holds for every test."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings
from xdist.remote import Producer

from tests.support.memory import files_in_memory
from tests.support.order import ByUnit, longest_first

files_in_memory()

# Machines that build images often forbid Python to keep what it compiled: each of the hundreds of processes that the
# tests start would then compile all that it imports, which is most of what such a process does.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# No stop-watch in a test: how long one example takes says something about the machine's other work.
# The same examples in every run: what fails, fails again. `pytest --hypothesis-profile=explore` looks for new ones.
settings.register_profile("explore", deadline=None)
settings.register_profile("tests", deadline=None, derandomize=True)
settings.load_profile("tests")


# Hundreds of files are read, and nearly all that they make stays until the end: nothing to collect.
gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    longest_first(items)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByUnit:
    return ByUnit(config, log)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server with a migrated database `hq_tests`: one for the whole run of a process."""
    from tests.support.postgres import started  # head office's code, which the process that shares out needs not

    with started() as url:
        yield url


@pytest.fixture(autouse=True)
def logs_as_at_start() -> None:
    """Log everything to standard output: a command run by an earlier test may have set another level and place."""
    structlog.reset_defaults()
