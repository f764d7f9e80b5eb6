"""`spaarpunt hq parked` and `hq resolve`: what head office did not book, and its own word on it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC

import click
from rich.markup import escape
from rich.table import Table

from loyalty.resolution import Action, actions_for
from pos_client.commands.common import console, emit, json_option
from pos_client.commands.hq_database import on_database
from pos_client.config import Config
from sync.hq.database import Database
from sync.hq.inbox import decide
from sync.hq.overview import ParkedRow, parked
from sync.hq.profiles import account_of

Named = click.IntRange(0, 2**31 - 1)


@click.command("parked")
@json_option
@on_database
def parked_command(_: Config, database: Database, as_json: bool) -> None:
    """List entries that were received but not booked, oldest first, each with the reason and what can be done."""
    with database.connection() as conn:
        found = parked(conn)
    emit(
        [{**asdict(row), "actions": sorted(actions_for(row.code))} for row in found],
        as_json,
        lambda: _show_parked(found),
    )


@click.command("resolve")
@click.argument("action", type=click.Choice([action.value for action in Action if action is not Action.UNDO]))
@click.argument("terminal")
@click.argument("epoch", type=Named)
@click.argument("number", type=click.IntRange(1, 2**63 - 1))
@click.option("--card", metavar="CARD", help="For link: a card of the member that the entry's card belongs to.")
@click.option("--account", metavar="ID", help="For link: the member's account, instead of --card.")
@click.option("--reason", required=True, help="Why, at most 200 characters; the store reads it.")
@click.option("--by", "name", metavar="NAME", required=True, help="Who answers for it, at most 64 characters.")
@json_option
@on_database
def resolve_command(
    config: Config,
    database: Database,
    *,
    action: str,
    terminal: str,
    epoch: int,
    number: int,
    card: str | None,
    account: str | None,
    reason: str,
    name: str,
    as_json: bool,
) -> None:
    """Decide about the entry parked as TERMINAL EPOCH NUMBER (see hq parked); the store's tills hear of it.

    link: its card belongs to a member, and all that is parked for it is judged again. approve: book it as the till
    stated it. reverse: book nothing. refer: mark it as looked at by head office, so that the store leaves it.
    """
    if (action == Action.LINK) != (bool(card) != bool(account)):
        raise click.UsageError("link needs the member, by --card or --account; the other actions take neither")
    if not (0 < len(reason.strip()) <= 200 and 0 < len(name.strip()) <= 64):
        raise click.UsageError("expected a --reason of 1 to 200 characters and a --by of 1 to 64")
    with database.connection() as conn:
        if card:
            account = account_of(conn, database.keys.card, config.card_formats, card)
        booked = decide(
            conn,
            database.programmes,
            (terminal, epoch, number),
            Action(action),
            account=account,
            reason=reason.strip(),
            approver=name.strip(),
        )
    data = {"terminal": terminal, "epoch": epoch, "number": number, "action": action, "booked": len(booked)}
    emit(data, as_json, lambda: click.echo(f"{action}: done, {len(booked)} entries booked"))


def _show_parked(found: tuple[ParkedRow, ...]) -> None:
    if not found:
        click.echo("nothing is parked")
        return
    table = Table(title="Parked entries")
    table.add_column("entry", no_wrap=True)
    table.add_column("points", justify="right")
    for heading in ("reason", "since", "decides"):
        table.add_column(heading)
    for row in found:
        handed = f" (handed over by {row.approver}: {row.reason})" if row.state == "referred" else ""
        table.add_row(
            f"{row.terminal} {row.epoch} {row.seq}",
            str(row.points),
            escape(f"{row.code}: {row.text}{handed}"),
            row.parked_at.astimezone(UTC).strftime("%Y-%m-%d"),
            "head office" if row.state == "referred" else escape(f"store {row.store}"),
        )
    console.print(table)
    console.print("decide with: spaarpunt hq resolve ACTION ENTRY --reason … --by …", highlight=False)
