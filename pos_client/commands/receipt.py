"""`spaarpunt receipt`: a receipt of this till again, as text, as a page or as a picture."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import cast

import click

from drivers.build import build_device
from drivers.errors import DriverError
from drivers.events import Event, StatusUpdateEvent
from drivers.printing.receipt_printer import ReceiptPrinter
from drivers.supervisor import Supervisor
from loyalty.ledger import Entry
from pos_client.commands.approved import at_till
from pos_client.commands.common import console, emit, fail, json_option, pass_config
from pos_client.commands.office import looking
from pos_client.config import Config
from pos_client.device_settings import settings_for
from pos_client.office.lookup import Kind
from pos_client.receipts.desk import ReceiptDesk
from pos_client.receipts.forms import as_html, as_png, as_text
from pos_client.receipts.layout import Columns, lay_out
from pos_client.reckoning import TillError
from pos_client.runtime import Runtime

CONNECT_S = 5.0
"""How long a printer may take to be found: a network printer that is on answers within one."""

_FILE = click.Path(path_type=Path, dir_okay=False, writable=True)


@click.command()
@click.argument("receipt", metavar="RECEIPT")
@click.option("--text", is_flag=True, help="Print it here as plain text, as without any option.")
@click.option("--print", "on_paper", is_flag=True, help="Print it on the till's receipt printer.")
@click.option("--png", type=_FILE, help="Write a picture of what the printer prints.")
@click.option("--html", type=_FILE, help="Write a page for a browser or an e-mail.")
@click.option(
    "--columns",
    type=click.Choice(["32", "42", "48"]),
    help="Characters across. Default: as configured for the printer, else 42.",
)
@json_option
@pass_config
def receipt(
    config: Config,
    *,
    receipt: str,
    text: bool,
    on_paper: bool,
    png: Path | None,
    html: Path | None,
    columns: str | None,
    as_json: bool,
) -> None:
    """Make the receipt RECEIPT of this till again: the number it carries, or an entry's id. It is marked as a copy.

    On paper it is marked so only when it was there before. Works without a network and beside a running till. Exit code
    1 when this till has no such receipt, or it cannot be printed.
    """
    with looking(config) as office:
        finding = office.find(receipt)
        if finding.kind is not Kind.RECEIPT or finding.receipt is None:
            fail("no receipt of this till has that number: spaarpunt history CARD shows those of a member")
        made = ReceiptDesk(office.store, office.terminal, config).receipt(finding.receipt, copy=True)
    printer = config.printer
    across = cast(Columns, int(columns) if columns else printer.columns if printer else 42)
    parts = lay_out(made, config.till.language, across)
    plain = as_text(parts, across)
    written = {}
    if png is not None:
        written[png] = as_png(parts, across)
    if html is not None:
        written[html] = as_html(parts, f"{made.shop.name} {made.receipt}", config.till.language).encode()
    for path, content in written.items():
        try:
            path.write_bytes(content)
        except OSError as error:
            fail(f"{path} cannot be written: {error.strerror}; choose another file")
    if on_paper:
        entry = finding.receipt
        at_till(config, lambda runtime: _print_here(runtime, entry), lambda till: till.print_receipt(entry.id))

    def show() -> None:
        if text or not (written or on_paper):
            click.echo(plain, nl=False)
        for path in written:
            console.print(f"✓ drawn in {path}", markup=False, highlight=False, soft_wrap=True)
        if on_paper:
            console.print("✓ printed", highlight=False)

    files = [str(path) for path in written]
    data = {"receipt": made.receipt, "kind": str(made.kind), "text": plain, "files": files, "printed": on_paper}
    emit(data, as_json, show)


def _print_here(runtime: Runtime, entry: Entry) -> None:
    """Print with no till running: its printer is free.

    Raises:
        TillError: `no_printer`; or it cannot print, with what to do.
    """
    settings = runtime.config.printer
    if settings is None:
        raise TillError("no_printer", "this till has no receipt printer: add a [devices.…] of kind printer")
    reported = threading.Event()

    def heard(event: Event) -> None:
        if isinstance(event, StatusUpdateEvent):
            reported.set()

    try:
        printer = build_device("printer", settings_for(settings), ())
        assert isinstance(printer, ReceiptPrinter)
        supervisor = Supervisor([printer], heard)
        supervisor.start()
        try:
            reported.wait(CONNECT_S)
            runtime.printing.start(printer, by_itself=False)
            runtime.printing.print(entry).result()
        finally:
            runtime.printing.stop()
            supervisor.stop()
    except DriverError as error:
        raise TillError("printer_not_ready", str(error)) from error
