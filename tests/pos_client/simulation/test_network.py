"""The simulated network: latency, lines that are down, and answers that never come though head office acted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pos_client.simulation.network import CORES, SLOT_S, HeadOfficeTime, Lost, Network
from pos_client.simulation.scenario import TIMEOUT_S, Scenario

NOON = 12 * 3600.0


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.001, 0.5)), max_size=60))
def test_head_office_never_works_more_than_its_cores_can(asked: list[tuple[float, float]]) -> None:
    office = HeadOfficeTime()
    for from_s, seconds in asked:
        assert office.work(from_s, seconds) >= from_s + seconds
    assert sum(office._used.values()) == pytest.approx(sum(seconds for _, seconds in asked))
    assert all(used <= CORES * SLOT_S + 1e-9 for used in office._used.values())


def test_an_answer_comes_back_later_than_it_was_asked() -> None:
    at: list[float] = []
    answer, back = Network(Scenario()).carry("stream", NOON, 1, 0, lambda when: at.append(when) or "fine")
    assert answer == "fine"
    assert NOON < at[0] < back < NOON + 5


def test_a_region_without_a_line_reaches_nobody() -> None:
    network, done = Network(Scenario()), []
    with pytest.raises(Lost):
        network.carry("stream", NOON, 0, 0, done.append)
    assert done == []
    assert network.traffic.refused == 1
    network.carry("stream", NOON, 1, 0, done.append)
    assert len(done) == 1


def test_an_answer_that_comes_too_late_is_lost_though_head_office_acted() -> None:
    network, done = Network(Scenario()), []
    storm = int(2 * TIMEOUT_S * CORES / 0.005)
    lost = 0
    for _ in range(storm):
        try:
            network.carry("entries", NOON, 1, 0, done.append)
        except Lost as error:
            lost += 1
            assert error.at_s == NOON + TIMEOUT_S
    assert lost > 0
    assert len(done) == storm
    assert network.traffic.timed_out == lost


def test_what_is_under_way_when_head_office_goes_down_is_cut_done_or_not() -> None:
    down, up = Scenario().restart_s
    network, done = Network(Scenario(seed=3)), []
    sent = 2000
    for _ in range(sent):
        try:
            network.carry("entries", down - 0.5, 1, 0, done.append)
        except Lost as error:
            assert error.at_s <= up
    cut = network.traffic.cut
    assert cut > 0
    assert network.traffic.timed_out == 0
    assert sent - cut - network.traffic.refused < len(done) < sent - network.traffic.refused
