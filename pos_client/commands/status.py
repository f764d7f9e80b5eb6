"""`spaarpunt status`: how the till is doing, for people and for monitoring; also when it is down."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from pos_client.commands.common import EXIT_PROBLEM, console, emit, json_option, pass_config
from pos_client.config import Config
from pos_client.moments import local
from pos_client.plugin.client import PluginProblem, TillClient
from pos_client.plugin.token import TokenError, read_existing
from pos_client.status_file import last_status


@click.command()
@json_option
@click.pass_context
@pass_config
def status(config: Config, context: click.Context, as_json: bool) -> None:
    """Say how the till is doing, and what to do. Exit code 0 when it runs and nothing needs a person.

    Asks the running till. When none answers, says from its files since when, and what it said last.
    """
    found = till_status(config)
    emit(found, as_json, lambda: _show(found, config, enrolled=config.till.store_key_file.exists()))
    if not found["healthy"]:
        context.exit(EXIT_PROBLEM)


def till_status(config: Config) -> dict[str, Any]:
    """The status of the till as one JSON-ready object.

    `state` is `running`, `stopped` (it was told to), `down` (it fell over, or does not answer) or `never` (it never ran
    here); `since` when that began, as far as it is known; the rest as in `GET /v1/status`, as last said.
    """
    try:
        with TillClient(
            f"http://127.0.0.1:{config.screen.port}", read_existing(config.plugin_token_file), patience_s=0
        ) as client:
            answer = client.status().model_dump(mode="json")
            # The till's own "since" is of its line with head office.
        return {**answer, "state": "running", "since": answer["started"]}
    except (PluginProblem, TokenError) as error:
        unanswered = str(error)
    last = last_status(config.till.data_dir)
    if last is None:
        return {"state": "never", "since": None, "healthy": False, "answer": unanswered}
    state = "stopped" if last.pop("stopped", False) else "down"
    return {**last, "state": state, "since": last.get("at"), "healthy": False, "answer": unanswered}


def _show(found: dict[str, Any], config: Config, *, enrolled: bool) -> None:
    def line(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    since = "?" if found["since"] is None else local(datetime.fromisoformat(found["since"]), config)
    name = found.get("till", "this till")
    match found["state"]:
        case "running":
            line(f"{'✓' if found['healthy'] else '!'} {name} runs since {since}")
        case "stopped":
            line(f"✗ {name} was stopped, {since}: start it with spaarpunt till, or systemctl start spaarpunt-till")
        case "down":
            line(f"✗ {name} does not run; it was last seen {since}. Its log says why: logs/till.log in till.data_dir")
        case _:
            begin = (
                "start it with spaarpunt till" if enrolled else "enrol it (spaarpunt enrol CODE), then spaarpunt till"
            )
            line(f"✗ no till ran on this data folder yet: {begin}")
    for trouble in found.get("problems", ()):
        mark = "·" if trouble["gravity"] == "info" else "✗"
        line(f"{mark} {trouble['text']}: {trouble['todo']}")
    if "queue_length" in found:
        line(f"  {found['queue_length']} entries wait for head office; {'online' if found['online'] else 'offline'}")
