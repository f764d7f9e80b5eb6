"""A till that left an epoch before it had sent all of it: what it spent there stays set aside until that has come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from loyalty.errors import RewardRefused
from loyalty.programme import OfflineMode
from sync.epochs import Epochs
from sync.hq.leases import grant_anew, live, reclaim_due
from tests.simulation.books import expect_sound
from tests.simulation.counter import Counter
from tests.simulation.office import InProcess, Office, application
from tests.simulation.shops import RULES
from tests.simulation.steps import MEMBERS
from tests.simulation.wire import FaultyWire
from tests.support.proxy import Fault

CARD = MEMBERS[0]
POLICY = RULES[OfflineMode.LEASE].offline
PASSED = timedelta(seconds=POLICY.lease_lifetime_s + POLICY.lease_grace_s, minutes=1)


@dataclass
class Shop:
    """Two tills at which the member was, and their head office."""

    office: Office
    tills: list[Counter]
    wires: list[FaultyWire]

    def night(self, after: timedelta) -> list[tuple[str, int, int]]:
        """Head office's night, so long from now; returns what is set aside then: terminal, epoch, points."""
        at = datetime.now(UTC) + after
        with self.office.books() as conn:
            reclaim_due(conn, at)
            grant_anew(conn, POLICY, at)
            return [(lease.terminal, lease.epoch, lease.points - lease.spent) for lease in live(conn)]

    def expect_nothing_overspent(self) -> None:
        with self.office.books() as conn:
            expect_sound(conn, self.tills, settled=True, bounded=True)
            assert conn.execute("SELECT sum(points) FROM balance").fetchone() == (0,)


@pytest.fixture
def shop(head_office: Office, fast: Path) -> Iterator[Shop]:
    """All of the member's 100 points are leased to the first till, which has spent them alone and left its epoch."""
    head_office.empty(RULES[OfflineMode.LEASE])
    head_office.join(CARD, 100)
    carrier: InProcess = application(head_office)
    wires = [FaultyWire(carrier) for _ in range(2)]
    tills = [Counter(fast / str(number), "http://head-office", wire=wire) for number, wire in enumerate(wires)]
    made = Shop(head_office, tills, wires)
    with closing(carrier):
        for number, till in enumerate(tills):
            till.enrol(head_office.code(), f"kassa {number}")
            till.sync_patiently()
            till.sell(f"eerst-{number}", CARD, 99)  # earns nothing, and says where the member shops
            till.sync_patiently()
        first = tills[0]
        assert made.night(timedelta()) == [(first.terminal.terminal, 1, 100)]
        wires[0].up = wires[1].up = False
        for number in range(2):
            first.sell(f"alleen-{number}", CARD, 500, reward="five-off")
        first.move_disk()
        assert first.journal.head().epoch == 2
        yield made
        for till in tills:
            till.close()


def test_points_spent_in_an_epoch_that_was_left_wait_for_its_entries(shop: Shop) -> None:
    first, second = shop.tills
    # Head office hears of the new epoch, and no more: the line goes before the first batch, for a month.
    shop.wires[0].up = shop.wires[1].up = True
    shop.wires[0].order(Fault.NONE, Fault.REFUSE)
    assert first.sync() is None
    assert (Epochs(first.store).declared(), first.journal.head().queued) == (None, 2)
    assert shop.night(PASSED) == [(first.terminal.terminal, 1, 100)]
    second.sync_patiently()
    shop.wires[1].up = False
    with pytest.raises(RewardRefused):
        second.sell("elders", CARD, 500, reward="five-off")
    second.void("elders")
    for till, wire in zip(shop.tills, shop.wires, strict=True):
        wire.mend()
        till.sync_patiently()
    shop.expect_nothing_overspent()


def test_what_is_lost_of_an_epoch_keeps_nothing_set_aside_once_the_till_has_gone_on(shop: Shop) -> None:
    first = shop.tills[0]
    with first.store.transaction() as connection:  # as a damaged file may lose it
        connection.execute("DELETE FROM journal WHERE session = 'alleen-1'")
    shop.wires[0].up = True
    first.sync_patiently()
    assert shop.night(PASSED) == [(first.terminal.terminal, 1, 50)]  # for all head office knows it is still to come
    first.sell("daarna", CARD, 99)
    first.sync_patiently()
    assert shop.night(PASSED) == [(first.terminal.terminal, 2, 50)]
