"""What several tries at one picture say together: a bar code needs two that agree and none that contradicts. Pure."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from drivers.decoding.engines import LINEAR
from drivers.recognition.symbols import Symbol

__all__ = ["Ballot", "Vote", "overlap"]

# Independent tries that must agree on a bar code. Two-dimensional codes carry Reed–Solomon words: one try is enough.
_AGREEING = 2
# For every try that read something else there, this many more must agree: one stray read does not undo ten right ones.
_OUTWEIGHED_BY = 3


@dataclass(frozen=True, slots=True)
class Vote:
    """One try's reading. `source` names what was looked at: the same strip of pixels has one vote, however often."""

    symbol: Symbol
    source: Hashable
    weight: int = 1


class Ballot:
    """Collects votes on one picture."""

    def __init__(self) -> None:
        self._votes: dict[tuple[str, str], dict[Hashable, Vote]] = {}

    def add(self, vote: Vote) -> None:
        """Count `vote`; a second one for the same text from the same source counts no more than the first."""
        votes = self._votes.setdefault((str(vote.symbol.kind), vote.symbol.text), {})
        known = votes.get(vote.source)
        if known is None or known.weight < vote.weight:
            votes[vote.source] = vote

    def elected(self) -> list[Symbol]:
        """Return the symbols that enough votes agree on, and that none overlapping contradicts too loudly."""
        return [
            next(iter(votes.values())).symbol
            for key, votes in self._votes.items()
            if self._count(key) >= self._needed(key, next(iter(votes.values())).symbol)
        ]

    def doubtful(self) -> list[Symbol]:
        """Return the symbols that were read and not elected: another frame may confirm them."""
        sure = {(str(each.kind), each.text) for each in self.elected()}
        return [next(iter(votes.values())).symbol for key, votes in self._votes.items() if key not in sure]

    def _count(self, key: tuple[str, str]) -> int:
        return sum(vote.weight for vote in self._votes[key].values())

    def _needed(self, key: tuple[str, str], symbol: Symbol) -> int:
        against = max(
            (
                self._count(other)
                for other, votes in self._votes.items()
                if other != key and overlap(symbol, next(iter(votes.values())).symbol)
            ),
            default=0,
        )
        return max(_AGREEING if symbol.kind in LINEAR else 1, _OUTWEIGHED_BY * against)


def overlap(one: Symbol, other: Symbol) -> bool:
    """Say whether two symbols lie over each other; False where either does not say where it is."""
    if one.box is None or other.box is None:
        return False
    (left, top, right, bottom), (left2, top2, right2, bottom2) = one.box, other.box
    return left <= right2 and left2 <= right and top <= bottom2 and top2 <= bottom
