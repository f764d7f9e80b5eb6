"""What commands share that a manager answers for: reason, name and PIN, and the till that carries them out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
import uuid6

from loyalty.errors import LoyaltyError
from pos_client.app import StartError, build_runtime, open_store
from pos_client.commands.common import ask_pin, fail
from pos_client.config import Config
from pos_client.plugin.client import PluginProblem, TillClient
from pos_client.plugin.token import TokenError, read_or_create
from pos_client.runtime import Runtime
from sync.errors import StoreTaken, SyncError

C = TypeVar("C", bound=Callable[..., Any])
R = TypeVar("R")


def approved(command: C) -> C:
    """Add --reason and --manager to a command."""
    for option in (
        click.option(
            "--manager",
            required=True,
            metavar="NAME",
            help="Who answers for it; the PIN is asked for, or read from standard input.",
        ),
        click.option("--reason", required=True, metavar="TEXT", help="Why, at most 200 characters."),
    ):
        command = option(command)
    return command


def answer_for(manager: str, reason: str) -> dict[str, Any]:
    """The part of a request that a manager answers for; asks for the PIN. The question goes to standard error."""
    if not reason.strip() or len(reason) > 200:
        raise click.UsageError("expected a --reason of 1 to 200 characters")
    pin = ask_pin(f"PIN of {manager}")
    return {"id": str(uuid6.uuid7()), "reason": reason, "approver": manager, "pin": pin}


def at_till(config: Config, here: Callable[[Runtime], R], running: Callable[[TillClient], R]) -> R:
    """Carry something out in this process on the till's database, or by the running till that owns it.

    Ends the command with one line when it cannot be done.
    """
    try:
        store = open_store(config)
    except StoreTaken:
        return _ask(config, running)
    except SyncError as error:
        fail(str(error))
    try:
        return here(build_runtime(config, store))
    except (SyncError, StartError, LoyaltyError) as error:
        fail(str(error))
    finally:
        store.close()


def _ask(config: Config, running: Callable[[TillClient], R]) -> R:
    try:
        token = read_or_create(config.plugin_token_file)
        with TillClient(f"http://127.0.0.1:{config.screen.port}", token, patience_s=0) as client:
            return running(client)
    except (PluginProblem, TokenError) as error:
        fail(str(error))
