"""`spaarpunt history`: what a member did at this till, newest first, each entry with its explanation."""

from __future__ import annotations

from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from pos_client.commands.common import EXIT_PROBLEM, console, emit, json_option, pass_config
from pos_client.commands.office import looking
from pos_client.config import Config
from pos_client.moments import iso, minutes
from pos_client.office.lookup import Kind
from pos_client.office.story import MAX_LINES, Line, Standing, Stories

_STANDINGS = {
    Standing.CONFIRMED: "confirmed",
    Standing.QUEUED: "on its way",
    Standing.PARKED: "not booked: see the inbox",
}


@click.command()
@click.argument("who", metavar="CARD|PHONE|EMAIL|RECEIPT")
@click.option(
    "--limit", type=click.IntRange(1, MAX_LINES), default=20, show_default=True, help="Entries shown, at most 200."
)
@json_option
@click.pass_context
@pass_config
def history(config: Config, context: click.Context, who: str, limit: int, as_json: bool) -> None:
    """Show a member's entries at this till, newest first, each with how its points came about.

    Of a RECEIPT: that one entry. Works without a network and beside a running till; what was bought at other tills
    is in the balance and not here. Exit code 1 when there is nothing.
    """
    with looking(config) as office:
        finding = office.find(who)
        stories = Stories(office.store, config.till.language)
        if finding.kind is Kind.RECEIPT and finding.receipt is not None:
            lines = [stories.entry(finding.receipt)]
        else:
            lines = [line for person in finding.people for line in stories.of(person, limit)][:limit]
    emit([line_data(line) for line in lines], as_json, lambda: _show(lines, config))
    if not lines:
        context.exit(EXIT_PROBLEM)


def line_data(line: Line) -> dict[str, Any]:
    """An entry for programs."""
    entry = line.entry
    return {
        "at": iso(entry.clock.wall_ms),
        "business_date": entry.business_date.isoformat(),
        "kind": str(entry.kind),
        "entry": entry.id,
        "receipt": entry.session,
        "points": entry.points,
        "explanation": line.said,
        "reason": entry.reason,
        "approver": entry.approver,
        "standing": line.standing.value,
    }


def _show(lines: list[Line], config: Config) -> None:
    if not lines:
        click.echo("no entries at this till")
        return
    table = Table("when", "what")
    table.add_column("points", justify="right")
    table.add_column("how")
    table.add_column("head office")
    for line in lines:
        entry = line.entry
        said = f"{entry.reason} ({entry.approver})" if entry.reason else line.said
        when = minutes(entry.clock.wall_ms, config)
        table.add_row(when, str(entry.kind), f"{entry.points:+}", escape(said), _STANDINGS[line.standing])
    console.print(table)
