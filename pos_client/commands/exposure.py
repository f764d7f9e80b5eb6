"""`spaarpunt sync exposure`: the worst joint overspend that the offline policy allows, as head office says."""

from __future__ import annotations

import click
from rich.table import Table

from pos_client.app import build_transport, look_store
from pos_client.commands.common import console, emit, fail, json_option, pass_config
from pos_client.config import Config
from sync.errors import SyncError
from sync.mirror import Mirror
from sync.terminal import load_terminal
from sync.wire_spending import Exposure

MAX_SHOWN = 10
"""Accounts in the table: the dearest; --json has the rest."""


@click.command("exposure")
@json_option
@pass_config
def from_till(config: Config, as_json: bool) -> None:
    """Ask head office how many points tills without a line could give away beyond what members have, at worst.

    For the chain and for each account, under the offline policy in force; 0 under never and lease.
    """
    try:
        store = look_store(config)
        try:
            transport = build_transport(config, load_terminal(store), Mirror(store))
            try:
                found = transport.exposure()
            finally:
                transport.close()
        finally:
            store.close()
    except SyncError as error:
        fail(str(error))
    show_exposure(found, as_json)


def show_exposure(found: Exposure, as_json: bool) -> None:
    """Print it, for people or programs."""
    emit(found.model_dump(mode="json"), as_json, lambda: _print(found))


def _print(found: Exposure) -> None:
    alone = f", each alone for at most {found.days} business dates" if found.days else ""
    console.print(f"policy {found.policy}, {found.tills} tills{alone}", highlight=False)
    console.print(f"at worst {found.chain_points} points overspent in the whole chain", highlight=False)
    if found.accounts:
        table = Table("account", title=f"{found.accounts_exposed} accounts, the dearest first")
        table.add_column("at worst", justify="right")
        for row in found.accounts[:MAX_SHOWN]:
            table.add_row(row.account, str(row.points))
        console.print(table)
    console.print(
        f"{found.leased_points} points are set aside at tills, {found.held_points} held for sales under way",
        highlight=False,
    )
