"""What holds for every test."""

from __future__ import annotations

import pytest
import structlog


@pytest.fixture(autouse=True)
def logs_as_at_start() -> None:
    """Log everything to standard output: a command run by an earlier test may have set another level and place."""
    structlog.reset_defaults()
