"""Runs benchmarks by name and prints a table, or one JSON object a line."""

from __future__ import annotations

import importlib
import json
import logging

import click
import structlog
from rich.console import Console
from rich.table import Table

NAMES = (
    "api",
    "beside",
    "camera_loop",
    "checkout",
    "decoding",
    "devices",
    "drain",
    "ingest",
    "journal",
    "lookup",
    "nightly",
    "quote",
    "recognition",
    "replay",
    "scan_to_screen",
    "snapshot",
    "till_at_work",
)
"""Each is a module of this package with `measure() -> list[Result]`."""


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(names: tuple[str, ...], as_json: bool) -> None:
    """Run the benchmarks NAMES, or all of them."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    progress = Console(stderr=True)
    results = []
    for name in names or NAMES:
        with progress.status(f"measuring {name} …"):
            measured = importlib.import_module(f"benchmarks.{name}").measure()
        results += measured
        if as_json:
            for result in measured:
                click.echo(json.dumps(result.to_json()))
    if as_json:
        return
    table = Table("what", "ours", "unit", "better", "peers", "to best peer", "floor", "to floor")
    for result in results:
        data = result.to_json()
        table.add_row(
            result.bench,
            f"{result.ours:,.2f}",
            result.unit,
            result.better,
            "\n".join(f"{peer}: {value:,.2f}" for peer, value in result.peers.items()),
            _ratio(data["ratio_to_best_peer"]),
            "" if result.floor is None else f"{result.floor:,.2f}",
            _ratio(data["ratio_to_floor"]),
        )
    Console().print(table)


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}×"


main()
