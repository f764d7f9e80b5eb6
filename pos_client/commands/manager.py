"""`spaarpunt manager`: who may decide at this till, by name and PIN."""

from __future__ import annotations

import click

from loyalty.errors import LoyaltyError
from pos_client.app import look_store, open_store
from pos_client.approvals import Approvals
from pos_client.commands.common import ask_pin, emit, fail, json_option, pass_config
from pos_client.config import Config
from sync.errors import StoreTaken, SyncError

_STOP = "the till is running: stop it, and then name its managers; whoever may stop it may say who they are"


@click.group()
def manager() -> None:
    """Managers of this till: adjustments and the inbox ask for one's PIN."""


@manager.command("add")
@click.argument("name")
@json_option
@pass_config
def add(config: Config, name: str, as_json: bool) -> None:
    """Give manager NAME a PIN at this till, or another one. Asks for it twice; only its hash is kept.

    Stop the till first. Without a terminal the PIN is read from standard input.
    """
    try:
        store = open_store(config)  # before a PIN is typed for nothing
        try:
            Approvals(store).add(name, ask_pin(f"New PIN of {name}", twice=True))
        finally:
            store.close()
    except StoreTaken:
        fail(_STOP)
    except (SyncError, LoyaltyError) as error:
        fail(str(error))
    emit({"manager": name}, as_json, lambda: click.echo(f"{name} can decide at this till"))


@manager.command("list")
@json_option
@pass_config
def list_command(config: Config, as_json: bool) -> None:
    """List the managers that have a PIN at this till."""
    try:
        store = look_store(config)
        names = Approvals(store).names()
        store.close()
    except SyncError as error:
        fail(str(error))
    emit(names, as_json, lambda: click.echo("\n".join(names) or "no manager has a PIN at this till"))


@manager.command("remove")
@click.argument("name")
@json_option
@pass_config
def remove(config: Config, name: str, as_json: bool) -> None:
    """Take the PIN of manager NAME away at this till. What was decided before keeps the name."""
    try:
        store = open_store(config)
        try:
            Approvals(store).remove(name)
        finally:
            store.close()
    except StoreTaken:
        fail(_STOP)
    except (SyncError, LoyaltyError) as error:
        fail(str(error))
    emit({"manager": name}, as_json, lambda: click.echo(f"{name} can no longer decide at this till"))
