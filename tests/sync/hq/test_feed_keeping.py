"""The feed kept short: nobody who follows it misses anything, and whoever cannot is told."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from sync.hq.changes import changes, newest_cursor
from sync.hq.database import Connection, Database
from sync.hq.errors import Refused
from sync.hq.feed_keeping import KEEP, compact
from sync.hq.ingest import book
from sync.wire_mirror import AccountChange
from tests.support.entries import TestTill

Member = Callable[..., tuple[str, str]]


def points(conn: Connection, till: TestTill, cursor: str) -> dict[str, int]:
    page = changes(conn, till.terminal, "till", cursor)
    assert not page.more
    return {change.account: change.points for change in page.changes if isinstance(change, AccountChange)}


def rows(conn: Connection) -> int:
    row = conn.execute("SELECT count(*) FROM feed").fetchone()
    assert row is not None
    return int(row[0])


def test_only_the_newest_row_of_each_subject_stays(conn: Connection, till: TestTill, member: Member) -> None:
    card, account = member()
    other_card, other = member()
    cursors = [newest_cursor(conn)]
    for number in range(5):
        till.chain.sale(card if number % 2 else other_card)
        till.send(till.chain.batch(number + 1, number + 1))
        cursors.append(newest_cursor(conn))
    before = rows(conn)
    wanted = [points(conn, till, cursor) for cursor in cursors]
    assert compact(conn) == before - rows(conn) == 5
    assert rows(conn) == 5  # the programme, two accounts, two cards
    assert [points(conn, till, cursor) for cursor in cursors] == wanted
    assert points(conn, till, "") == {account: 20, other: 30}
    assert compact(conn) == 0


def test_rows_past_their_age_go_and_readers_of_before_are_told(
    conn: Connection, till: TestTill, member: Member
) -> None:
    member(points=5)
    behind = newest_cursor(conn)
    conn.execute("UPDATE feed SET at = now() - %s - interval '1 minute'", (KEEP,))
    _, later = member()
    assert compact(conn) == 3  # programme, account, card
    assert rows(conn) == 2
    assert list(points(conn, till, behind)) == [later]  # it had read everything that went
    with pytest.raises(Refused, match="take a snapshot") as caught:
        changes(conn, till.terminal, "till", "")
    assert (caught.value.status, caught.value.code) == (410, "feed_dropped")
    assert compact(conn) == 0


def test_a_till_that_is_up_to_date_stays_so_when_everything_went(
    conn: Connection, till: TestTill, member: Member
) -> None:
    member()
    cursor = newest_cursor(conn)
    assert compact(conn, timedelta(0)) == 3
    assert rows(conn) == 0
    assert newest_cursor(conn) == cursor
    assert changes(conn, till.terminal, "till", cursor).cursor == cursor
    _, later = member(points=3)
    assert points(conn, till, cursor) == {later: 3}


def test_a_row_of_an_open_transaction_is_never_behind_the_line(
    database: Database, conn: Connection, till: TestTill, member: Member
) -> None:
    _, slow = member()
    _, quick = member()
    cursor = newest_cursor(conn)
    with database.connection() as other, other.transaction():
        other.execute("UPDATE balance SET points = points + 1 WHERE account_id = %s", (slow,))
        other.execute("INSERT INTO feed (subject, key) VALUES ('account', %s)", (slow,))
        conn.execute("INSERT INTO feed (subject, key) VALUES ('account', %s)", (quick,))
        compact(conn, timedelta(seconds=-60))
        assert newest_cursor(conn) == cursor
    assert points(conn, till, cursor) == {slow: 1, quick: 0}


def test_a_reader_misses_nothing_while_it_is_compacted(
    database: Database, conn: Connection, new_till: Callable[[], TestTill], member: Member
) -> None:
    till = new_till()
    cards = [member() for _ in range(6)]
    for number in range(120):
        till.chain.sale(cards[number % 6][0])

    def send() -> None:
        with database.connection() as other:
            for seq in range(1, 121, 2):
                book(other, database.programmes, till.chain.batch(seq, seq + 1))

    def keep_short(sending: object) -> int:
        dropped = 0
        with database.connection() as other:
            while not sending.done():  # type: ignore[attr-defined]
                dropped += compact(other)
        return dropped

    mirror: dict[str, int] = {}
    cursor = ""
    with ThreadPoolExecutor() as pool:
        sending = pool.submit(send)
        keeping = pool.submit(keep_short, sending)
        while True:
            done = sending.done()
            page = changes(conn, till.terminal, "till", cursor)
            mirror.update({row.account: row.points for row in page.changes if isinstance(row, AccountChange)})
            cursor = page.cursor
            if done and cursor == newest_cursor(conn):
                break
        sending.result()
        assert keeping.result() > 10, "too little was dropped meanwhile to show anything"
    assert mirror == dict(conn.execute("SELECT account_id, points FROM balance").fetchall())
