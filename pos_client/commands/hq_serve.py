"""`spaarpunt hq serve`: head office for tills."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import click

from loyalty.cards import CardFormat
from pos_client.commands.hq_database import on_database
from pos_client.config import Config, LogConfig
from pos_client.logs import log_faults, set_up_logs
from sync.hq.database import Database
from sync.hq.serve import MAX_WORKERS, default_workers, serve


@click.command("serve")
@click.option("--host", help="Address to listen on, instead of hq.host.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on, instead of hq.port; 0 takes a free one."
)
@click.option(
    "--workers",
    type=click.IntRange(1, MAX_WORKERS),
    default=default_workers,
    show_default="one for every two processors",
    help="Processes that take requests on the one port.",
)
@on_database
def serve_command(config: Config, database: Database, host: str | None, port: int | None, workers: int) -> None:
    """Run head office until Ctrl-C or SIGTERM. Prints one line with its address once it takes requests."""
    set_up = partial(_set_up, LogConfig(level="warning", format=config.log.format), config.card_formats)
    set_up()
    serve(
        config.hq.host if host is None else host,
        config.hq.port if port is None else port,
        database,
        workers,
        on_ready=lambda address: click.echo(f"head office listens on {address}"),
        set_up=set_up,
    )


def _set_up(config: LogConfig, formats: Sequence[CardFormat]) -> None:
    """What every process of head office begins with: its log lines, and the traces of faults, hold no card."""
    set_up_logs(config, formats=formats)
    log_faults()
