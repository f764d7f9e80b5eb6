"""kill -9 of the real till while it books and syncs: what it answered is there again, and at head office once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.simulation.books import missing, problems
from tests.simulation.kills import Victim
from tests.simulation.office import Office
from tests.support.proxy import proxy

KILLS = 60


@pytest.mark.timeout(300)
def test_sixty_kills_lose_nothing_and_double_nothing(fast: Path, head_office: Office, seed: int) -> None:
    cards = [str(2_910_000_000_000 + number) for number in range(3)]
    for card in cards:
        head_office.join(card)
    with (
        head_office.served() as port,
        proxy(port, chance=random.Random(seed)) as line,
        head_office.books() as conn,
    ):
        victim = Victim(fast, line, head_office.code(), cards, seed)
        for _ in range(KILLS):
            victim.lose_it()
            victim.check()
        assert victim.kills == KILLS
        assert victim.before_answer >= KILLS // 4  # else the kills fell between bookings, where nothing can break
        assert len(victim.answered) >= KILLS
        assert len(line.done) >= KILLS  # and it synced meanwhile
        counter = victim.settle()
        assert victim.answered <= {receipt.id for receipt in counter.printed}
        assert missing(conn, [counter]) == problems(conn, [counter]) == []
        counter.check()
        assert counter.agent.nightly().agrees
        counter.close()


def test_the_gate_sees_a_booking_that_is_gone(fast: Path, head_office: Office, seed: int) -> None:
    with head_office.served() as port, proxy(port) as line:
        victim = Victim(fast, line, head_office.code(), [], seed)
    victim.check()
    victim.answered.add("0198e0c6-0000-7000-8000-000000000000")
    with pytest.raises(AssertionError, match="answered as booked and gone"):
        victim.check()
