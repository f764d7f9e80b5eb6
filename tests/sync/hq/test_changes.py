"""The feed: complete beside late committers, consistent within a page, resumable by cursor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from sync.hq.changes import changes, newest_cursor
from sync.hq.database import Connection, Database
from sync.hq.errors import Refused
from sync.hq.ingest import book
from sync.hq.members import import_members
from sync.hq.programmes import publish
from sync.wire import BatchAnswer
from sync.wire_mirror import MAX_CHANGES, AccountChange, CardChange, ProgrammeChange
from tests.support.entries import DAY, TestTill, programme
from tests.sync.hq.conftest import CARDS

Member = Callable[..., tuple[str, str]]


@contextmanager
def writing(database: Database, account: str) -> Iterator[None]:
    """A writer that has taken its number in the feed and has not committed yet."""
    with database.connection() as other, other.transaction():
        other.execute("UPDATE balance SET points = points + 1 WHERE account_id = %s", (account,))
        other.execute("INSERT INTO feed (subject, key) VALUES ('account', %s)", (account,))
        yield


def accounts(conn: Connection, till: TestTill, cursor: str) -> tuple[list[tuple[str, int]], str]:
    page = changes(conn, till.terminal, "till", cursor)
    found = [(change.account, change.points) for change in page.changes if isinstance(change, AccountChange)]
    return found, page.cursor


def test_a_late_commit_with_a_lower_number_is_not_skipped(
    database: Database, conn: Connection, till: TestTill, member: Member
) -> None:
    _, slow = member()
    _, quick = member()
    start = newest_cursor(conn)
    with writing(database, slow):
        with writing(database, quick):
            pass  # a later number, committed first
        found, cursor = accounts(conn, till, start)
        assert found == []  # held back: a reader past it would never see the slow one
        assert cursor == start
    found, cursor = accounts(conn, till, cursor)
    assert found == [(slow, 1), (quick, 1)]
    assert accounts(conn, till, cursor) == ([], cursor)


def test_a_reader_that_polls_all_the_time_misses_nothing(
    database: Database, conn: Connection, new_till: Callable[[], TestTill], member: Member
) -> None:
    tills = [new_till() for _ in range(3)]
    cards = [member() for _ in range(12)]
    for turn, till in enumerate(tills):
        for number in range(60):
            card, account = cards[(number + turn) % 12]
            till.chain.sale(card, account=account)

    def send(till: TestTill) -> None:
        for start in range(1, 61, 5):
            assert till.send(till.chain.batch(start, start + 4)).status_code == 200

    mirror: dict[str, int] = {}
    cursor = ""
    with ThreadPoolExecutor() as pool:
        sending = [pool.submit(send, till) for till in tills]
        while True:
            done = all(future.done() for future in sending)
            found, cursor = accounts(conn, tills[0], cursor)
            mirror.update(found)
            if done and cursor == newest_cursor(conn):
                break
    for future in sending:
        future.result()
    assert mirror == dict(conn.execute("SELECT account_id, points FROM balance").fetchall())


def test_balances_and_watermark_are_of_the_same_moment(
    conn: Connection, till: TestTill, new_till: Callable[[], TestTill], member: Member
) -> None:
    card, account = member()
    other = new_till()
    till.chain.sale(card, account=account)
    till.chain.sale(card, account=account)
    other.chain.sale(card, (500,), account=account)
    till.send(till.chain.batch(1, 1))
    other.send()
    page = changes(conn, till.terminal, "till", "")
    assert (page.includes_seq, page.changes[-1]) == (
        1,
        AccountChange(account=account, first_name="Anna", tier="basic", points=15),
    )
    till.send()
    page = changes(conn, till.terminal, "till", page.cursor)
    assert page.includes_seq == 2
    assert [change.points for change in page.changes if isinstance(change, AccountChange)] == [25]


def test_a_page_is_of_one_moment_while_entries_are_booked(
    database: Database, conn: Connection, till: TestTill, member: Member
) -> None:
    card, account = member()
    for _ in range(150):
        till.chain.sale(card, account=account)

    def send() -> None:
        with database.connection() as other:
            for seq in range(1, 151):
                book(other, database.programmes, till.chain.batch(seq, seq))

    with ThreadPoolExecutor() as pool:
        sending = pool.submit(send)
        seen = set()
        while not sending.done():
            page = changes(conn, till.terminal, "till", "")
            (now,) = [change for change in page.changes if isinstance(change, AccountChange)]
            assert now.points == 10 * page.includes_seq
            seen.add(page.includes_seq)
        sending.result()
    assert len(seen) > 10, "too few pages fell between two bookings to show anything"


def test_repeats_are_once_on_a_page(conn: Connection, till: TestTill, member: Member) -> None:
    card, account = member()
    start = newest_cursor(conn)
    for seq in range(1, 6):
        till.chain.sale(card, account=account)
        till.send(till.chain.batch(seq, seq))
    assert accounts(conn, till, start)[0] == [(account, 50)]


def test_pages_follow_one_another_to_the_end(database: Database, conn: Connection, till: TestTill) -> None:
    lines = ["card_number,first_name,tier,points", *(f"29{number:011d},,basic,{number}" for number in range(700))]
    import_members(conn, database.keys.card, CARDS, lines, today=DAY)
    publish(conn, programme(2))
    cursor, pages = "", []
    while True:
        page = changes(conn, till.terminal, "till", cursor)
        pages.append(page)
        assert len(page.changes) <= MAX_CHANGES
        cursor = page.cursor
        if not page.more:
            break
    everything = [change for page in pages for change in page.changes]
    assert len(pages) == 3
    assert sum(change.points for change in everything if isinstance(change, AccountChange)) == sum(range(700))
    assert len({change.token for change in everything if isinstance(change, CardChange)}) == 700
    versions = [change.document["version"] for change in everything if isinstance(change, ProgrammeChange)]
    assert versions == [1, 2]
    assert cursor == newest_cursor(conn)


def test_cursors_that_are_not_ours(conn: Connection, till: TestTill) -> None:
    for cursor in ("x", "::", "0:0:0", "abcdef01:1", f"abcdef01:1:{10**30}", "abcdef01:-1:0"):
        with pytest.raises(Refused) as caught:
            changes(conn, till.terminal, "till", cursor)
        assert (caught.value.status, caught.value.code) == (400, "cursor")
    with pytest.raises(Refused) as caught:
        changes(conn, till.terminal, "till", "00000000:1:1")
    assert (caught.value.status, caught.value.code) == (410, "feed_epoch")
    with pytest.raises(Refused) as caught:
        changes(conn, till.terminal, "shelf", "")
    assert (caught.value.status, caught.value.code) == (404, "unknown_feed")


def test_the_answer_to_a_batch_names_the_newest_cursor(conn: Connection, till: TestTill, member: Member) -> None:
    card, account = member()
    till.chain.sale(card, account=account)
    answer = BatchAnswer.decode(till.send().content)
    assert answer.feeds["till"] == changes(conn, till.terminal, "till", "").cursor
