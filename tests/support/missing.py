"""What a machine has not that a test needs: said where people read it, and a failure where nobody does."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip the test that runs, for want of `what`: a sentence that says how to get it.

    With `CI` in the environment the test fails: nobody reads there what was skipped.
    """
    __tracebackhide__ = True  # the reason is told with the line that asked
    if os.environ.get("CI"):
        pytest.fail(what, pytrace=False)
    pytest.skip(what)
