"""`spaarpunt enrol`: give this till its place at head office, with a one-time code."""

from __future__ import annotations

import click

from pos_client.app import build_agent, open_store
from pos_client.commands.common import console, emit, fail, json_option, pass_config
from pos_client.commands.progress import exchange_progress
from pos_client.config import Config
from sync.backups import back_up
from sync.errors import NotEnrolled, SyncError
from sync.terminal import enrolment_key, load_terminal, save_terminal, wall_ms
from sync.transport import Transport


@click.command()
@click.argument("code")
@json_option
@pass_config
def enrol(config: Config, code: str, as_json: bool) -> None:
    """Enrol this till with the one-time CODE that head office gave (spaarpunt hq code).

    Makes the till's keys and its encrypted database, and fetches members and programme. Safe to repeat when the
    network fails in the middle.
    """
    try:
        store = open_store(config, create=True)
        try:
            fail(f"this till is enrolled already, as {load_terminal(store).terminal}")
        except NotEnrolled:
            key = enrolment_key(store)
        transport = Transport(str(config.till.head_office_url), key, timeout_s=config.sync.timeout_s)
        terminal = save_terminal(store, transport.enrol(code.strip().upper(), config.till.name, key), key)
        transport.close()
        back_up(store.path, store.key, wall_ms())  # a damaged file must not make it forget who it is
        with exchange_progress(quiet=as_json) as tell:
            report = build_agent(config, store, terminal, lambda _: None).run_once(*tell)
        store.close()
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
