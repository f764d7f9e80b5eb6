"""Which tests stay together when several workers share them out, and which go first."""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

TOGETHER = ("tests/pos_client/screen/test_",)
"""Beginnings of files that share what takes seconds to open: a browser with four windows before one till."""

FIRST = (
    "tests/pos_client/screen/",
    "tests/e2e/",
    "tests/pos_client/manager/",
    "tests/simulation/",
    "tests/pos_client/simulation/",
    "tests/sync/",
    "tests/pos_client/plugin/test_p",
)
"""The longest go first, so that no worker is left with one of them when the others are done."""


def unit(nodeid: str) -> str:
    """What a test is shared out with: its file, or the files that stay together."""
    return next((start for start in TOGETHER if nodeid.startswith(start)), nodeid.partition("::")[0])


def longest_first(items: list[pytest.Item]) -> None:
    """Put `items` in the order in which units are shared out; within a unit they stay as they are."""
    last = len(FIRST)
    items.sort(key=lambda item: next((at for at, start in enumerate(FIRST) if item.nodeid.startswith(start)), last))


class ByUnit(LoadScopeScheduling):
    """Gives each worker a unit at a time."""

    def __init__(self, config: pytest.Config, log: Producer | None) -> None:
        config.option.loadscopereorder = False  # by number of tests, which says nothing of how long they take
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)
