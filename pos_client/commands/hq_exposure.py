"""`spaarpunt hq exposure`: the worst joint overspend that the offline policy allows."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from loyalty.programme import OfflinePolicy
from pos_client.commands.common import json_option
from pos_client.commands.exposure import show_exposure
from pos_client.commands.hq_database import on_database
from pos_client.config import Config
from sync.hq.database import Database
from sync.hq.exposure import exposure


@click.command("exposure")
@json_option
@on_database
def at_head_office(_: Config, database: Database, as_json: bool) -> None:
    """Show how many points tills without a line could give away beyond what members have, at worst."""
    with database.connection() as conn:
        programme = database.programmes.newest(conn)
        found = exposure(conn, OfflinePolicy() if programme is None else programme.offline, datetime.now(UTC))
    show_exposure(found, as_json)
