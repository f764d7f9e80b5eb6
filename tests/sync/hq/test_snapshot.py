"""The snapshot: complete, in order, each part of one moment, and nothing falls between it and the feed."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import zstandard

from sync.hq.changes import changes, newest_cursor
from sync.hq.database import Connection, Database
from sync.hq.errors import Refused
from sync.hq.ingest import book
from sync.hq.members import import_members
from sync.hq.programmes import publish
from sync.hq.snapshot import MAX_AT_ONCE, MAX_PART_PROGRAMMES, Start, begin, parts
from sync.wire import Problem
from sync.wire_mirror import MAX_PART_ROWS, AccountChange, CardChange, ProgrammeChange, Section, SnapshotPart
from tests.support.entries import DAY, TestTill, programme
from tests.sync.hq.conftest import CARDS

BEFORE_ACCOUNTS = tuple(Section)[: tuple(Section).index(Section.ACCOUNTS)]
Member = Callable[..., tuple[str, str]]


def import_many(database: Database, conn: Connection, count: int) -> None:
    lines = ["card_number,first_name,tier,points", *(f"29{number:011d},,basic,{number}" for number in range(count))]
    import_members(conn, database.keys.card, CARDS, lines, today=DAY)


def take(database: Database, till: TestTill, start: Start | None = None) -> list[SnapshotPart]:
    if start is None:
        with database.connection() as conn:
            start = begin(conn, "", "", "")
    return list(parts(database, till.terminal, start))


def test_everything_in_order_in_parts(database: Database, conn: Connection, till: TestTill) -> None:
    import_many(database, conn, 2 * MAX_PART_ROWS + 17)
    for version in range(2, MAX_PART_PROGRAMMES + 3):
        publish(conn, programme(version))
    taken = take(database, till)
    assert [(part.section, len(part.rows)) for part in taken] == [
        (Section.PROGRAMMES, 20), (Section.PROGRAMMES, 2), (Section.STOCKS, 0), (Section.PARKED, 0),
        (Section.LEASES, 0),
        (Section.ACCOUNTS, 1000), (Section.ACCOUNTS, 1000), (Section.ACCOUNTS, 17),
        (Section.CARDS, 1000), (Section.CARDS, 1000), (Section.CARDS, 17),
    ]  # fmt: skip
    assert [part.is_last for part in taken] == [False] * 10 + [True]
    assert {part.total for part in taken} == {2 * 2017}
    assert {part.cursor for part in taken} == {newest_cursor(conn)}
    for before, part in itertools.pairwise(taken):
        assert part.after == (before.upto or "")  # ranges join without a hole
    rows = [row for part in taken for row in part.rows]
    accounts = [row.account for row in rows if isinstance(row, AccountChange)]
    tokens = [row.token for row in rows if isinstance(row, CardChange)]
    assert (accounts, tokens) == (sorted(accounts), sorted(tokens))
    assert set(accounts) == {name for (name,) in conn.execute("SELECT account_id FROM account")}
    assert set(tokens) == {name for (name,) in conn.execute("SELECT token FROM card")}
    assert sum(row.points for row in rows if isinstance(row, AccountChange)) == sum(range(2017))
    assert [row.document["version"] for row in rows if isinstance(row, ProgrammeChange)] == list(range(1, 23))


def test_an_empty_head_office_has_a_snapshot_too(database: Database, till: TestTill) -> None:
    taken = take(database, till)
    assert [(part.section, part.upto, len(part.rows)) for part in taken] == [
        (Section.PROGRAMMES, None, 1), (Section.STOCKS, None, 0), (Section.PARKED, None, 0), (Section.LEASES, None, 0),
        (Section.ACCOUNTS, None, 0), (Section.CARDS, None, 0),
    ]  # fmt: skip


def test_ids_are_in_the_order_of_their_bytes(database: Database, conn: Connection, till: TestTill) -> None:
    """A collation of words puts 'ma' before 'mB' before 'ü'; a till sorts bytes."""
    names = ["mB", "ma", "m-a", "m_b", "ü1", "Z9", "m a", "m1"]
    for name in names:
        conn.execute("INSERT INTO account (account_id, tier) VALUES (%s, 'basic')", (name,))
    (part,) = [part for part in take(database, till) if part.section is Section.ACCOUNTS]
    found = [row.account for row in part.rows if isinstance(row, AccountChange)]
    assert found == sorted(names, key=str.encode)
    with conn.transaction():
        # Eight rows are read fastest as they lie, and sorted; the index is there for a million.
        conn.execute("SET LOCAL enable_seqscan = off")
        conn.execute("SET LOCAL enable_sort = off")
        plan = json.dumps(
            conn.execute(
                "EXPLAIN (FORMAT json) SELECT * FROM account WHERE account_id COLLATE \"C\" > 'm' "
                'ORDER BY account_id COLLATE "C" LIMIT 10'
            ).fetchall()
        )
    assert "account_by_bytes" in plan  # or each part would sort all accounts


def test_it_goes_on_from_any_part(database: Database, conn: Connection, till: TestTill) -> None:
    import_many(database, conn, MAX_PART_ROWS + 5)
    taken = take(database, till)
    for index, part in enumerate(taken[:-1]):
        following = taken[index + 1]
        start = begin(conn, part.cursor, following.section, following.after)
        again = take(database, till, start)
        assert [(one.section, one.after, one.rows) for one in again] == [
            (one.section, one.after, one.rows) for one in taken[index + 1 :]
        ]


def test_nothing_falls_between_the_snapshot_and_the_feed(
    database: Database, conn: Connection, new_till: Callable[[], TestTill], member: Member
) -> None:
    """While three tills book, a snapshot and the feed after it come to exactly what head office has."""
    tills = [new_till() for _ in range(3)]
    cards = [member() for _ in range(12)]
    for turn, till in enumerate(tills):
        for number in range(60):
            card, account = cards[(number + turn) % 12]
            till.chain.sale(card, account=account)

    def send(till: TestTill) -> None:
        with database.connection() as other:
            for start in range(1, 61, 5):
                book(other, database.programmes, till.chain.batch(start, start + 4))

    mirrors: list[tuple[dict[str, int], str]] = []
    with ThreadPoolExecutor() as pool:
        sending = [pool.submit(send, till) for till in tills]
        while not all(future.done() for future in sending):
            taken = take(database, tills[0])
            points = {row.account: row.points for part in taken for row in part.rows if isinstance(row, AccountChange)}
            mirrors.append((points, taken[0].cursor))
        for future in sending:
            future.result()
    truth = dict(conn.execute("SELECT account_id, points FROM balance").fetchall())
    assert len({tuple(points.values()) for points, _ in mirrors}) > 3, "too few snapshots fell between bookings"
    for points, cursor in mirrors:
        page = changes(conn, tills[0].terminal, "till", cursor)
        assert not page.more
        points.update({row.account: row.points for row in page.changes if isinstance(row, AccountChange)})
        assert points == truth


def test_each_part_says_what_it_includes(database: Database, conn: Connection, till: TestTill, member: Member) -> None:
    card, account = member()
    till.chain.sale(card, account=account)
    till.chain.sale(card, account=account)
    till.send(till.chain.batch(1, 1))
    reading = parts(database, till.terminal, begin(conn, "", "", ""))
    assert [next(reading).includes_seq for _ in BEFORE_ACCOUNTS] == [1] * len(BEFORE_ACCOUNTS)
    till.send()
    second = next(reading)
    assert (second.section, second.includes_seq) == (Section.ACCOUNTS, 2)
    assert [row.points for row in second.rows if isinstance(row, AccountChange)] == [20]


def test_places_to_go_on_that_cannot_be(conn: Connection) -> None:
    cursor = newest_cursor(conn)
    for section, after in [("shelves", ""), ("", ""), ("programmes", "x"), ("programmes", "9" * 30), ("cards", "\0")]:
        with pytest.raises(Refused) as caught:
            begin(conn, cursor, section, after)
        assert (caught.value.status, caught.value.code) == (400, "malformed")
    for cursor, code in [("x", "cursor"), ("00000000:1:1", "feed_epoch")]:
        with pytest.raises(Refused) as caught:
            begin(conn, cursor, "cards", "")
        assert caught.value.code == code


# -- over HTTP --------------------------------------------------------------------------------------------------------


def test_over_http_a_part_a_line(database: Database, conn: Connection, till: TestTill) -> None:
    import_many(database, conn, MAX_PART_ROWS + 5)
    packed = till.client.get(
        "/v1/snapshot", auth=till.auth, headers={"Spaarpunt-Protocol": "1", "Accept-Encoding": "zstd"}
    )
    assert packed.headers["content-encoding"] == "zstd"
    assert packed.headers["content-type"] == "application/x-ndjson"
    assert packed.headers["spaarpunt-protocol"] == "1"
    lines = packed.content.split(b"\n")
    assert lines.pop() == b""
    assert [SnapshotPart.decode(line).rows for line in lines] == [part.rows for part in take(database, till)]
    plain = till.client.get(
        "/v1/snapshot", auth=till.auth, headers={"Spaarpunt-Protocol": "1", "Accept-Encoding": "identity"}
    )
    assert "content-encoding" not in plain.headers
    assert len(plain.content.split(b"\n")) == len(lines) + 1
    cursor = SnapshotPart.decode(lines[0]).cursor
    rest = till.get("/v1/snapshot", cursor=cursor, section="cards", after=SnapshotPart.decode(lines[6]).upto or "")
    assert SnapshotPart.decode(rest.content).rows == SnapshotPart.decode(lines[7]).rows


def test_a_line_can_be_read_before_the_next_is_made(database: Database, conn: Connection, till: TestTill) -> None:
    import_many(database, conn, 30 * MAX_PART_ROWS)
    headers = {"Spaarpunt-Protocol": "1", "Accept-Encoding": "zstd"}
    with till.client.stream("GET", "/v1/snapshot", auth=till.auth, headers=headers) as response:
        reader = zstandard.ZstdDecompressor().decompressobj()
        got = b""
        for raw in response.iter_raw(1024):
            got += reader.decompress(raw)
            if got.count(b"\n") >= 2:
                break
        assert got.count(b"\n") < 20


def test_compressed_it_is_one_frame(till: TestTill) -> None:
    headers = {"Spaarpunt-Protocol": "1", "Accept-Encoding": "zstd"}
    with till.client.stream("GET", "/v1/snapshot", auth=till.auth, headers=headers) as response:
        raw = b"".join(response.iter_raw())
    frame = zstandard.ZstdDecompressor().decompressobj()
    assert len(frame.decompress(raw).splitlines()) == len(Section)
    assert (frame.eof, frame.unused_data) == (True, b"")


def test_only_a_few_at_once(database: Database, conn: Connection, till: TestTill) -> None:
    import_many(database, conn, 30 * MAX_PART_ROWS)  # more than what sockets hold
    headers = {"Spaarpunt-Protocol": "1", "Accept-Encoding": "identity"}
    asked = [till.client.build_request("GET", "/v1/snapshot", headers=headers) for _ in range(MAX_AT_ONCE)]
    held: list[httpx.Response] = [till.client.send(request, auth=till.auth, stream=True) for request in asked]
    try:
        assert {response.status_code for response in held} == {200}
        refused = till.get("/v1/snapshot")
        assert (refused.status_code, Problem.decode(refused.content).code) == (503, "busy")
        assert 15 <= int(refused.headers["Retry-After"]) < 60
        assert till.get("/v1/changes/till").status_code == 200
    finally:
        for response in held:
            response.close()
    # Whoever hangs up gives its place back.
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        response = till.get("/v1/snapshot")
        if response.status_code == 200:
            break
    assert response.status_code == 200


def test_a_stream_that_fails_in_the_middle_is_cut(database: Database, conn: Connection, till: TestTill) -> None:
    import_many(database, conn, 5)
    conn.execute("ALTER TABLE card RENAME COLUMN blocked TO lost")
    try:
        with pytest.raises(httpx.RemoteProtocolError):
            till.get("/v1/snapshot")
    finally:
        conn.execute("ALTER TABLE card RENAME COLUMN lost TO blocked")
    assert till.get("/v1/snapshot").status_code == 200


def test_refusals_before_it_begins_are_problems(till: TestTill) -> None:
    for _ in range(2 * MAX_AT_ONCE):  # none of them keeps a place
        response = till.get("/v1/snapshot", cursor="00000000:1:1", section="cards")
        assert (response.status_code, Problem.decode(response.content).code) == (410, "feed_epoch")
    assert till.get("/v1/snapshot").status_code == 200
