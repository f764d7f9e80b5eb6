"""What the proofs share: folders in memory, and the seed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.office import Office, office
from tests.simulation.power_cuts import fast_folder

__all__ = ["fast", "head_office", "seed"]

SEED = 20_260_331
"""The tests' own seed: the same run each time. `make torture` takes others, and SEED=… replays one of them."""


@pytest.fixture(scope="session")
def seed() -> int:
    return int(os.environ.get("SEED", SEED))


@pytest.fixture(scope="module")
def head_office(postgres: str) -> Iterator[Office]:
    """A head office for the tests of one room: each brings tills and members of its own."""
    with office(postgres) as made:
        yield made


@pytest.fixture
def fast() -> Iterator[Path]:
    """An empty folder in memory."""
    with fast_folder() as folder:
        yield Path(folder)
