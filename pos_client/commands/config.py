"""`spaarpunt config`: check a configuration file before a till starts with it."""

from __future__ import annotations

from pathlib import Path

import click

from drivers.errors import DriverError
from drivers.recognition.guard import check_patterns
from pos_client.commands.common import EXIT_PROBLEM, console, emit, errors, json_option
from pos_client.config import Config, ConfigError, load_config
from pos_client.device_settings import settings_for
from pos_client.reckoning import card_patterns


def _device_problems(config: Config) -> list[str]:
    """What the drivers themselves object to: settings that are each right and do not go together."""
    problems = []
    for name, device in config.devices.items():
        try:
            settings_for(device)
        except DriverError as error:
            problems.append(f"devices.{name}: {error}")
    return problems


@click.group("config")
def config_group() -> None:
    """Check the configuration."""


@config_group.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def check(context: click.Context, file: Path, as_json: bool) -> None:
    """Say whether FILE can be used, and if not, what to change.

    Environment variables SPAARPUNT_… are taken into account, as they are when the till starts.
    """
    problems: list[str] = []
    shown = ""
    try:
        config = load_config(file)
        check_patterns(card_patterns(config.card_formats))
        problems = _device_problems(config)
        shown = f"{len(config.devices)} devices, {len(config.card_formats)} card formats"
    except ConfigError as error:
        problems = error.problems
    except DriverError as error:
        problems = [f"card_formats: {error}"]

    def show() -> None:
        for problem in problems:
            errors.print(f"✗ {file}: {problem}", markup=False, highlight=False, soft_wrap=True)
        if not problems:
            console.print(f"✓ {file}: usable ({shown})", markup=False, highlight=False, soft_wrap=True)

    emit({"file": str(file), "usable": not problems, "problems": problems}, as_json, show)
    if problems:
        context.exit(EXIT_PROBLEM)
