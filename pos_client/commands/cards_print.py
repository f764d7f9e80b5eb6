"""`spaarpunt cards print`: sheets of cards, key tags, labels or coupons, and what their stripes are encoded with."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from loyalty.cards import CardFormat
from loyalty.codes import ALPHABET, CODE_LENGTHS, MAX_PREFIX, make_code
from loyalty.errors import CardFormatError, ProgrammeError
from loyalty.programme import Programme
from pos_client.commands.common import console, emit, errors, fail, json_option, pass_config
from pos_client.config import Config
from pos_client.stationery.sheets import SHAPES, Look, Symbology, draw_sheets, modules_of
from pos_client.stationery.stripes import encoding_file

MAX_PIECES = 20_000
"""In one file: 2 000 sheets of cards, 20 MB. A print shop takes a longer run in several files."""
_FILE = click.Path(path_type=Path, dir_okay=False, writable=True)


@click.command("print")
@click.option("--format", "format_name", help="Cards: the name of one of the configuration's card formats.")
@click.option("--from", "first", type=click.IntRange(0), help="Cards: the first serial, check digit not included.")
@click.option("--coupons", "prefix", help="Coupons instead of cards: the code_prefix of the programme's coupon.")
@click.option("--length", type=int, default=12, show_default=True, help="Coupons: characters of a code.")
@click.option("--count", type=click.IntRange(1, MAX_PIECES), required=True, help="How many.")
@click.option(
    "--as",
    "shape_name",
    type=click.Choice(list(SHAPES)),
    help="card: ID-1, 10 a sheet. tag: 27. label: 21. coupon: 10. Default: card, or coupon for coupons.",
)
@click.option(
    "--code",
    "symbology",
    type=click.Choice([str(kind) for kind in Symbology]),
    help="How the number is drawn. Default: EAN-13 for 13 digits that are one, else Code 128.",
)
@click.option("--programme", type=click.Path(path_type=Path, exists=True), help="Takes name and colour from it.")
@click.option("--title", help="In large letters. Default: the programme's name.")
@click.option("--line", default="", help="Below the title, such as the shop's name.")
@click.option("--out", type=_FILE, required=True, help="The PDF file to write: A4, to be printed at 100 %.")
@click.option("--stripes", type=_FILE, help="Cards: also write what an encoder puts on their stripes, as CSV.")
@json_option
@pass_config
def print_cards(
    config: Config,
    *,
    format_name: str | None,
    first: int | None,
    prefix: str | None,
    length: int,
    count: int,
    shape_name: str | None,
    symbology: str | None,
    programme: Path | None,
    title: str | None,
    line: str,
    out: Path,
    stripes: Path | None,
    as_json: bool,
) -> None:
    """Draw sheets of cards, key tags, labels or coupons as PDF, each with its number as a code.

    Cards are numbered from --from on, with the check digit of their format; coupons get codes drawn at random, which
    nobody can guess. The files hold whole numbers: they are written for your eyes alone. A file that is there already
    is never overwritten: the cards in it may be in customers' hands.
    """
    if (prefix is None) == (format_name is None):
        raise click.UsageError("give --format NAME --from SERIAL for cards, or --coupons PREFIX for coupons")
    if prefix is not None and stripes is not None:
        raise click.UsageError("--stripes goes with cards: a coupon has no stripe")
    for file in (out, stripes):
        if file is not None and file.exists():
            fail(f"{file} is there already and is kept: name another file")
    if prefix is not None:
        numbers = _codes(prefix, length, count)
    else:
        numbers = _serials(_format(config, format_name), first, count)
    kind = Symbology(symbology) if symbology else _fitting(numbers[0])
    look = _look(programme, title or format_name or prefix or "", line, config.till.language, given=title)
    shape = SHAPES[shape_name or ("coupon" if prefix is not None else "card")]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    try:
        encoded = encoding_file(numbers) if stripes is not None else ""
        with Progress(*columns, console=errors, transient=True, disable=as_json) as progress:
            task = progress.add_task("drawn", total=count)
            pdf = draw_sheets(numbers, shape, kind, look, lambda drawn: progress.update(task, completed=drawn))
    except ValueError as error:
        fail(str(error))
    _write(out, pdf)
    if stripes is not None:
        _write(stripes, encoded.encode("ascii"))
    data: dict[str, Any] = {
        "count": count,
        "sheets": -(-count // shape.a_sheet),
        "code": str(kind),
        "first": numbers[0],
        "last": numbers[-1],
        "file": str(out),
        "stripes": str(stripes) if stripes else None,
    }
    text = f"✓ {count} on {data['sheets']} sheets, {numbers[0]} to {numbers[-1]}, in {out}: print it at 100 %"
    emit(data, as_json, lambda: console.print(text, markup=False, highlight=False, soft_wrap=True))


def _format(config: Config, name: str | None) -> CardFormat:
    found = next((form for form in config.card_formats if form.name == name), None)
    if found is None:
        known = ", ".join(form.name for form in config.card_formats) or "none: add [[card_formats]]"
        fail(f"no card format '{name}' in the configuration; it has {known}")
    return found


def _serials(form: CardFormat, first: int | None, count: int) -> list[str]:
    if first is None:
        raise click.UsageError("--format needs --from: the first serial that no card has yet")
    try:
        return [form.number(serial) for serial in range(first, first + count)]
    except CardFormatError as error:
        fail(f"{error}: begin lower, or print fewer")


def _codes(prefix: str, length: int, count: int) -> list[str]:
    room = length - len(prefix) - 1
    if not 2 <= len(prefix) <= MAX_PREFIX or any(char not in ALPHABET for char in prefix):
        fail(f"expected a prefix of 2 to {MAX_PREFIX} of the characters {ALPHABET}, got '{prefix}'")
    if length not in CODE_LENGTHS or room < 1:
        fail(f"expected a length of {CODE_LENGTHS[0]} to {CODE_LENGTHS[-1]} characters, got {length}")
    # One in a thousand of what can be: a code that somebody makes up must not be one of ours.
    if count * 1000 > len(ALPHABET) ** room:
        fail(f"{count} codes of {length} characters could be guessed: make them longer with --length")
    made: dict[str, None] = {}
    while len(made) < count:
        made[make_code(prefix, secrets.randbelow(len(ALPHABET) ** room), length)] = None
    return list(made)


def _fitting(number: str) -> Symbology:
    try:
        modules_of(number, Symbology.EAN_13)
    except ValueError:
        return Symbology.CODE_128
    return Symbology.EAN_13


def _look(programme: Path | None, title: str, line: str, language: str, *, given: str | None) -> Look:
    if programme is None:
        return Look(title, line)
    try:
        text = programme.read_text(encoding="utf-8")
        read = Programme.from_json(text) if programme.suffix == ".json" else Programme.from_toml(text)
    except OSError as error:
        fail(f"{programme} cannot be read: {error.strerror}")
    except ProgrammeError as error:
        fail(f"{programme}: {error}; spaarpunt programme check says more")
    name = (read.branding.name or read.name).get(language)
    look = Look(given or name, line)
    return Look(look.title, line, read.branding.colour) if read.branding.colour else look


def _write(path: Path, content: bytes) -> None:
    """A new file that only this user reads: it holds whole numbers."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}; choose another file")
