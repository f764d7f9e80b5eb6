"""What a return takes back and gives back, from the stored values of the sale alone: never by today's rules.

Cumulative: once *r* of the *q* of a line are back, floor(value × r / q) of it is back in total, and all of it when
r = q. A return takes that, less what earlier returns took: whatever the parts, together they take back exactly the
line's points, never a point more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from loyalty.accrual import Accrual, Component, LinePoints
from loyalty.basket import Basket, Line
from loyalty.counting import LineCount, Progress
from loyalty.errors import ReturnRefused
from loyalty.ledger import Entry, EntryKind
from loyalty.money import apportion
from loyalty.redemption import discounts_by_line
from loyalty.settlement import Settlement

RETURN_RULE = "return"
ADJUSTMENT_RULE = "adjustment"


@dataclass(frozen=True, slots=True)
class Returned:
    """A return worked out: its basket (negative quantities and amounts, under the sale's line ids) and settlement."""

    basket: Basket
    settlement: Settlement


@dataclass(frozen=True, slots=True)
class Sold:
    """A sale, as far as a return must know it: whose it was, its lines, and what each of them earned and cost.

    Where it was booked that follows from the entry; elsewhere it stands in the code on the receipt. Points and minor
    units by line id; a line that is not named has none.
    """

    id: str
    """The entry's."""
    card: str
    account: str | None
    programme: str
    programme_version: int
    tier: str
    business_date: date
    at_ms: int
    """By the clock of the till that sold, Unix ms UTC."""
    payable_minor: int
    basket: Basket
    earned: Mapping[str, int]
    spent: Mapping[str, int]
    off: Mapping[str, int]
    """What rewards took off the price."""
    counters: tuple[Progress, ...] = ()

    @classmethod
    def of(cls, sale: Entry) -> Sold:
        """What a return must know of an entry.

        Raises:
            ReturnRefused: `not_a_sale`.
        """
        if sale.kind is not EntryKind.SALE:
            raise ReturnRefused("not_a_sale", f"expected a sale to take goods back from, got a {sale.kind.value}")
        settled = sale.settlement
        return cls(
            id=sale.id,
            card=sale.card,
            account=sale.account,
            programme=sale.programme,
            programme_version=sale.programme_version,
            tier=sale.tier,
            business_date=sale.business_date,
            at_ms=sale.clock.wall_ms,
            payable_minor=settled.payable_minor,
            basket=sale.basket,
            earned={share.line_id: share.points for share in settled.accrual.lines},
            spent=spent_by_line(settled),
            off=discounts_by_line(settled.redemptions),
            counters=settled.counters,
        )


def quantities(entries: Iterable[Entry]) -> dict[str, int]:
    """What these returns took of each line together, in thousandths, by line id."""
    found: dict[str, int] = {}
    for entry in entries:
        for line in entry.basket.lines:
            found[line.line_id] = found.get(line.line_id, 0) - line.quantity
    return found


def take_back(sale: Sold, before: Mapping[str, int], back: Mapping[str, int]) -> Returned:
    """Work out the return of `back` from `sale`.

    Args:
        sale: the one whose lines come back.
        before: quantity of each line that earlier returns took, in thousandths, by line id.
        back: quantity of each line that comes back now, in thousandths, by line id.

    Raises:
        ReturnRefused: `nothing`, `unknown_line`, `not_returnable` (a line of goods taken back, or with no
            quantity), `too_much` (more than was bought, less what came back before).
    """
    lines = {line.line_id: line for line in sale.basket.lines}
    if not back:
        raise ReturnRefused("nothing", "expected at least one line to take back, got none")
    for line_id, quantity in back.items():
        _check(lines.get(line_id), line_id, quantity, before.get(line_id, 0))
    goods: list[Line] = []
    points: list[LinePoints] = []
    restored = 0
    for line in sale.basket.lines:
        if line.line_id not in back:
            continue
        step = _Step(line.quantity, before.get(line.line_id, 0), back[line.line_id])
        refund = step.of(line.gross_minor - sale.off.get(line.line_id, 0))
        goods.append(line.model_copy(update={"quantity": -back[line.line_id], "gross_minor": -refund}))
        points.append(LinePoints(line_id=line.line_id, points=-step.of(sale.earned.get(line.line_id, 0))))
        restored += step.of(sale.spent.get(line.line_id, 0))
    basket = Basket(currency=sale.basket.currency, lines=tuple(goods))
    total = sum(share.points for share in points)
    return Returned(
        basket,
        Settlement(
            redemptions=(),
            accrual=Accrual(
                points=total,
                components=(Component(rule=RETURN_RULE, kind="base", base=basket.gross_minor, points=total),),
                lines=tuple(points),
            ),
            points_earned=total,
            points_spent=-restored,
            payable_minor=basket.gross_minor,
            counters=tuple(_counters(sale, before, back)),
        ),
    )


def spent_by_line(settlement: Settlement) -> dict[str, int]:
    """Points that rewards cost, on the lines they went to: each by largest remainder, so that they add up exactly.

    A voucher or cash has no lines: a return never brings its points back, a void does.
    """
    found: dict[str, int] = {}
    for redemption in settlement.redemptions:
        shares = apportion(redemption.points, [line.discount_minor for line in redemption.lines] or [1])
        for line, share in zip(redemption.lines, shares, strict=False):
            found[line.line_id] = found.get(line.line_id, 0) + share
    return found


def adjust(points: int, currency: str) -> Returned:
    """An adjustment of `points` (negative takes away), as an empty basket and its settlement."""
    return Returned(
        Basket(currency=currency),
        Settlement(
            redemptions=(),
            accrual=Accrual(
                points=points,
                components=(Component(rule=ADJUSTMENT_RULE, kind="bonus", base=1, points=points),),
                lines=(),
            ),
            points_earned=points,
            points_spent=0,
            payable_minor=0,
        ),
    )


def nothing(currency: str) -> Returned:
    """An empty basket and its settlement, for an entry that moves no points itself."""
    empty = Accrual(points=0, components=(), lines=())
    return Returned(
        Basket(currency=currency),
        Settlement(redemptions=(), accrual=empty, points_earned=0, points_spent=0, payable_minor=0),
    )


@dataclass(frozen=True, slots=True)
class _Step:
    """From `before` to `before + back` of `whole`, in thousandths."""

    whole: int
    before: int
    back: int

    def of(self, value: int) -> int:
        """The part of `value` that this step takes; of a negative value as of the same positive one."""
        sign = -1 if value < 0 else 1
        return sign * (self._until(sign * value, self.before + self.back) - self._until(sign * value, self.before))

    def _until(self, value: int, quantity: int) -> int:
        return value * quantity // self.whole


def _check(line: Line | None, line_id: str, quantity: int, before: int) -> None:
    if line is None:
        raise ReturnRefused("unknown_line", f"the sale has no line '{line_id}'")
    if line.quantity <= 0 or line.gross_minor < 0:
        raise ReturnRefused(
            "not_returnable", f"line '{line_id}' was not bought by quantity: there is nothing to return"
        )
    if quantity <= 0:
        raise ReturnRefused("nothing", f"expected a quantity above 0 of line '{line_id}', got {quantity} thousandths")
    if before + quantity > line.quantity:
        raise ReturnRefused(
            "too_much",
            f"expected at most {line.quantity - before} thousandths of line '{line_id}' "
            f"({line.quantity} bought, {before} back already), got {quantity}",
        )


def _counters(sale: Sold, before: Mapping[str, int], back: Mapping[str, int]) -> Iterable[Progress]:
    """Stamps and counts of the lines that come back; a visit stays a visit."""
    bought = {line.line_id: line.quantity for line in sale.basket.lines}
    for progress in sale.counters:
        lines = tuple(
            LineCount(line_id=line.line_id, count=-less)
            for line in progress.lines
            if line.line_id in back
            and (less := _Step(bought[line.line_id], before.get(line.line_id, 0), back[line.line_id]).of(line.count))
        )
        if lines:
            yield Progress(counter=progress.counter, count=sum(line.count for line in lines), lines=lines)
