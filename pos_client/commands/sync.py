"""`spaarpunt sync`: exchange with head office now, see where it stands, do the night's work."""

from __future__ import annotations

from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from pos_client.app import build_agent, look_store, open_store
from pos_client.commands.common import EXIT_PROBLEM, console, emit, fail, json_option, pass_config
from pos_client.commands.lazy import LazyGroup
from pos_client.commands.progress import exchange_progress, queue_progress
from pos_client.config import Config
from pos_client.moments import iso
from pos_client.plugin.client import PluginProblem, TillClient
from pos_client.plugin.messages_till import SyncAnswer
from pos_client.plugin.token import TokenError, read_or_create
from sync.epochs import Epochs
from sync.errors import StoreTaken, SyncError
from sync.journal import Journal
from sync.mirror import Mirror
from sync.proofs import Proofs
from sync.terminal import load_terminal, skew_problem

_COMMANDS = {
    "backup": "pos_client.commands.backups:backup_command",
    "backups": "pos_client.commands.backups:backups_command",
    "restore": "pos_client.commands.backups:restore_command",
    "exposure": "pos_client.commands.exposure:from_till",
}


@click.group("sync", cls=LazyGroup, commands_in=_COMMANDS)
def sync_group() -> None:
    """Exchange with head office."""


@sync_group.command()
@json_option
@pass_config
def now(config: Config, as_json: bool) -> None:
    """Send everything queued and fetch every change, now. Asks the running till, when there is one."""
    report = _exchange(config, nightly=False, quiet=as_json)["report"]
    emit(
        report,
        as_json,
        lambda: console.print(
            f"✓ sent {report['sent']} (booked {report['booked']}, parked {report['parked']}), "
            f"fetched {report['changes']} changes",
            highlight=False,
        ),
    )


@sync_group.command()
@json_option
@click.pass_context
@pass_config
def nightly(config: Config, context: click.Context, as_json: bool) -> None:
    """Send and fetch everything, then compare each open day with head office; back up, prune, write the day's report.

    Exit code 1 when a day differs, or head office cannot be reached.
    """
    night = _exchange(config, nightly=True, quiet=as_json)

    def show() -> None:
        table = Table("day", "entries", "earned", "spent", "parked", "head office")
        for day in night["days"]:
            ours = day["ours"]
            table.add_row(
                str(day["business_date"]),
                str(ours["entries"]),
                str(ours["points_earned"]),
                str(ours["points_spent"]),
                str(day["parked"]),
                "[green]✓ agrees[/]" if day["agrees"] else f"[red]✗ says {day['theirs']}[/]",
            )
        console.print(table if night["days"] else "no open days")

    emit(night, as_json, show)
    if not night["agrees"]:
        context.exit(EXIT_PROBLEM)


@sync_group.command()
@json_option
@pass_config
def status(config: Config, as_json: bool) -> None:
    """Say how many sales wait, when head office was last heard of, and whether the last proven day agrees."""
    try:
        store = look_store(config)
        terminal = load_terminal(store)
        journal, mirror = Journal(store, terminal), Mirror(store)
        epochs = Epochs(store)
        notices = epochs.notices(unreported=True)
        head, contact, proof = journal.head(), mirror.contact(), Proofs(store, journal).latest()
        data = {
            "terminal": terminal.terminal,
            "store": terminal.store,
            "epoch": head.epoch,
            "seq": head.seq,
            "acked_seq": head.acked_seq,
            "queue": head.queued,
            "accounts": mirror.accounts(),
            "as_of": iso(contact.as_of_ms),
            "last_contact": iso(contact.last_contact_ms),
            "clock_offset_ms": contact.clock_offset_ms,
            "clock": skew_problem(contact.clock_offset_ms),
            "doubt": epochs.doubt(),
            "notices": [{"at": iso(notice.at_ms), "code": notice.code, "text": notice.text} for notice in notices],
            "proof": {"business_date": proof.business_date, "agrees": proof.agrees, "parked": proof.parked}
            if proof
            else None,
        }
        store.close()
    except SyncError as error:
        fail(str(error))

    def show() -> None:
        table = Table(show_header=False, box=None)
        for name, value in data.items():
            if name not in {"proof", "notices", "clock", "doubt"}:
                table.add_row(name.replace("_", " "), "never" if value is None else str(value))
        if proof:
            table.add_row("proof", f"{proof.business_date}: {'agrees' if proof.agrees else 'DIFFERS'}")
        console.print(table)
        for text in (data["clock"], *(notice.text for notice in notices)):
            if text:
                console.print(f"[yellow]![/] {escape(str(text))}", highlight=False)

    emit(data, as_json, show)


def _exchange(config: Config, *, nightly: bool, quiet: bool) -> dict[str, Any]:
    """Sync in this process, or in the running till that owns the database. JSON-ready in both cases."""
    try:
        store = open_store(config)
    except StoreTaken:
        return _ask_running_till(config, nightly=nightly, quiet=quiet)
    except SyncError as error:
        fail(str(error))
    try:
        agent = build_agent(config, store, load_terminal(store), lambda _: None)
        with exchange_progress(quiet=quiet) as tell:
            done = SyncAnswer.of_night(agent.nightly(*tell)) if nightly else SyncAnswer.of_round(agent.run_once(*tell))
            return done.model_dump(mode="json")
    except SyncError as error:
        fail(str(error))
    finally:
        store.close()


def _ask_running_till(config: Config, *, nightly: bool, quiet: bool) -> dict[str, Any]:
    try:
        client = TillClient(
            f"http://127.0.0.1:{config.screen.port}", read_or_create(config.plugin_token_file), patience_s=0
        )
        with queue_progress(lambda: _queued(client), quiet=quiet):
            return client.sync(nightly=nightly).model_dump(mode="json")
    except (PluginProblem, TokenError) as error:
        fail(str(error))


def _queued(client: TillClient) -> int | None:
    """Entries that wait at the running till; None when it does not say, which is no reason to stop."""
    try:
        return client.status().queue_length
    except PluginProblem:
        return None
