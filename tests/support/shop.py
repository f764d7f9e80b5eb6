"""The demo's shop for tests: commands that end are forks of a process that has loaded everything, a third of the work.

Head office and the till are started as users start them.
"""

from __future__ import annotations

import json
from typing import Any

from pos_client.demo.world import DemoError, World
from tests.support.process import command


class ForkedWorld(World):
    """As `World`; its commands read none of Python's files anew."""

    def run(self, *arguments: str, expect: tuple[int, ...] = (0,)) -> Any:
        done = command(self.config, *arguments)
        if done.returncode not in expect:
            raise DemoError(f"spaarpunt {' '.join(arguments[:2])} ended with {done.returncode}: {done.stderr[-800:]}")
        return json.loads(done.stdout) if "--json" in arguments else None
