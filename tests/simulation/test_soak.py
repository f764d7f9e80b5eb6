"""The soak in short: every kind of end happens, nothing stays held, points add up; and it sees when they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.office import Office
from tests.simulation.soak import Soak, soak

SESSIONS = 160


def test_some_hundred_sessions_leave_nothing_behind(head_office: Office, seed: int) -> None:
    done = soak(head_office, SESSIONS, seed, patient=False)
    assert done.sessions == SESSIONS == sum(done.ends.values())
    assert set(done.ends) >= {"committed", "voided", "returned", "dropped", "left"}
    assert done.rewards > SESSIONS // 10  # else there was nothing to leak


def test_the_soak_sees_a_point_too_many(fast: Path, head_office: Office, seed: int) -> None:
    head_office.empty()
    with head_office.served() as port:
        made = Soak(fast, head_office, port, seed)
    card = next(iter(made.expected))
    made._check()
    made.expected[card] += 1
    with pytest.raises(AssertionError, match="other points"):
        made._check()
