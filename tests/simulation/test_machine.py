"""The state machine over tills and head office, and head offices that it must see through."""

from __future__ import annotations

import contextlib

import pytest

from sync.errors import ServerFault
from tests.simulation.books import BooksWrong
from tests.simulation.machine import play_once
from tests.simulation.office import Office, application
from tests.simulation.shops import Carrier, Tally
from tests.simulation.wrong_offices import Forgetful, Generous, Hasty

STEPS = 5000
CHAINS = 4
"""Seeds until a wrong head office must have been seen through."""


def play(office: Office, seed: int, steps: int, carrier: Carrier = application) -> Tally:
    """Play until there are `steps`; the same seed plays the same ones."""
    tally = Tally()
    number = 0
    while tally.steps < steps:
        number += 1
        play_once(office, seed * 1000 + number, tally, carrier)
    return tally


@pytest.mark.timeout(300)
def test_five_thousand_steps_break_no_invariant(head_office: Office, seed: int) -> None:
    tally = play(head_office, seed, STEPS)
    assert tally.steps >= STEPS
    for what in (
        "sync",
        "sync that failed",
        "night",
        "sale with reward",
        "crash",
        "clock",
        "card linked late",
        "void",
        "return",
        "put back",
        "moved",
        "clone",
        "adjustment",
        "head office restored",
        "leases live",
    ):
        assert tally.done.get(what, 0) >= 5, tally
    # Each of these needs something that came before it: an entry that was parked and heard of, an answer that was lost.
    for what in ("decision, link", "decision, reverse", "decision, undo", "late arrival"):
        assert tally.done.get(what, 0) >= 3, tally
    assert tally.entries >= 500


@pytest.mark.parametrize(
    ("carrier", "said"),
    [
        (Forgetful, "both booked and parked|the watermark of"),
        (Hasty, "was told that"),
        (Generous, "held and .* leased"),
    ],
    ids=["skipped watermark", "acknowledged before commit", "set aside twice"],
)
def test_the_machine_sees_through_a_wrong_head_office(
    head_office: Office, seed: int, carrier: Carrier, said: str
) -> None:
    tally = Tally()
    with pytest.raises(BooksWrong, match=said):
        for turn in range(CHAINS):
            lease = seed - seed % 3 + 2 + 3 * turn  # of these seeds the policy is `lease`
            # An office that took a batch for new may fail on it for ever (500) before its books are seen to be wrong:
            # that chain shows nothing, the next may.
            with contextlib.suppress(ServerFault):
                play_once(head_office, lease, tally, carrier, calm=True, shrink=False)
    assert tally.steps > 0
