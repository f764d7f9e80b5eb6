"""The lines of one basket as rules look at them: what is left to pay on each, whole items, and their shelf."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from loyalty.basket import Bought
from loyalty.compiled import Compiled


def whole_items(quantity: int) -> int:
    """Whole items in a quantity of thousandths, towards zero: 3000 is 3, 347 (0.347 kg) is 0, -1000 is -1."""
    return quantity // 1000 if quantity >= 0 else -(-quantity // 1000)


class Goods:
    """A basket after rewards. `amounts` has the minor units left on each line, by line number.

    Amounts of lines that are not eligible are there too, but on no shelf.
    """

    __slots__ = ("_free", "_lines", "_of", "_sums", "amounts", "shelves", "total")

    def __init__(
        self, compiled: Compiled, basket: Bought, discounts: Mapping[str, int], free_items: Mapping[str, int]
    ) -> None:
        self._lines = basket.lines
        self._free = free_items
        self.amounts = (
            [line.gross_minor - discounts.get(line.line_id, 0) for line in basket.lines]
            if discounts
            else [line.gross_minor for line in basket.lines]
        )
        self.shelves = compiled.shelves(basket.lines)
        shelf = self.shelves[0]
        # Most baskets are eligible whole.
        everything = self.amounts if len(shelf) == len(self.amounts) else [self.amounts[line] for line in shelf]
        self.total = sum(everything)
        """Minor units of everything eligible."""
        self._of = {0: everything}
        self._sums = {0: self.total}

    def of(self, shelf: int) -> list[int]:
        """Minor units of each line on a shelf."""
        found = self._of.get(shelf)
        if found is None:
            found = self._of[shelf] = [self.amounts[line] for line in self.shelves[shelf]]
        return found

    def sum_of(self, shelf: int) -> int:
        """Minor units of a whole shelf."""
        found = self._sums.get(shelf)
        if found is None:
            found = self._sums[shelf] = sum(self.of(shelf))
        return found

    def plain_total(self, basket: Bought) -> int:
        """Minor units of everything eligible before rewards."""
        return sum(basket.lines[line].gross_minor for line in self.shelves[0])

    def items(self, lines: Iterable[int]) -> list[int]:
        """Whole items of each line that were paid for, in part at least: what a reward gave is none."""
        found = []
        for number in lines:
            line = self._lines[number]
            items = whole_items(line.quantity)
            if items > 0:
                free = self._free.get(line.line_id, 0)
                items = items - free if self.amounts[number] > 0 else 0
            found.append(items)
        return found
