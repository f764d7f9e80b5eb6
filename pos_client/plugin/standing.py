"""How far every answer is confirmed: one header, on each answer of the API, whatever its form."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import structlog
from starlette.concurrency import run_in_threadpool

from pos_client.plugin.answers import at
from pos_client.runtime import Runtime
from sync.errors import StoreError

STANDING = "Spaarpunt-Standing"
"""`online` or `offline`, and as of when: a structured item with a parameter (RFC 9651, 3.3)."""
CONFIRMED = "Spaarpunt-Confirmed"
"""On a receipt, of its own entry: `true` when head office has it, else `false`."""
NEVER = "never"
READ_EACH_S = 1.0
"""How often the time is read from the disk: it moves once in some fifteen seconds, and a till answers many calls."""

DESCRIPTION = (
    "Whether head office answered last time (`online` or `offline`), and `as-of` when this till had its every change: "
    "a time in UTC, or `never`."
)
SCHEMA = {
    "type": "string",
    "pattern": r'^(online|offline); as-of="([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z|never)"$',
    "examples": ['online; as-of="2026-03-31T10:15:00.000Z"'],
}

log = structlog.get_logger("spaarpunt.plugin")


class Standing:
    """How things stand with head office, as the header says it."""

    def __init__(self, runtime: Runtime, steady_s: Callable[[], float] = time.monotonic) -> None:
        """`steady_s`: seconds that only go forward, from anywhere."""
        self._runtime = runtime
        self._steady_s = steady_s
        self._as_of = NEVER
        self._read_s = -math.inf

    async def now(self) -> str:
        """The header's value now; its time may be a second behind, and is true all the same."""
        if self._steady_s() - self._read_s >= READ_EACH_S:
            await run_in_threadpool(self._read)
        state = "online" if self._runtime.agent.state.online else "offline"
        return f'{state}; as-of="{self._as_of}"'

    def _read(self) -> None:
        """Read the time from the till's disk. When that fails, the time that was read last still holds."""
        try:
            as_of = at(self._runtime.mirror.contact().as_of_ms)
        except StoreError as error:
            log.warning("an answer says how things stood before", problem=str(error))
        else:
            self._as_of = as_of.isoformat(timespec="milliseconds").replace("+00:00", "Z") if as_of else NEVER
            self._read_s = self._steady_s()
