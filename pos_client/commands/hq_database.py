"""Head office's database for a command of `spaarpunt hq`: opened, passed, and what is wrong with it said in a line."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
import psycopg

from pos_client.commands.common import fail, pass_config
from pos_client.config import Config
from sync.hq.database import Database
from sync.hq.errors import HqError

R = TypeVar("R")

FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
"""A file that a command reads."""


def on_database(command: Callable[..., R]) -> Callable[..., R]:
    """Open head office's database for the command and pass it with the config; trouble with it ends the command."""

    @click.option("--database-url", metavar="URL", help="PostgreSQL to use, instead of hq.database_url.")
    @click.option(
        "--data",
        "data_dir",
        metavar="DIR",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder of the embedded PostgreSQL, instead of hq.data_dir and hq.database_url.",
    )
    @pass_config
    @functools.wraps(command)
    def wrapper(config: Config, *args: Any, database_url: str | None, data_dir: Path | None, **kwargs: Any) -> R:
        if database_url is not None and data_dir is not None:
            raise click.UsageError("--database-url and --data name two different databases: give one of them")
        url = database_url or (None if data_dir else config.hq.database_url)
        try:
            with Database.open(url, data_dir or config.hq.data_dir) as database:
                return command(config, database, *args, **kwargs)
        except HqError as error:
            fail(str(error))
        except psycopg.OperationalError as error:
            fail(f"head office's database does not answer: {str(error).strip().splitlines()[0]}; try again")

    return wrapper


def today() -> date:
    """Head office's date."""
    return datetime.now(UTC).date()
