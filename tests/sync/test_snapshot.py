"""A snapshot on a real till from a real head office: cut anywhere, beside checkouts, after a restore."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from psycopg.conninfo import make_conninfo

from sync.agent import Agent
from sync.errors import Rejected, ServerFault, Unreachable
from sync.hq.database import Connection, Database
from sync.hq.erasure import erase
from sync.hq.feed_keeping import compact
from sync.hq.programmes import publish
from sync.hq.serve import listen, make_server
from sync.journal import Journal
from sync.mirror import Mirror
from sync.snapshot import Place, Snapshots
from sync.store import Store
from sync.terminal import load_terminal
from sync.transport import Transport
from sync.wire_mirror import MAX_PART_ROWS, Section, SnapshotPart
from tests.support.entries import programme
from tests.sync.build import CARD, DAY, KEY, OTHER_CARD, account, card, draft, hear, published, take
from tests.sync.test_agent import Shop, hq_points, shop, stream_at
from tests.sync.wires import http, problem, scripted

__all__ = ["shop"]

Member = Callable[..., tuple[str, str]]
WAIT_S = 30
BETWEEN_SALES_S = 0.002
BEFORE_ACCOUNTS = tuple(Section)[: tuple(Section).index(Section.ACCOUNTS)]


def fill(conn: Connection, count: int) -> None:
    """Make `count` accounts with a card each, the quick way: no feed, no ledger."""
    rows = [(f"m{secrets.token_hex(8)}", secrets.token_hex(16), number) for number in range(count)]
    with conn.transaction(), conn.cursor() as cursor:
        for table, pick in (
            ("account (account_id, tier)", lambda row: (row[0], "basic")),
            ("card (token, account_id)", lambda row: (row[1], row[0])),
            ("balance (account_id, points)", lambda row: (row[0], row[2])),
        ):
            with cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
                for row in rows:
                    copy.write_row(pick(row))


def source(conn: Connection) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """What every mirror should hold."""
    accounts = conn.execute(
        "SELECT account_id, first_name, tier, points FROM account JOIN balance USING (account_id) ORDER BY 1"
    ).fetchall()
    return accounts, conn.execute("SELECT token, account_id, blocked::int FROM card ORDER BY 1").fetchall()


def mirrored(store: Store) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """What a till's mirror holds."""
    return (
        store.rows("SELECT account, first_name, tier, points FROM account ORDER BY 1"),
        store.rows("SELECT token, account, blocked FROM card ORDER BY 1"),
    )


# -- part by part -----------------------------------------------------------------------------------------------------


def test_what_head_office_no_longer_has_is_forgotten(store: Store) -> None:
    mirror = hear(store, account(5, "m1"), account(6, "m2"), card(), card(OTHER_CARD, "m2"), published(1), published(7))
    rows = {
        Section.PROGRAMMES: [published(2)],
        Section.ACCOUNTS: [account(9, "m1")],
        Section.CARDS: [card(OTHER_CARD, "m1")],
    }
    taking = take(store, *Section, rows=rows)
    assert store.rows("SELECT version FROM programme") == [(2,)]
    assert mirror.accounts() == 1
    assert not mirror.find(CARD).known
    assert mirror.find(OTHER_CARD).confirmed == 9
    assert (mirror.cursor(), taking.place()) == ("s", None)


def test_a_part_speaks_only_of_its_own_range(store: Store) -> None:
    hear(store, *(account(1, name) for name in ("a", "b", "c", "d", "e", "f")))
    taking = take(store, *BEFORE_ACCOUNTS)
    whole = SnapshotPart(
        cursor="s", section=Section.ACCOUNTS, after="", upto="b", rows=(account(2, "b"),), total=0, epoch=1,
        includes_seq=0, as_of_ms=0,
    )  # fmt: skip
    taking.apply(whole, 1)
    assert [name for (name,) in store.rows("SELECT account FROM account")] == ["b", "c", "d", "e", "f"]
    assert taking.place() == Place("s", Section.ACCOUNTS, "b")
    taking.apply(replace(whole, after="b", upto="e", rows=(account(2, "d"),)), 1)
    assert [name for (name,) in store.rows("SELECT account FROM account")] == ["b", "d", "f"]
    taking.apply(replace(whole, after="e", upto=None, rows=()), 1)
    assert [name for (name,) in store.rows("SELECT account FROM account")] == ["b", "d"]
    assert taking.place() == Place("s", Section.CARDS, "")


def test_only_the_part_that_comes_next_is_taken(store: Store) -> None:
    mirror = hear(store, account(5, "m1"), card())
    taking = take(store, *BEFORE_ACCOUNTS)
    part = SnapshotPart(
        cursor="s", section=Section.ACCOUNTS, after="", upto="m", rows=(), total=0, epoch=1, includes_seq=0, as_of_ms=0
    )
    for other in ({"cursor": "t"}, {"section": Section.CARDS}, {"after": "b"}):
        with pytest.raises(ServerFault, match="expected the part of the snapshot at"):
            taking.apply(replace(part, **other), 1)
    assert mirror.find(CARD).confirmed == 5
    taking.give_up()
    with pytest.raises(ServerFault, match="expected the part"):
        taking.apply(part, 1)  # a snapshot begins with its first section


def test_a_snapshot_counts_whatever_was_known_before(store: Store, journal: Journal) -> None:
    """A head office restored from a backup states less than it did: own entries past that come on top again."""
    mirror = hear(store, account(100), card())
    for _ in range(3):
        journal.append(draft(1000))
    hear(store, account(130), seq=3)
    assert (mirror.find(CARD).confirmed, mirror.find(CARD).queued) == (130, 0)
    take(store, *Section, rows={Section.ACCOUNTS: [account(100)], Section.CARDS: [card()]})  # includes nothing of ours
    assert (mirror.find(CARD).confirmed, mirror.find(CARD).queued) == (100, 30)


def test_a_version_may_be_another_document_after_a_snapshot(store: Store) -> None:
    mirror = hear(store, published(2))
    before = mirror.programme()
    other = published(2)
    other = replace(other, document={**other.document, "name": {"nl": "Anders", "en": "Other"}})
    take(store, *Section, rows={Section.PROGRAMMES: [other]})
    after = mirror.programme()
    assert before is not None
    assert after is not None
    assert (before.name.en, after.name.en) == ("Spaarpunt", "Other")


# -- over the wire ----------------------------------------------------------------------------------------------------


def restart(shop: Shop) -> None:
    """The till's process ends and another begins on the same file."""
    shop.store.close()
    shop.store = Store.open(shop.store.path, KEY)
    terminal = load_terminal(shop.store)
    transport = Transport(shop.proxy.url, terminal.private_key, terminal.terminal, timeout_s=5)
    shop.journal, shop.mirror = Journal(shop.store, terminal), Mirror(shop.store)
    shop.agent = Agent(shop.store, terminal, transport, poll_s=3600)


def forget_all(store: Store) -> None:
    """An old mirror: one member whom nobody knows any more, and none of the others."""
    with store.transaction() as connection:
        connection.execute("DELETE FROM account")
        connection.execute("DELETE FROM card")
        connection.execute("DELETE FROM snapshot")
        connection.execute("UPDATE feed SET cursor = ''")
    hear(store, account(7, "gone"), card(CARD, "gone"))
    Mirror(store).start_over()


def test_a_new_till_takes_a_snapshot_first(shop: Shop, conn: Connection) -> None:
    fill(conn, 2 * MAX_PART_ROWS + 3)
    seen: list[tuple[int, int]] = []
    report = shop.agent.run_once(on_snapshot=lambda taken, total: seen.append((taken, total)))
    assert mirrored(shop.store) == source(conn)
    assert shop.mirror.programme() == programme()
    assert report.changes == 2 * (2 * MAX_PART_ROWS + 4) + 1
    assert seen == sorted(seen)
    assert seen[-1] == (2 * (2 * MAX_PART_ROWS + 4), 2 * (2 * MAX_PART_ROWS + 4))
    shop.store.rows("SELECT 1")
    seen.clear()
    shop.sell(1000)
    report = shop.agent.run_once(on_snapshot=lambda taken, total: seen.append((taken, total)))
    assert seen == []  # from then on the feed will do
    assert report.changes == 1


def test_cut_at_any_byte_it_goes_on_and_comes_to_the_same(shop: Shop, conn: Connection) -> None:
    """Each cut ends the till's process too: what counts is what is on the disk."""
    fill(conn, 2 * MAX_PART_ROWS + 300)
    wanted = source(conn)
    shop.proxy.allow = 10**9
    shop.agent.run_once()
    size = 10**9 - shop.proxy.allow
    assert size > 50_000
    resumed = 0

    @settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
    @example(cuts=[0, size // 4, size // 3, size // 3])
    @example(cuts=[size // 2, size // 3, size // 3])
    @given(cuts=st.lists(st.integers(0, size), min_size=1, max_size=3))
    def check(cuts: list[int]) -> None:
        nonlocal resumed
        forget_all(shop.store)
        for cut in cuts:
            shop.proxy.allow = cut
            with contextlib.suppress(Unreachable):
                shop.agent.run_once()
            resumed += Snapshots(shop.store).place() is not None
            restart(shop)
        shop.proxy.allow = None
        shop.agent.run_once()
        assert mirrored(shop.store) == wanted
        assert Snapshots(shop.store).place() is None

    check()
    assert resumed >= 3, "no cut fell between two parts"


def test_checkouts_beside_a_snapshot_keep_their_balances(shop: Shop, conn: Connection) -> None:
    fill(conn, 4 * MAX_PART_ROWS)
    shop.agent.run_once()
    shop.mirror.start_over()
    finished = threading.Event()
    shown: list[tuple[int, int]] = []

    def sell() -> None:
        count = 0
        # A breath between two sales, as at any till: without one the loop would keep the store's lock from the agent.
        while not finished.wait(BETWEEN_SALES_S) or count < 20:
            shop.sell(1000)
            count += 1
            shown.append((shop.mirror.find(shop.card).balance, 100 + 10 * count))

    with ThreadPoolExecutor() as pool:
        selling = pool.submit(sell)
        try:
            shop.agent.run_once()
        finally:
            finished.set()
        selling.result(WAIT_S)
    assert len(shown) >= 20
    assert [balance for balance, _ in shown] == [wanted for _, wanted in shown]
    shop.agent.run_once()
    assert shop.mirror.find(shop.card).balance == hq_points(conn, shop.account) == 100 + 10 * len(shown)
    assert mirrored(shop.store) == source(conn)


def test_told_to_stop_it_ends_after_a_part_and_goes_on_at_the_next_start(shop: Shop, conn: Connection) -> None:
    fill(conn, 3 * MAX_PART_ROWS)
    parts: list[int] = []

    def stop_at_the_fifth(taken: int, _total: int) -> None:
        parts.append(taken)
        if len(parts) == 5:
            shop.agent.stop()

    shop.agent.run_once(on_snapshot=stop_at_the_fifth)
    assert len(parts) == 5
    place = Snapshots(shop.store).place()
    assert place is not None
    assert place.section is Section.ACCOUNTS
    assert place.after
    restart(shop)
    shop.agent.run_once()
    assert mirrored(shop.store) == source(conn)


def test_a_cursor_that_was_dropped_brings_a_snapshot(shop: Shop, conn: Connection, member: Member) -> None:
    shop.agent.run_once()
    token, late = member(points=3)
    compact(conn, timedelta(0))
    shop.agent.run_once()
    assert shop.mirror.find(token).account == late
    assert mirrored(shop.store) == source(conn)


def test_one_whose_cursor_was_dropped_meanwhile_begins_anew(shop: Shop, conn: Connection, member: Member) -> None:
    fill(conn, 2 * MAX_PART_ROWS)
    shop.proxy.allow = 25_000
    with pytest.raises(Unreachable):
        shop.agent.run_once()
    begun = Snapshots(shop.store).place()
    assert begun is not None
    shop.proxy.allow = None
    token, _ = member(points=3)
    compact(conn, timedelta(0))
    shop.agent.run_once()
    assert shop.mirror.find(token).confirmed == 3
    assert shop.mirror.cursor() > begun.cursor
    assert mirrored(shop.store) == source(conn)


def test_an_erased_member_is_gone_from_the_mirror(shop: Shop, conn: Connection) -> None:
    shop.agent.run_once()
    assert shop.mirror.find(shop.card).known
    erase(conn, shop.account, DAY)
    shop.agent.run_once()
    assert not shop.mirror.find(shop.card).known
    assert mirrored(shop.store) == ([], [])
    shop.sell(1000)  # of a till that had not heard
    assert shop.agent.run_once().parked == 1


@contextlib.contextmanager
def serving(database: Database) -> Iterator[tuple[str, int]]:
    """Head office on `database` behind a server of its own."""
    ready = threading.Event()
    with listen("127.0.0.1", 0) as listener:
        server = make_server(database, listener, lambda _: ready.set())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        assert ready.wait(WAIT_S)
        try:
            yield listener.getsockname()[:2]
        finally:
            server.should_exit = True
            thread.join(WAIT_S)


def test_a_head_office_restored_from_a_backup(
    shop: Shop, conn: Connection, database: Database, postgres: str, member: Member
) -> None:
    """What came after the backup is unknown there; the till shows what head office has, and its own sales on top."""
    shop.sell(1000)
    shop.agent.run_once()
    token, kept = member(points=50)
    shop.agent.run_once()
    with contextlib.closing(psycopg.connect(postgres, autocommit=True)) as admin:
        database.close()
        admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'hq_tests'")
        admin.execute("CREATE DATABASE backup TEMPLATE hq_tests")
        with Database(make_conninfo(postgres, dbname="hq_tests")) as going_on, serving(going_on) as address:
            shop.proxy.target = address[1]
            shop.proxy.sever()
            with going_on.connection() as held:
                publish(held, programme(2))
                held.execute("UPDATE balance SET points = 70 WHERE account_id = %s", (kept,))
                held.execute("INSERT INTO account (account_id, tier) VALUES ('late', 'basic')")
                held.execute("INSERT INTO feed (subject, key) VALUES ('account', 'late'), ('account', %s)", (kept,))
            shop.sell(500)
            shop.agent.run_once()
        assert shop.mirror.find(token).confirmed == 70
        assert shop.mirror.find(shop.card).balance == 115
        assert shop.mirror.accounts() == 3
        with Database(make_conninfo(postgres, dbname="backup")) as restored, serving(restored) as address:
            shop.proxy.target = address[1]
            shop.proxy.sever()
            shop.agent.run_once()
            assert shop.mirror.find(token).confirmed == 50
            assert shop.mirror.accounts() == 2
            assert shop.mirror.find(shop.card).balance == 115
            found = shop.mirror.programme()
            assert found is not None
            assert found.version == 1
        admin.execute("DROP DATABASE backup WITH (FORCE)")


# -- a head office that misbehaves ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (http("200 OK", b"", "application/x-ndjson", Spaarpunt_Protocol="1"), "ended a snapshot before its first part"),
        (http("200 OK", b'{"cursor"', "application/x-ndjson", Spaarpunt_Protocol="1"), "broken snapshot"),
        (http("200 OK", b"junk", "application/x-ndjson", Content_Encoding="zstd"), "broken snapshot"),
        (problem(503, "busy"), "in trouble"),
    ],
)
def test_answers_that_are_no_snapshot_are_tried_again(store: Store, answer: bytes, expected: str) -> None:
    with scripted(stream_at(0), answer) as office:
        terminal = load_terminal(store)
        transport = Transport(office.url, terminal.private_key, terminal.terminal, timeout_s=5)
        with pytest.raises(ServerFault, match=expected):
            Agent(store, terminal, transport, poll_s=3600).run_once()
        transport.close()
    assert Snapshots(store).place() is None


def test_a_feed_that_never_holds_is_no_endless_loop(store: Store) -> None:
    """A snapshot, and its cursor refused at once: told, and tried again later."""
    parts = b"".join(
        SnapshotPart(
            cursor="s", section=section, after="", upto=None, rows=(), total=0, epoch=1, includes_seq=0, as_of_ms=0
        ).encode()
        + b"\n"
        for section in Section
    )
    snapshot = http("200 OK", parts, "application/x-ndjson", Spaarpunt_Protocol="1")
    with scripted(stream_at(0), snapshot, problem(410, "feed_dropped")) as office:
        terminal = load_terminal(store)
        transport = Transport(office.url, terminal.private_key, terminal.terminal, timeout_s=5)
        with pytest.raises(Rejected):
            Agent(store, terminal, transport, poll_s=3600).run_once()
        transport.close()
