"""The agent between a real store and a real head office, over a wire that fails."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from loyalty.ledger import EntryKind
from sync.agent import LONGEST_REST_S, MAX_BACKOFF_S, Agent, NightReport, SyncState
from sync.epochs import Epochs
from sync.errors import OtherVersion, Rejected, ServerFault, Unreachable
from sync.hq.database import Connection, Database
from sync.hq.enrolment import revoke
from sync.hq.programmes import publish
from sync.journal import Journal
from sync.mirror import Mirror
from sync.night import Nights, Window
from sync.proofs import Proofs
from sync.store import Store
from sync.terminal import load_terminal, save_terminal, wall_ms
from sync.transport import Transport
from sync.turns import NICENESS
from sync.wire import AccountBalance, BatchAnswer, Outcome, Result, StreamAnswer
from tests.support.entries import programme
from tests.support.proxy import Fault, Proxy
from tests.sync.build import CARD, DAY, KEY, OTHER_CARD, draft, hear, void_of
from tests.sync.build import account as account_change
from tests.sync.build import card as card_change
from tests.sync.hq.conftest import code
from tests.sync.wires import http, scripted

WAIT_S = 20


@dataclass
class Shop:
    """A till with a real store whose line to head office runs through a proxy."""

    store: Store
    journal: Journal
    mirror: Mirror
    agent: Agent
    proxy: Proxy
    states: list[SyncState]
    turned: threading.Condition
    card: str
    account: str

    def sell(self, *amounts: int, **changes: object) -> None:
        """Book a sale to the member's card."""
        known = {"card": self.card, "account": self.account}
        self.journal.append(draft(*amounts, **{**known, **changes}))  # type: ignore[arg-type]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait for what the agent's state changes bring."""
        with self.turned:
            assert self.turned.wait_for(condition, WAIT_S)


@pytest.fixture
def shop(
    tmp_path: Path, database: Database, hq: httpx.Client, member: Callable[..., tuple[str, str]]
) -> Iterator[Shop]:
    card, account = member(points=100)
    proxy = Proxy(hq.base_url.port or 80)
    store = Store.open(tmp_path / "till.db", KEY)
    key = Ed25519PrivateKey.generate()
    door = Transport(proxy.url, key, timeout_s=5)
    save_terminal(store, door.enrol(code(database), "kassa 1", key), key)
    door.close()
    terminal = load_terminal(store)
    transport = Transport(proxy.url, key, terminal.terminal, timeout_s=5)
    states: list[SyncState] = []
    turned = threading.Condition()

    def tell(state: SyncState) -> None:
        with turned:
            states.append(state)
            turned.notify_all()

    agent = Agent(store, terminal, transport, poll_s=3600, on_state=tell)
    yield Shop(store, Journal(store, terminal), Mirror(store), agent, proxy, states, turned, card, account)
    agent.stop()
    transport.close()
    proxy.close()
    store.close()


def hq_points(conn: Connection, account: str) -> int:
    """The member's points at head office; the ledger must say the same as the balance."""
    row = conn.execute("SELECT points FROM balance WHERE account_id = %s", (account,)).fetchone()
    ledger = conn.execute("SELECT sum(points) FROM ledger WHERE account_id = %s", (account,)).fetchone()
    assert row is not None
    assert row == ledger
    return int(row[0])


def entries_at_hq(conn: Connection) -> int:
    row = conn.execute("SELECT count(*) FROM received").fetchone()
    assert row is not None
    return int(row[0])


def stream_at(durable_to: int, digest: bytes = bytes(32)) -> bytes:
    """Head office's answer to where the stream stands."""
    answer = StreamAnswer(terminal="t-1", epoch=1, durable_to=durable_to, head_digest=digest.hex(), server_time_ms=0)
    return http("200 OK", answer.encode(), Spaarpunt_Protocol="1")


def test_a_shop_day(shop: Shop, conn: Connection) -> None:
    shop.agent.run_once()  # the mirror fills
    assert shop.mirror.programme() == programme()
    assert shop.mirror.find(shop.card).balance == 100

    shop.proxy.cut()
    shop.sell(1250)  # 12
    shop.sell(2000, rewards=("five-off",))  # 15 − 50
    with pytest.raises(Unreachable):
        shop.agent.run_once()
    assert not shop.agent.state.online
    assert "sales go on" in (shop.agent.state.problem or "")
    holder = shop.mirror.find(shop.card)
    assert (holder.confirmed, holder.queued, holder.balance) == (100, -23, 77)

    shop.proxy.join()
    report = shop.agent.run_once()
    assert (report.sent, report.booked, report.parked) == (2, 2, 0)
    assert shop.journal.head().queued == 0
    holder = shop.mirror.find(shop.card)
    assert (holder.confirmed, holder.queued) == (77, 0)
    assert hq_points(conn, shop.account) == 77
    assert [state.online for state in shop.states] == [True, False, True]
    contact = shop.mirror.contact()
    assert contact.last_contact_ms is not None
    assert abs(contact.clock_offset_ms or 0) < 5000

    night = shop.agent.nightly()
    assert night.agrees
    (day,) = night.days
    assert (day.business_date, day.ours.entries, day.ours.points_earned, day.ours.points_spent) == (DAY, 2, 27, 50)
    assert day.ours == day.theirs
    assert shop.agent.nightly().days == ()  # proven once is proven


@pytest.mark.parametrize("lost", [1, 2])
def test_an_answer_lost_after_head_office_booked_doubles_nothing(shop: Shop, conn: Connection, lost: int) -> None:
    shop.agent.run_once()
    shop.proxy.sever()
    for _ in range(3):
        shop.sell(1000)
    for left in range(lost, 0, -1):
        shop.proxy.order(Fault.LOSE_ANSWER)
        with pytest.raises(Unreachable):
            shop.agent.run_once()
        assert shop.proxy.done.count(Fault.LOSE_ANSWER) == lost - left + 1
        assert entries_at_hq(conn) == 3  # head office has them,
        assert shop.journal.head().queued == 3  # the till does not know it,
        assert shop.mirror.find(shop.card).balance == 130  # and shows the right balance all the same
    shop.sell(500)
    report = shop.agent.run_once()
    assert (report.sent, report.booked) == (4, 1)
    assert (hq_points(conn, shop.account), entries_at_hq(conn)) == (135, 4)
    assert shop.mirror.find(shop.card).balance == 135
    assert shop.agent.nightly().agrees


def test_balances_of_the_answer_count_before_any_change_is_heard(store: Store, journal: Journal) -> None:
    """The line breaks between the answer to a batch and the changes."""
    mirror = hear(store, account_change(100), card_change())
    journal.append(draft(1000))
    answer = BatchAnswer(
        durable_to=1,
        applied_to=1,
        results=(Result(seq=1, outcome=Outcome.BOOKED),),
        balances=(AccountBalance(account="m1", points=190),),  # 10 of ours, and 80 earned elsewhere
        next_poll_s=15,
        server_time_ms=wall_ms() + 60_000,
    )
    with scripted(stream_at(0), http("200 OK", answer.encode(), Spaarpunt_Protocol="1"), b"") as office:
        terminal = load_terminal(store)
        transport = Transport(office.url, terminal.private_key, terminal.terminal, timeout_s=5)
        with pytest.raises(Unreachable):
            Agent(store, terminal, transport, poll_s=3600).run_once()
        transport.close()
    holder = mirror.find(CARD)
    assert (holder.confirmed, holder.queued) == (190, 0)
    assert journal.head().queued == 0
    assert abs((mirror.contact().clock_offset_ms or 0) - 60_000) < 5000


@pytest.mark.parametrize("durable_to", [0, 4])
def test_an_answer_that_takes_nothing_is_tried_again_and_never_believed(
    store: Store, journal: Journal, durable_to: int
) -> None:
    """Head office says it is behind what it had, or acknowledges what this till never wrote."""
    for _ in range(2):
        journal.append(draft())
    answer = BatchAnswer(
        durable_to=durable_to, applied_to=0, results=(), balances=(), next_poll_s=15, server_time_ms=wall_ms()
    )
    page = http("200 OK", b"not asked for when nothing was taken")
    with scripted(stream_at(0), http("200 OK", answer.encode(), Spaarpunt_Protocol="1"), page) as office:
        terminal = load_terminal(store)
        transport = Transport(office.url, terminal.private_key, terminal.terminal, timeout_s=5)
        with pytest.raises(ServerFault if durable_to == 0 else OtherVersion):
            Agent(store, terminal, transport, poll_s=3600).run_once()
        transport.close()
    # Of four only the two that were sent count.
    assert journal.head().acked_seq == min(durable_to, 2)


def test_a_page_of_changes_that_is_lost_is_asked_for_again(shop: Shop, conn: Connection) -> None:
    shop.proxy.order(Fault.LOSE_ANSWER)
    with pytest.raises(Unreachable):
        shop.agent.run_once()
    assert shop.mirror.cursor() == ""
    shop.agent.run_once()
    assert shop.mirror.accounts() == 1
    assert shop.mirror.find(shop.card).confirmed == hq_points(conn, shop.account)


def test_a_long_queue_goes_in_batches_with_progress(shop: Shop, conn: Connection) -> None:
    shop.agent.run_once()
    for _ in range(620):
        shop.sell(100)
    seen: list[tuple[int, int]] = []
    report = shop.agent.run_once(lambda sent, total: seen.append((sent, total)))
    assert report.sent == report.booked == 620
    assert len(seen) >= 2
    assert seen == sorted(seen)
    assert seen[-1] == (620, 620)
    assert hq_points(conn, shop.account) == 720


class Rests(threading.Event):
    """Notes for how long the agent rests, instead of resting."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.seconds.append(timeout)
        return False


def test_a_long_queue_rests_for_customers_and_only_for_them(shop: Shop) -> None:
    rests = shop.agent._stop = Rests()
    for _ in range(620):
        shop.sell(100)
    shop.agent.run_once()
    assert rests.seconds == [], "nobody was served"

    for _ in range(620):
        shop.sell(100)
    shop.agent.run_once(lambda sent, _total: shop.sell(100) if sent < 620 else None)
    assert 1 <= len(rests.seconds) < 5
    assert all(0 < seconds <= LONGEST_REST_S for seconds in rests.seconds)


def test_what_head_office_does_not_book_is_parked_and_blocks_nothing(shop: Shop, conn: Connection) -> None:
    shop.agent.run_once()
    shop.sell(1000, card=OTHER_CARD, account=None)  # of nobody at head office either
    shop.sell(1000)
    report = shop.agent.run_once()
    assert (report.sent, report.booked, report.parked) == (2, 1, 1)
    assert hq_points(conn, shop.account) == 110
    night = shop.agent.nightly()
    assert night.agrees  # nothing got lost: parked is received too
    assert night.days[0].parked == 1


def test_a_void_comes_back_as_the_balance_it_was(shop: Shop, conn: Connection) -> None:
    shop.agent.run_once()
    shop.sell(2000, rewards=("five-off",), session="sale to undo")
    sale = shop.journal.find_all(session="sale to undo").get(EntryKind.SALE)
    shop.agent.run_once()
    assert shop.mirror.find(shop.card).balance == 65
    shop.journal.append(void_of(sale))
    assert shop.mirror.find(shop.card).balance == 100
    shop.agent.run_once()
    assert hq_points(conn, shop.account) == shop.mirror.find(shop.card).balance == 100


def test_a_changed_row_at_head_office_shows_in_the_nightly_proof(shop: Shop, conn: Connection) -> None:
    shop.sell(1000)
    shop.sell(1000, business_date=DAY + timedelta(days=1))
    assert shop.agent.nightly().agrees
    conn.execute("UPDATE received SET points_earned = points_earned + 1 WHERE business_date = %s", (DAY,))
    shop.sell(300)
    night = shop.agent.nightly()
    assert not night.agrees
    (day,) = night.days  # the other day was proven and has nothing new
    assert (day.business_date, day.agrees) == (DAY, False)
    assert (day.ours.points_earned, day.theirs.points_earned) == (13, 14)
    latest = Proofs(shop.store, shop.journal).latest()
    assert latest is not None
    assert latest.business_date == DAY + timedelta(days=1)
    # A day is compared until it agrees.
    conn.execute("UPDATE received SET points_earned = 10 WHERE business_date = %s AND seq = 1", (DAY,))
    assert [day.agrees for day in shop.agent.nightly().days] == [True]
    assert shop.agent.nightly().days == ()


def test_an_entry_lost_at_head_office_shows_in_the_nightly_proof(shop: Shop, conn: Connection) -> None:
    shop.sell(1000)
    shop.sell(0)  # worth no points at all, and still an entry
    shop.agent.run_once()
    conn.execute("DELETE FROM received WHERE seq = 2")
    assert not shop.agent.nightly().agrees


def test_a_sale_while_the_sides_compare_is_no_difference(shop: Shop) -> None:
    """Entries that were not sent are not in the proof; the next night has them."""
    shop.sell(1000)
    shop.agent.run_once()
    proofs = Proofs(shop.store, shop.journal)
    before = shop.journal.proof(DAY)
    shop.sell(1000)
    assert shop.journal.proof(DAY) == before
    assert proofs.open_days() == [(1, DAY)]
    assert shop.agent.nightly().days[0].ours.entries == 2


def test_a_revoked_till_is_told_and_keeps_its_entries(shop: Shop, conn: Connection) -> None:
    shop.agent.run_once()
    revoke(conn, load_terminal(shop.store).terminal, datetime.now(UTC))
    shop.sell(1000)
    with pytest.raises(Rejected, match="head office refused") as caught:
        shop.agent.run_once()
    assert caught.value.code == "revoked"
    assert shop.journal.head().queued == 1
    assert not shop.agent.state.online


def test_a_programme_from_a_later_version_is_told_and_sales_go_on(
    shop: Shop, database: Database, conn: Connection
) -> None:
    shop.agent.run_once()
    with database.connection() as other:
        publish(other, programme(2))
    conn.execute("""UPDATE programme SET document = document || '{"format": 2}' WHERE version = 2""")
    shop.sell(1000)
    with pytest.raises(OtherVersion, match=r"cannot read \(format: .*\): update the till"):
        shop.agent.run_once()
    found = shop.mirror.programme()
    assert found is not None
    assert found.version == 1
    assert shop.journal.head().queued == 0  # the sale had gone out before


def test_a_clock_a_year_off_still_syncs(shop: Shop, conn: Connection) -> None:
    """The first request is refused, the second is signed with head office's time; entries keep the raw clock."""
    terminal = load_terminal(shop.store)
    year_ms = 365 * 86_400_000
    far = Transport(shop.proxy.url, terminal.private_key, terminal.terminal, timeout_s=5, clock_offset_ms=-year_ms)
    agent = Agent(shop.store, terminal, far, poll_s=3600)
    shop.sell(1000)
    assert agent.run_once().booked == 1
    assert hq_points(conn, shop.account) == 110
    far.close()


def test_it_runs_by_itself_and_wakes_for_a_sale(shop: Shop, conn: Connection) -> None:
    acked = threading.Event()
    shop.agent.start()
    shop.wait_for(lambda: bool(shop.states) and shop.states[-1].online)
    (thread,) = (each for each in threading.enumerate() if each.name == "sync-agent")
    assert thread.native_id is not None
    if sys.platform == "linux":
        assert os.getpriority(os.PRIO_PROCESS, thread.native_id) >= NICENESS  # sales go first
    shop.sell(1000)
    shop.agent.wake()
    deadline = wall_ms() + WAIT_S * 1000
    while shop.journal.head().queued and wall_ms() < deadline:
        acked.wait(0.02)
    assert shop.journal.head().queued == 0  # poll_s is an hour: it was the wake-up
    assert hq_points(conn, shop.account) == 110
    shop.agent.stop()
    shop.agent.stop()


def test_it_tries_again_by_itself_when_the_line_comes_back(shop: Shop, conn: Connection) -> None:
    shop.proxy.cut()
    shop.sell(1000)
    shop.agent.start()
    shop.wait_for(lambda: bool(shop.states) and not shop.states[-1].online)
    shop.proxy.join()
    shop.wait_for(lambda: shop.states[-1].online)
    assert hq_points(conn, shop.account) == 110


def test_it_stops_at_once_while_it_waits_to_try_again(shop: Shop) -> None:
    shop.proxy.cut()
    shop.agent.start()
    shop.wait_for(lambda: bool(shop.states))
    before = wall_ms()
    shop.agent.stop()
    assert wall_ms() - before < 10_000 < MAX_BACKOFF_S * 1000


def test_a_night_backs_up_prunes_and_tells(shop: Shop, tmp_path: Path) -> None:
    """The manager hears of each thing once; a night without space for a backup still compares and tells."""
    shop.agent.run_once()
    shop.sell(1000)
    night = shop.agent.nightly()
    assert night.agrees
    assert night.backup is not None
    assert night.backup.path.parent == tmp_path / "backups"
    assert (night.pruned, night.notices) == (0, ())
    Epochs(shop.store).tell(1, "salvaged", "this happened")
    shutil.rmtree(tmp_path / "backups")
    (tmp_path / "backups").write_text("in the way")
    night = shop.agent.nightly()
    assert (night.agrees, night.backup) == (True, None)
    assert [notice.code for notice in night.notices] == ["salvaged", "no_backup"]
    (tmp_path / "backups").unlink()
    assert shop.agent.nightly().notices == ()
    with shop.store.transaction() as connection:
        connection.execute("UPDATE acked_day SET day = '2020-01-01'")
    night = shop.agent.nightly()
    assert (night.pruned, night.agrees, shop.journal.head().seq) == (1, True, 1)
    shop.sell(1000)
    assert shop.agent.nightly().agrees


def test_a_running_till_does_its_night_by_itself(shop: Shop) -> None:
    done = threading.Event()
    nights: list[NightReport] = []

    def tell(night: NightReport) -> None:
        nights.append(night)
        done.set()

    terminal = load_terminal(shop.store)
    transport = Transport(shop.proxy.url, terminal.private_key, terminal.terminal, timeout_s=5)
    window = Window(time(0), time(0, 1), ZoneInfo("Europe/Amsterdam"))
    agent = Agent(shop.store, terminal, transport, poll_s=3600, night=window, on_night=tell)
    Nights(shop.store, terminal.terminal, window).done(wall_ms() - 2 * 86_400_000)  # it was off last night
    shop.sell(1000)
    agent.start()
    assert done.wait(WAIT_S)
    agent.stop()
    transport.close()
    assert [night.agrees for night in nights] == [True]
    assert not Nights(shop.store, terminal.terminal, window).due(wall_ms())
