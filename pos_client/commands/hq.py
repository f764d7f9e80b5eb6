"""`spaarpunt hq`: run head office and look after it: terminals, programme, members, what is parked."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
import rich.progress
from rich.markup import escape
from rich.table import Column, Table

from loyalty.errors import ProgrammeError
from pos_client.commands.common import EXIT_PROBLEM, console, emit, errors, fail, json_option
from pos_client.commands.hq_database import FILE, on_database, today
from pos_client.commands.lazy import LazyGroup
from pos_client.config import Config
from pos_client.programme_tools.reading import Unreadable, read_programme
from sync.hq import leases, nightly
from sync.hq.database import Database
from sync.hq.enrolment import new_code, revoke
from sync.hq.feed_keeping import compact
from sync.hq.overview import Status, status
from sync.hq.programmes import publish
from sync.hq.restored import begin_anew

_COMMANDS = {
    "serve": "pos_client.commands.hq_serve:serve_command",
    "exposure": "pos_client.commands.hq_exposure:at_head_office",
    "lease": "pos_client.commands.hq_leases:lease_group",
    "debts": "pos_client.commands.hq_leases:debts_command",
    "members": "pos_client.commands.hq_members:members_group",
    "segments": "pos_client.commands.hq_members:segments_group",
    "stock": "pos_client.commands.hq_stock:stock_command",
    "parked": "pos_client.commands.hq_inbox:parked_command",
    "resolve": "pos_client.commands.hq_inbox:resolve_command",
}


@click.group("hq", cls=LazyGroup, commands_in=_COMMANDS)
def hq() -> None:
    """Head office: take what tills send, publish programmes, import members.

    The commands work beside a running `hq serve` on the same database.
    """


@hq.command("code")
@click.option("--store", required=True, metavar="ID", help="Id of the shop the till stands in.")
@click.option("--name", help="Name of the shop, as receipts show it. Needed the first time; renames it later.")
@json_option
@on_database
def code_command(_: Config, database: Database, store: str, name: str | None, as_json: bool) -> None:
    """Make a one-time code with which one till enrols within 24 hours."""
    with database.connection() as conn:
        code, expires = new_code(conn, store, name, datetime.now(UTC))
    emit(
        {"code": code, "store": store, "expires": expires.isoformat()},
        as_json,
        lambda: click.echo(f"{code}  (store {store}, valid once until {_minutes(expires)})"),
    )


@hq.group("programme")
def programme_group() -> None:
    """The loyalty programme."""


@programme_group.command("publish")
@click.argument("file", type=FILE)
@json_option
@on_database
def publish_command(_: Config, database: Database, file: Path, as_json: bool) -> None:
    """Publish a programme FILE (TOML or JSON). Its version must be above the last; tills hear of it within a minute."""
    try:
        programme = read_programme(str(file))
    except ProgrammeError as error:
        fail(f"{file} is no programme: " + "; ".join(error.problems))
    except Unreadable as error:
        fail(str(error))
    with database.connection() as conn:
        publish(conn, programme)
    emit(
        {"programme": programme.id, "version": programme.version},
        as_json,
        lambda: click.echo(f"published {programme.id} version {programme.version}"),
    )


@hq.command("status")
@json_option
@on_database
def status_command(_: Config, database: Database, as_json: bool) -> None:
    """Show terminals, members and points. Exit code 1 when the ledger does not add up to the balances."""
    with database.connection() as conn:
        found = status(conn)
    emit({**asdict(found), "agrees": found.agrees}, as_json, lambda: _show_status(found))
    if not found.agrees:
        click.get_current_context().exit(EXIT_PROBLEM)


@hq.command("nightly")
@json_option
@on_database
def nightly_command(_: Config, database: Database, as_json: bool) -> None:
    """Let points lapse, review tiers, reclaim leases that are over and grant new ones, and shorten the feed.

    Safe to run again. Exit code 1 when the newest programme is of a later software than this, which then leaves alone
    what goes by it.
    """
    with database.connection() as conn, rich.progress.Progress(console=errors, transient=True) as bar:
        tasks: dict[str, rich.progress.TaskID] = {}

        def show(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=of)

        reclaimed = leases.reclaim_due(conn, datetime.now(UTC))
        done = nightly.run(conn, database.programmes, today(), show)
        programme = database.programmes.newest(conn)
        granted = leases.grant_anew(conn, programme.offline if programme else None, datetime.now(UTC))
        dropped = compact(conn)
    counted = {"leases_reclaimed": reclaimed, "leases_granted": granted, "changes_dropped": dropped}
    emit(
        {**asdict(done), **counted},
        as_json,
        lambda: click.echo(
            f"{done.lapsed_points} points of {done.lapsed_accounts} members lapsed; "
            f"points of {done.vested_accounts} vested; {done.tiers_changed} tiers changed; "
            f"{reclaimed} leases reclaimed, {granted} granted; "
            f"{dropped} changes dropped from the feed"
        ),
    )
    if done.unreadable is not None:
        fail(f"programme version {done.unreadable} cannot be read here: update head office, then run this again")


@hq.command("restored")
@json_option
@on_database
def restored_command(_: Config, database: Database, as_json: bool) -> None:
    """Say that this database came back from a copy of its files: every till takes a snapshot.

    Not needed after pg_restore or a restore to a point in time: those are noticed when head office starts.
    """
    with database.connection() as conn:
        epoch = begin_anew(conn)
    emit({"feed_epoch": epoch}, as_json, lambda: click.echo("the feed begins anew: every till will take a snapshot"))


@hq.group("terminal")
def terminal_group() -> None:
    """Enrolled tills."""


@terminal_group.command("revoke")
@click.argument("terminal")
@json_option
@on_database
def revoke_command(_: Config, database: Database, terminal: str, as_json: bool) -> None:
    """Refuse everything of TERMINAL from now on, as when a till is stolen. What it sent before stays booked."""
    with database.connection() as conn:
        revoke(conn, terminal, datetime.now(UTC))
    emit({"terminal": terminal, "revoked": True}, as_json, lambda: click.echo(f"revoked {terminal}"))


def _show_status(found: Status) -> None:
    # Whole ids, however narrow the window: they are what other commands are given.
    table = Table(Column("terminal", no_wrap=True), box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("name", "store", "contact (UTC)"):
        table.add_column(heading, overflow="fold", min_width=10 if heading == "contact (UTC)" else 8)
    table.add_column("state", no_wrap=True)
    for heading in ("epoch", "booked", "parked", "conflicts"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in found.terminals:
        table.add_row(
            row.terminal,
            escape(row.name),
            escape(row.store),
            f"{row.last_contact.astimezone(UTC):%Y-%m-%d %H:%M}",
            "[red]revoked[/]" if row.revoked else "",
            str(row.epoch),
            str(row.durable_to),
            str(row.parked),
            str(row.conflicts),
        )
    console.print(table)
    version = "none published" if found.programme_version is None else f"version {found.programme_version}"
    console.print(
        f"{found.accounts} members with {found.cards} cards hold {found.points} points; "
        f"{found.entries} entries received, {found.parked} parked; programme: {version}",
        highlight=False,
    )
    if found.debts:
        console.print(
            f"{found.debts} entries took {found.debt_points} points that were not there or were set aside: "
            "spaarpunt hq debts",
            highlight=False,
        )
    if not found.agrees:
        console.print(f"[bold red]✗[/] the ledger adds up to {found.ledger_points} points: call support")


def _minutes(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
