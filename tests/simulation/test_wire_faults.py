"""A wire that fails in every way: whatever happens to a request and its answer, the books stay exact."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.books import missing, problems
from tests.simulation.counter import Counter
from tests.simulation.office import Office
from tests.support.proxy import Fault, Proxy, proxy

TIMEOUT_S = 20
"""Longer than anything takes on a busy machine: a fault is what fails, not the machine."""
SHORT_TIMEOUT_S = 2
"""For a line on which nothing passes: found by the time-out alone."""
FAULTS = [fault for fault in Fault if fault is not Fault.NONE]
UNNOTICED = {Fault.DELAY, Fault.DUPLICATE}
SILENT = {Fault.HALF_OPEN, Fault.SILENCE}
BOOKED_ALL_THE_SAME = {Fault.CUT_ANSWER, Fault.LOSE_ANSWER, Fault.SILENCE}

_numbers = itertools.count(2_900_000_000_001)


@pytest.fixture(scope="module")
def port(head_office: Office) -> Iterator[int]:
    with head_office.served() as served:
        yield served


@pytest.fixture
def line(port: int, seed: int) -> Iterator[Proxy]:
    with proxy(port, chance=random.Random(seed)) as made:
        yield made


@pytest.fixture
def card(head_office: Office) -> str:
    """The card of a member with 100 points."""
    number = str(next(_numbers))
    head_office.join(number, 100)
    return number


@pytest.fixture
def till(fast: Path, line: Proxy, head_office: Office, card: str, fault: Fault) -> Iterator[Counter]:
    made = Counter(fast / "till", line.url, timeout_s=SHORT_TIMEOUT_S if fault in SILENT else TIMEOUT_S)
    made.enrol(head_office.code(), "kassa 1")
    made.sync_patiently()
    yield made
    made.close()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_on_the_way_of_a_batch(
    till: Counter, line: Proxy, card: str, head_office: Office, fault: Fault
) -> None:
    for sale in range(3):
        till.sell(f"bon {sale}", card, 1250, 333)
    with head_office.books() as conn:
        for time in range(1 if fault in SILENT else 2):
            line.order(fault)
            assert (till.sync() is None) == (fault not in UNNOTICED)
            assert problems(conn, [till]) == []
            if fault in BOOKED_ALL_THE_SAME:
                # Head office has what was in the batch; the same bytes go again, so a later sale waits its turn:
                assert len(missing(conn, [till])) <= time
                assert till.journal.head().queued == 3 + time  # the till does not know it
            till.sell(f"bon again {time}", card, 999)
        assert line.done.count(fault) == time + 1
        till.sync_patiently(tries=3)
        assert missing(conn, [till]) == problems(conn, [till]) == []
    assert till.journal.head().queued == 0
    assert till.mirror.find(till.token(card)).balance == 100 + 3 * 15 + (time + 1) * 9
    assert till.agent.nightly().agrees


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_on_the_way_of_changes(
    till: Counter, line: Proxy, card: str, head_office: Office, fault: Fault
) -> None:
    other = str(next(_numbers))
    head_office.join(other, 7)
    line.order(fault)
    assert (till.sync() is None) == (fault not in UNNOTICED)
    till.sell("bon", card, 1000)
    till.sync_patiently(tries=3)
    assert till.mirror.find(till.token(card)).balance == 110
    assert till.mirror.find(till.token(other)).balance == 7
    with head_office.books() as conn:
        assert missing(conn, [till]) == problems(conn, [till]) == []


def test_faults_by_a_seed_with_two_tills_at_once(fast: Path, port: int, head_office: Office, seed: int) -> None:
    """Two agents in threads of their own on one bad line while both sell to one member; then the line is mended."""
    chance = random.Random(seed)
    quick = [fault for fault in FAULTS if fault not in SILENT]
    card = str(next(_numbers))
    head_office.join(card)

    def choose() -> Fault:
        return chance.choice(quick) if chance.random() < 0.5 else Fault.NONE

    with proxy(port, chance=chance, choose=choose) as line, head_office.books() as conn:
        tills = [Counter(fast / name, line.url, timeout_s=TIMEOUT_S) for name in ("kassa 1", "kassa 2")]
        for till in tills:
            till.enrol_patiently(head_office.code(), "kassa")
            till.sync_patiently()
            till.agent.start()
        for sale in range(40):
            for till in tills:
                till.sell(f"bon {sale}", card, chance.randint(1, 5000))
                till.agent.wake()
        for till in tills:
            till.agent.stop()
        assert problems(conn, tills) == []
        assert len(set(line.done)) >= 4
        line.mend()
        for till in tills:
            assert till.sync() is not None
        assert missing(conn, tills) == problems(conn, tills) == []
        for till in tills:
            assert till.agent.nightly().agrees
            till.close()
