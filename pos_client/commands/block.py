"""`spaarpunt block`: a member's card blocked, let in again, or replaced, on a manager's word."""

from __future__ import annotations

import click

from loyalty.card_orders import CardAction
from pos_client.commands.approved import answer_for, approved, at_till
from pos_client.commands.common import console, emit, json_option, pass_config
from pos_client.config import Config
from pos_client.plugin.decisions import order_card
from pos_client.plugin.messages_manager import OrderCard

_DONE = {
    CardAction.BLOCK: "blocked",
    CardAction.UNBLOCK: "let in again",
    CardAction.REPLACE: "blocked, and the new card is the member's",
}


@click.command()
@click.argument("card")
@click.option("--replace", "new_card", metavar="CARD", help="Another card for the member in its place.")
@click.option("--undo", is_flag=True, help="Let the card in again.")
@approved
@json_option
@pass_config
def block(
    config: Config, *, card: str, new_card: str | None, undo: bool, reason: str, manager: str, as_json: bool
) -> None:
    """Block CARD of a member, with a manager's PIN and reason: lost or stolen, it neither earns nor spends.

    Counts at this till at once, also without a network, and everywhere when head office has heard of it.
    """
    if undo and new_card is not None:
        raise click.UsageError("expected --undo or --replace, not both")
    action = CardAction.UNBLOCK if undo else CardAction.REPLACE if new_card is not None else CardAction.BLOCK
    request = OrderCard(card=card, action=action, new_card=new_card, **answer_for(manager, reason))
    done = at_till(config, lambda runtime: order_card(runtime, request), lambda client: client.order_card(request))
    emit(done.model_dump(mode="json"), as_json, lambda: console.print(f"✓ {_DONE[action]}", highlight=False))
