"""What every command shares: the configuration, output for people or programs, and the exit codes."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
from rich.console import Console

from pos_client.config import Config, ConfigError, find_config, load_config

R = TypeVar("R")

EXIT_PROBLEM = 1
"""The command ran and found a problem."""
EXIT_USAGE = 2
"""Wrong use: arguments or configuration; click uses the same number."""

console = Console()
errors = Console(stderr=True)


class Problem(click.ClickException):
    """Something is wrong outside the command's arguments: one line to standard error, exit code 1."""

    exit_code = EXIT_PROBLEM

    def show(self, file: Any = None) -> None:
        errors.print(f"[bold red]✗[/] {_plain(self.message)}", highlight=False, soft_wrap=True)


def _plain(text: str) -> str:
    """`text` with rich's markup brackets escaped: messages may hold anything."""
    return text.replace("[", r"\[")


def fail(text: str) -> NoReturn:
    """End the command with exit code 1 and one line: what, where, what to do."""
    raise Problem(text)


def ask_pin(what: str, *, twice: bool = False) -> str:
    """A PIN: typed unseen at a terminal, `twice` when it is new; without a terminal the first line of standard input.

    The question goes to standard error. Without a line the command ends with exit code 1.
    """
    if sys.stdin.isatty():
        return str(click.prompt(what, hide_input=True, confirmation_prompt=twice, err=True))
    pin = sys.stdin.readline().strip()
    if not pin:
        fail(f"{what}: expected it at a terminal or on standard input, got nothing")
    return pin


def emit(data: Any, as_json: bool, show: Callable[[], None]) -> None:
    """Print `data` as one JSON document, or call `show` to print it for people."""
    if as_json:
        click.echo(json.dumps(data, ensure_ascii=False, default=str))
    else:
        show()


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
"""Passes `as_json` to a command whose output is data."""


def pass_config(command: Callable[..., R]) -> Callable[..., R]:
    """Pass the loaded `Config` as first argument; the file comes from `--config` of the whole command."""

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> R:
        context = click.get_current_context()
        return command(read_config(context.find_root().params.get("config")), *args, **kwargs)

    return wrapper


def read_config(path: Path | None) -> Config:
    """Load the configuration, turning what is wrong with it into exit code 2 with one line a problem."""
    try:
        return load_config(path or find_config())
    except ConfigError as error:
        lines = [f"{error.source}: {problem}" for problem in error.problems]
        raise click.UsageError("the configuration cannot be used\n  " + "\n  ".join(lines)) from error
