"""`spaarpunt adjust`: points given or taken on a manager's word."""

from __future__ import annotations

import click

from pos_client.commands.approved import answer_for, approved, at_till
from pos_client.commands.common import console, emit, json_option, pass_config
from pos_client.config import Config
from pos_client.plugin.decisions import adjust as adjust_here
from pos_client.plugin.messages_manager import MAX_ADJUSTMENT, Adjust


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("card")
@click.argument("points", type=click.IntRange(-MAX_ADJUSTMENT, MAX_ADJUSTMENT))
@approved
@json_option
@pass_config
def adjust(config: Config, *, card: str, points: int, reason: str, manager: str, as_json: bool) -> None:
    """Give the member of CARD so many POINTS, or take them (negative), with a manager's PIN and reason.

    Works without a network and beside a running till; head office hears of it with the next exchange.
    """
    if not points:
        raise click.UsageError("expected points to give, or a negative number to take")
    request = Adjust(card=card, points=points, **answer_for(manager, reason))
    done = at_till(config, lambda runtime: adjust_here(runtime, request), lambda client: client.adjust(request))
    balance = done.member.balance
    emit(
        done.model_dump(mode="json"),
        as_json,
        lambda: console.print(
            f"✓ {points:+} points, balance {balance.total} ({balance.queued:+} here)", highlight=False
        ),
    )
