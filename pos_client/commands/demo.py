"""`spaarpunt demo`: a whole shop morning on this machine, for real."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from pos_client.commands.common import EXIT_PROBLEM, fail
from pos_client.demo.morning import Figures, Morning
from pos_client.demo.shops import SHOPS
from pos_client.demo.world import DemoError, World
from pos_client.plugin.client import PluginProblem


@click.command()
@click.option("--headless", is_flag=True, help="End after the table; exit code 0 only if every figure agrees.")
@click.option("--json", "as_json", is_flag=True, help="With --headless: the last line is one JSON object.")
@click.option(
    "--programme",
    "name",
    type=click.Choice(tuple(SHOPS)),
    default="bakery",
    show_default=True,
    help="The sample programme, and a shop that goes with it.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the demo's databases and logs; it must be empty or new. Default: a temporary one.",
)
@click.pass_context
def demo(context: click.Context, *, headless: bool, as_json: bool, name: str, data: Path | None) -> None:
    """Play one shop morning: head office, a till, scanners, a cut line, a kill -9, and the proof of the day.

    Everything is real: PostgreSQL, the encrypted till database, bytes on ptys and pipes, pictures of QR codes, signed
    requests over HTTP. Without --headless it stays up with a panel of virtual devices to try by hand.
    """
    if as_json and not headless:
        raise click.UsageError("--json goes with --headless")
    if data is not None and data.exists() and any(data.iterdir()):
        raise click.UsageError(f"{data} is not empty: name a new folder")
    console = Console(stderr=as_json, highlight=False, soft_wrap=True)
    with tempfile.TemporaryDirectory(prefix="spaarpunt-demo-", ignore_cleanup_errors=True) as temporary:
        world = World(data or Path(temporary), SHOPS[name])
        try:
            figures, problems = play(world, console)
            if as_json:
                click.echo(json.dumps(figures_json(figures)))
            if not headless:
                _stay(world, console)
        except (DemoError, PluginProblem) as error:
            fail(str(error))
        finally:
            world.close()
    if problems:
        context.exit(EXIT_PROBLEM)


def play(world: World, console: Console) -> tuple[Figures, list[str]]:
    """Start all parts of `world` and play its morning, told on `console`; the figures, and which do not agree.

    Raises:
        DemoError, PluginProblem: a part does not start, or something did not happen as it should.
    """

    def say(text: str) -> None:
        console.print(f"  {text}")

    say("head office starts, with its own PostgreSQL")
    world.start_head_office()
    say(f"it publishes the programme of {world.shop.name} and loads 1 000 members")
    world.fill_head_office()
    say(f"the till is enrolled as {world.enrol_till()}")
    world.start_till()
    say("the till runs, with a serial scanner, a magstripe reader and a camera")
    figures, tally = Morning(world, say).play()
    problems = figures.problems(tally)
    console.print(_table(figures))
    for problem in problems:
        console.print(f"[red]✗ does not agree: {problem}[/]")
    if not problems:
        console.print("[green]✓ every figure agrees[/]")
    console.print(f"cashier screen: {world.screen}")
    return figures, problems


def _table(figures: Figures) -> Table:
    table = Table("", "till", "head office", title="The morning")
    table.add_row("sales", str(figures.sales), "")
    table.add_row("entries, voids included", str(figures.entries_journaled), str(figures.entries_at_hq))
    table.add_row("points", str(figures.points_local), str(figures.points_at_hq))
    table.add_row("queue", str(figures.queue), "")
    table.add_row("bank cards refused", str(figures.payment_cards_refused), "")
    table.add_row("killed with kill -9", str(figures.killed), "")
    table.add_row("proof of the day", "agrees" if figures.proof_agrees else "DIFFERS", "")
    return table


def figures_json(figures: Figures) -> dict[str, object]:
    """The published figures; queue and balances are in the table and the exit code."""
    return {name: value for name, value in asdict(figures).items() if name not in {"queue", "balances_agree"}}


def _stay(world: World, console: Console) -> None:
    from pos_client.demo.members import members
    from pos_client.demo.panel import serve_panel

    console.print(f"for docs/plugin.md: TILL={world.screen.rstrip('/')} CARD={members()[0].card}", highlight=False)
    console.print(f"virtual devices: http://127.0.0.1:{world.panel_port}/ (Ctrl-C ends everything)")
    serve_panel(world)
