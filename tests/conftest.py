"""What holds for every test."""

from __future__ import annotations

import pytest
import structlog
from hypothesis import settings

# No stop-watch in a test: how long one example takes says something about the machine's other work.
# The same examples in every run: what fails, fails again. `pytest --hypothesis-profile=explore` looks for new ones.
settings.register_profile("explore", deadline=None)
settings.register_profile("tests", deadline=None, derandomize=True)
settings.load_profile("tests")


@pytest.fixture(autouse=True)
def logs_as_at_start() -> None:
    """Log everything to standard output: a command run by an earlier test may have set another level and place."""
    structlog.reset_defaults()
