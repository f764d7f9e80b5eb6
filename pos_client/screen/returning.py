"""Goods that come back at the screen: which lines of which sale, and what that comes to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from loyalty.returns import Returned, Sold, take_back

WHOLE = 1000
"""One item, in thousandths."""


@dataclass(frozen=True, slots=True)
class Returning:
    """A return being put together. `id` is its name from the start, so that a second tap books nothing twice.

    `receipt` is what was scanned, or the session of the last sale. `before` and `chosen` are thousandths by line id:
    what came back earlier, and what comes back now.
    """

    id: str
    receipt: str
    sale: Sold
    before: Mapping[str, int]
    chosen: Mapping[str, int]

    @property
    def lines(self) -> tuple[str, ...]:
        """Ids of the lines of which something may still come back, as on the receipt."""
        return tuple(
            line.line_id
            for line in self.sale.basket.lines
            if line.gross_minor >= 0 and line.quantity - self.before.get(line.line_id, 0) > 0
        )

    def left(self, line_id: str) -> int:
        """Thousandths of a line that can come back."""
        bought = next(line.quantity for line in self.sale.basket.lines if line.line_id == line_id)
        return bought - self.before.get(line_id, 0)

    def tap(self, line_id: str) -> Returning:
        """One item more of a line; none again past the last. What is weighed comes back whole."""
        left, now = self.left(line_id), self.chosen.get(line_id, 0)
        step = WHOLE if left % WHOLE == 0 else left
        chosen = {**self.chosen, line_id: 0 if now >= left else now + step}
        return replace(self, chosen={key: quantity for key, quantity in chosen.items() if quantity})

    def all(self) -> Returning:
        """Everything that can come back."""
        return replace(self, chosen={line: self.left(line) for line in self.lines})

    def worked_out(self) -> Returned | None:
        """What it takes back and gives back; None while no line is chosen."""
        return take_back(self.sale, self.before, self.chosen) if self.chosen else None
