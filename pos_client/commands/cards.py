"""`spaarpunt cards`: cards to print, and what a member's phone shows, to try a till and its scanners with."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import click

from loyalty.cards import CardNumber
from loyalty.credentials import STEP_S, Form, issue_signed, issue_totp, member_secret, step_at
from loyalty.errors import CardFormatError
from pos_client.commands.cards_print import print_cards
from pos_client.commands.common import console, emit, fail, json_option, pass_config
from pos_client.config import Config
from pos_client.credentials import KeyUnusable, read_private_key, read_secret

_SCALE = 8
"""Pixels for each module: sharp on any screen, and large enough for a camera at arm's length."""


@click.group()
def cards() -> None:
    """Draw cards: to print, and for tests."""


cards.add_command(print_cards)


@cards.command()
@click.option("--member", required=True, help="The member key: a card number of one of the shop's formats.")
@click.option(
    "--form",
    type=click.Choice([form.value for form in Form]),
    default=Form.TOTP.value,
    show_default=True,
    help="totp: S1, a code by a shared secret. signed: S2, an Ed25519 signature.",
)
@click.option("--at", help="The time it is shown, ISO 8601 with its offset, 2026-11-21T14:02+01:00. Default: now.")
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="For totp: the programme secret, 64 hex digits. Default: the first of credentials.totp_secret_files.",
)
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="For signed: the issuer's Ed25519 private key, PEM.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Draw the QR code: a .png or .svg file.",
)
@json_option
@pass_config
def credential(
    config: Config,
    *,
    member: str,
    form: str,
    at: str | None,
    secret_file: Path | None,
    key_file: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Print a member's rotating credential for one moment, and draw it as a QR code.

    A till takes it from one step before that moment to one step after, and once.
    """
    shown_at = _moment(at)
    if out is not None and out.suffix not in {".png", ".svg"}:
        raise click.BadParameter(f"expected a file that ends in .png or .svg, got '{out.name}'", param_hint="--out")
    step = step_at(int(shown_at.timestamp()) * 1000)
    public_key = None
    try:
        key = CardNumber.parse(member, config.card_formats).value
        if form == Form.SIGNED:
            if key_file is None or secret_file is not None:
                raise click.UsageError("--form signed takes --key-file (openssl genpkey -algorithm ed25519 -out FILE)")
            issuer = read_private_key(key_file)
            public_key = base64.b64encode(issuer.public_key().public_bytes_raw()).decode("ascii")
            text = issue_signed(key, step, issuer.sign)
        else:
            path = secret_file or next(iter(config.credentials.totp_secret_files), None)
            if path is None or key_file is not None:
                raise click.UsageError("--form totp takes --secret-file (openssl rand -hex 32 > FILE; chmod 600 FILE)")
            text = issue_totp(key, step, member_secret(read_secret(path), key))
    except (CardFormatError, KeyUnusable, ValueError) as error:
        fail(str(error))
    if out is not None:
        _draw(text, out)
    shown_from = datetime.fromtimestamp(step * STEP_S, UTC)
    shown_until = datetime.fromtimestamp((step + 1) * STEP_S, UTC)
    data = {
        "text": text,
        "form": form,
        "step": step,
        "shown_from": shown_from.isoformat(),
        "shown_until": shown_until.isoformat(),
        "public_key": public_key,
        "file": str(out) if out else None,
    }

    def show() -> None:
        click.echo(text)
        if public_key is not None:
            console.print(f"for credentials.public_keys: {public_key}", markup=False, highlight=False, soft_wrap=True)
        if out is not None:
            console.print(f"✓ drawn in {out}", markup=False, highlight=False, soft_wrap=True)

    emit(data, as_json, show)


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(
            f"expected a time such as 2026-11-21T14:02+01:00, got '{text}'", param_hint="--at"
        ) from error
    if moment.tzinfo is None or not 0 <= moment.timestamp() < 2**37:
        raise click.BadParameter(f"expected a time after 1970 with its offset, such as {text}Z", param_hint="--at")
    return moment


def _draw(text: str, out: Path) -> None:
    """Write `text` as a QR code, quiet zone included (ISO/IEC 18004)."""
    import cv2
    import numpy as np
    import zxingcpp

    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode)
    if out.suffix == ".svg":
        content = code.to_svg(scale=_SCALE).encode()
    else:
        content = cv2.imencode(".png", np.asarray(code.to_image(scale=_SCALE)))[1].tobytes()
    try:
        out.write_bytes(content)
    except OSError as error:
        fail(f"{out} cannot be written: {error.strerror}; choose another file")
