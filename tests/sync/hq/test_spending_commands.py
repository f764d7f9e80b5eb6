"""`hq lease`, `hq debts`, `hq exposure`, and what `hq status` and `hq nightly` say of points set aside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click
import httpx
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from loyalty.programme import OfflineMode, OfflinePolicy
from pos_client.app import open_store
from pos_client.commands.sync import sync_group
from pos_client.config import load_config
from sync.hq.database import Connection, Database
from sync.hq.programmes import publish
from sync.terminal import save_terminal
from sync.transport import Transport
from tests.support.entries import TestTill, programme
from tests.sync.hq.conftest import code
from tests.sync.hq.test_commands import run

__all__ = ["run"]

Run = Callable[..., Result]
Member = Callable[..., tuple[str, str]]


def test_leases_listed_and_revoked(run: Run, till: TestTill, member: Member, conn: Connection) -> None:
    assert "nothing is set aside" in run("lease", "list").output
    offline = OfflinePolicy(redeem=OfflineMode.LEASE, lease_points=100)
    rules = programme(2).model_copy(update={"offline": offline})
    publish(conn, rules)
    card, account = member(points=80)
    till.chain.sale(card, (100,), account=account, rules=rules)
    assert till.send().status_code == 200
    (lease,) = json.loads(run("lease", "list", "--json").stdout)
    assert (lease["account"], lease["points"], lease["closed"]) == (account, 81, False)
    assert till.terminal in run("lease", "list").output
    found = json.loads(run("exposure", "--json").stdout)
    assert (found["policy"], found["chain_points"], found["leased_points"]) == ("lease", 0, 81)
    assert "--by" in run("lease", "revoke", lease["lease"], code=2).output
    assert run("lease", "revoke", lease["lease"], "--by", "Wil").output.startswith(f"81 points of {account} are free")
    assert "no live lease" in run("lease", "revoke", lease["lease"], "--by", "Wil", code=1).output
    done = json.loads(run("nightly", "--json").stdout)
    assert (done["leases_reclaimed"], done["leases_granted"]) == (0, 1)


def test_debts_listed(run: Run, till: TestTill, member: Member) -> None:
    assert "nothing took points" in run("debts").output
    card, account = member(points=20)
    till.chain.sale(card, (500,), account=account, rewards=("five-off",))
    assert till.send().status_code == 200
    (debt,) = json.loads(run("debts", "--json").stdout)
    assert (debt["account"], debt["points"], debt["balance"]) == (account, 30, -30)
    assert account in run("debts").output
    shown = json.loads(run("status", "--json").stdout)
    assert (shown["debts"], shown["debt_points"], shown["agrees"]) == (1, 30, True)
    assert "1 entries took 30 points that were not there or were set aside" in run("status").output


@click.group()
@click.option("--config", type=click.Path(path_type=Path))
def on_till(config: Path | None) -> None:
    """What the whole command passes down."""


on_till.add_command(sync_group)


@pytest.mark.usefixtures("till")
def test_exposure_asked_from_a_till(
    tmp_path: Path, database: Database, hq: httpx.Client, run: Run, member: Member
) -> None:
    file = tmp_path / "till.toml"
    folder = tmp_path / "till"
    file.write_text(f'[till]\nname = "kassa"\ndata_dir = "{folder}"\nhead_office_url = "{hq.base_url}"\n')
    config = load_config(file)
    store = open_store(config, create=True)
    key = Ed25519PrivateKey.generate()
    door = Transport(str(hq.base_url), key, timeout_s=5)
    save_terminal(store, door.enrol(code(database), "kassa", key), key)
    door.close()
    _, account = member(points=100)
    # Beside a running till too: the store is open here.
    result = CliRunner().invoke(on_till, ["--config", str(file), "sync", "exposure", "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["policy"], found["tills"], found["chain_points"]) == ("capped", 2, 100)
    assert found["accounts"] == [{"account": account, "points": 100}]
    assert json.loads(run("exposure", "--json").stdout)["chain_points"] == 100
    shown = CliRunner().invoke(on_till, ["--config", str(file), "sync", "exposure"]).output
    assert "at worst 100 points overspent in the whole chain" in shown
    store.close()
    file.write_text(file.read_text().replace(str(hq.base_url), "http://127.0.0.1:9"))
    result = CliRunner().invoke(on_till, ["--config", str(file), "sync", "exposure"])
    assert result.exit_code == 1
