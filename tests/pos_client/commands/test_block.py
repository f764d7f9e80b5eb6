"""`spaarpunt block`: with no till running, and by a running one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pos_client.plugin.api import create_api
from pos_client.plugin.token import read_or_create
from pos_client.runtime import Runtime
from tests.pos_client.commands.test_inbox import PIN, Command, typed
from tests.pos_client.plugin.conftest import serving
from tests.pos_client.test_card_orders import NEW
from tests.support.till import JORIS, SANNE, make_runtime

WHY = ("--manager", "Wil", "--reason", "lost at the market")


@pytest.fixture(params=["no till runs", "beside a running till"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Command]:
    runtime: Runtime = make_runtime(tmp_path / "till")
    runtime.approvals.add("Wil", PIN)
    if request.param == "no till runs":
        runtime.store.close()
        yield typed(tmp_path, 1)
        return
    token = read_or_create(tmp_path / "till" / "plugin.token")
    with serving(create_api(runtime, token)) as address:
        yield typed(tmp_path, int(address.rsplit(":", 1)[1]))
    runtime.store.close()


def test_block_replace_and_undo(run: Command) -> None:
    assert "✓ blocked" in run("block", SANNE.card, *WHY).output
    assert json.loads(run("balance", SANNE.card, "--json").stdout)["blocked"] is True
    assert "✓ let in again" in run("block", SANNE.card, "--undo", *WHY).output
    assert json.loads(run("balance", SANNE.card, "--json").stdout)["blocked"] is False
    done = json.loads(run("block", SANNE.card, "--replace", NEW, "--json", *WHY).stdout)
    assert (done["entry"]["kind"], done["entry"]["points"]) == ("adjustment", 0)
    assert json.loads(run("balance", NEW, "--json").stdout)["first_name"] == "Sanne"
    assert [line["reason"] for line in json.loads(run("history", SANNE.card, "--json").stdout)] == [WHY[3]] * 3


def test_what_is_refused(run: Command) -> None:
    assert "belongs to a member already" in run("block", SANNE.card, "--replace", JORIS.card, *WHY, code=1).output
    assert "wrong PIN" in run("block", SANNE.card, *WHY, pin="1111", code=1).output
    assert "not both" in run("block", SANNE.card, "--undo", "--replace", NEW, *WHY, code=2).output
    assert json.loads(run("balance", SANNE.card, "--json").stdout)["blocked"] is False
