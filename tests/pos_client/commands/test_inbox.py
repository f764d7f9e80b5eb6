"""`spaarpunt inbox`, `adjust` and `manager`: as a manager types them, with no till running and beside a running one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from msgspec import convert

from loyalty.cards import CardNumber
from loyalty.ledger import Entry, EntryKind
from pos_client.app import look_store
from pos_client.cli import main
from pos_client.plugin.api import create_api
from pos_client.plugin.token import read_or_create
from pos_client.runtime import Runtime
from sync.terminal import wall_ms
from sync.wire_mirror import ParkedChange, ParkedState
from tests.pos_client.plugin.conftest import serving
from tests.support.till import CARD_KEY, FORMATS, SANNE, UNKNOWN_CARD, make_runtime, publish

PIN = "2468"
Command = Callable[..., Result]


def parked(seq: int, code: str = "accrual_differs", state: ParkedState = ParkedState.OPEN, **more: Any) -> ParkedChange:
    """An entry that head office parked, of a neighbouring till."""
    fields: dict[str, Any] = {
        "terminal": "till-0001",
        "till": "kassa 1",
        "epoch": 1,
        "seq": seq,
        "digest": f"{seq:064x}",
        "code": code,
        "text": "expected 10 points, got 500",
        "state": state,
        "entry_kind": "sale",
        "card": CardNumber.parse(UNKNOWN_CARD, FORMATS).token(CARD_KEY),
        "points": 500,
        "business_date": "2026-03-31",
        "parked_ms": 1_774_944_000_000 + seq,
    }
    return convert({**fields, **more}, ParkedChange)


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    """A till with a manager and three entries in its inbox; head office is away."""
    made = make_runtime(tmp_path / "till")
    made.approvals.add("Wil", PIN)
    publish(made.mirror, [parked(1), parked(2, "unknown_card"), parked(3, state=ParkedState.REFERRED)])
    yield made
    made.store.close()


def typed(folder: Path, port: int) -> Command:
    config = folder / "spaarpunt.toml"
    formats = "".join(
        f'[[card_formats]]\nname = "{form.name}"\nprefix = "{form.prefix}"\nlength = {form.length}\n'
        f'check = "{form.check.value}"\n'
        for form in FORMATS
    )
    config.write_text(
        f'[till]\ndata_dir = "{folder / "till"}"\nlanguage = "en"\n[screen]\nport = {port}\n'
        f'[plugin]\ntoken_file = "{folder / "till" / "plugin.token"}"\n{formats}'
    )

    def command(*args: str, pin: str = PIN, code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["--config", str(config), *args], input=f"{pin}\n{pin}\n")
        assert result.exit_code == code, result.output
        return result

    return command


@pytest.fixture(params=["no till runs", "beside a running till"])
def run(request: pytest.FixtureRequest, tmp_path: Path, runtime: Runtime) -> Iterator[Command]:
    if request.param == "no till runs":
        runtime.store.close()
        yield typed(tmp_path, 1)
        return
    token = read_or_create(tmp_path / "till" / "plugin.token")
    with serving(create_api(runtime, token)) as address:
        yield typed(tmp_path, int(address.rsplit(":", 1)[1]))


WHY = ("--manager", "Wil", "--reason", "bon gezien")


def listed(run: Command, *more: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("inbox", "list", "--json", *more).stdout)
    return found


def test_the_list_for_programs_without_naming_it(run: Command) -> None:
    assert json.loads(run("inbox", "--json").stdout) == listed(run)
    assert "spaarpunt inbox show --json" in run("inbox", "--json", "show", "1", code=2).output


def test_the_list_says_why_and_what_can_be_done(run: Command) -> None:
    rows = listed(run)
    assert [(row["number"], row["code"], row["actions"]) for row in rows] == [
        (1, "accrual_differs", ["approve", "reverse", "refer"]),
        (2, "unknown_card", ["link", "reverse", "refer"]),
        (3, "accrual_differs", []),
    ]
    assert rows[0]["reason"] == "Head office works out other points for this basket than the till gave."
    shown = run("inbox").output
    assert "head office decides" in shown
    assert "kassa 1" in shown
    whole = run("inbox", "show", "2").output
    assert "Nobody has this card yet" in whole
    assert "sale of 2026-03-31, +500 points" in whole
    assert UNKNOWN_CARD not in shown + whole


def test_deciding(run: Command) -> None:
    done = json.loads(run("inbox", "approve", "1", *WHY, "--json").stdout)
    assert (done["entry"]["kind"], done["entry"]["points"]) == ("resolution", 0)
    assert (done["parked"]["asked"], done["parked"]["actions"]) == ("approve", ["undo"])
    assert "link: entry 2" in run("inbox", "link", "2", "--card", SANNE.card, *WHY).output
    assert [row["asked"] for row in listed(run)] == ["approve", "link", None]
    assert "approve is on its way" in run("inbox").output
    again = run("inbox", "reverse", "1", *WHY, code=1).output
    assert "approve was decided here before" in again
    assert "was handed to head office" in run("inbox", "approve", "3", *WHY, code=1).output


def test_undoing(run: Command) -> None:
    assert "entry 1: nobody has decided about it" in run("inbox", "undo", "1", *WHY, code=1).output
    assert "entry 3: it was handed to head office, which decides" in run("inbox", "undo", "3", *WHY, code=1).output
    assert "no entry 77 in the inbox" in run("inbox", "undo", "77", *WHY, code=1).output
    run("inbox", "refer", "1", "--manager", "Wil", "--reason", "te lastig")
    done = json.loads(run("inbox", "undo", "1", "--manager", "Wil", "--reason", "toch niet", "--json").stdout)
    assert (done["entry"]["kind"], done["parked"]["asked"], done["parked"]["actions"]) == ("resolution", "undo", [])
    assert "undo is on its way" in run("inbox").output
    whole = " ".join(run("inbox", "show", "1").output.split())
    assert re.search(r"refer here Wil, .*: te lastig undo here Wil, .*: toch niet", whole)
    assert "is being taken back already" in run("inbox", "undo", "1", *WHY, code=1).output


def test_what_was_decided_at_another_till_can_be_undone_here(tmp_path: Path, runtime: Runtime) -> None:
    elsewhere = parked(4, state=ParkedState.REVERSED, approver="Bo", reason="dubbel", decided_ms=wall_ms())
    publish(runtime.mirror, [elsewhere])
    runtime.store.close()
    run = typed(tmp_path, 1)
    assert "reversed by Bo; undo" in run("inbox", "list", "--all").output
    run("inbox", "undo", "4", *WHY)
    store = look_store(runtime.config)
    (raw,) = store.row("SELECT raw FROM journal ORDER BY seq DESC") or ()
    store.close()
    made = Entry.decode(raw)
    assert made.resolves is not None
    assert (made.resolves.action, made.resolves.undoes, made.reason) == ("undo", "reverse", "bon gezien")


def test_the_entries_carry_who_and_why(tmp_path: Path, runtime: Runtime) -> None:
    runtime.store.close()
    run = typed(tmp_path, 1)
    run("inbox", "link", "2", "--card", SANNE.card, *WHY)
    run("inbox", "refer", "1", *WHY)
    run("adjust", SANNE.card, "-40", *WHY)
    store = look_store(runtime.config)
    entries = [Entry.decode(raw) for (raw,) in store.rows("SELECT raw FROM journal ORDER BY seq")]
    store.close()
    assert [(entry.kind, entry.approver, entry.reason) for entry in entries] == [
        (EntryKind.RESOLUTION, "Wil", "bon gezien"),
        (EntryKind.RESOLUTION, "Wil", "bon gezien"),
        (EntryKind.ADJUSTMENT, "Wil", "bon gezien"),
    ]
    link, refer, adjustment = entries
    assert link.resolves is not None
    assert (link.resolves.account, link.resolves.seq, link.account) == (SANNE.account, 2, SANNE.account)
    assert refer.resolves is not None
    assert (refer.resolves.action, refer.resolves.digest) == ("refer", f"{1:064x}")
    assert adjustment.points == -40


def test_wrong_numbers_cards_and_pins(run: Command) -> None:
    assert "no entry 77 in the inbox" in run("inbox", "show", "77", code=1).output
    assert "no entry 77 in the inbox" in run("inbox", "reverse", "77", *WHY, code=1).output
    assert (
        "allows approve or refer or reverse, not link"
        in run("inbox", "link", "1", "--card", SANNE.card, *WHY, code=1).output
    )
    assert "belongs to no member" in run("inbox", "link", "2", "--card", UNKNOWN_CARD, *WHY, code=1).output
    assert "allows link or refer or reverse, not approve" in run("inbox", "approve", "2", *WHY, code=1).output
    assert "wrong PIN: 4 tries left" in run("inbox", "reverse", "1", *WHY, pin="1111", code=1).output
    assert (
        "no manager of this name" in run("inbox", "reverse", "1", "--manager", "Piet", "--reason", "x", code=1).output
    )
    assert "1 to 200" in run("inbox", "reverse", "1", "--manager", "Wil", "--reason", " ", code=2).output
    assert [row["asked"] for row in listed(run)] == [None, None, None]


def test_adjusting(run: Command) -> None:
    done = json.loads(run("adjust", SANNE.card, "50", *WHY, "--json").stdout)
    assert (done["entry"]["kind"], done["entry"]["points"]) == ("adjustment", 50)
    assert done["member"]["balance"] == {**done["member"]["balance"], "confirmed": 1284, "queued": 50, "total": 1334}
    assert "-20 points, balance 1314" in run("adjust", SANNE.card, "-20", *WHY).output
    assert "wrong PIN" in run("adjust", SANNE.card, "9", *WHY, pin="0000", code=1).output
    assert "expected points to give" in run("adjust", SANNE.card, "0", *WHY, code=2).output
    assert re.search("expected .* (characters starting|card formats)", run("adjust", "12345", "5", *WHY, code=1).output)
    assert "Missing option '--reason'" in run("adjust", SANNE.card, "5", "--manager", "Wil", code=2).output
    assert run("balance", SANNE.card, "--json").stdout.count('"balance": 1314') == 1


def test_managers(tmp_path: Path, runtime: Runtime) -> None:
    run = typed(tmp_path, 1)
    assert "the till is running: stop it" in run("manager", "add", "Jo", code=1).output
    assert json.loads(run("manager", "list", "--json").stdout) == ["Wil"]
    runtime.store.close()
    assert "Jo can decide at this till" in run("manager", "add", "Jo", pin="999999").output
    assert run("manager", "list").output == "Jo\nWil\n"
    assert "no longer decide" in run("manager", "remove", "Wil").output
    assert "no manager of this name" in run("inbox", "reverse", "1", *WHY, code=1).output
    run("manager", "remove", "Jo")
    assert "no manager has a PIN" in run("inbox", "reverse", "1", *WHY, code=1).output
    assert "expected a PIN of 4 to 12 digits" in run("manager", "add", "Jo", pin="12", code=1).output
    assert "no manager 'Jo'" in run("manager", "remove", "Jo", code=1).output


def test_a_till_that_is_not_there(tmp_path: Path) -> None:
    run = typed(tmp_path, 1)
    for command in (("inbox", "list"), ("inbox", "show", "1"), ("manager", "list")):
        assert "this till is not enrolled" in run(*command, code=1).output
