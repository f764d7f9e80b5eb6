"""A member erased: nothing of the person stays anywhere, and the books still add up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from pos_client.cli import main
from sync.hq.changes import changes, newest_cursor
from sync.hq.database import Connection, Database
from sync.hq.erasure import _PERSONAL, erase
from sync.hq.errors import HqError
from sync.hq.overview import status
from sync.wire import BatchAnswer
from sync.wire_mirror import AccountChange, AccountGone, CardGone, ChangesPage
from tests.support.entries import DAY, TestTill

Member = Callable[..., tuple[str, str]]

KEPT = {
    "account": "erased itself",
    "card": "erased itself",
    "ledger": "dates and points, without card and bytes",
    "received": "where an entry came from; the id names nobody",
    "parked": "waits for a person as it came",
    "resolution": "what a person decided about it",
    "lease": "revoked; the till hears of it",
    "coupon_use": "a code stays used; the id names nobody",
}


def test_nothing_of_the_person_stays(conn: Connection, till: TestTill, member: Member) -> None:
    card, account = member(points=60)
    other_card, other = member(points=5)
    sale = till.chain.sale(card, (2000,), account=account, rewards=["five-off"])
    till.chain.sale(other_card, account=other)
    till.send()
    start = newest_cursor(conn)
    done = erase(conn, account, DAY)
    assert (done.points, done.cards) == (25, 1)
    found = changes(conn, till.terminal, "till", start).changes
    assert set(found) == {AccountGone(account=account), CardGone(token=card)}
    everything = "".join(
        str(row)
        for table in ("account", "card", "balance", "ledger", "counter")
        for row in conn.execute(f"SELECT t::text FROM {table} t".encode()).fetchall()
    )
    assert card not in everything
    assert sale.encode().hex() not in everything
    assert conn.execute("SELECT sum(points) FROM ledger WHERE account_id = %s", (account,)).fetchone() == (0,)
    assert status(conn).agrees
    # From the start of the feed it is gone too, and the other member is not.
    page = ChangesPage.decode(till.get("/v1/changes/till", cursor="").content)
    assert [change.account for change in page.changes if isinstance(change, AccountChange)] == [other]


def test_every_table_with_an_account_was_thought_of(conn: Connection) -> None:
    """A new table that knows members must be erased too, or say here why not."""
    tables = conn.execute(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'account_id'"
    ).fetchall()
    assert {name for (name,) in tables} == {*_PERSONAL, *KEPT}


def test_what_tills_send_later_is_parked(conn: Connection, till: TestTill, member: Member) -> None:
    card, account = member(points=60)
    sale = till.chain.sale(card, account=account)
    till.send()
    erase(conn, account, DAY)
    till.chain.sale(card, account=account)
    till.chain.void(sale)
    answer = BatchAnswer.decode(till.send(till.chain.batch(2, 3)).content)
    assert [result.code for result in answer.results] == ["unknown_card", "unknown_card"]
    assert status(conn).agrees


def test_an_account_that_is_not_here(conn: Connection) -> None:
    with pytest.raises(HqError, match="no member has the account 'm-none'"):
        erase(conn, "m-none", DAY)


def test_the_command_asks_first(database_url: str, database: Database, conn: Connection, tmp_path: Path) -> None:
    config = tmp_path / "spaarpunt.toml"
    config.write_text('[[card_formats]]\nname = "card"\nprefix = "29"\nlength = 13\ncheck = "none"\n')
    members = tmp_path / "members.csv"
    members.write_text("card_number,first_name,tier,points\n2900000000001,Anna,gold,12\n")
    base = ["--config", str(config), "hq", "members"]
    there = ["--database-url", database_url]
    assert CliRunner().invoke(main, [*base, "import", str(members), *there]).exit_code == 0
    refused = CliRunner().invoke(main, [*base, "erase", "2900000000001", *there], input="n\n")
    assert refused.exit_code == 1
    assert refused.stdout == ""  # the question is no answer
    assert conn.execute("SELECT count(*) FROM account").fetchone() == (1,)
    done = CliRunner().invoke(main, [*base, "erase", "2900000000001", "--yes", "--json", *there])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) | {"account": ""} == {"account": "", "points": 12, "cards": 1}
    assert conn.execute("SELECT count(*) FROM account").fetchone() == (0,)
    again = CliRunner().invoke(main, [*base, "erase", "2900000000001", "--yes", *there])
    assert again.exit_code == 1


def test_the_feed_is_shortened_at_night_and_begun_anew_by_hand(
    database_url: str, conn: Connection, member: Member
) -> None:
    _, account = member()
    conn.execute("INSERT INTO feed (subject, key) VALUES ('account', %s)", (account,))
    before = newest_cursor(conn)
    done = CliRunner().invoke(main, ["hq", "nightly", "--json", "--database-url", database_url])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["changes_dropped"] == 1
    done = CliRunner().invoke(main, ["hq", "restored", "--json", "--database-url", database_url])
    assert done.exit_code == 0, done.output
    epoch = json.loads(done.stdout)["feed_epoch"]
    assert newest_cursor(conn).split(":")[0] == epoch != before.split(":")[0]
