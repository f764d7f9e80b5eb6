"""`spaarpunt report`: a business date at this till, on screen or as a file."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import click
from rich.markup import escape
from rich.table import Table

from loyalty.explain import money
from pos_client.commands.common import console, emit, json_option, pass_config
from pos_client.commands.office import looking, minutes
from pos_client.config import Config
from pos_client.office.day import DayReport, ProofState, day_report

_PROOFS = {
    ProofState.AGREES: "[green]✓ agrees[/]",
    ProofState.DIFFERS: "[red]✗ differs: call head office[/]",
    ProofState.OPEN: "not compared yet: at night, or with spaarpunt sync nightly",
}


@click.command()
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="The business date; today when not given.")
@json_option
@pass_config
def report(config: Config, day: datetime | None, as_json: bool) -> None:
    """Report on a day at this till: sales with a card, points, rewards given, what was parked, the proof.

    Works without a network and beside a running till.
    """
    with looking(config) as office:
        made = day_report(office.store, office.terminal, day.date() if day else office.today(), config.till.language)
    emit(asdict(made), as_json, lambda: _show(made, config.till.name))


def _show(made: DayReport, till: str) -> None:
    table = Table(title=escape(f"{made.store_name}, {till}, {made.day:%d-%m-%Y}"), show_header=False, box=None)
    table.add_column()
    table.add_column(justify="right")
    for name, value in (
        ("sales with a card", made.sales.count),
        ("members", made.members),
        ("paid", money(made.paid_minor, made.currency, "en")),
        ("points given", made.earned),
        ("points redeemed", made.spent),
        ("undone", made.voids.count),
        ("returns", f"{made.returns.count} ({made.returns.points:+})"),
        ("adjustments", f"{made.adjustments.count} ({made.adjustments.points:+})"),
        ("not booked by head office", len(made.parked)),
        ("waiting to be sent", made.queued),
    ):
        table.add_row(name, str(value))
    console.print(table)
    for reward in made.given:
        worth = money(reward.minor, made.currency, "en")
        console.print(escape(f"  {reward.count} × {reward.name}: {reward.points} points, {worth}"), highlight=False)
    compared = f" ({minutes(made.proof_checked_ms)})" if made.proof_checked_ms else ""
    console.print(f"head office: {_PROOFS[made.proof]}{compared}", highlight=False)
