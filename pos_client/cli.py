"""The command line `spaarpunt`: gathers the commands, each in a room of its own under `commands`."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import get_completion_class

from pos_client import __version__
from pos_client.commands.lazy import LazyGroup
from pos_client.config import CONFIG_VARIABLE, LogConfig
from pos_client.logs import set_up_logs

_COMMANDS = {
    "adjust": "pos_client.commands.adjust:adjust",
    "balance": "pos_client.commands.balance:balance",
    "block": "pos_client.commands.block:block",
    "cards": "pos_client.commands.cards:cards",
    "config": "pos_client.commands.config:config_group",
    "decode": "pos_client.commands.decode:decode_command",
    "demo": "pos_client.commands.demo:demo",
    "devices": "pos_client.commands.devices:devices_group",
    "doctor": "pos_client.commands.doctor:doctor",
    "enrol": "pos_client.commands.enrol:enrol",
    "history": "pos_client.commands.history:history",
    "hq": "pos_client.commands.hq:hq",
    "inbox": "pos_client.commands.inbox:inbox",
    "install": "pos_client.commands.install:install",
    "interpret": "pos_client.commands.interpret:interpret",
    "manager": "pos_client.commands.manager:manager",
    "programme": "pos_client.commands.programme:programme",
    "receipt": "pos_client.commands.receipt:receipt",
    "report": "pos_client.commands.report:report",
    "simulate": "pos_client.commands.simulate:simulate",
    "status": "pos_client.commands.status:status",
    "sync": "pos_client.commands.sync:sync_group",
    "till": "pos_client.commands.till:till",
    "tokens": "pos_client.commands.tokens:tokens",
}


@click.group(
    cls=LazyGroup,
    commands_in=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
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
