"""What is known of members beside points: imported, changed, told to tills; wrong values named, secrets kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from click.testing import CliRunner, Result

from loyalty.contacts import email_hash, phone_hash
from pos_client.cli import main
from sync.hq.database import Connection, Database
from sync.hq.errors import HqError, ImportRefused
from sync.hq.members import import_members
from sync.hq.profiles import Segmented, account_of, edit, segments, set_contacts, set_pin, set_segment
from sync.wire_mirror import AccountChange, ChangesPage
from tests.support.entries import DAY, TestTill
from tests.sync.hq.conftest import CARDS

HEADER = "card_number,first_name,tier,points,birthday,segments"
ANNA, BO = "2900000000001", "2900000000002"

CONFIG = '[[card_formats]]\nname = "card"\nprefix = "29"\nlength = 13\ncheck = "none"\n'


@pytest.fixture
def two(database: Database, conn: Connection) -> Callable[[str], str]:
    """Anna and Bo, imported; gives the account of a card number."""
    lines = [HEADER, f"{ANNA},Anna,gold,12,11-24,families students", f"{BO},Bo,basic,0,,"]
    import_members(conn, database.keys.card, CARDS, lines, today=DAY)
    return lambda number: account_of(conn, database.keys.card, CARDS, number)


def told(till: TestTill) -> dict[str, AccountChange]:
    page = ChangesPage.decode(till.get("/v1/changes/till").content)
    return {change.account: change for change in page.changes if isinstance(change, AccountChange)}


def test_tills_hear_of_birthday_and_segments(two: Callable[[str], str], till: TestTill) -> None:
    heard = told(till)
    assert (heard[two(ANNA)].birthday, heard[two(ANNA)].segments) == ("11-24", ("families", "students"))
    assert (heard[two(BO)].birthday, heard[two(BO)].segments, heard[two(BO)].pin) == (None, (), None)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ("11-31,", "birthday: expected month and day such as 11-24"),
        ("1980-11-24,", "birthday: expected month and day such as 11-24, no year"),
        (",Families", "segment: expected up to 40 small letters"),
        ("," + " ".join(f"s{number}" for number in range(51)), "segments: expected at most 50, got 51"),
    ],
)
def test_a_wrong_cell_is_named(database: Database, conn: Connection, cells: str, expected: str) -> None:
    with pytest.raises(ImportRefused) as caught:
        import_members(conn, database.keys.card, CARDS, [HEADER, f"{ANNA},Anna,gold,12,{cells}"], today=DAY)
    assert f"line 2: {expected}" in str(caught.value)


def test_29_february_is_a_birthday(database: Database, conn: Connection) -> None:
    lines = ["birthday,card_number,first_name,tier,points", f"02-29,{ANNA},Anna,gold,12"]
    import_members(conn, database.keys.card, CARDS, lines, today=DAY)
    assert conn.execute("SELECT birthday FROM account").fetchone() == ("02-29",)


def test_editing_a_member(conn: Connection, two: Callable[[str], str], till: TestTill) -> None:
    edit(conn, two(ANNA), first_name="Anne", tier="basic", birthday="02-01")
    change = told(till)[two(ANNA)]
    assert (change.first_name, change.tier, change.birthday) == ("Anne", "basic", "02-01")
    edit(conn, two(ANNA), first_name="", birthday="")
    change = told(till)[two(ANNA)]
    assert (change.first_name, change.tier, change.birthday) == (None, "basic", None)
    # What tills were told before stays known: one that has not heard yet sells by it in good faith.
    facts = {fact for (fact,) in conn.execute("SELECT fact FROM formerly WHERE account_id = %s", (two(ANNA),))}
    assert facts == {"tier:gold", "birthday:11-24", "birthday:02-01"}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"tier": "platinum"}, "tier: expected basic or gold, got 'platinum'"),
        ({"birthday": "13-01"}, "birthday: expected month and day"),
        ({"first_name": "A" * 61}, "first name: expected at most 60"),
    ],
)
def test_a_wrong_edit_changes_nothing(
    conn: Connection, two: Callable[[str], str], changed: dict[str, str], expected: str
) -> None:
    with pytest.raises(HqError, match=expected):
        edit(conn, two(ANNA), **{"first_name": "Anne", **changed})
    assert conn.execute("SELECT first_name FROM account WHERE account_id = %s", (two(ANNA),)).fetchone() == ("Anna",)


def test_a_pin_is_kept_as_a_hash_only(conn: Connection, two: Callable[[str], str], till: TestTill) -> None:
    set_pin(conn, two(ANNA), "4711")
    pin = told(till)[two(ANNA)].pin
    assert pin is not None
    assert pin.startswith("$argon2id$")
    assert PasswordHasher().verify(pin, "4711")
    with pytest.raises(VerifyMismatchError):
        PasswordHasher().verify(pin, "4712")
    set_pin(conn, two(ANNA), None)
    assert told(till)[two(ANNA)].pin is None
    for wrong in ("471", "123456789", "47a1", "４７１１"):
        with pytest.raises(HqError, match="PIN: expected 4 to 8 digits") as caught:
            set_pin(conn, two(ANNA), wrong)
        assert wrong not in str(caught.value)


def test_naming_the_members_of_a_segment(
    database: Database, conn: Connection, two: Callable[[str], str], till: TestTill
) -> None:
    def name(*numbers: str) -> Segmented:
        return set_segment(conn, database.keys.card, CARDS, "families", numbers)

    assert name(BO, "", BO) == Segmented("families", members=1, joined=1, left=1)
    heard = told(till)
    assert (heard[two(ANNA)].segments, heard[two(BO)].segments) == (("students",), ("families",))
    assert segments(conn) == {"families": 1, "students": 1}
    assert name(BO) == Segmented("families", members=1, joined=0, left=0)
    with pytest.raises(ImportRefused) as caught:
        name(ANNA, "871012300001", "2900000000009")
    assert "line 2: " in str(caught.value)
    assert "line 3: this card belongs to no member here" in str(caught.value)
    assert "2900000000009" not in str(caught.value)
    assert segments(conn) == {"families": 1, "students": 1}


def test_a_card_of_nobody(database: Database, conn: Connection) -> None:
    with pytest.raises(HqError, match="belongs to no member"):
        account_of(conn, database.keys.card, CARDS, ANNA)
    with pytest.raises(HqError, match="card: expected 13 characters"):
        account_of(conn, database.keys.card, CARDS, "29000")


def test_the_commands(database_url: str, two: Callable[[str], str], till: TestTill, tmp_path: Path) -> None:
    config = tmp_path / "spaarpunt.toml"
    config.write_text(CONFIG)

    def run(*args: str, code: int = 0, typed: str | None = None) -> Result:
        command = ["--config", str(config), "hq", *args, "--database-url", database_url]
        result = CliRunner().invoke(main, command, input=typed)
        assert result.exit_code == code, result.output
        return result

    assert run("members", "edit", ANNA, "--birthday", "12-25").stdout == f"changed birthday of {two(ANNA)}\n"
    assert "nothing to change" in run("members", "edit", ANNA, code=2).output
    assert "birthday" in run("members", "edit", ANNA, "--birthday", "25-12", code=1).output
    shown = run("members", "pin", ANNA, typed="4711\n4711\n")
    assert shown.stdout == f"{two(ANNA)} has a new PIN\n"
    assert "4711" not in shown.output.replace(two(ANNA), "")  # an id may hold any digits
    assert run("members", "pin", BO, "--clear").stdout == f"{two(BO)} has no PIN any more\n"
    cards = tmp_path / "cards.txt"
    cards.write_text(f"\ufeff{ANNA}\n{BO}\n", encoding="utf-8")
    assert run("segments", "set", "regulars", str(cards)).stdout == "regulars has 2 members: 2 joined, 0 left\n"
    assert "regulars" in run("segments", "list").stdout
    assert run("stock").stdout == "no reward has a stock\n"
    heard = told(till)
    assert heard[two(ANNA)].birthday == "12-25"
    assert heard[two(ANNA)].segments == ("families", "regulars", "students")
    assert (heard[two(ANNA)].pin is None, heard[two(BO)].pin) == (False, None)


def test_phone_and_e_mail_reach_tills_as_hashes_alone(database: Database, conn: Connection, till: TestTill) -> None:
    lines = [
        "card_number,first_name,tier,points,phone,email",
        f"{ANNA},Anna,gold,12,06 12345678,Anna@example.org",
        f"{BO},Bo,basic,0,,",
    ]
    import_members(conn, database.keys.card, CARDS, lines, today=DAY)
    account = account_of(conn, database.keys.card, CARDS, ANNA)
    heard = told(till)[account]
    assert heard.phone == phone_hash("+31612345678", database.keys.card)
    assert heard.email == email_hash("anna@example.org", database.keys.card)
    assert told(till)[account_of(conn, database.keys.card, CARDS, BO)].phone is None
    kept = str(conn.execute("SELECT account::text FROM account").fetchall())
    assert "12345678" not in kept.replace(ANNA, "")
    assert "example.org" not in kept

    set_contacts(conn, account, database.keys.card, phone="+31 6 87654321", email="")
    heard = told(till)[account]
    assert (heard.phone, heard.email) == (phone_hash("0687654321", database.keys.card), None)


@pytest.mark.parametrize(
    ("cells", "expected"), [("12,", "phone: expected a phone number"), (",anna", "email: expected an e-mail address")]
)
def test_a_wrong_contact_is_named(database: Database, conn: Connection, cells: str, expected: str) -> None:
    with pytest.raises(ImportRefused, match=f"line 2: {expected}"):
        import_members(
            conn,
            database.keys.card,
            CARDS,
            ["card_number,first_name,tier,points,phone,email", f"{ANNA},Anna,gold,12,{cells}"],
            today=DAY,
        )
