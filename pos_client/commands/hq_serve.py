"""`spaarpunt hq serve`: head office for tills."""

from __future__ import annotations

import click

from pos_client.commands.hq_database import on_database
from pos_client.config import Config
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
    serve(
        config.hq.host if host is None else host,
        config.hq.port if port is None else port,
        database,
        workers,
        lambda address: click.echo(f"head office listens on {address}"),
    )
