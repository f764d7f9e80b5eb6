"""Two real tills and a real head office: points spent once while connected, by the policy alone, and nothing stuck."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from loyalty.errors import RewardRefused
from loyalty.offline import Mode, Reason
from loyalty.programme import OfflineMode, OfflinePolicy, Programme
from loyalty.spending import AuthorityKind
from pos_client.app import build_runtime, open_store
from pos_client.config import Config
from pos_client.runtime import Runtime
from pos_client.session import Quote
from pos_client.till import Till
from sync.epochs import Epochs
from sync.errors import TransportError
from sync.hq.available import available
from sync.hq.database import Connection, Database
from sync.hq.leases import live, reclaim_due, revoke
from sync.hq.members import import_members
from sync.hq.programmes import publish
from sync.hq.spending import debt_totals
from sync.terminal import save_terminal, wall_ms
from sync.transport import Transport
from tests.support.entries import basket, programme
from tests.support.proxy import Proxy
from tests.sync.hq.conftest import CARDS, DAY, code, conn, database, database_url, hq

__all__ = ["conn", "database", "database_url", "hq"]

LEASE = OfflinePolicy(
    redeem=OfflineMode.LEASE, lease_points=100, lease_tills=2, lease_lifetime_s=86_400, lease_grace_s=3600
)
NUMBER = "2900000000017"
REWARD = "five-off"  # 50 points for 5 euro


@dataclass
class Shop:
    """One till, and the line between it and head office."""

    runtime: Runtime
    proxy: Proxy

    @property
    def till(self) -> Till:
        return self.runtime.till

    def sync(self) -> None:
        self.runtime.agent.run_once()

    def off(self) -> None:
        """The line is gone, and the agent has noticed."""
        self.proxy.cut()
        with pytest.raises(TransportError):
            self.sync()

    def on(self) -> None:
        self.proxy.join()
        self.sync()

    def open(self, session: str, minor: int = 1000) -> None:
        self.till.open_session(session)
        self.till.set_basket(session, basket(minor))
        self.till.identify(session, NUMBER)

    def redeem(self, session: str, minor: int = 1000) -> Quote:
        self.open(session, minor)
        return self.till.redeem(session, REWARD)

    def refused(self, session: str) -> str:
        with pytest.raises(RewardRefused) as caught:
            self.till.redeem(session, REWARD)
        return caught.value.code


@pytest.fixture
def new_shop(tmp_path: Path, database: Database, hq: httpx.Client) -> Iterator[Callable[[], Shop]]:
    shops: list[Shop] = []

    def make() -> Shop:
        proxy = Proxy(hq.base_url.port or 80)
        folder = tmp_path / str(len(shops))
        config = Config(
            card_formats=CARDS,
            till={"name": "kassa", "data_dir": folder, "head_office_url": proxy.url},  # type: ignore[arg-type]
            sync={"hold_ms": 5000},  # type: ignore[arg-type]
        )
        store = open_store(config, create=True)
        key = Ed25519PrivateKey.generate()
        door = Transport(str(hq.base_url), key, timeout_s=5)
        save_terminal(store, door.enrol(code(database), "kassa", key), key)
        door.close()
        shop = Shop(build_runtime(config, store), proxy)
        shops.append(shop)
        shop.sync()
        return shop

    yield make
    for shop in shops:
        shop.runtime.holds.close()
        shop.proxy.close()
        shop.runtime.store.close()


@pytest.fixture
def give(database: Database) -> Callable[..., str]:
    """Imports the member of `NUMBER`; returns the account."""

    def make(points: int) -> str:
        with database.connection() as conn:
            lines = ["card_number,first_name,tier,points", f"{NUMBER},Anna,basic,{points}"]
            import_members(conn, database.keys.card, CARDS, lines, today=DAY)
            row = conn.execute("SELECT account_id FROM account").fetchone()
        assert row is not None
        return str(row[0])

    return make


def policy(conn: Connection, offline: OfflinePolicy, version: int = 2) -> Programme:
    rules = programme(version).model_copy(update={"offline": offline})
    publish(conn, rules)
    return rules


def free(conn: Connection, account: str) -> int:
    return available(conn, [account], datetime.now(UTC))[account]


def balance(conn: Connection, account: str) -> int:
    row = conn.execute("SELECT points FROM balance WHERE account_id = %s", (account,)).fetchone()
    assert row is not None
    return int(row[0])


def authority(shop: Shop, session: str) -> list[tuple[AuthorityKind, int]]:
    entry = shop.till.bookings.commit(session).entry
    return [(part.kind, part.points) for part in entry.authority]


# -- connected ------------------------------------------------------------------------------------------------------


def test_two_tills_want_the_same_points_at_once_and_one_gets_them(
    new_shop: Callable[[], Shop], give: Callable[[int], str], conn: Connection
) -> None:
    account = give(50)
    shops = [new_shop(), new_shop()]
    for shop in shops:
        shop.open("bon", 500)
    start = threading.Barrier(2)

    def want(shop: Shop) -> str:
        start.wait()
        try:
            shop.till.redeem("bon", REWARD)
        except RewardRefused as error:
            return error.code
        return "got"

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(want, shops))
    assert sorted(said) == ["got", "points_held"]
    winner = shops[said.index("got")]
    assert authority(winner, "bon") == [(AuthorityKind.HOLD, 50)]
    for shop in (winner, *shops):
        shop.sync()
    assert (balance(conn, account), free(conn, account), debt_totals(conn)) == (0, 0, (0, 0))
    assert shops[said.index("points_held")].refused("bon") == "points_short"  # it has heard by now


def test_a_reward_taken_off_frees_its_points(
    new_shop: Callable[[], Shop], give: Callable[[int], str], conn: Connection
) -> None:
    account = give(60)
    shop = new_shop()
    quote = shop.redeem("bon")
    assert quote.verdict is not None
    assert quote.verdict.mode is Mode.ONLINE
    assert free(conn, account) == 10
    shop.till.unredeem("bon", REWARD)
    shop.sync()
    assert free(conn, account) == 60
    shop.till.redeem("bon", REWARD)
    shop.till.bookings.void("bon")
    shop.sync()
    assert free(conn, account) == 60


def test_another_card_frees_the_first_ones_points(
    new_shop: Callable[[], Shop], give: Callable[[int], str], conn: Connection, database: Database
) -> None:
    account = give(60)
    lines = ["card_number,first_name,tier,points", "2900000000024,Bas,basic,10"]
    import_members(conn, database.keys.card, CARDS, lines, today=DAY)
    shop = new_shop()
    shop.redeem("bon")
    shop.till.identify("bon", "2900000000024")
    shop.sync()
    assert free(conn, account) == 60


def test_a_basket_that_became_too_small_frees_its_points(
    new_shop: Callable[[], Shop], give: Callable[[int], str], conn: Connection
) -> None:
    account = give(60)
    shop = new_shop()
    shop.redeem("bon")
    quote = shop.till.set_basket("bon", basket(100))
    assert quote.dropped_rewards == (REWARD,)
    shop.sync()
    assert free(conn, account) == 60


def test_a_sale_whose_software_died_holds_nothing_after_its_time(
    new_shop: Callable[[], Shop], give: Callable[[int], str], conn: Connection
) -> None:
    account = give(60)
    runtime = new_shop().runtime
    passed_ms = 0
    till = Till(
        runtime.store,
        runtime.terminal,
        formats=CARDS,
        bus=runtime.bus,
        time_zone="Europe/Amsterdam",
        business_day_starts=datetime.min.time(),
        session_timeout_s=1800,
        holds=runtime.holds,
        now_ms=lambda: wall_ms() + passed_ms,
    )
    till.open_session("bon")
    till.set_basket("bon", basket(1000))
    till.identify("bon", NUMBER)
    till.redeem("bon", REWARD)
    till.upkeep.rest()
    runtime.agent.run_once()
    assert free(conn, account) == 10, "a customer who looks for a purse keeps the reward"
    passed_ms = -7_200_000  # the clock was ahead, and is set right
    till.upkeep.rest()
    runtime.agent.run_once()
    assert free(conn, account) == 10
    passed_ms += 1_801_000
    till.upkeep.rest()
    runtime.agent.run_once()
    assert free(conn, account) == 60
    # Whoever goes on with it, a restarted program or the cashier, has the reward held again when it is booked.
    entry = till.bookings.commit("bon").entry
    assert [(part.kind, part.points) for part in entry.authority] == [(AuthorityKind.HOLD, 50)]


def test_a_crash_frees_the_points(new_shop: Callable[[], Shop], give: Callable[[int], str], conn: Connection) -> None:
    account = give(60)
    shop = new_shop()
    shop.redeem("bon")
    assert free(conn, account) == 10
    build_runtime(shop.runtime.config, shop.runtime.store).holds.close()  # what the next start does
    shop.sync()
    assert free(conn, account) == 60


def test_what_is_booked_keeps_its_points_whatever_is_given_back_later(
    new_shop: Callable[[], Shop], give: Callable[[int], str], conn: Connection
) -> None:
    account = give(60)
    shop = new_shop()
    shop.redeem("bon", 500)
    shop.till.bookings.commit("bon")
    assert shop.runtime.store.rows("SELECT * FROM hold") == []
    assert free(conn, account) == 10
    shop.sync()
    assert (balance(conn, account), free(conn, account)) == (10, 10)


def test_never_gives_rewards_while_connected_and_says_why_not_otherwise(
    new_shop: Callable[[], Shop], give: Callable[[int], str], conn: Connection
) -> None:
    give(60)
    policy(conn, OfflinePolicy())
    shop = new_shop()
    shop.redeem("bon")
    assert authority(shop, "bon") == [(AuthorityKind.HOLD, 50)]
    shop.sync()
    shop.off()
    shop.open("bon-2")
    assert shop.refused("bon-2") in {"points_short", "policy_never"}
    verdict = shop.till.quote("bon-2").verdict
    assert verdict is not None
    assert (verdict.mode, verdict.limit, verdict.reason) == (Mode.NEVER, 0, Reason.POLICY_NEVER)


def test_points_held_are_spent_after_the_line_has_gone(
    new_shop: Callable[[], Shop], give: Callable[[int], str], conn: Connection
) -> None:
    account = give(60)
    policy(conn, OfflinePolicy())
    shop = new_shop()
    shop.redeem("bon", 500)
    shop.off()
    assert authority(shop, "bon") == [(AuthorityKind.HOLD, 50)]
    shop.on()
    assert (balance(conn, account), debt_totals(conn)) == (10, (0, 0))


def test_no_answer_falls_back_to_the_policy_within_the_time(
    new_shop: Callable[[], Shop], give: Callable[[int], str], conn: Connection
) -> None:
    """The agent still thinks that it is online: the reward waits for the line no longer than a checkout may."""
    account = give(60)
    shop = new_shop()
    shop.open("bon", 500)
    shop.proxy.cut()
    assert shop.runtime.agent.state.online
    started = time.monotonic()
    quote = shop.till.redeem("bon", REWARD)
    assert time.monotonic() - started < 6
    assert quote.verdict is not None
    assert (quote.verdict.mode, quote.verdict.reason) == (Mode.CAPPED, Reason.BALANCE)
    assert authority(shop, "bon") == [(AuthorityKind.FLOOR, 50)]
    shop.on()
    assert (balance(conn, account), free(conn, account)) == (10, 10)


def test_points_are_held_after_the_till_has_gone_on_in_its_next_epoch(
    new_shop: Callable[[], Shop], give: Callable[[int], str], conn: Connection
) -> None:
    """Without a new start: the key of before is past."""
    give(100)
    policy(conn, OfflinePolicy(redeem=OfflineMode.NEVER))
    shop = new_shop()
    shop.sync()
    Epochs(shop.runtime.store).begin(2)
    shop.sync()
    shop.redeem("bon")
    assert authority(shop, "bon") == [(AuthorityKind.HOLD, 50)]


# -- alone, under leases --------------------------------------------------------------------------------------------


def test_leases_are_spent_first_and_nothing_beyond_them(
    new_shop: Callable[[], Shop], give: Callable[[int], str], conn: Connection
) -> None:
    account = give(160)
    policy(conn, LEASE)
    shop = new_shop()
    shop.open("bon-0", 100)
    shop.till.bookings.commit("bon-0")
    shop.sync()
    shop.off()
    for number in (1, 2):
        quote = shop.redeem(f"bon-{number}", 500)
        assert quote.verdict is not None
        assert quote.verdict.mode is Mode.LEASE
        assert authority(shop, f"bon-{number}") == [(AuthorityKind.LEASE, 50)]
    shop.open("bon-3")
    verdict = shop.till.quote("bon-3").verdict
    assert verdict is not None
    assert (verdict.mode, verdict.limit, verdict.reason) == (Mode.LEASE, 0, Reason.NO_LEASE)
    assert shop.refused("bon-3") == "no_lease"
    shop.on()
    assert (balance(conn, account), debt_totals(conn)) == (61, (0, 0))
    assert [lease.points for lease in live(conn)] == [61]  # set aside anew
    shop.off()
    assert shop.till.quote("bon-3").verdict.limit == 61  # type: ignore[union-attr]


def test_no_set_of_disconnected_tills_overspends(
    new_shop: Callable[[], Shop], give: Callable[[int], str], conn: Connection
) -> None:
    account = give(180)
    policy(conn, LEASE)
    shops = [new_shop() for _ in range(3)]
    for shop in shops:
        shop.open("bon", 100)
        shop.till.bookings.commit("bon")
        shop.sync()
    for shop in shops:
        shop.off()
    given = 0
    for shop in shops:
        for number in range(6):
            shop.open(f"alone-{number}", 500)
            try:
                shop.till.redeem(f"alone-{number}", REWARD)
            except RewardRefused as error:
                assert error.code in {"no_lease", "lease_short", "points_short"}
                break
            shop.till.bookings.commit(f"alone-{number}")
            given += 1
    assert given == 3  # 100 and 80 points are set aside: two rewards at one till, one at another
    for shop in shops:
        shop.on()
    assert balance(conn, account) == 183 - 150
    assert debt_totals(conn) == (0, 0)


def test_connected_a_till_uses_its_own_lease_and_has_the_rest_held(
    new_shop: Callable[[], Shop], give: Callable[[int], str], conn: Connection
) -> None:
    account = give(90)
    policy(conn, OfflinePolicy(redeem=OfflineMode.LEASE, lease_points=30))
    shop = new_shop()
    shop.open("bon-0", 100)
    shop.till.bookings.commit("bon-0")
    shop.sync()
    shop.redeem("bon", 500)
    assert free(conn, account) == 91 - 30 - 20
    assert sorted(authority(shop, "bon")) == [(AuthorityKind.HOLD, 20), (AuthorityKind.LEASE, 30)]
    shop.sync()
    assert (balance(conn, account), debt_totals(conn)) == (41, (0, 0))


def test_short_of_room_head_office_holds_all_and_what_it_held_is_spent_alone(
    new_shop: Callable[[], Shop], give: Callable[[int], str], conn: Connection
) -> None:
    account = give(180)
    policy(conn, OfflinePolicy(redeem=OfflineMode.LEASE, lease_points=60))
    shop = new_shop()
    shop.open("bon-0", 100)
    shop.till.bookings.commit("bon-0")
    shop.sync()
    short = False
    till = Till(
        shop.runtime.store,
        shop.runtime.terminal,
        formats=CARDS,
        bus=shop.runtime.bus,
        time_zone="Europe/Amsterdam",
        business_day_starts=datetime.min.time(),
        session_timeout_s=60,
        holds=shop.runtime.holds,
        short_of_room=lambda: short,
    )
    shop = Shop(replace(shop.runtime, till=till), shop.proxy)
    short = True
    shop.redeem("bon-1", 500)
    assert free(conn, account) == 181 - 60 - 50  # all of it is held: nothing of the lease
    shop.off()
    shop.open("bon-2")
    assert shop.refused("bon-2") == "no_room"  # the lease has 60
    assert authority(shop, "bon-1") == [(AuthorityKind.HOLD, 50)]
    short = False
    shop.till.redeem("bon-2", REWARD)
    assert authority(shop, "bon-2") == [(AuthorityKind.LEASE, 50)]
    shop.on()
    assert debt_totals(conn) == (0, 0)


def test_a_lease_ends_by_the_later_clock_and_is_closed_then(
    new_shop: Callable[[], Shop], give: Callable[[int], str], conn: Connection
) -> None:
    account = give(100)
    policy(conn, LEASE)
    shop = new_shop()
    shop.open("bon", 100)
    shop.till.bookings.commit("bon")
    shop.sync()
    leases = shop.till._spending._leases
    now = wall_ms()
    assert leases.of(account, now)
    assert leases.of(account, now - 10**9)  # a clock set back changes nothing: head office said a later time
    assert leases.of(account, now + 86_390_000)
    assert leases.of(account, now + 86_410_000) == []
    assert reclaim_due(conn, datetime.now(UTC) + timedelta(days=3)) == 0  # the till has not said a word
    (closed,) = leases.close_due(now + 86_410_000)
    assert (closed.epoch, closed.seq) == (1, 1)
    assert leases.of(account, now) == []  # closed is closed, whatever the clock says next
    shop.sync()
    assert shop.runtime.store.rows("SELECT * FROM lease") == []
    assert reclaim_due(conn, datetime.now(UTC) + timedelta(days=3)) == 1
    assert free(conn, account) == 101


def test_a_revoked_lease_is_gone_at_the_till(
    new_shop: Callable[[], Shop], give: Callable[[int], str], conn: Connection
) -> None:
    give(100)
    policy(conn, LEASE)
    shop = new_shop()
    shop.open("bon", 100)
    shop.till.bookings.commit("bon")
    shop.sync()
    (lease,) = live(conn)
    revoke(conn, lease.lease, "wil", datetime.now(UTC))
    shop.sync()
    assert shop.runtime.store.rows("SELECT * FROM lease") == []


def test_a_till_in_its_next_epoch_drops_its_leases(
    new_shop: Callable[[], Shop], give: Callable[[int], str], conn: Connection
) -> None:
    account = give(100)
    policy(conn, LEASE)
    shop = new_shop()
    shop.open("bon", 100)
    shop.till.bookings.commit("bon")
    shop.sync()
    leases = shop.till._spending._leases
    assert leases.of(account, wall_ms())
    with shop.runtime.store.transaction() as connection:
        connection.execute("UPDATE head SET epoch = 2")
    assert leases.of(account, wall_ms()) == []
    assert leases.close_due(wall_ms()) == []
    assert shop.runtime.store.rows("SELECT * FROM lease") == []


def test_a_snapshot_brings_leases_without_forgetting_what_was_spent(
    new_shop: Callable[[], Shop], give: Callable[[int], str], conn: Connection
) -> None:
    account = give(160)
    policy(conn, LEASE)
    shop = new_shop()
    shop.open("bon-0", 100)
    shop.till.bookings.commit("bon-0")
    shop.sync()
    shop.off()
    shop.redeem("bon", 500)
    shop.till.bookings.commit("bon")
    leases = shop.till._spending._leases
    shop.runtime.mirror.start_over()
    assert leases.of(account, wall_ms()) == []  # not before head office has confirmed it
    shop.proxy.join()
    shop.runtime.agent._pull(lambda _sent, _total: None)
    assert [source.points for source in leases.of(account, wall_ms())] == [50]
    with shop.runtime.store.transaction() as connection:
        connection.execute("DELETE FROM lease")  # a new database, with the journal salvaged
    shop.runtime.mirror.start_over()
    shop.runtime.agent._pull(lambda _sent, _total: None)
    assert [source.points for source in leases.of(account, wall_ms())] == [50]


def test_a_lease_that_head_office_did_not_sign_is_not_used(
    new_shop: Callable[[], Shop], give: Callable[[int], str], conn: Connection, database: Database
) -> None:
    account = give(160)
    policy(conn, LEASE)
    shop = new_shop()
    with shop.runtime.store.transaction() as connection:
        stranger = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
        connection.execute("UPDATE terminal SET hq_public_key = ?", (stranger,))
    shop.open("bon", 100)
    shop.till.bookings.commit("bon")
    shop.sync()
    assert len(live(conn)) == 1
    assert shop.till._spending._leases.of(account, wall_ms()) == []
