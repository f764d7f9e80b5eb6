"""How far every answer is confirmed: one header, on each answer of the API, whatever its form."""

from __future__ import annotations

import structlog

from pos_client.plugin.answers import at
from pos_client.runtime import Runtime
from sync.errors import StoreError

STANDING = "Spaarpunt-Standing"
"""`online` or `offline`, and as of when: a structured item with a parameter (RFC 9651, 3.3)."""
CONFIRMED = "Spaarpunt-Confirmed"
"""On a receipt, of its own entry: `true` when head office has it, else `false`."""
NEVER = "never"

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
    """Reads the till's disk: for a worker thread."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._as_of = NEVER

    def __call__(self) -> str:
        """The header's value now. When the disk fails, with the time that was read last: that is still so."""
        try:
            as_of = at(self._runtime.mirror.contact().as_of_ms)
        except StoreError as error:
            log.warning("an answer says how things stood before", problem=str(error))
        else:
            self._as_of = as_of.isoformat(timespec="milliseconds").replace("+00:00", "Z") if as_of else NEVER
        state = "online" if self._runtime.agent.state.online else "offline"
        return f'{state}; as-of="{self._as_of}"'
