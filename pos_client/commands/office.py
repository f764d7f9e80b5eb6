"""What the commands that look into the till's database share: opening it to read, whoever runs beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from loyalty.errors import LoyaltyError
from pos_client.app import look_store
from pos_client.commands.common import fail
from pos_client.config import Config
from pos_client.office.lookup import Finding, Lookup
from pos_client.reckoning import business_date
from sync.errors import SyncError
from sync.store import Store
from sync.terminal import Terminal, load_terminal, wall_ms


@dataclass(frozen=True, slots=True)
class Office:
    """The till's database, open to read."""

    store: Store
    terminal: Terminal
    config: Config

    def find(self, text: str) -> Finding:
        """Look somebody up; see `Lookup.find`."""
        return Lookup(self.store, self.terminal.card_key, self.config.card_formats).find(text)

    def today(self) -> date:
        """The trading day now."""
        till = self.config.till
        return business_date(wall_ms(), ZoneInfo(till.time_zone), till.business_day_starts)


@contextlib.contextmanager
def looking(config: Config) -> Iterator[Office]:
    """The till's database, open to read; what goes wrong ends the command with one line."""
    try:
        store = look_store(config)
        try:
            yield Office(store, load_terminal(store), config)
        finally:
            store.close()
    except (SyncError, LoyaltyError) as error:
        fail(str(error))
