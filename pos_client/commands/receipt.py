"""`spaarpunt receipt`: a receipt of this till again, as text, as a page or as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from pos_client.commands.common import console, emit, fail, json_option, pass_config
from pos_client.commands.office import looking
from pos_client.config import Config, PrinterDevice
from pos_client.office.lookup import Kind
from pos_client.receipts.desk import ReceiptDesk
from pos_client.receipts.forms import as_html, as_png, as_text
from pos_client.receipts.layout import Columns, lay_out

_FILE = click.Path(path_type=Path, dir_okay=False, writable=True)


@click.command()
@click.argument("receipt", metavar="RECEIPT")
@click.option("--text", is_flag=True, help="Print it here as plain text, as without any option.")
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
    png: Path | None,
    html: Path | None,
    columns: str | None,
    as_json: bool,
) -> None:
    """Make the receipt RECEIPT of this till again: the number it carries, or an entry's id. It is marked as a copy.

    Works without a network and beside a running till. Exit code 1 when this till has no such receipt.
    """
    with looking(config) as office:
        finding = office.find(receipt)
        if finding.kind is not Kind.RECEIPT or finding.receipt is None:
            fail("no receipt of this till has that number: spaarpunt history CARD shows those of a member")
        made = ReceiptDesk(office.store, office.terminal, config).receipt(finding.receipt, copy=True)
    printer = printer_of(config)
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

    def show() -> None:
        if text or not written:
            click.echo(plain, nl=False)
        for path in written:
            console.print(f"✓ drawn in {path}", markup=False, highlight=False, soft_wrap=True)

    data = {"receipt": made.receipt, "kind": str(made.kind), "text": plain, "files": [str(path) for path in written]}
    emit(data, as_json, show)


def printer_of(config: Config) -> PrinterDevice | None:
    """The first configured receipt printer, or None."""
    return next((device for device in config.devices.values() if isinstance(device, PrinterDevice)), None)
