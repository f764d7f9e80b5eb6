"""The command line `spaarpunt`: gathers the commands, each in a room of its own under `commands`."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import get_completion_class

from pos_client import __version__
from pos_client.commands.balance import balance
from pos_client.commands.config import config_group
from pos_client.commands.demo import demo
from pos_client.commands.enrol import enrol
from pos_client.commands.hq import hq
from pos_client.commands.sync import sync_group
from pos_client.commands.till import till
from pos_client.config import CONFIG_VARIABLE, LogConfig
from pos_client.logs import set_up_logs


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="spaarpunt", message="%(prog)s %(version)s")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar=CONFIG_VARIABLE,
    help="Configuration file. Default: ./spaarpunt.toml, then the user's configuration folder.",
)
def main(config: Path | None) -> None:
    """Loyalty at the till: scan, earn, redeem, with or without a network.

    Exit codes: 0 all is well, 1 a problem was found, 2 wrong use or configuration.
    """
    # Standard output is for answers; what a short command has to warn about goes to standard error.
    set_up_logs(LogConfig(level="warning"))


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL.

    For bash: spaarpunt completion bash > ~/.local/share/bash-completion/completions/spaarpunt
    """
    found = get_completion_class(shell)
    assert found is not None  # click ships all three
    click.echo(found(main, {}, "spaarpunt", "_SPAARPUNT_COMPLETE").source())


for command in (balance, config_group, demo, enrol, hq, sync_group, till):
    main.add_command(command)
