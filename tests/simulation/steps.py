"""What can happen in a chain of shops, as hypothesis draws it: each step is a name and its arguments."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.simulation.wire import ORDERED
from tests.support.proxy import Fault

TILLS = 3
MEMBERS = [str(2_920_000_000_000 + number) for number in range(3)]
STRANGERS = [str(2_930_000_000_000 + number) for number in range(2)]
"""Cards of nobody, until head office links them."""
OPENING_POINTS = 200
LONGEST_JUMP_MS = 400 * 86_400_000
"""A clock is off by a year and a month at the most; one before 2024 is a flat battery, which the till says."""

tills = st.integers(0, TILLS)
"""One more than there are at first: a copy of one may run beside it."""
customers = st.tuples(st.sampled_from(MEMBERS + STRANGERS), st.integers(0, 6000), st.integers(1, 3), st.booleans())
"""Card, minor units of each line, lines, and whether a reward is asked for."""


def step(name: str, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """A step of the chain: the method of that name, with these arguments."""
    return st.tuples(st.just(name), st.fixed_dictionaries(arguments))


ORDERS: st.SearchStrategy[list[Fault]] = st.just([]) | st.lists(st.sampled_from(ORDERED), max_size=3)
"""What goes wrong on the line, for each of the next requests."""
SELL = step("sell", place=tills, customers=st.lists(customers, min_size=1, max_size=4))
SYNC = step("sync", place=tills, ordered=ORDERS, night=st.booleans())
STEPS = st.one_of(
    SELL,
    SYNC,
    SELL,  # what shops do most
    SYNC,
    SELL,
    SYNC,
    step(
        "come_back",
        place=tills,
        which=st.integers(0, 50),
        how=st.sampled_from(["void", "return", "return a quarter", "ask again"]),
    ),
    step("adjust", place=tills, card=st.sampled_from(MEMBERS + STRANGERS), points=st.integers(-80, 80)),
    step("decide", place=tills, which=st.integers(0, 20), how=st.integers(0, 3), member=st.sampled_from(MEMBERS)),
    step("line", place=tills, what=st.sampled_from(["up", "up", "up", "down", "late"])),
    step(
        "machine",
        place=tills,
        what=st.sampled_from(["restart", "crash", "clock", "copy", "put back", "moved", "clone", "enrol"]),
        jump_ms=st.just(0) | st.integers(-LONGEST_JUMP_MS, LONGEST_JUMP_MS),
    ),
    step("decide", place=tills, which=st.integers(0, 20), how=st.integers(0, 3), member=st.sampled_from(MEMBERS)),
    step("link_card", card=st.sampled_from(STRANGERS)),
    step("head_office_night", days=st.integers(0, 30)),
    step("rest", minutes=st.sampled_from([1, 20])),
    step("head_office_disk", what=st.sampled_from(["back up", "restore"])),
)
