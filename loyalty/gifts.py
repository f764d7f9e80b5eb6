"""What each kind of gift takes off a basket, line by line. Nothing is judged here but whether the basket has room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from loyalty.goods import Goods
from loyalty.money import apportion, divide
from loyalty.programme_rewards import (
    AmountOffGift,
    CashBackGift,
    FreeItemGift,
    IssueGift,
    PayWithPoints,
    PercentOffGift,
    PointsGift,
)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a gift comes to: minor units off each line (by line number), whole items given, and what is not on lines."""

    off_minor: int = 0
    lines: Sequence[tuple[int, int]] = ()
    items: Mapping[int, int] = field(default_factory=dict)
    bonus_points: int = 0
    issued_minor: int = 0
    cash_minor: int = 0


def take(  # noqa: PLR0911 - one answer a kind
    gift: object, goods: Goods, shelf: int, *, payable: int, amount_minor: int | None = None
) -> Taken | None:
    """What `gift` takes off the lines on `shelf`; None when they have not the room for it.

    Args:
        payable: minor units left to pay on the whole basket, which goods taken back make less than its lines say.
        amount_minor: for points as part payment, how much of it.
    """
    lines = goods.shelves[shelf]
    room = [max(0, goods.amounts[line]) for line in lines]
    match gift:
        case AmountOffGift():
            return _spread(lines, room, gift.discount_minor, payable)
        case PayWithPoints():
            amount = gift.step if amount_minor is None else amount_minor
            return None if amount % gift.step else _spread(lines, room, amount, payable)
        case PercentOffGift():
            amount = divide(sum(room) * gift.percent, 100, gift.rounding)
            return _spread(lines, room, min(amount, gift.max_minor or amount, max(0, payable)), payable)
        case FreeItemGift():
            return _free_item(gift, goods, lines, room, payable)
        case PointsGift():
            return Taken(bonus_points=gift.points) if goods.total > 0 else None
        case IssueGift():
            return Taken(issued_minor=gift.value_minor)
        case CashBackGift():
            return Taken(cash_minor=gift.value_minor)
    raise TypeError(f"expected a gift of a programme, got {type(gift).__name__}")


def _spread(lines: Sequence[int], room: Sequence[int], amount: int, payable: int) -> Taken | None:
    if amount <= 0 or min(sum(room), payable) < amount:
        return None
    return Taken(amount, tuple(zip(lines, apportion(amount, room), strict=True)))


def _free_item(
    gift: FreeItemGift, goods: Goods, lines: Sequence[int], room: Sequence[int], payable: int
) -> Taken | None:
    """The cheapest whole item that is not free yet; of equal ones the first. Its price is the line's, rounded down."""
    cheapest: tuple[int, int] | None = None
    for line, left, items in zip(lines, room, goods.items(lines), strict=True):
        if items > 0 and left >= items and (cheapest is None or left // items < cheapest[0]):
            cheapest = left // items, line
    if cheapest is None:
        return None
    price, line = cheapest
    off = min(price, gift.max_minor or price)
    return Taken(off, ((line, off),), {line: 1}) if off <= payable else None
