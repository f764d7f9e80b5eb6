"""`spaarpunt tokens`: the programs that were paired with this till."""

from __future__ import annotations

import click

from pos_client.app import look_store
from pos_client.commands.approved import at_till
from pos_client.commands.common import console, emit, fail, json_option, pass_config
from pos_client.config import Config
from pos_client.moments import iso, minutes
from pos_client.tokens import TOKEN_ID, Tokens
from sync.errors import SyncError


@click.group()
def tokens() -> None:
    """Programs that were paired with this till: what each may do, and taking it away."""


@tokens.command("list")
@json_option
@pass_config
def list_command(config: Config, as_json: bool) -> None:
    """List the programs that were paired, with those revoked lately. Works beside a running till."""
    try:
        store = look_store(config)
        try:
            callers = Tokens(store).all()
        finally:
            store.close()
    except SyncError as error:
        fail(str(error))
    data = [
        {
            "id": caller.id,
            "name": caller.name,
            "scopes": sorted(caller.scopes),
            "origin": caller.origin,
            "made_at": iso(caller.made_ms),
            "revoked_at": iso(caller.revoked_ms),
        }
        for caller in callers
    ]

    def show() -> None:
        from rich.markup import escape
        from rich.table import Table

        if not callers:
            click.echo("no program is paired with this till")
            return
        table = Table("id", "name", "may", "page", "since", "revoked", box=None, pad_edge=False)
        for caller in callers:
            revoked = "" if caller.revoked_ms is None else minutes(caller.revoked_ms, config)
            scopes = " ".join(sorted(caller.scopes))
            table.add_row(
                caller.id, escape(caller.name), scopes, caller.origin or "", minutes(caller.made_ms, config), revoked
            )
        console.print(table)

    emit(data, as_json, show)


@tokens.command("revoke")
@click.argument("token_id", metavar="ID")
@json_option
@pass_config
def revoke(config: Config, token_id: str, as_json: bool) -> None:
    """Refuse the token ID (see spaarpunt tokens list) from now on, also in the middle of a sale."""
    if not TOKEN_ID.fullmatch(token_id):
        fail(f"expected the id of a token, eight letters and digits as in spaarpunt tokens list, got {token_id[:40]!r}")
    name = at_till(
        config,
        lambda runtime: runtime.tokens.revoke(token_id).name,
        lambda client: client.revoke_token(token_id).name,
    )
    emit({"id": token_id, "name": name}, as_json, lambda: click.echo(f"✓ {name} can no longer use this till"))
