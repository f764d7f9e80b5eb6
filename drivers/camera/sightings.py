"""Which of the symbols in a camera's frames count: twice seen for bar codes, once per showing for all. Pure.

A camera sees one code in many frames, and now and then one that is not there.
"""

from __future__ import annotations

from collections.abc import Iterable

from drivers.events import ScanDataType
from drivers.recognition.symbols import Symbol

__all__ = ["SAME_SHOWING_NS", "Sightings"]

# Seen again within a second it is the same card, still held there.
SAME_SHOWING_NS = 1_000_000_000
# A bar code has one check digit or one check character, and engines do find codes that pass it where there are none:
# two frames must agree. Two-dimensional codes carry Reed–Solomon words and count at once.
_AGREEING_FRAMES = 2
_SELF_SECURING = {
    ScanDataType.QR,
    ScanDataType.GS1_QR,
    ScanDataType.DATA_MATRIX,
    ScanDataType.GS1_DATA_MATRIX,
    ScanDataType.PDF417,
    ScanDataType.AZTEC,
}
# What no frame alone is sure of takes more of them.
_AGREEING_DOUBTS = 4
_MOST_DOUBTED = 4
# A frame full of codes is a poster, not a card; more than this many at once are not followed.
_MOST_FOLLOWED = 64


class Sightings:
    """Follows what is in view. Codes are kept as hashes only: no digits stay here."""

    def __init__(self) -> None:
        # hash of the code -> frames that showed it, time last seen, whether it has counted
        self._seen: dict[int, tuple[int, int, bool]] = {}
        # kind, hash of the code, time: one for each frame that showed it and was not sure
        self._doubts: list[tuple[ScanDataType, int, int]] = []

    def accept(self, symbols: Iterable[Symbol], now_ns: int, doubtful: Iterable[Symbol] = ()) -> list[Symbol]:
        """Take the symbols of one frame seen at `now_ns` (monotonic); return those that count now.

        `doubtful` ones, which a frame alone does not prove, count when four frames within a second agree on them and
        none of those frames shows another one of the kind.
        """
        counted = self._accept(symbols, now_ns)
        return counted + self._vote(list(doubtful), now_ns)

    def _vote(self, doubtful: list[Symbol], now_ns: int) -> list[Symbol]:
        self._doubts = [doubt for doubt in self._doubts if now_ns - doubt[2] < SAME_SHOWING_NS][-_MOST_FOLLOWED:]
        self._doubts += [(each.kind, hash((each.kind, each.text)), now_ns) for each in doubtful[:_MOST_DOUBTED]]
        agreed = []
        for each in doubtful[:_MOST_DOUBTED]:
            said = [key for kind, key, _ in self._doubts if kind is each.kind]
            if set(said) == {hash((each.kind, each.text))} and len(said) >= _AGREEING_DOUBTS:
                agreed.append(each)
        # Twice, so that a bar code counts: the frames that agreed before stand for the first.
        return self._accept(agreed, now_ns) or self._accept(agreed, now_ns)

    def _accept(self, symbols: Iterable[Symbol], now_ns: int) -> list[Symbol]:
        self._seen = {key: seen for key, seen in self._seen.items() if now_ns - seen[1] < SAME_SHOWING_NS}
        counted = []
        for key, symbol in {hash((each.kind, each.text)): each for each in symbols}.items():
            if key not in self._seen and len(self._seen) >= _MOST_FOLLOWED:
                continue
            frames, _, done = self._seen.get(key, (0, now_ns, False))
            frames += 1
            needed = 1 if symbol.kind in _SELF_SECURING else _AGREEING_FRAMES
            if not done and frames >= needed:
                counted.append(symbol)
                done = True
            self._seen[key] = (frames, now_ns, done)
        return counted
