"""Simulated time goes forward, and what comes at the same time comes in the order it was put."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from pos_client.simulation.schedule import Schedule


@given(st.lists(st.floats(0, 100)))
def test_everything_happens_in_order(times: list[float]) -> None:
    schedule, done = Schedule(), []
    for number, when in enumerate(times):
        schedule.at(when, partial(done.append, (when, number)))
    while schedule.step(100):
        assert done[-1][0] == schedule.now_s
    assert done == sorted((when, number) for number, when in enumerate(times))


def test_what_would_lie_in_the_past_is_done_next() -> None:
    schedule, done = Schedule(), []
    schedule.at(10, lambda: schedule.at(5, lambda: done.append(schedule.now_s)))
    while schedule.step(20):
        pass
    assert done == [10]


def test_what_comes_after_the_end_is_not_done() -> None:
    schedule, done = Schedule(), []
    schedule.at(21, lambda: done.append(21))
    assert not schedule.step(20)
    assert done == []
    assert schedule.now_s == 20
