"""Members from a file: all or nothing, with every wrong row named and no number shown or stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.cards import CardNumber
from sync.hq.database import Connection, Database
from sync.hq.errors import ImportRefused
from sync.hq.members import MAX_PROBLEMS, Imported, find, import_members
from tests.support.entries import DAY
from tests.sync.hq.conftest import CARDS

HEADER = "card_number,first_name,tier,points"
Import = Callable[[Iterable[str]], Imported]


@pytest.fixture
def take(database: Database, conn: Connection) -> Import:
    return lambda lines: import_members(conn, database.keys.card, CARDS, lines, today=DAY)


def total(conn: Connection, table: str) -> int:
    row = conn.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_a_file_in_any_column_order(database: Database, conn: Connection, take: Import) -> None:
    lines = ["points, tier,card_number,first_name", '120,gold,2900 0000 0000-1,"Bo, de"', "", ",basic,2900000000002,"]
    assert take(lines) == Imported(members=2, points=120)
    first, second = (
        find(conn, CardNumber.parse(number, CARDS).token(database.keys.card))
        for number in ("2900000000001", "2900000000002")
    )
    assert first is not None
    assert second is not None
    assert (first.first_name, first.tier, first.points, first.blocked) == ("Bo, de", "gold", 120, False)
    assert (second.first_name, second.tier, second.points) == (None, "basic", 0)
    assert find(conn, "0" * 32) is None
    assert conn.execute("SELECT sum(points), count(*) FROM ledger").fetchone() == (120, 1)


def test_no_card_number_is_stored(conn: Connection, take: Import) -> None:
    take([HEADER, "2912345678901,Anna,basic,1"])
    tables = [name for (name,) in conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    assert "card" in tables
    for table in tables:
        rows = conn.execute(f"SELECT t::text FROM {table} t".encode()).fetchall()
        assert "12345678901" not in repr(rows)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("871012300001,Anna,basic,1", "line 3: card_number: expected 13 characters starting 29 (card), got 12"),
        ("2900000000009,Anna,silver,1", "line 3: tier: expected basic or gold, got 'silver'"),
        ("2900000000009,Anna,basic,1.5", "line 3: points: expected a whole number, got '1.5'"),
        ("2900000000009,Anna,basic,-", "line 3: points: expected a whole number, got '-'"),
        ("2900000000009,Anna,basic,2000000000", "line 3: points: expected at most 1000000000"),
        ("2900000000009,Anna,basic", "line 3: expected 4 columns, got 3"),
        ("2900000000009,An\x00na,basic,1", "line 3: "),
        (f"2900000000009,{'A' * 61},basic,1", "line 3: first_name: expected at most 60"),
        ('2900000000009,"Anna,basic,1', "line 3: not CSV"),
        ("2900000000001,Anna,basic,1", "line 3: the card of line 2 again"),
        ("Anna,2900000000009,2900000000009,1", "tier"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_imported(conn: Connection, take: Import, row: str, expected: str) -> None:
    with pytest.raises(ImportRefused) as caught:
        take([HEADER, "2900000000001,Bo,basic,5", row])
    text = str(caught.value)
    assert expected in text or (expected == "tier" and "card_number" in text)
    for number in ("871012300001", "2900000000009", "2900000000001"):
        assert number not in text
    assert [total(conn, table) for table in ("account", "card", "balance", "ledger")] == [0, 0, 0, 0]


def test_a_wrong_header_is_told_first(take: Import) -> None:
    for lines in ([], ["card,name"], ["2900000000001,Bo,basic,5"]):
        with pytest.raises(ImportRefused, match="line 1: expected the header card_number,first_name,tier,points"):
            take(lines)


def test_a_card_that_is_here_already(conn: Connection, take: Import) -> None:
    take([HEADER, "2900000000001,Bo,basic,5"])
    with pytest.raises(ImportRefused, match="line 3: this card belongs to a member already"):
        take([HEADER, "2900000000002,Anna,basic,5", "2900000000001,Bo,basic,5"])
    assert total(conn, "account") == 1


def test_many_wrong_rows_do_not_fill_the_screen(take: Import) -> None:
    with pytest.raises(ImportRefused) as caught:
        take([HEADER, *(f"{number},Bo,basic,5" for number in range(1000))])
    assert len(caught.value.problems) == MAX_PROBLEMS + 1


_GOOD = st.integers(29 * 10**11, 30 * 10**11 - 1).map("{},Anna,basic,5".format)
_ANY = st.lists(st.text(max_size=8) | st.just("2900000000001"), min_size=3, max_size=5).map(",".join)


def test_any_file_is_imported_whole_or_refused_whole(conn: Connection, take: Import) -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=50, deadline=None)
    @given(good=st.lists(_GOOD, max_size=5), others=st.lists(_ANY, max_size=2))
    def check(good: list[str], others: list[str]) -> None:
        before = total(conn, "account")
        try:
            done = take([HEADER, *good, *others])
        except ImportRefused:
            assert total(conn, "account") == before
            seen["refused with good rows"] += bool(good)
        else:
            assert total(conn, "account") == before + done.members
            assert done.members >= len(good)
            seen["imported"] += done.members > 0

    check()
    assert min(seen["refused with good rows"], seen["imported"]) >= 5, seen
