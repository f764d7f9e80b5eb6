"""`spaarpunt hq stock`: the rewards of which there are so many in the chain."""

from __future__ import annotations

from dataclasses import asdict

import click
from rich.table import Table

from pos_client.commands.common import EXIT_PROBLEM, console, emit, json_option
from pos_client.commands.hq_database import on_database
from pos_client.config import Config
from sync.hq.database import Database
from sync.hq.stock import Stock, stocks


@click.command("stock")
@json_option
@on_database
def stock_command(_: Config, database: Database, as_json: bool) -> None:
    """Show the rewards with a stock: how many there were, and are left. Exit code 1 when too many were given."""
    with database.connection() as conn:
        found = stocks(conn, database.programmes)
    data = [{**asdict(row), "left": row.left, "over": row.over} for row in found]
    emit(data, as_json, lambda: _show(found))
    if any(row.over for row in found):
        click.get_current_context().exit(EXIT_PROBLEM)


def _show(found: tuple[Stock, ...]) -> None:
    if not found:
        click.echo("no reward has a stock")
        return
    table = Table("reward", title="Stock")
    for heading in ("there were", "given", "left"):
        table.add_column(heading, justify="right")
    for row in found:
        left = f"[red]{row.over} too many[/]" if row.over else str(row.left)
        table.add_row(row.reward, str(row.stock), str(row.given), left)
    console.print(table)
