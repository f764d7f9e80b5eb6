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
SOON_MS = 10 * 60_000
"""Points spent this soon after the same card earned: time for a cashier to spend what a stranger's sale earned."""


class HintKind(StrEnum):
    """What was noticed."""

    MANY_ON_CARD = "many_on_card"
    SPENT_SOON = "spent_soon"
    REFUND_KEEPS_POINTS = "refund_keeps_points"


@dataclass(frozen=True, slots=True)
class Hint:
    """One thing noticed: the entries behind it by id, oldest first; `points` is what they moved."""

    kind: HintKind
    card: str
    entries: tuple[str, ...]
    points: int


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


def _hint(kind: HintKind, entries: Sequence[Entry]) -> Hint:
    points = sum(entry.points for entry in entries)
    return Hint(kind, entries[0].card, tuple(entry.id for entry in entries), points)
