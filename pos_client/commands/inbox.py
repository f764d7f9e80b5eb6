"""`spaarpunt inbox`: what head office did not book in this store, why, and what a manager does about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click
from rich.markup import escape
from rich.table import Table

from loyalty.resolution import Action
from pos_client.app import look_store
from pos_client.commands.approved import answer_for, approved, at_till
from pos_client.commands.common import console, emit, fail, json_option, pass_config
from pos_client.config import Config
from pos_client.inbox import Item, item_of
from pos_client.moments import minutes
from pos_client.plugin.answers import parked_answer
from pos_client.plugin.decisions import decide
from pos_client.plugin.messages_manager import Decide
from sync.errors import SyncError
from sync.inbox import Parked, Said
from sync.terminal import load_terminal

T = TypeVar("T")
Number = click.IntRange(1, 2**63 - 1)


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def inbox(context: click.Context, as_json: bool) -> None:
    """What head office did not book in this store. Works without a network and beside a running till.

    Without a command: the list.
    """
    if context.invoked_subcommand is None:
        context.invoke(list_command, as_json=as_json)
    elif as_json:
        raise click.UsageError(
            f"expected --json behind the command: spaarpunt inbox {context.invoked_subcommand} --json"
        )


@inbox.command("list")
@click.option("--all", "everything", is_flag=True, help="Also what was decided about in the last 90 days.")
@json_option
@pass_config
def list_command(config: Config, everything: bool = False, as_json: bool = False) -> None:
    """List what waits for a decision, oldest first."""
    items = _items(config, everything=everything)
    emit([parked_answer(item).model_dump(mode="json") for item in items], as_json, lambda: _show_list(items))


@inbox.command("show")
@click.argument("number", type=Number)
@json_option
@click.pass_context
@pass_config
def show(config: Config, context: click.Context, number: int, as_json: bool) -> None:
    """Show entry NUMBER of the inbox whole. Exit code 1 when there is none."""
    item, said = _look(config, lambda parked: _with_said(parked, number, config.till.language))
    if item is None:
        fail(f"no entry {number} in the inbox: look at the list again")
    emit(parked_answer(item).model_dump(mode="json"), as_json, lambda: _show_item(item, said, config))


@inbox.command("link")
@click.argument("number", type=Number)
@click.option("--card", required=True, metavar="CARD", help="A card of the member that the entry's card belongs to.")
@approved
@json_option
@pass_config
def link(config: Config, *, number: int, card: str, reason: str, manager: str, as_json: bool) -> None:
    """Say that the card of entry NUMBER belongs to the member of --card: what waits for that card is booked."""
    _decide(config, number, Action.LINK, reason, manager, as_json=as_json, card=card)


@inbox.command("approve")
@click.argument("number", type=Number)
@approved
@json_option
@pass_config
def approve(config: Config, *, number: int, reason: str, manager: str, as_json: bool) -> None:
    """Have entry NUMBER booked as the till stated it."""
    _decide(config, number, Action.APPROVE, reason, manager, as_json=as_json)


@inbox.command("reverse")
@click.argument("number", type=Number)
@approved
@json_option
@pass_config
def reverse(config: Config, *, number: int, reason: str, manager: str, as_json: bool) -> None:
    """Have nothing booked of entry NUMBER: points that were promised for it go away."""
    _decide(config, number, Action.REVERSE, reason, manager, as_json=as_json)


@inbox.command("refer")
@click.argument("number", type=Number)
@approved
@json_option
@pass_config
def refer(config: Config, *, number: int, reason: str, manager: str, as_json: bool) -> None:
    """Hand entry NUMBER to head office, which alone decides about it from then on."""
    _decide(config, number, Action.REFER, reason, manager, as_json=as_json)


@inbox.command("undo")
@click.argument("number", type=Number)
@approved
@json_option
@pass_config
def undo(config: Config, *, number: int, reason: str, manager: str, as_json: bool) -> None:
    """Take the last decision about entry NUMBER back, sent or not. Head office may say that it is too late."""
    _decide(config, number, Action.UNDO, reason, manager, as_json=as_json)


def _decide(
    config: Config, number: int, action: Action, reason: str, manager: str, *, as_json: bool, card: str | None = None
) -> None:
    request = Decide(action=action, card=card, **answer_for(manager, reason))
    done = at_till(
        config, lambda runtime: decide(runtime, number, request), lambda client: client.decide(number, request)
    )
    emit(
        done.model_dump(mode="json"),
        as_json,
        lambda: console.print(
            f"✓ {action}: entry {number}; it goes to head office with the next exchange", highlight=False
        ),
    )


def _items(config: Config, *, everything: bool) -> list[Item]:
    language = config.till.language
    return _look(config, lambda parked: [item_of(entry, language) for entry in parked.entries(everything=everything)])


def _with_said(parked: Parked, number: int, language: str) -> tuple[Item | None, list[Said]]:
    entry = parked.find(number)
    return (None, []) if entry is None else (item_of(entry, language), parked.said(entry))


def _look(config: Config, read: Callable[[Parked], T]) -> T:
    try:
        store = look_store(config)
        load_terminal(store)
        found = read(Parked(store))
        store.close()
    except SyncError as error:
        fail(str(error))
    return found


def _show_list(items: list[Item]) -> None:
    if not items:
        click.echo("the inbox is empty")
        return
    table = Table(title="Inbox")
    table.add_column("nr", justify="right")
    table.add_column("entry")
    table.add_column("why")
    table.add_column("what you can do")
    for item in items:
        entry = item.entry
        what = f"{escape(entry.till)}\n{entry.business_date:%d-%m} {entry.points:+}"
        table.add_row(str(entry.number), what, escape(item.reason), _stands(item))
    console.print(table)


def _stands(item: Item) -> str:
    entry = item.entry
    if entry.waits:
        return ", ".join(item.actions)
    if entry.asked is not None:
        stands = f"{entry.asked} is on its way"
    elif entry.state == "referred":
        stands = "head office decides"
    else:
        stands = f"{entry.state} by {escape(entry.approver)}" if entry.approver else f"{entry.state} by itself"
    return stands + "".join(f"; {action}" for action in item.actions)


def _show_item(item: Item, said: list[Said], config: Config) -> None:
    entry = item.entry
    table = Table(show_header=False, box=None)
    decided = (
        None if entry.decided_ms is None else f"{entry.approver}, {minutes(entry.decided_ms, config)}: {entry.reason}"
    )
    for name, value in (
        ("number", entry.number),
        ("why", item.reason),
        ("head office says", f"{entry.text} ({entry.code})"),
        ("till", f"{entry.till} ({entry.terminal}, epoch {entry.epoch}, number {entry.seq})"),
        ("what", f"{entry.entry_kind or 'cannot be read'} of {entry.business_date}, {entry.points:+} points"),
        ("parked", minutes(entry.parked_ms, config)),
        *((f"{one.action} here", f"{one.approver}, {minutes(one.at_ms, config)}: {one.reason}") for one in said),
        ("last decided", decided),
        ("now", _stands(item)),
    ):
        if value is not None:
            table.add_row(name, escape(str(value)))
    console.print(table)
