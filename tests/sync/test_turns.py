"""Whoever writes beside the sales takes a breath for those that wait, and only then."""

from __future__ import annotations

import os
import sys
import threading
import time

from sync.turns import BREATH_S, NICENESS, Turns, step_back

WAIT_S = 30


def breath_s(turns: Turns) -> float:
    start = time.monotonic()
    turns.breathe()
    return time.monotonic() - start


def test_nobody_waits_and_no_breath_is_taken() -> None:
    turns = Turns()
    with turns, turns:  # again by the thread that has it
        pass
    assert not turns._waited_for.is_set()


def test_who_waited_gets_its_turn_during_the_breath() -> None:
    turns, turn_came = Turns(), threading.Event()

    def sale() -> None:
        with turns:
            turn_came.set()

    waiting = threading.Thread(target=sale)
    with turns:
        waiting.start()
        assert turns._waited_for.wait(WAIT_S)
        assert not turn_came.is_set()
    assert breath_s(turns) >= BREATH_S
    assert turn_came.wait(WAIT_S)
    waiting.join(WAIT_S)
    assert not turns._waited_for.is_set(), "one breath for those that waited"


def test_a_thread_steps_back_alone() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    seen: list[int] = []

    def works_beside_the_sales() -> None:
        step_back()
        seen.append(niceness())

    before = niceness()
    thread = threading.Thread(target=works_beside_the_sales)
    thread.start()
    thread.join()
    assert seen == [max(before, NICENESS) if sys.platform == "linux" else before]
    assert niceness() == before
