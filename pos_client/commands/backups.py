"""`spaarpunt sync backup`, `backups` and `restore`: copies of the till's database."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import click
from rich.table import Column, Table

from pos_client.app import STORE_NAME, look_store, till_key
from pos_client.commands.common import console, emit, fail, json_option, pass_config
from pos_client.config import Config
from sync.backups import Backup, back_up, backups, restore
from sync.errors import SyncError
from sync.terminal import wall_ms


@click.command("backup")
@json_option
@pass_config
def backup_command(config: Config, as_json: bool) -> None:
    """Make a backup of the till's database now, beside a running till. The night makes one by itself."""
    try:
        with contextlib.closing(look_store(config)) as store:
            made = back_up(store.path, store.key, wall_ms())
    except SyncError as error:
        fail(str(error))
    emit(_data(made), as_json, lambda: console.print(f"✓ {made.path} ({made.bytes} bytes)", highlight=False))


@click.command("backups")
@json_option
@pass_config
def backups_command(config: Config, as_json: bool) -> None:
    """List the backups, the newest first."""
    found = backups(config.till.data_dir / STORE_NAME)

    def show() -> None:
        table = Table("made (UTC)", "bytes", Column("file", overflow="fold"))  # whole: it is what restore is given
        for backup in found:
            table.add_row(f"{backup.at:%Y-%m-%d %H:%M:%S}", str(backup.bytes), str(backup.path))
        console.print(table if found else "no backups yet: the first night makes one")

    emit([_data(backup) for backup in found], as_json, show)


@click.command("restore")
@click.argument("backup", type=click.Path(path_type=Path, dir_okay=False), required=False)
@json_option
@pass_config
def restore_command(config: Config, backup: Path | None, as_json: bool) -> None:
    """Put BACKUP (default: the newest) in the place of the till's database, which is set aside. Stop the till first.

    At its next start the till asks head office how far it has this journal, before it books anything.
    """
    database = config.till.data_dir / STORE_NAME
    try:
        found = backups(database)
        if backup is None and not found:
            fail(f"no backup in {config.till.data_dir}: name the file")
        chosen = backup or found[0].path
        aside = restore(database, till_key(config), chosen, wall_ms())
    except SyncError as error:
        fail(str(error))
    emit(
        {"restored": str(chosen), "set_aside": None if aside is None else str(aside)},
        as_json,
        lambda: console.print(f"✓ restored {chosen}; what was there is now {aside}", highlight=False),
    )


def _data(backup: Backup) -> dict[str, Any]:
    return {"path": str(backup.path), "at": backup.at.isoformat(), "bytes": backup.bytes}
