"""`spaarpunt simulate`: a chain of thousands of tills on this machine, in simulated time."""

from __future__ import annotations

import signal
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from types import FrameType

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from loyalty.programme import OfflineMode
from pos_client.commands.common import EXIT_PROBLEM, console, emit, errors, fail, json_option
from pos_client.config import LogConfig
from pos_client.logs import set_up_logs
from pos_client.simulation.plot import draw
from pos_client.simulation.report import Report
from pos_client.simulation.run import Simulation
from pos_client.simulation.scenario import HOUR_S, Scenario
from sync.hq.errors import HqError

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 -- a folder of our own is made in it
BYTES_A_TILL = 600_000
"""What a till's database takes while it is open, and some more."""
MAX_TILLS, MAX_DAYS, MAX_SALES = 100_000, 31, 200.0


@click.command()
@click.option("--tills", type=click.IntRange(1, MAX_TILLS), default=100, show_default=True, help="How many tills.")
@click.option("--days", type=click.IntRange(1, MAX_DAYS), default=1, show_default=True, help="How many days.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed is the same run.")
@click.option(
    "--sales-per-day",
    type=click.FloatRange(0, MAX_SALES),
    default=1.0,
    show_default=True,
    help="Sales of members at each till on a day, on average. The time that a run takes goes by this.",
)
@click.option(
    "--policy",
    type=click.Choice([mode.value for mode in OfflineMode]),
    default=OfflineMode.LEASE.value,
    show_default=True,
    help="What tills may redeem on their own.",
)
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), help="Write requests and queues over time as SVG."
)
@json_option
@click.pass_context
def simulate(  # noqa: PLR0917 -- click passes by name
    context: click.Context,
    tills: int,
    days: int,
    seed: int,
    sales_per_day: float,
    policy: str,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Simulate a chain: a night storm, a region without a line, head office away, wrong clocks, copied tills.

    Tills' databases, agents and head office's booking are the real ones, on a real PostgreSQL; time, network and
    shoppers are made up. Ctrl-C ends it with what there is so far. Exit code 1 when an invariant does not hold.
    """
    set_up_logs(LogConfig(level="error"))  # warnings are what is simulated, by the thousand
    scenario = Scenario(tills, days, seed, sales_per_day, OfflineMode(policy))
    with _folder(tills) as folder:
        Path(folder).chmod(0o755)
        try:
            report = _run(scenario, Path(folder), plot, quiet=as_json)
        except (HqError, OSError) as error:
            fail(str(error))
    emit(report.as_json(), as_json, lambda: _show(report))
    if not report.sound:
        context.exit(EXIT_PROBLEM)


def _folder(tills: int) -> AbstractContextManager[str]:
    """A folder in memory where there is room: nothing in it outlives the run, and tills write much."""
    import shutil

    fits = SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free > 2 * tills * BYTES_A_TILL
    return tempfile.TemporaryDirectory(
        prefix="spaarpunt-simulation-", dir=SHARED_MEMORY if fits else None, ignore_cleanup_errors=True
    )


def _run(scenario: Scenario, folder: Path, plot: Path | None, *, quiet: bool) -> Report:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Simulation(scenario, folder) as simulation:

        def stop(_signal: int, _frame: FrameType | None) -> None:
            simulation.stop()
            signal.signal(signal.SIGINT, before)  # a second Ctrl-C does not wait

        before = signal.signal(signal.SIGINT, stop)
        try:
            with Progress(*columns, console=errors, transient=True, disable=quiet) as progress:
                hours = progress.add_task("simulated", total=None)
                report = simulation.run(lambda done, of: progress.update(hours, completed=done, total=of))
        finally:
            signal.signal(signal.SIGINT, before)
        if plot is not None:
            traffic = simulation.network.traffic
            title = f"{scenario.tills} tills, {scenario.days} days, seed {scenario.seed}"
            draw(plot, traffic.by_second, simulation.samples, until_s=report.simulated_s, title=title)
    return report


def _show(report: Report) -> None:
    tally, checks = report.tally, report.checks
    table = Table("", "", title="The simulation" if report.complete else "The simulation, ended early")
    for name, value in (
        ("simulated", f"{report.simulated_s / HOUR_S:.1f} hours"),
        ("sales, with a reward", f"{tally.sales}, {tally.rewards}"),
        ("requests", f"{sum(report.requests.values())}"),
        ("busiest second, minute", f"{report.peak.per_s}, {report.peak.minute_per_s} requests a second"),
        ("busiest at night", f"{report.night_peak.per_s}, {report.night_peak.minute_per_s} requests a second"),
        *((f"drained after: {drain['after']}", _drained(drain)) for drain in report.drains),
        ("longest wait at head office", f"{report.longest_wait_s} s"),
        ("nights that agreed", f"{tally.nights_agreed} of {tally.nights}"),
        ("receipts at head office", f"{checks.at_head_office} of {tally.sales}"),
        ("waiting, at copied tills", f"{checks.waiting}, {checks.waiting_at_copies}"),
        ("parked", ", ".join(f"{code} {count}" for code, count in checks.parked.items()) or "0"),
        ("overspent, allowed", f"{checks.overspent_points}, {checks.allowed_points} points"),
    ):
        table.add_row(name, value)
    out: Console = console
    out.print(table)
    for problem in checks.problems:
        out.print(f"[red]✗ {problem}[/]")
    if report.sound:
        out.print("[green]✓ every receipt once, every sum right, nothing overspent beyond the policy[/]")


def _drained(drain: dict[str, object]) -> str:
    took = "not yet" if drain["drained_s"] is None else f"{drain['drained_s']} s"
    return f"{took} ({drain['tills']} tills, {drain['entries']} entries)"
