"""What the proofs share: folders in memory, and the seed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.power_cuts import fast_folder
from tests.sync.conftest import conn, database, database_url, hq, member, postgres

__all__ = ["conn", "database", "database_url", "fast", "hq", "member", "postgres", "seed"]

SEED = 20_260_331
"""The tests' own seed: the same run each time. `make torture` takes others, and SEED=… replays one of them."""


@pytest.fixture
def seed() -> int:
    return int(os.environ.get("SEED", SEED))


@pytest.fixture
def fast() -> Iterator[Path]:
    """An empty folder in memory."""
    with fast_folder() as folder:
        yield Path(folder)
