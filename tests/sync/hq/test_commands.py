"""The `hq` commands: as a person types them, beside a running server."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
from click.testing import CliRunner, Result

from pos_client.commands.hq import hq
from sync.hq.database import Database
from tests.support.entries import PROGRAMME_TOML, TestTill

CONFIG = '[[card_formats]]\nname = "card"\nprefix = "29"\nlength = 13\ncheck = "none"\n'


@click.group()
@click.option("--config", type=click.Path(path_type=Path))
def main(config: Path | None) -> None:
    """What the whole command passes down."""


main.add_command(hq)


@pytest.fixture
def run(database_url: str, tmp_path: Path) -> Callable[..., Result]:
    config = tmp_path / "spaarpunt.toml"
    config.write_text(CONFIG)

    def command(*args: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["--config", str(config), "hq", *args, "--database-url", database_url])
        assert result.exit_code == code, result.output
        return result

    return command


def test_a_head_office_from_nothing(
    run: Callable[..., Result], tmp_path: Path, database: Database, till: TestTill, member: Callable[..., Any]
) -> None:
    file = tmp_path / "programme.toml"
    file.write_text(PROGRAMME_TOML.replace("version = 1", "version = 2"))
    assert run("programme", "publish", str(file)).output == "published spaarpunt version 2\n"
    assert "expected a version above 2" in run("programme", "publish", str(file), code=1).output

    members = tmp_path / "members.csv"
    members.write_text("\ufeffcard_number,first_name,tier,points\n2900000000001,Anna,gold,12\n", encoding="utf-8")
    done = json.loads(run("members", "import", str(members), "--json").stdout)
    assert done == {"members": 1, "points": 12}
    assert "line 2: this card belongs to a member already" in run("members", "import", str(members), code=1).output

    made = json.loads(run("code", "--store", "s02", "--name", "Markt", "--json").stdout)
    assert TestTill(till.client).enrol(made["code"]).store_name == "Markt"

    till.chain.sale("f" * 32)
    till.send()
    listed = json.loads(run("parked", "--json").stdout)
    assert [(row["terminal"], row["seq"], row["code"]) for row in listed] == [(till.terminal, 1, "unknown_card")]
    assert "unknown_card" in run("parked").output

    shown = json.loads(run("status", "--json").stdout)
    assert (shown["accounts"], shown["points"], shown["parked"], shown["agrees"]) == (1, 12, 1, True)
    assert [row["durable_to"] for row in shown["terminals"]] == [1, 0]
    assert "12 points" in run("status").output
    assert till.terminal in run("status").output  # whole in a window of 80 characters: `terminal revoke` wants it

    run("terminal", "revoke", till.terminal)
    assert "revoked" in run("status").output
    assert "no terminal 't-0'" in run("terminal", "revoke", "t-0", code=1).output


def test_a_ledger_that_does_not_add_up_is_a_problem(
    run: Callable[..., Result], database: Database, member: Callable[..., Any]
) -> None:
    member(points=5)
    with database.connection() as conn:
        conn.execute("UPDATE balance SET points = 6")
    assert "ledger adds up to 5" in run("status", code=1).output


def test_wrong_use(run: Callable[..., Result], tmp_path: Path) -> None:
    assert "Missing option '--store'" in run("code", code=2).output
    assert "two different databases" in run("status", "--data", str(tmp_path), code=2).output
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("format = 1")
    assert "is no programme: id: Field required" in run("programme", "publish", str(wrong), code=1).output
    assert "nothing is parked" in run("parked").output


def test_every_command_says_what_it_is_for() -> None:
    def walk(command: click.Command) -> None:
        assert command.help or isinstance(command.callback, type(None)), command.name
        if isinstance(command, click.Group):
            for inner in command.commands.values():
                walk(inner)
        for option in command.params:
            assert not isinstance(option, click.Option) or option.help, (command.name, option.name)

    walk(hq)


_RUN = (
    "import sys, click; from pos_client.commands.hq import hq; "
    "main = click.Group(params=[click.Option(['--config'])]); main.add_command(hq); main()"
)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_serve_says_where_and_stops_cleanly(tmp_path: Path, database_url: str, stop: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, "hq", "serve", "--port", "0", "--database-url", database_url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "SPAARPUNT_CONFIG": os.devnull},
    )
    try:
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], 20)
        assert readable
        line = process.stdout.readline()
        assert line.startswith("head office listens on http://127.0.0.1:")
        assert httpx.get(f"{line.split()[-1]}/v1/hello", timeout=10).status_code == 200
        process.send_signal(stop)
        _, stderr = process.communicate(timeout=20)
        assert (process.returncode, stderr) == (0, "")
    finally:
        process.kill()


def test_a_port_that_is_taken(run: Callable[..., Result], till: TestTill) -> None:
    port = till.client.base_url.port
    output = run("serve", "--port", str(port), code=1).output
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use; choose another --host or --port" in output


def test_the_night_says_what_it_did(run: Callable[..., Result], database: Database) -> None:
    assert run("nightly").stdout == (
        "0 points of 0 members lapsed; points of 0 vested; 0 tiers changed; "
        "0 leases reclaimed, 0 granted; 0 changes dropped from the feed\n"
    )
    done = json.loads(run("nightly", "--json").stdout)
    assert done.pop("changes_dropped") == 0
    names = (
        "lapsed_accounts",
        "lapsed_points",
        "tiers_changed",
        "vested_accounts",
        "leases_granted",
        "leases_reclaimed",
    )
    counted = dict.fromkeys(names, 0)
    assert done == {**counted, "unreadable": None}


def test_head_offices_own_word(
    run: Callable[..., Result], database: Database, till: TestTill, member: Callable[..., Any]
) -> None:
    card, account = member()
    for _ in range(4):
        till.chain.sale(card, programme_version=9)
    till.chain.sale("f" * 32)
    till.send()
    (row, *_) = json.loads(run("parked", "--json").stdout)
    assert (row["code"], row["points"], row["state"]) == ("unknown_programme", 10, "open")
    assert row["actions"] == ["approve", "refer", "reverse"]
    why = ("--reason", "versie 9 was een proef", "--by", "Els")
    place = (till.terminal, "1")
    done = json.loads(run("resolve", "approve", *place, "1", *why, "--json").stdout)
    assert (done["action"], done["booked"]) == ("approve", 1)
    assert "0 entries booked" in run("resolve", "reverse", *place, "2", *why).output
    run("resolve", "refer", *place, "3", *why)
    assert {row["number"]: row["state"] for row in _by_number(run)} == {3: "referred", 4: "open", 5: "open"}
    run("resolve", "approve", *place, "3", *why)
    assert "1 entries booked" in run("resolve", "link", *place, "5", *why, "--account", account).output
    with database.connection() as conn:
        assert conn.execute("SELECT points FROM balance").fetchone() == (30,)
        by_els = conn.execute("SELECT count(*) FROM resolution WHERE by_terminal IS NULL AND approver = 'Els'")
        assert by_els.fetchone() == (5,)

    assert "was approved by Els on" in run("resolve", "reverse", *place, "1", *why, code=1).output
    assert "nothing is parked as terminal" in run("resolve", "reverse", *place, "77", *why, code=1).output
    assert "cannot be settled by link" in run("resolve", "link", *place, "4", *why, "--account", account, code=1).output
    assert "card: " in run("resolve", "link", *place, "4", *why, "--card", "2", code=1).output
    assert "by --card or --account" in run("resolve", "link", *place, "4", *why, code=2).output
    assert "take neither" in run("resolve", "approve", *place, "4", *why, "--account", account, code=2).output
    assert "--reason of 1 to 200" in run("resolve", "approve", *place, "4", "--reason", " ", "--by", "E", code=2).output


def _by_number(run: Callable[..., Result]) -> list[dict[str, Any]]:
    return [{**row, "number": row["seq"]} for row in json.loads(run("parked", "--json").stdout)]
