"""`spaarpunt report`: a business date at this till, on screen or as a file."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from rich.markup import escape
from rich.table import Table

from loyalty.explain import money
from pos_client.commands.common import console, emit, fail, json_option, pass_config
from pos_client.commands.office import looking
from pos_client.config import Config
from pos_client.moments import minutes
from pos_client.office.day import DayReport, ProofState, day_report
from pos_client.office.files import report_csv
from pos_client.office.hints import Hint, hints
from pos_client.office.saying import say_hint
from pos_client.screen.words import Words

FILE = click.Path(path_type=Path, dir_okay=False)

_PROOFS = {
    ProofState.AGREES: "[green]✓ agrees[/]",
    ProofState.DIFFERS: "[red]✗ differs: call head office[/]",
    ProofState.OPEN: "not compared yet: at night, or with spaarpunt sync nightly",
}


@click.command()
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="The business date; today when not given.")
@click.option("--pdf", type=FILE, help="Write the report as a PDF to this file.")
@click.option("--csv", "spreadsheet", type=FILE, help="Write it as CSV to this file.")
@json_option
@pass_config
def report(config: Config, *, day: datetime | None, pdf: Path | None, spreadsheet: Path | None, as_json: bool) -> None:
    """Report on a day at this till: sales with a card, points, rewards given, what was parked, the proof, hints.

    Works without a network and beside a running till.
    """
    with looking(config) as office:
        wanted = day.date() if day else office.today()
        made = day_report(office.store, office.terminal, wanted, config.till.language)
        noticed = hints(office.store, wanted)
    words = Words(config.till.language, ZoneInfo(config.till.time_zone))
    try:
        if pdf is not None:
            from pos_client.office.paper import report_pdf

            pdf.write_bytes(report_pdf(words, config.till.name, made, noticed, ()))
        if spreadsheet is not None:
            spreadsheet.write_text(report_csv(made, noticed, ()), encoding="utf-8", newline="")
    except OSError as error:
        fail(f"the report could not be written to {error.filename}: {error.strerror}")
    data = {**asdict(made), "hints": [asdict(hint) for hint in noticed]}

    def show() -> None:
        _show(made, noticed, config)
        for path in (pdf, spreadsheet):
            if path is not None:
                console.print(f"✓ {path}", markup=False, highlight=False, soft_wrap=True)

    emit(data, as_json, show)


def _show(made: DayReport, noticed: list[Hint], config: Config) -> None:
    title = escape(f"{made.store_name}, {config.till.name}, {made.day:%d-%m-%Y}")
    table = Table(title=title, show_header=False, box=None)
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
        ("not booked by head office", made.unbooked),
        ("waiting to be sent", made.queued),
    ):
        table.add_row(name, str(value))
    console.print(table)
    for reward in made.given:
        worth = money(reward.minor, made.currency, "en")
        console.print(escape(f"  {reward.count} × {reward.name}: {reward.points} points, {worth}"), highlight=False)
    compared = f" ({minutes(made.proof_checked_ms, config)})" if made.proof_checked_ms else ""
    console.print(f"head office: {_PROOFS[made.proof]}{compared}", highlight=False)
    english = Words("en", ZoneInfo("UTC"))
    for hint in noticed:
        console.print(escape(f"worth a look: {say_hint(english, hint)}: {', '.join(hint.entries)}"), highlight=False)
