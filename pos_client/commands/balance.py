"""`spaarpunt balance`: look a balance up in this till's own database, with no network."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from drivers.recognition.guard import classify_digits
from loyalty.cards import CardNumber
from loyalty.errors import CardFormatError
from pos_client.app import look_store
from pos_client.commands.common import EXIT_PROBLEM, console, emit, fail, json_option, pass_config
from pos_client.config import Config
from pos_client.reckoning import card_patterns
from sync.errors import SyncError
from sync.mirror import Mirror
from sync.terminal import load_terminal


@click.command()
@click.argument("card")
@json_option
@click.pass_context
@pass_config
def balance(config: Config, context: click.Context, card: str, as_json: bool) -> None:
    """Show the balance of CARD as this till knows it: confirmed by head office, and added here since.

    Works without a network and beside a running till. Exit code 1 when the card is not known here.
    """
    if classify_digits(card, card_patterns(config.card_formats)) == "payment":
        fail("this is a bank card's number: it was not looked up and not kept; use the loyalty card's number")
    try:
        number = CardNumber.parse(card, config.card_formats)
        store = look_store(config)
        terminal = load_terminal(store)
        mirror = Mirror(store)
        holder, contact, programme = mirror.find(number.token(terminal.card_key)), mirror.contact(), mirror.programme()
        store.close()
    except (CardFormatError, SyncError) as error:
        fail(str(error))
    as_of = None if contact.as_of_ms is None else datetime.fromtimestamp(contact.as_of_ms / 1000, UTC)
    data = {
        "card": str(number),
        "known": holder.known,
        "blocked": holder.blocked,
        "account": holder.account,
        "first_name": holder.first_name if config.till.show_first_name else None,
        "tier": holder.tier,
        "balance": holder.balance,
        "confirmed": holder.confirmed,
        "queued": holder.queued,
        "as_of": as_of.isoformat() if as_of else None,
    }

    def show() -> None:
        when = as_of.astimezone().strftime("%d-%m-%Y %H:%M") if as_of else "never"
        if not holder.known:
            console.print(f"{number}: not known here as of {when}; {holder.queued} points wait for head office")
            return
        tier = programme.tier(holder.tier or "").name.get("en") if programme else holder.tier
        name = f"{data['first_name']}, " if data["first_name"] else ""
        console.print(f"{name}{tier}: [bold]{holder.balance}[/] points", highlight=False)
        console.print(f"{holder.confirmed} confirmed at {when}, {holder.queued:+} here", highlight=False)
        if holder.blocked:
            console.print("blocked: send the customer to the service desk", style="red")

    emit(data, as_json, show)
    if not holder.known:
        context.exit(EXIT_PROBLEM)
