"""`spaarpunt till`: run the till."""

from __future__ import annotations

import click

from pos_client.app import StartError
from pos_client.commands.common import console, fail, pass_config
from pos_client.config import Config
from pos_client.logs import log_faults, set_up_logs
from pos_client.runtime import Runtime
from pos_client.serve import serve_till


@click.command()
@pass_config
def till(config: Config) -> None:
    """Run devices, cashier screen, plug-in API and sync agent, until stopped (Ctrl-C)."""
    set_up_logs(config.log, config.log_folder, config.card_formats)
    log_faults()

    def ready(address: str, runtime: Runtime) -> None:
        console.print(
            f"{runtime.terminal.store_name} · {config.till.name} is ready: {address}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    try:
        serve_till(config, ready)
    except StartError as error:
        fail(str(error))
