"""Head office restored from a backup so old that tills no longer have all that it lost: what is left, who hears."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync.epochs import Doubt, Epochs
from sync.hq.database import Connection
from sync.hq.restored import begin_anew
from sync.proofs import Proofs
from sync.prune import KEPT, prune
from tests.sync.build import DAY, draft
from tests.sync.test_agent import Shop, entries_at_hq, shop
from tests.sync.test_settling import parked, restore_head_office, running_again

__all__ = ["shop"]


def told(shop: Shop) -> list[str]:
    return [notice.text for notice in Epochs(shop.store).notices() if notice.code == "entries_lost"]


def test_what_head_office_lost_and_the_till_has_no_more_starts_a_new_epoch(shop: Shop, conn: Connection) -> None:
    for _ in range(4):
        shop.sell(1000)
    shop.agent.run_once()
    restore_head_office(conn, 1)
    with shop.store.transaction() as connection:  # as pruning leaves it
        (digest,) = connection.execute("SELECT digest FROM journal WHERE seq = 3").fetchone()
        connection.execute("DELETE FROM journal WHERE seq <= 3")
        connection.execute("INSERT INTO pruned VALUES (1, 3, ?)", (digest,))
    shop.sell(1000)
    shop.agent.run_once()
    assert (shop.journal.head().epoch, shop.journal.head().queued) == (2, 0)
    assert told(shop) == [
        "head office was restored from a backup and lacks entries from number 2 on, which this till no longer has: it "
        "goes on in a new epoch"
    ]
    assert parked(conn) == [(0, "stream_conflict")] * 2  # entry 4, acknowledged before, and entry 5
    shop.sell(1000)
    assert shop.agent.run_once().booked == 1


def in_its_second_epoch(shop: Shop, *, pruned: int) -> None:
    """Epoch 1: two days of one sale each, agreed on, the first `pruned` taken out since. Epoch 2: one sale."""
    for day in range(2):
        shop.journal.append(draft(1000, card=shop.card, account=shop.account, business_date=DAY + timedelta(days=day)))
    shop.agent.nightly()
    if pruned == 1:
        with shop.store.transaction() as connection:  # the second day was acknowledged later
            connection.execute("UPDATE acked_day SET seq = 1")
    Epochs(shop.store).doubted(Doubt.COPIED)
    Epochs(shop.store).begin(2)
    shop.agent.run_once()
    later = round((datetime.now(UTC) + KEPT + timedelta(days=1)).timestamp() * 1000)
    assert prune(shop.store, Proofs(shop.store, shop.journal), later) == pruned
    shop.sell(3000)
    shop.agent.run_once()


@pytest.mark.parametrize("pruned", [1, 2])
def test_what_head_office_lost_of_an_epoch_that_was_left_and_the_till_has_no_more_is_told(
    shop: Shop, conn: Connection, pruned: int
) -> None:
    in_its_second_epoch(shop, pruned=pruned)
    conn.execute("DELETE FROM ledger WHERE epoch = 1")
    conn.execute("DELETE FROM received WHERE epoch = 1")
    conn.execute("UPDATE stream_closed SET durable_to = 0, head_digest = decode(repeat('00', 32), 'hex')")
    begin_anew(conn)
    shop.agent.run_once()
    lost = [
        f"head office was restored from a backup and lacks entries of epoch 1 up to number {pruned} of "
        f"{DAY + timedelta(days=pruned - 1)}, which this till no longer has"
    ]
    assert told(shop) == lost
    assert parked(conn) == [(0, "stream_conflict")] * (2 - pruned)
    assert shop.journal.head().queued == 0
    with running_again(shop) as agent:
        agent.run_once()
    assert told(shop) == lost  # once


@pytest.mark.parametrize("pruned", [1, 2])
def test_what_head_office_still_has_of_what_was_pruned_is_not_told(shop: Shop, conn: Connection, pruned: int) -> None:
    in_its_second_epoch(shop, pruned=pruned)
    conn.execute("DELETE FROM ledger WHERE epoch = 1 AND seq > %s", (pruned,))
    conn.execute("DELETE FROM received WHERE epoch = 1 AND seq > %s", (pruned,))
    conn.execute(
        "UPDATE stream_closed SET durable_to = %s, head_digest = (SELECT digest FROM received WHERE epoch = 1 "
        "AND seq = %s)",
        (pruned, pruned),
    )
    conn.execute("UPDATE balance SET points = (SELECT sum(points) FROM ledger)")
    begin_anew(conn)
    shop.agent.run_once()
    assert (told(shop), parked(conn), entries_at_hq(conn)) == ([], [], 3)
