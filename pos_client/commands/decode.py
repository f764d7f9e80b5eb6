"""`spaarpunt decode`: what the camera's decoder reads in picture files, for support and for trying a printed card."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from drivers.decoding.decode import DEFAULT_FORMATS, decode, parse_formats
from drivers.decoding.pictures import UnreadablePicture, read_picture
from drivers.errors import BadDeviceSettings
from drivers.events import PaymentCardRefused, ScanDataType
from drivers.recognition.guard import CardPattern
from drivers.recognition.recognise import recognise_symbol
from drivers.recognition.symbols import Symbol
from pos_client.commands.common import EXIT_PROBLEM, console, errors, json_option, pass_config
from pos_client.config import Config
from pos_client.reckoning import card_patterns


def _formats(context: click.Context, parameter: click.Parameter, value: str) -> tuple[ScanDataType, ...]:
    names = [name.strip().upper() for name in value.split(",") if name.strip()]
    try:
        return parse_formats(names)
    except BadDeviceSettings as error:
        raise click.BadParameter(error.what) from None


@click.command("decode")
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--formats",
    default=",".join(DEFAULT_FORMATS),
    show_default=True,
    callback=_formats,
    help="Symbologies to look for, with commas between.",
)
@json_option
@click.pass_context
@pass_config
def decode_command(
    config: Config,
    context: click.Context,
    *,
    files: tuple[Path, ...],
    formats: tuple[ScanDataType, ...],
    as_json: bool,
) -> None:
    """Read the bar codes and QR codes in the picture files FILE….

    With --json one object a line for each file. A bank card's number is never printed. The exit code is 1 when a file
    could not be read; the others are decoded all the same.
    """
    patterns = card_patterns(config.card_formats)
    failed = False
    for file in files:
        try:
            image = read_picture(file)
        except UnreadablePicture as error:
            failed = True
            errors.print(f"✗ {error}", style="red", highlight=False, markup=False, soft_wrap=True)
            if as_json:
                click.echo(json.dumps({"file": str(file), "symbols": [], "ms": 0.0, "error": error.what}))
            continue
        began = time.perf_counter()
        symbols = decode(image, formats)
        took_ms = (time.perf_counter() - began) * 1000
        entries = [_entry(symbol, patterns) for symbol in symbols]
        if as_json:
            answer = {"file": str(file), "symbols": entries, "ms": round(took_ms, 2)}
            click.echo(json.dumps(answer, ensure_ascii=False))
        else:
            _show(file, entries, took_ms)
    if failed:
        context.exit(EXIT_PROBLEM)


def _entry(symbol: Symbol, patterns: tuple[CardPattern, ...]) -> dict[str, Any]:
    """One symbol for the answer; of a bank card's number only that it was refused."""
    about = {"symbology": str(symbol.kind), "aim": symbol.aim}
    if isinstance(recognise_symbol("decode", symbol, patterns, 0), PaymentCardRefused):
        return {**about, "text": None, "bytes_hex": None, "refused": "payment card"}
    return {**about, "text": symbol.text, "bytes_hex": symbol.data.hex()}


def _show(file: Path, entries: list[dict[str, Any]], took_ms: float) -> None:
    console.print(f"{file} ({took_ms:.1f} ms)", style="bold", highlight=False, markup=False, soft_wrap=True)
    for entry in entries:
        text = "bank card: not shown" if "refused" in entry else entry["text"]
        console.print(f"  {entry['symbology']:<12} {text}", highlight=False, markup=False, soft_wrap=True)
    if not entries:
        console.print("  nothing could be read", highlight=False)
