"""`spaarpunt enrol` and `spaarpunt sync backup`, `backups`, `restore`, as typed, with a real head office."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pos_client.app import STORE_NAME
from pos_client.cli import main
from sync.hq.database import Connection, Database
from sync.journal import Journal
from sync.store import Store, hold_folder, read_key
from sync.terminal import load_terminal
from tests.sync.build import draft
from tests.sync.hq.conftest import code, conn, database, database_url, hq, member

__all__ = ["conn", "database", "database_url", "hq", "member"]

Command = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "till"


@pytest.fixture
def run(tmp_path: Path, folder: Path, hq: httpx.Client) -> Command:
    config = tmp_path / "spaarpunt.toml"
    config.write_text(
        f'[till]\nname = "kassa 1"\ndata_dir = "{folder}"\nhead_office_url = "{hq.base_url}"\nlanguage = "en"\n'
        '[[card_formats]]\nname = "card"\nprefix = "29"\nlength = 13\ncheck = "none"\n'
    )

    def command(*arguments: str, exit_code: int = 0, typed: str | None = None) -> Result:
        result = CliRunner().invoke(main, ["--config", str(config), *arguments], input=typed)
        assert result.exit_code == exit_code, result.output
        return result

    return command


def told(result: Result) -> Any:
    return json.loads(result.stdout)


def journal(folder: Path) -> tuple[Store, Journal]:
    store = Store.open(folder / STORE_NAME, read_key(folder / "store.key", create=False))
    return store, Journal(store, load_terminal(store))


def sell(folder: Path, count: int, card: str, account: str) -> None:
    store, entries = journal(folder)
    for _ in range(count):
        entries.append(draft(card=card, account=account))
    store.close()


def head(folder: Path) -> tuple[int, int, int]:
    """Epoch, last number, and how many are queued."""
    store, entries = journal(folder)
    found = entries.head()
    store.close()
    return found.epoch, found.seq, found.queued


def test_a_wrong_code_enrols_nothing_and_the_right_one_then_does(run: Command, database: Database) -> None:
    refused = run("enrol", "AAAAA-AAAAA", exit_code=1)
    assert "code" in refused.output
    answer = told(run("enrol", code(database).lower(), "--json"))
    assert answer["store"] == "s01"


@pytest.mark.parametrize("typed", ["ABC", "XGZPK-TCUVU-9", "XGZPK.TCUVU", ""])
def test_what_is_no_code_is_wrong_use_and_makes_nothing(run: Command, folder: Path, typed: str) -> None:
    assert "expected 10 letters and digits, such as XGZPK-TCUVU" in run("enrol", typed, exit_code=2).output
    assert not folder.exists()


@pytest.mark.parametrize("asked", [["balance", "2900000000001"], ["sync", "now"], ["report"], ["manager", "list"]])
def test_a_new_till_is_told_to_enrol(run: Command, asked: list[str]) -> None:
    assert "this till is not enrolled" in run(*asked, exit_code=1).output


def test_status_says_what_comes_next(run: Command, database: Database) -> None:
    assert "enrol it (spaarpunt enrol CODE)" in run("status", exit_code=1).output
    run("enrol", code(database))
    assert "yet: start it with spaarpunt till" in run("status", exit_code=1).output


def test_a_pin_comes_from_standard_input_where_there_is_no_terminal(run: Command, database: Database) -> None:
    run("enrol", code(database))
    nothing = run("manager", "add", "Wil", exit_code=1)
    assert nothing.output == "✗ New PIN of Wil: expected it at a terminal or on standard input, got nothing\n"
    assert run("manager", "add", "Wil", typed="2468\n").output == "Wil can decide at this till\n"
    assert told(run("manager", "list", "--json")) == ["Wil"]


def test_a_key_that_is_gone_is_not_a_new_till(run: Command, folder: Path, database: Database) -> None:
    run("enrol", code(database))
    (folder / "store.key").unlink()
    assert "store.key is missing: put it back" in run("sync", "status", exit_code=1).output


def test_a_till_that_is_enrolled_is_not_enrolled_again(run: Command, database: Database, conn: Connection) -> None:
    terminal = told(run("enrol", code(database), "--json"))["terminal"]
    again = run("enrol", code(database), exit_code=1)
    assert f"this till is enrolled already, as {terminal}" in again.output
    assert conn.execute("SELECT count(*) FROM terminal").fetchone() == (1,)


def test_a_till_whose_key_counts_no_more_goes_on_as_itself_and_sends_what_it_kept(
    run: Command, folder: Path, database: Database, conn: Connection, member: Callable[..., tuple[str, str]]
) -> None:
    terminal = told(run("enrol", code(database), "--json"))["terminal"]
    sell(folder, 3, *member())
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    conn.execute("UPDATE terminal SET public_key = %s WHERE terminal_id = %s", (other, terminal))
    assert "signature" in run("sync", "now", exit_code=1).output
    assert head(folder) == (1, 3, 3)
    answer = told(run("enrol", code(database), "--json"))
    assert answer["terminal"] == terminal
    assert head(folder) == (2, 0, 0)
    assert conn.execute("SELECT epoch, count(*) FROM received GROUP BY epoch").fetchall() == [(1, 3)]
    assert run("sync", "now").exit_code == 0


def test_without_head_office_nothing_is_enrolled_and_the_same_code_still_counts(
    run: Command, tmp_path: Path, hq: httpx.Client, database: Database
) -> None:
    config = tmp_path / "spaarpunt.toml"
    text = config.read_text()
    config.write_text(text.replace(str(hq.base_url), "http://127.0.0.1:1"))
    given = code(database)
    without = run("enrol", given, exit_code=1).output
    assert "http://127.0.0.1:1: no connection: look at the line and at till.head_office_url" in without
    assert "sales go on" not in without
    config.write_text(text)
    assert told(run("enrol", given, "--json"))["store"] == "s01"


def test_backups_are_made_listed_and_put_back(
    run: Command, folder: Path, database: Database, conn: Connection, member: Callable[..., tuple[str, str]]
) -> None:
    run("enrol", code(database))
    known = member()
    sell(folder, 2, *known)
    made = told(run("sync", "backup", "--json"))
    listed = told(run("sync", "backups", "--json"))
    assert listed[0] == made
    assert Path(made["path"]).stat().st_size == made["bytes"]
    shown = "".join(char for char in run("sync", "backups").output if char not in "\n │")
    assert made["path"] in shown  # folded over lines, never cut
    sell(folder, 1, *known)
    run("sync", "now")
    restored = told(run("sync", "restore", "--json"))
    assert restored["restored"] == made["path"]
    assert Path(restored["set_aside"]).exists()
    assert head(folder)[1] == 2
    # Head office has a third entry that this journal has not: the till opens its next epoch before it sells.
    run("sync", "now")
    sell(folder, 1, *known)
    run("sync", "now")
    assert head(folder) == (2, 1, 0)
    assert conn.execute("SELECT epoch, count(*) FROM received GROUP BY 1 ORDER BY 1").fetchall() == [(1, 3), (2, 1)]
    assert conn.execute("SELECT count(*) FROM parked").fetchone() == (0,)


def test_what_cannot_be_restored_says_so_and_changes_nothing(
    run: Command, folder: Path, database: Database, member: Callable[..., tuple[str, str]]
) -> None:
    run("enrol", code(database))
    sell(folder, 2, *member())
    stranger = folder / "stranger.db"
    stranger.write_bytes(b"no backup" * 1000)
    assert "does not open with this key" in run("sync", "restore", str(stranger), exit_code=1).output
    assert "no backup at" in run("sync", "restore", str(folder / "gone.db"), exit_code=1).output
    running = hold_folder(folder / STORE_NAME)
    assert "stop" in run("sync", "restore", exit_code=1).output.lower()
    running.release()
    assert head(folder)[1] == 2
    shutil.rmtree(folder / "backups")
    assert "name the file" in run("sync", "restore", exit_code=1).output.replace("\n", " ")
    assert "no backups yet" in run("sync", "backups").output
