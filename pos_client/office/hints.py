"""Hints of misuse in a day's entries, each with the entries behind it. They accuse nobody: a person looks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from loyalty.ledger import Entry, EntryKind
from sync.store import Store

MANY_SALES = 6
"""Sales on one card on one day that are worth a look: a regular drops in three or four times."""
MANY_BY_CASHIER = 4
"""Sales that one cashier books on one card on one day: a regular rarely meets the same cashier so often."""
BURST = 12
"""Sales with a card by one cashier within `BURST_MS`: nobody serves a customer a minute, each with a card."""
BURST_MS = 10 * 60_000
SOON_MS = 10 * 60_000
"""Points spent this soon after the same card earned: time for a cashier to spend what a stranger's sale earned."""


class HintKind(StrEnum):
    """What was noticed."""

    MANY_ON_CARD = "many_on_card"
    CASHIER_ON_CARD = "cashier_on_card"
    CASHIER_BURST = "cashier_burst"
    CARD_AFTER_TENDER = "card_after_tender"
    LATE_ATTACH = "late_attach"
    SPENT_SOON = "spent_soon"
    REFUND_KEEPS_POINTS = "refund_keeps_points"


@dataclass(frozen=True, slots=True)
class Hint:
    """One thing noticed: the entries behind it by id, oldest first; `points` is what they moved.

    `card` is None where several cards are behind it; `cashier` and `tender` (kinds, as paid) are as the till's software
    stated them.
    """

    kind: HintKind
    card: str | None
    entries: tuple[str, ...]
    points: int
    cashier: str | None = None
    tender: tuple[str, ...] = ()


def hints(store: Store, day: date) -> list[Hint]:
    """What is worth a look in a business date at this till."""
    rows = store.rows("SELECT raw FROM journal WHERE business_date = ? ORDER BY epoch, seq", (day.isoformat(),))
    entries = [Entry.decode(raw) for (raw,) in rows]
    voided = {entry.reverses for entry in entries if entry.kind is EntryKind.VOID}
    sales = [entry for entry in entries if entry.kind is EntryKind.SALE and entry.id not in voided]
    by_card: defaultdict[str, list[Entry]] = defaultdict(list)
    for sale in sales:
        by_card[sale.card].append(sale)
    found = [_hint(HintKind.MANY_ON_CARD, own) for own in by_card.values() if len(own) >= MANY_SALES]
    for own in by_card.values():
        found += _spent_soon(own)
    found += _by_cashier(sales)
    found += [
        _hint(HintKind.REFUND_KEEPS_POINTS, [sale])
        for sale in sales
        if any(line.gross_minor < 0 for line in sale.basket.lines)
    ]
    return found


def _spent_soon(sales: Sequence[Entry]) -> Iterable[Hint]:
    """Sales that spent points minutes after another sale of the same card earned some."""
    for place, sale in enumerate(sales):
        if not sale.settlement.points_spent:
            continue
        fresh = [
            earlier
            for earlier in sales[:place]
            if earlier.settlement.points_earned > 0
            and not earlier.settlement.points_spent
            and 0 <= sale.clock.wall_ms - earlier.clock.wall_ms <= SOON_MS
        ]
        if fresh:
            yield _hint(HintKind.SPENT_SOON, [*fresh, sale])


def _by_cashier(sales: Sequence[Entry]) -> Iterable[Hint]:
    """What stands out in the sales of each cashier; sales whose cashier is not known are together as one's."""
    by_cashier: defaultdict[str | None, list[Entry]] = defaultdict(list)
    for sale in sales:
        by_cashier[sale.serving.cashier if sale.serving else None].append(sale)
    for cashier, own in by_cashier.items():
        late = [sale for sale in own if sale.serving and sale.serving.card_after_tender]
        if late:
            yield _hint(HintKind.CARD_AFTER_TENDER, late)
        if attached := [sale for sale in own if sale.serving and sale.serving.late_attach]:
            yield _hint(HintKind.LATE_ATTACH, attached)
        if cashier is None:
            continue
        by_card: defaultdict[str, list[Entry]] = defaultdict(list)
        for sale in own:
            by_card[sale.card].append(sale)
        yield from (
            _hint(HintKind.CASHIER_ON_CARD, booked) for booked in by_card.values() if len(booked) >= MANY_BY_CASHIER
        )
        if burst := _burst(own):
            yield _hint(HintKind.CASHIER_BURST, burst)


def _burst(sales: Sequence[Entry]) -> list[Entry]:
    """Every sale that is part of `BURST` sales within `BURST_MS`."""
    part: set[int] = set()
    for first in range(len(sales) - BURST + 1):
        if 0 <= sales[first + BURST - 1].clock.wall_ms - sales[first].clock.wall_ms <= BURST_MS:
            part.update(range(first, first + BURST))
    return [sales[place] for place in sorted(part)]


def _hint(kind: HintKind, entries: Sequence[Entry]) -> Hint:
    points = sum(entry.points for entry in entries)
    cards = {entry.card for entry in entries}
    cashiers = {entry.serving.cashier if entry.serving else None for entry in entries}
    return Hint(
        kind,
        cards.pop() if len(cards) == 1 else None,
        tuple(entry.id for entry in entries),
        points,
        cashiers.pop() if len(cashiers) == 1 else None,
        tuple(sorted({entry.serving.tender for entry in entries if entry.serving and entry.serving.tender})),
    )
