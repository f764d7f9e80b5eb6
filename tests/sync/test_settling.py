"""Copies, restored disks and a head office restored from a backup: what the till does, against a real head office."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync.agent import Agent
from sync.epochs import Doubt, Epochs
from sync.errors import Rejected, Unreachable
from sync.hq.database import Connection, Database
from sync.hq.enrolment import new_code
from sync.hq.restored import begin_anew
from sync.journal import Journal
from sync.mirror import Mirror
from sync.store import Store
from sync.terminal import enrolment_key, load_terminal
from sync.transport import Transport
from tests.support.proxy import Fault
from tests.sync.build import KEY, draft
from tests.sync.hq.conftest import code
from tests.sync.test_agent import Shop, entries_at_hq, hq_points, shop

__all__ = ["shop"]


@dataclass
class Copy:
    """A till on a copy of the shop's database, with a line of its own."""

    store: Store
    journal: Journal
    epochs: Epochs
    agent: Agent
    shop: Shop

    def sell(self, *amounts: int) -> None:
        self.journal.append(draft(*amounts, card=self.shop.card, account=self.shop.account))

    @property
    def codes(self) -> list[str]:
        return [notice.code for notice in self.epochs.notices()]


@contextmanager
def copied(shop: Shop, path: Path) -> Iterator[Copy]:
    """The shop's database as it is now, on another disk."""
    shop.store._connection.execute("VACUUM INTO ?", [str(path)])
    with running(shop, path) as copy:
        yield copy


@contextmanager
def running(shop: Shop, path: Path) -> Iterator[Copy]:
    store = Store.open(path, KEY)
    terminal = load_terminal(store)
    transport = Transport(shop.proxy.url, terminal.private_key, terminal.terminal, timeout_s=5)
    agent = Agent(store, terminal, transport, poll_s=3600)
    yield Copy(store, Journal(store, terminal), Epochs(store), agent, shop)
    transport.close()
    store.close()


def parked(conn: Connection) -> list[tuple[int, str]]:
    return [tuple(row) for row in conn.execute("SELECT epoch, code FROM parked ORDER BY epoch, seq")]  # type: ignore[misc]


def test_two_copies_of_a_till_lose_nothing_and_double_nothing(shop: Shop, conn: Connection, tmp_path: Path) -> None:
    shop.sell(1000)
    shop.agent.run_once()
    with copied(shop, tmp_path / "copy.db") as copy:
        copy.agent.run_once()  # nothing differs yet
        shop.sell(2000)
        copy.sell(3000)
        copy.sell(4000)
        shop.agent.run_once()
        copy.agent.run_once()
        head = copy.journal.head()
        assert (head.epoch, head.seq, head.queued) == (2, 0, 0)
        assert parked(conn) == [(0, "stream_conflict")] * 2
        assert set(copy.codes) == {"restored", "stream_conflict"}
        copy.sell(500)
        assert copy.agent.run_once().booked == 1
        assert hq_points(conn, shop.account) == 100 + 10 + 20 + 5
        assert Mirror(copy.store).find(shop.card).balance == 135
        assert copy.agent.nightly().agrees
    # The first till's key is past: it sells on, keeps its entries, and says so.
    shop.sell(700)
    for _ in range(2):
        with pytest.raises(Rejected, match="key was replaced") as caught:
            shop.agent.run_once()
    assert caught.value.code == "superseded"
    assert shop.journal.head().queued == 1
    epochs = Epochs(shop.store)
    assert epochs.doubt() is Doubt.SUPERSEDED
    assert [notice.code for notice in epochs.notices()] == ["superseded"]
    assert "replaced" in (shop.agent.state.problem or "")


def test_a_restored_till_finds_out_before_it_sends(shop: Shop, conn: Connection, tmp_path: Path) -> None:
    """An old copy was put back: head office has three entries that it never heard of."""
    shop.sell(1000)
    shop.agent.run_once()
    with copied(shop, tmp_path / "copy.db") as copy:
        for _ in range(3):
            shop.sell(1000)
        shop.agent.run_once()
        copy.agent.run_once()
        assert copy.journal.head().epoch == 2
        (notice,) = copy.epochs.notices()
        assert "3 sales that head office has are not in it: it goes on in epoch 2" in notice.text
        assert Mirror(copy.store).find(shop.card).balance == 140
        copy.sell(1000)
        copy.agent.run_once()
        assert (hq_points(conn, shop.account), entries_at_hq(conn), parked(conn)) == (150, 5, [])


@pytest.mark.parametrize("reachable", [True, False])
def test_a_till_in_doubt_never_writes_a_number_twice(
    shop: Shop, conn: Connection, tmp_path: Path, reachable: bool
) -> None:
    shop.sell(1000)
    shop.agent.run_once()
    shop.sell(1100)  # in both, sent by neither
    with copied(shop, tmp_path / "copy.db") as copy:
        copy.epochs.doubted(Doubt.COPIED)
        if not reachable:
            shop.proxy.cut()
        copy.agent.before_selling()
        copy.sell(2000)
        if reachable:
            # Head office has nothing that this journal has not: it is the only one as far as anybody knows.
            assert (copy.epochs.doubt(), copy.journal.head().epoch) == (None, 1)
        else:
            assert (copy.epochs.doubt(), copy.journal.head().epoch) == (Doubt.COPIED, 2)
            copy.agent.before_selling()  # a second start without a network declares nothing more
            assert copy.journal.head().epoch == 2
            with pytest.raises(Unreachable):
                copy.agent.run_once()
            assert Mirror(copy.store).find(shop.card).balance == 141
        shop.proxy.join()
        assert copy.agent.run_once().booked == 2
        assert copy.epochs.doubt() is None
        assert hq_points(conn, shop.account) == 100 + 10 + 11 + 20
        assert Mirror(copy.store).find(shop.card).balance == 141
        assert parked(conn) == []
        night = copy.agent.nightly()
        assert night.agrees
        assert len(night.days) == (1 if reachable else 2)  # a day in two epochs is compared in both


@pytest.mark.parametrize("lost", [1, 2])
def test_an_epoch_whose_answer_is_lost_is_opened_once(shop: Shop, conn: Connection, tmp_path: Path, lost: int) -> None:
    shop.sell(1000)
    shop.agent.run_once()
    with copied(shop, tmp_path / "copy.db") as copy:
        copy.epochs.begin(2)
        copy.sell(1000)
        for _ in range(lost):
            shop.proxy.order(Fault.LOSE_ANSWER)
            with pytest.raises(Unreachable):
                copy.agent.run_once()
        assert conn.execute("SELECT epoch FROM stream").fetchone() == (2,)
        assert copy.epochs.declared() is not None
        copy.agent.run_once()
        assert copy.epochs.declared() is None
        assert (hq_points(conn, shop.account), copy.journal.head().epoch) == (120, 2)
        assert conn.execute("SELECT count(*) FROM key_retired").fetchone() == (1,)
    with running(shop, tmp_path / "copy.db") as again:  # the new key is on the disk
        again.sell(1000)
        assert again.agent.run_once().booked == 1


def test_an_epoch_that_is_taken_is_passed_over(shop: Shop, conn: Connection) -> None:
    shop.agent.run_once()
    conn.execute("UPDATE stream SET epoch = 6")
    epochs = Epochs(shop.store)
    epochs.begin(2)
    shop.sell(1000)
    shop.agent.run_once()
    assert (shop.journal.head().epoch, shop.journal.head().queued) == (7, 0)
    assert parked(conn) == [(0, "stream_conflict")]  # of an epoch that never was: a person looks
    assert [notice.code for notice in epochs.notices()] == ["stream_conflict"]


def restore_head_office(conn: Connection, kept: int) -> None:
    """Put head office back to when it had only the first `kept` entries."""
    conn.execute("DELETE FROM received WHERE seq > %s", (kept,))
    conn.execute("DELETE FROM ledger WHERE seq > %s", (kept,))
    conn.execute("UPDATE balance b SET points = (SELECT sum(points) FROM ledger l WHERE l.account_id = b.account_id)")
    conn.execute(
        "UPDATE stream s SET durable_to = %s, head_digest = coalesce((SELECT digest FROM received r "
        "WHERE r.seq = %s), decode(repeat('00', 32), 'hex'))",
        (kept, kept),
    )


@pytest.mark.parametrize("kept", [0, 2])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_head_office_restored_from_a_backup_gets_what_it_lost(
    shop: Shop, conn: Connection, tmp_path: Path, kept: int, restarted: bool
) -> None:
    for _ in range(4):
        shop.sell(1000)
    shop.agent.run_once()
    restore_head_office(conn, kept)
    with copied(shop, tmp_path / "copy.db") as copy:
        till = copy if restarted else shop  # asked at the start, or told in answer to the next batch
        till.sell(1000)
        till.agent.run_once()
        assert (hq_points(conn, shop.account), entries_at_hq(conn)) == (150, 5)
        assert (till.journal.head().epoch, till.journal.head().queued) == (1, 0)
        (notice,) = Epochs(till.store).notices()
        assert notice.text == (
            f"head office was restored from a backup: entries from number {kept + 1} on are sent again"
        )
        assert till.agent.nightly().agrees


def test_a_till_with_nothing_to_send_hears_that_head_office_was_restored(shop: Shop, conn: Connection) -> None:
    """It has no later entry that would meet a gap: the feed that began anew tells."""
    for _ in range(3):
        shop.sell(1000)
    shop.agent.run_once()
    restore_head_office(conn, 1)
    begin_anew(conn)
    assert shop.agent.run_once().sent == 2
    assert (hq_points(conn, shop.account), entries_at_hq(conn), parked(conn)) == (130, 3, [])
    assert "head_office_restored" in [notice.code for notice in Epochs(shop.store).notices()]
    assert shop.agent.run_once().sent == 0


def test_what_head_office_lost_of_an_epoch_that_was_left_is_sent_again(shop: Shop, conn: Connection) -> None:
    shop.sell(1000)
    shop.sell(2000)
    shop.agent.run_once()
    Epochs(shop.store).doubted(Doubt.COPIED)
    Epochs(shop.store).begin(2)
    shop.agent.run_once()
    shop.sell(3000)
    shop.agent.run_once()
    assert entries_at_hq(conn) == 3
    conn.execute("DELETE FROM ledger WHERE epoch = 1 AND seq = 2")
    conn.execute("DELETE FROM received WHERE epoch = 1 AND seq = 2")
    conn.execute("UPDATE stream_closed SET durable_to = 1, head_digest = (SELECT digest FROM received WHERE epoch = 1)")
    conn.execute("UPDATE balance SET points = (SELECT sum(points) FROM ledger)")
    begin_anew(conn)
    shop.agent.run_once()
    assert (hq_points(conn, shop.account), entries_at_hq(conn), parked(conn)) == (100 + 10 + 20 + 30, 3, [])
    assert shop.journal.head().queued == 0


def test_what_head_office_lost_of_an_epoch_that_is_being_left_is_sent_first(shop: Shop, conn: Connection) -> None:
    """What was acknowledged and lost comes before what was not sent yet, which would follow nothing else."""
    for _ in range(3):
        shop.sell(1000)
    shop.agent.run_once()
    shop.sell(2000)
    restore_head_office(conn, 1)
    begin_anew(conn)
    Epochs(shop.store).doubted(Doubt.COPIED)
    Epochs(shop.store).begin(2)
    shop.agent.run_once()
    assert (hq_points(conn, shop.account), entries_at_hq(conn), parked(conn)) == (150, 4, [])
    assert shop.journal.head().queued == 0
    assert "head_office_restored" in [notice.code for notice in Epochs(shop.store).notices()]


def test_a_copys_entries_that_a_restored_head_office_lost_and_booked_another_for_are_parked(
    shop: Shop, conn: Connection, tmp_path: Path
) -> None:
    """Acknowledged, lost with head office's disk, and their numbers taken by the other copy: still not gone."""
    shop.sell(1000)
    shop.agent.run_once()
    with copied(shop, tmp_path / "copy.db") as copy:
        copy.sell(3000)
        copy.agent.run_once()
        restore_head_office(conn, 1)
        shop.sell(2000)
        shop.agent.run_once()
        copy.sell(4000)
        copy.agent.run_once()
        assert (copy.journal.head().epoch, copy.journal.head().queued) == (2, 0)
    assert hq_points(conn, shop.account) == 100 + 10 + 20
    assert parked(conn) == [(0, "stream_conflict")] * 2


@contextmanager
def running_again(shop: Shop) -> Iterator[Agent]:
    """The shop's till after a new start, with the key that it has now."""
    terminal = load_terminal(shop.store)
    transport = Transport(shop.proxy.url, terminal.private_key, terminal.terminal, timeout_s=5)
    yield Agent(shop.store, terminal, transport, poll_s=3600)
    transport.close()


def enrol_again(till: Copy, database: Database) -> None:
    """What `spaarpunt enrol CODE` does on a till whose key counts no more."""
    terminal, key = load_terminal(till.store), enrolment_key(till.store)
    door = Transport(till.shop.proxy.url, key, timeout_s=5)
    once = code(database)
    answer = door.enrol(once, "kassa 1", key, (terminal.terminal, terminal.epoch))
    assert door.enrol(once, "kassa 1", key, (terminal.terminal, terminal.epoch)).epoch == answer.epoch
    door.close()
    assert answer.terminal == terminal.terminal
    till.epochs.enrolled_again(answer, key)


def test_a_superseded_till_enrols_again_and_keeps_its_entries(
    shop: Shop, conn: Connection, database: Database, tmp_path: Path
) -> None:
    shop.sell(1000)
    shop.agent.run_once()
    path = tmp_path / "copy.db"
    with copied(shop, path) as copy:
        copy.epochs.begin(2)
        copy.agent.run_once()  # the copy goes on with the key that counts from here on
        shop.sell(2000)
        with pytest.raises(Rejected, match="replaced"):
            shop.agent.run_once()
        own = Copy(shop.store, shop.journal, Epochs(shop.store), shop.agent, shop)
        assert own.epochs.doubt() is Doubt.SUPERSEDED
        enrol_again(own, database)
        with pytest.raises(Rejected, match="replaced"):
            copy.agent.run_once()
    with running_again(shop) as agent:
        agent.run_once()
        shop.sell(3000)
        agent.run_once()
    assert own.epochs.doubt() is None
    assert (shop.journal.head().epoch, shop.journal.head().queued) == (3, 0)
    assert (hq_points(conn, shop.account), entries_at_hq(conn), parked(conn)) == (100 + 10 + 20 + 30, 3, [])


def test_a_till_enrols_again_at_a_head_office_restored_to_before_its_epoch(
    shop: Shop, conn: Connection, database: Database, tmp_path: Path
) -> None:
    before = conn.execute("SELECT public_key FROM terminal").fetchone()
    assert before is not None
    shop.sell(1000)
    shop.agent.run_once()
    Epochs(shop.store).doubted(Doubt.COPIED)
    Epochs(shop.store).begin(2)
    shop.agent.run_once()
    shop.sell(2000)
    shop.agent.run_once()
    assert (shop.journal.head().epoch, shop.journal.head().queued) == (2, 0)
    restore_head_office(conn, 0)  # and to before the epoch and its key
    conn.execute("DELETE FROM stream_closed")
    conn.execute("DELETE FROM key_retired")
    conn.execute("UPDATE stream SET epoch = 1")
    conn.execute("UPDATE terminal SET public_key = %s", (before[0],))
    shop.sell(3000)
    with pytest.raises(Rejected, match="signature"):
        shop.agent.run_once()
    enrol_again(Copy(shop.store, shop.journal, Epochs(shop.store), shop.agent, shop), database)
    with running_again(shop) as agent:
        agent.run_once()
    assert (shop.journal.head().epoch, shop.journal.head().queued) == (3, 0)
    assert (hq_points(conn, shop.account), entries_at_hq(conn), parked(conn)) == (100 + 10 + 20 + 30, 3, [])


def test_a_terminal_is_taken_over_with_a_code_of_its_own_store_only(shop: Shop, database: Database) -> None:
    key = Ed25519PrivateKey.generate()
    door = Transport(shop.proxy.url, key, timeout_s=5)
    with database.connection() as conn:
        other = new_code(conn, "s02", "Marktplein", datetime.now(UTC))[0]
    terminal = load_terminal(shop.store).terminal
    with pytest.raises(Rejected, match="another store") as refused:
        door.enrol(other, "kassa 1", key, (terminal, 1))
    assert refused.value.code == "other_store"
    with pytest.raises(Rejected, match="at most 100"):
        door.enrol(code(database), "kassa 1", key, (terminal, 1000))
    door.close()
    shop.agent.run_once()  # its own key counts as before
