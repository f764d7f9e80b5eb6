"""`spaarpunt hq members` and `hq segments`: who the members are, and which of them a programme calls by a name."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
import rich.progress
from rich.table import Table

from pos_client.commands.common import ask_pin, console, emit, errors, json_option
from pos_client.commands.hq_database import FILE, on_database, today
from pos_client.config import Config
from sync.hq.database import Database
from sync.hq.erasure import erase
from sync.hq.members import import_members
from sync.hq.profiles import account_of, edit, segments, set_contacts, set_pin, set_segment


@click.group("members")
def members_group() -> None:
    """Members and their cards."""


@members_group.command("import")
@click.argument("file", type=FILE)
@json_option
@on_database
def import_command(config: Config, database: Database, file: Path, as_json: bool) -> None:
    """Import members from a CSV FILE with the columns card_number, first_name, tier, points.

    There may be more: birthday as month and day (11-24), segments with spaces between them, phone, email. All rows or
    none: wrong rows are listed with their line numbers. Card numbers, phone numbers and addresses are not stored: only
    keyed hashes of them are.
    """
    _expect_formats(config)
    # Byte order marks are what spreadsheets write.
    with (
        rich.progress.open(
            file, "rt", encoding="utf-8-sig", newline="", description="members", console=errors, transient=True
        ) as lines,
        database.connection() as conn,
    ):
        done = import_members(conn, database.keys.card, config.card_formats, lines, today=today())
    emit(asdict(done), as_json, lambda: click.echo(f"imported {done.members} members with {done.points} points"))


@members_group.command("edit")
@click.argument("card")
@click.option("--first-name", metavar="NAME", help="First name; '' takes it away.")
@click.option("--tier", metavar="TIER", help="A tier of the programme in force.")
@click.option("--birthday", metavar="MM-DD", help="Month and day, such as 11-24; '' takes it away.")
@click.option("--phone", metavar="NUMBER", help="Phone number to find the member by; '' takes it away.")
@click.option("--email", metavar="ADDRESS", help="E-mail address to find the member by; '' takes it away.")
@json_option
@on_database
def edit_command(
    config: Config,
    database: Database,
    card: str,
    *,
    phone: str | None,
    email: str | None,
    as_json: bool,
    **changed: str | None,
) -> None:
    """Change what is known of the member of CARD. Tills hear of it within a minute."""
    _expect_formats(config)
    given = {**changed, "phone": phone, "email": email}
    if all(value is None for value in given.values()):
        raise click.UsageError("nothing to change: give --first-name, --tier, --birthday, --phone or --email")
    with database.connection() as conn, conn.transaction():
        account = account_of(conn, database.keys.card, config.card_formats, card)
        edit(conn, account, **changed)
        set_contacts(conn, account, database.keys.card, phone=phone, email=email)
    told = [name for name, value in given.items() if value is not None]
    emit({"account": account, "changed": told}, as_json, lambda: click.echo(f"changed {', '.join(told)} of {account}"))


@members_group.command("pin")
@click.argument("card")
@click.option("--clear", is_flag=True, help="Take the PIN away.")
@json_option
@on_database
def pin_command(config: Config, database: Database, card: str, clear: bool, as_json: bool) -> None:
    """Set the PIN of the member of CARD, 4 to 8 digits: asked for twice, or read from a pipe.

    Tills check it with no line to head office, where the programme lets members spend by PIN.
    """
    _expect_formats(config)
    with database.connection() as conn:
        account = account_of(conn, database.keys.card, config.card_formats, card)
        pin = None if clear else ask_pin("PIN", twice=True)
        set_pin(conn, account, pin)
    emit(
        {"account": account, "pin": not clear},
        as_json,
        lambda: click.echo(f"{account} has {'no PIN any more' if clear else 'a new PIN'}"),
    )


@members_group.command("erase")
@click.argument("card")
@click.option("--yes", is_flag=True, help="Do not ask first.")
@json_option
@on_database
def erase_command(config: Config, database: Database, card: str, yes: bool, as_json: bool) -> None:
    """Erase the member of CARD, here and at every till: name, cards, points, what was bought. Nobody can undo it.

    The ledger keeps dates and points, of an account that is nobody's.
    """
    _expect_formats(config)
    if not yes:
        click.confirm("Erase this member for good?", abort=True, err=True)
    with database.connection() as conn:
        account = account_of(conn, database.keys.card, config.card_formats, card)
        done = erase(conn, account, today())
    emit(
        asdict(done),
        as_json,
        lambda: click.echo(f"erased {done.account} with {done.cards} cards; {done.points} points lapsed"),
    )


@click.group("segments")
def segments_group() -> None:
    """Groups of members that a programme can name: rules, rewards and offers for some."""


@segments_group.command("set")
@click.argument("segment")
@click.argument("file", type=FILE)
@json_option
@on_database
def set_command(config: Config, database: Database, segment: str, file: Path, as_json: bool) -> None:
    """Make the members of SEGMENT those whose card numbers stand in FILE, one a line: all others leave it."""
    _expect_formats(config)
    with file.open(encoding="utf-8-sig") as lines, database.connection() as conn:
        done = set_segment(conn, database.keys.card, config.card_formats, segment, lines)
    emit(
        asdict(done),
        as_json,
        lambda: click.echo(f"{segment} has {done.members} members: {done.joined} joined, {done.left} left"),
    )


@segments_group.command("list")
@json_option
@on_database
def list_command(_: Config, database: Database, as_json: bool) -> None:
    """Show the segments and how many members each has."""
    with database.connection() as conn:
        found = segments(conn)
    emit(found, as_json, lambda: _show_segments(found))


def _show_segments(found: dict[str, int]) -> None:
    if not found:
        click.echo("no segments yet")
        return
    table = Table("segment", title="Segments")
    table.add_column("members", justify="right")
    for segment, members in found.items():
        table.add_row(segment, str(members))
    console.print(table)


def _expect_formats(config: Config) -> None:
    if not config.card_formats:
        raise click.UsageError("no card format is configured: add a [[card_formats]] table to the configuration")
