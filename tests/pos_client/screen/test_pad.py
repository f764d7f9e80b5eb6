"""What may be typed on a pad, and which lines a tap brings back."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.returns import Sold
from pos_client.screen.pad import TYPED, Pad
from pos_client.screen.returning import Returning
from tests.support.entries import Chain, basket

KEYS = st.lists(st.sampled_from([*sorted(TYPED), "Backspace", "F2", "Escape", "é"]))


def typed(pad: Pad, keys: list[str]) -> Pad:
    for key in keys:
        pad = pad.press(key)
    return pad


@given(KEYS)
def test_an_amount_is_digits_below_a_hundred_thousand(keys: list[str]) -> None:
    pad = typed(Pad("amount"), keys)
    assert 0 <= pad.amount_minor < 10_000_000
    assert pad.complete == (pad.amount_minor > 0)


@given(KEYS)
def test_a_pin_is_at_most_eight_digits(keys: list[str]) -> None:
    pad = typed(Pad("pin"), keys)
    assert len(pad.typed) <= 8
    assert pad.typed == "" or pad.typed.isdigit()


def test_a_card_number_may_have_letters() -> None:
    assert typed(Pad("number"), list("SP1é2")).typed == "SP12"
    assert typed(Pad("number"), ["S", "P", "Backspace"]).typed == "S"


@settings(deadline=None)
@given(st.lists(st.sampled_from(["1", "2", "3"]), max_size=12), st.integers(0, 3))
def test_taps_never_bring_back_more_than_was_bought(taps: list[str], before: int) -> None:
    goods = basket(900, 1440, 350)
    lines = tuple(line.model_copy(update={"quantity": 3000 if line.line_id == "1" else 1000}) for line in goods.lines)
    sale = Chain("till").sale("c" * 32, goods=goods.model_copy(update={"lines": lines}))
    returning = Returning("r", "bon-1", Sold.of(sale), {"1": before * 1000} if before else {}, {})
    for line in taps:
        if line in returning.lines:
            returning = returning.tap(line)
    for line, quantity in returning.chosen.items():
        assert 0 < quantity <= returning.left(line)
    assert (returning.worked_out() is None) == (not returning.chosen)
    everything = returning.all().worked_out()
    assert everything is not None
    assert everything.settlement.payable_minor == -sum(
        line.gross_minor - line.gross_minor * (returning.before.get(line.line_id, 0)) // line.quantity
        for line in lines
        if returning.left(line.line_id)
    )
