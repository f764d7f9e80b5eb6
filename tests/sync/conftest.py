"""A till's store for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.journal import Journal
from sync.store import Store
from tests.sync.build import enrolled, journal_of
from tests.sync.hq.conftest import conn, database, database_url, hq, member

__all__ = ["conn", "database", "database_url", "hq", "journal", "member", "store"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An open, enrolled store."""
    opened, _ = enrolled(tmp_path / "till.db")
    yield opened
    opened.close()


@pytest.fixture
def journal(store: Store) -> Journal:
    """The journal of `store`."""
    return journal_of(store)
