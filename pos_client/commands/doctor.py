"""`spaarpunt doctor`: everything about this till looked at, and what to do about what is wrong."""

from __future__ import annotations

from dataclasses import asdict

import click

from pos_client.commands.common import EXIT_PROBLEM, console, emit, json_option
from pos_client.config import find_config
from pos_client.doctor import examine_till


@click.command()
@json_option
@click.pass_context
def doctor(context: click.Context, *, as_json: bool) -> None:
    """Look at versions, clock, configuration, disk, key, database, head office and devices, and say what to do.

    Changes nothing. Works beside a running till, without a network, and where nothing is right. Exit code 0 only when
    all is well.
    """
    well = True
    found = []
    for checked in examine_till(context.find_root().params.get("config") or find_config()):
        well = well and checked.well
        found.append(asdict(checked))
        if not as_json:
            todo = f"\n    → {checked.todo}" if checked.todo else ""
            line = f"{'✓' if checked.well else '✗'} {checked.part}: {checked.text}{todo}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    emit({"well": well, "checks": found}, as_json, lambda: None)
    if not well:
        context.exit(EXIT_PROBLEM)
