"""`spaarpunt hq lease` and `spaarpunt hq debts`: points set aside at tills, and points spent that were not there."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import click
from rich.table import Table

from pos_client.commands.common import console, emit, json_option
from pos_client.commands.hq_database import on_database
from pos_client.config import Config
from sync.hq.database import Database
from sync.hq.leases import LeaseRow, live, revoke
from sync.hq.spending import Debt, debts


@click.group("lease")
def lease_group() -> None:
    """Points set aside at tills, for when they have no line."""


@lease_group.command("list")
@json_option
@on_database
def list_command(_: Config, database: Database, as_json: bool) -> None:
    """List what is set aside at tills and not spent, what is due first."""
    with database.connection() as conn:
        found = live(conn)
    emit([asdict(row) for row in found], as_json, lambda: _show_leases(found))


@lease_group.command("revoke")
@click.argument("lease")
@click.option("--by", required=True, metavar="NAME", help="Who answers for it.")
@json_option
@on_database
def revoke_command(_: Config, database: Database, lease: str, by: str, as_json: bool) -> None:
    """Free what is left of LEASE, as when its till is lost for good.

    What the till spent of it and has not sent, or spends before it hears, becomes a debt.
    """
    with database.connection() as conn:
        row = revoke(conn, lease, by, datetime.now(UTC))
    left = row.points - row.spent
    emit(
        {"lease": lease, "account": row.account, "points": left},
        as_json,
        lambda: click.echo(f"{left} points of {row.account} are free again; {row.terminal} hears of it"),
    )


@click.command("debts")
@json_option
@on_database
def debts_command(_: Config, database: Database, as_json: bool) -> None:
    """List sales that spent points which were not there, and returns that took what was set aside, the newest first.

    They are booked, and for somebody to look at.
    """
    with database.connection() as conn:
        found = debts(conn)
    emit([asdict(row) for row in found], as_json, lambda: _show_debts(found))


def _show_leases(found: list[LeaseRow]) -> None:
    if not found:
        click.echo("nothing is set aside at tills")
        return
    # Lines and no table: ids are copied from here, and a table would fold them.
    for row in found:
        state = "closed by the till" if row.closed else f"to be spent until {_minutes(row.expires_at)}"
        left = f"{row.points - row.spent} points"
        click.echo(f"{row.lease}  {row.terminal}  {row.account}  {left}  {state}")


def _show_debts(found: list[Debt]) -> None:
    if not found:
        click.echo("nothing took points that were not there or were set aside")
        return
    table = Table(title="Points taken that were not there, or were set aside at a till")
    for heading in ("account", "terminal", "booked"):
        table.add_column(heading, no_wrap=heading != "booked")
    for heading in ("number", "points", "balance now"):
        table.add_column(heading, justify="right")
    for row in found:
        numbers = (str(row.seq), str(row.points), str(row.balance))
        table.add_row(row.account, row.terminal, _minutes(row.booked_at), *numbers)
    console.print(table)


def _minutes(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
