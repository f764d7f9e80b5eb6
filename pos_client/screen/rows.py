"""The rows under the balance, each with its key: rewards, personal offers and stamp cards; or lines that come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from loyalty.basket import Line
from loyalty.programme_members import Credential
from loyalty.programme_rewards import Coupon
from loyalty.redemption import RewardOption
from pos_client.screen.facts import Facts
from pos_client.screen.returning import Returning
from pos_client.screen.words import Words
from pos_client.session import Quote

MAX_ROWS = 8
"""Rows on the screen: the keys F2 to F9. The till's own software can do the rest."""
MAX_DOTS = 12
"""Stamps drawn one by one; longer cards are written as numbers."""

RowState = Literal["ready", "chosen", "off", "asks"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its key, and why it cannot be had (`note`) when its state is "off"; "asks": it wants a PIN first.

    `stamps`: how many the member has, of how many; None where nothing is stamped.
    """

    id: str
    key: str
    name: str
    cost: str
    note: str
    state: RowState
    tag: str = ""
    stamps: tuple[int, int] | None = None


def reward_rows(words: Words, facts: Facts, quote: Quote | None) -> tuple[Row, ...]:
    """All rewards, offers and stamp cards of the member on the screen; more than fit are the caller's to cut."""
    chosen = [redemption.reward for redemption in quote.settlement.redemptions] if quote else []
    return tuple(
        _reward(words, facts, option, key=f"F{number}", taken=chosen.count(option.reward.id), on_sale=quote is not None)
        for number, option in enumerate(facts.rewards, start=2)
    )


def asks_for_pin(facts: Facts, option: RewardOption) -> bool:
    """Whether a reward only waits for the member's PIN."""
    return (
        option.code == "credential_needed"
        and facts.programme is not None
        and Credential.PIN in facts.programme.credential.spend
    )


def why_not(words: Words, facts: Facts, option: RewardOption, code: str) -> str:
    """Why a reward cannot be given, for the cashier to say."""
    assert facts.programme is not None
    assert facts.holder is not None
    # A card that is not known here has no points either, but more of them would not help.
    told = code if facts.holder.known else "card_unknown"
    return words.why_not(told, option, facts.programme)


def _reward(words: Words, facts: Facts, option: RewardOption, *, key: str, taken: int, on_sale: bool) -> Row:
    _ = words.translate
    assert facts.programme is not None
    reward = option.reward
    state: RowState = "ready" if option.available else "chosen" if taken else "off"
    note = ""
    if taken:
        note = _("Chosen") if taken == 1 else _("Chosen {count} times").format(count=taken)
        if state == "chosen":
            note += " · " + _("press again to undo")
    elif option.code is not None:
        note = why_not(words, facts, option, option.code)
        if on_sale and asks_for_pin(facts, option):
            state = "asks"
    cost, tag, stamps = words.points(option.cost_points) if option.cost_points else "", "", None
    if isinstance(reward, Coupon):
        tag = _("For you")
        cost = words.money(-option.value_minor, facts.programme.currency) if option.value_minor else ""
    if option.cost_stamps:
        have = option.cost_stamps if option.available or taken else max(0, option.cost_stamps - option.short)
        if option.cost_stamps <= MAX_DOTS:
            stamps = (have, option.cost_stamps)
        else:
            cost = _("{have} of {count} stamps").format(have=words.points(have), count=words.points(option.cost_stamps))
    return Row(reward.id, key, reward.name.get(words.language), cost, note, state, tag, stamps)


def return_rows(words: Words, returning: Returning) -> tuple[Row, ...]:
    """The lines of a sale of which something may come back."""
    lines = {line.line_id: line for line in returning.sale.basket.lines}
    return tuple(
        _line(words, returning, lines[line_id], f"F{number}") for number, line_id in enumerate(returning.lines, start=2)
    )


def _line(words: Words, returning: Returning, line: Line, key: str) -> Row:
    _ = words.translate
    back, left = returning.chosen.get(line.line_id, 0), returning.left(line.line_id)
    note = _("of {count}").format(count=words.quantity(left)) if left else ""
    if back:
        note = _("{back} of {count} back").format(back=words.quantity(back), count=words.quantity(left))
    name = line.text or line.sku
    cost = words.money(line.gross_minor, returning.sale.basket.currency)
    return Row(line.line_id, key, name, cost, note, "chosen" if back else "ready")
