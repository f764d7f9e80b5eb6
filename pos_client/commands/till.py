"""`spaarpunt till`: run the till."""

from __future__ import annotations

import gc

import click

from pos_client.app import StartError
from pos_client.commands.common import console, errors, fail, pass_config
from pos_client.config import Config
from pos_client.lean import without_clients
from pos_client.logs import log_faults, set_up_logs
from pos_client.runtime import Runtime
from pos_client.training import MANAGER, PIN, practice_cards, training_config


@click.command()
@click.option("--training", is_flag=True, help="Practise: nothing counts and nothing leaves this till.")
@pass_config
def till(config: Config, *, training: bool) -> None:
    """Run devices, cashier screen, plug-in API and sync agent, until stopped (Ctrl-C).

    With --training in the shop's stead: the shop's programme and devices, cards to practise with, a store of its own
    that is made anew each time. The shop's database is only read, and head office hears of nothing.
    """
    logged = training_config(config) if training else config
    no_files = set_up_logs(logged.log, logged.log_folder, logged.card_formats)
    log_faults()
    # Nothing that a start makes is garbage: looking for some took a tenth of it. What is there when the screen starts
    # is frozen (`screen.cashier`), and from then on collected as ever.
    gc.disable()
    with without_clients():
        from pos_client.serve import serve_till

    def ready(address: str, runtime: Runtime) -> None:
        gc.enable()
        if no_files is not None:
            errors.print(f"! {no_files}", markup=False, highlight=False, soft_wrap=True)
        console.print(
            f"{runtime.terminal.store_name} · {config.till.name} is ready: {address}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

        if training:
            cards = practice_cards(config.card_formats)
            console.print(
                f"TRAINING, nothing counts. Cards: {cards.member} (a member), {cards.nobody} (nobody's yet), ", end=""
            )
            console.print(
                f"{cards.blocked} (blocked). Manager at {address}manager: {MANAGER}, PIN {PIN}", soft_wrap=True
            )

    try:
        serve_till(config, ready, to_practise=training)
    except StartError as error:
        fail(str(error))
