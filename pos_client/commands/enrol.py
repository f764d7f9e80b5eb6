"""`spaarpunt enrol`: give this till its place at head office, with a one-time code."""

from __future__ import annotations

import contextlib

import click

from pos_client.app import build_agent, build_transport, open_store
from pos_client.commands.common import console, emit, fail, json_option, pass_config
from pos_client.commands.progress import exchange_progress
from pos_client.config import Config
from sync.backups import back_up
from sync.epochs import Epochs
from sync.errors import NotEnrolled, Rejected, SyncError, Unreachable
from sync.mirror import Mirror
from sync.store import Store
from sync.terminal import Terminal, enrolment_key, load_terminal, save_terminal, wall_ms
from sync.transport import Transport
from sync.wire import CODE_LENGTH

KEY_PAST = ("superseded", "signature", "unknown_terminal")
"""Refusals that say: this till's key counts no more."""


def _refused_before(config: Config, store: Store) -> tuple[str, int] | None:
    """Terminal and epoch of a till whose key head office refuses; None for one that was never enrolled.

    Raises:
        TransportError: head office could not say.
    """
    try:
        terminal = load_terminal(store)
    except NotEnrolled:
        return None
    transport = build_transport(config, terminal, Mirror(store))
    try:
        transport.stream()
        fail(f"this till is enrolled already, as {terminal.terminal}")
    except Rejected as error:
        if error.code not in KEY_PAST:
            raise
        return terminal.terminal, terminal.epoch
    finally:
        transport.close()


def _enrol(config: Config, store: Store, code: str) -> Terminal:
    before = _refused_before(config, store)
    key = enrolment_key(store)
    with contextlib.closing(
        Transport(str(config.till.head_office_url), key, timeout_s=config.sync.timeout_s)
    ) as transport:
        answer = transport.enrol(code, config.till.name, key, before)
    if before is None:
        terminal = save_terminal(store, answer, key)
    else:
        Epochs(store).enrolled_again(answer, key)
        terminal = load_terminal(store)
    back_up(store.path, store.key, wall_ms())  # a damaged file must not make it forget who it is
    return terminal


def _plain(_: click.Context, __: click.Parameter, text: str) -> str:
    """The code without what people put between its characters."""
    plain = "".join(char for char in text.upper() if char not in " -")
    if len(plain) != CODE_LENGTH or not plain.isalnum():
        raise click.BadParameter(f"expected {CODE_LENGTH} letters and digits, such as XGZPK-TCUVU, got {len(plain)}")
    return plain


@click.command()
@click.argument("code", callback=_plain)
@json_option
@pass_config
def enrol(config: Config, code: str, as_json: bool) -> None:
    """Enrol this till with the one-time CODE that head office gave (spaarpunt hq code).

    Makes the till's keys and its encrypted database, and fetches members and programme. Safe to repeat when the
    network fails in the middle. A till whose key counts no more, since a copy goes on in its place or head office was
    restored from a backup, goes on with a new key and keeps its entries.
    """
    try:
        with contextlib.closing(open_store(config, create=True)) as store:
            terminal = _enrol(config, store, code)
            with exchange_progress(quiet=as_json) as tell:
                report = build_agent(config, store, terminal, lambda _: None).run_once(*tell)
    except Unreachable as error:
        fail(f"{error.fact}: look at the line and at till.head_office_url, then run this again: the code still counts")
    except SyncError as error:
        fail(str(error))
    data = {"terminal": terminal.terminal, "store": terminal.store, "changes": report.changes}
    emit(
        data,
        as_json,
        lambda: console.print(
            f"✓ enrolled as {terminal.terminal} of {terminal.store_name}; {report.changes} changes fetched",
            markup=False,
            highlight=False,
        ),
    )
