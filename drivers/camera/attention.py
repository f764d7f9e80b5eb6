"""Which frames a camera's loop looks at, and how hard, so that it never takes more of a core than its share. Pure."""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from drivers.decoding.engines import Image

__all__ = ["SHARE", "SMALL", "Attention"]

SHARE = 0.5
"""Of one core, for looking and for reading frames together; the rest is the till's screen's and its own software's."""

# A hard look waits until it may take this long, and the saved time is not let grow beyond the second figure.
_HARD_LOOK_S = 0.2
_MOST_SAVED_S = 0.35
# Behind by more than this, frames are passed over until the share is kept again.
_MOST_OWED_S = 0.1
# A scene that does not change gets three hard looks, then one each few seconds: more of the same seldom helps.
_HARD_LOOKS_AT_ONE_SCENE = 3
_HARD_AGAIN_S = 3.0
# A still scene is looked at this often all the same: somebody may be holding a card very still.
_STILL_S = 0.5
SMALL = 320
"""Pixels across the small copy of a frame, each a mean: a sensor's noise falls out, a code's unrest stays."""

# Mean gray levels by which a cell must change to be a change: the light of a shop flickers less.
_CHANGE = 6.0
_CELLS = 20
# A code has steep edges, many of them; the small picture of an empty counter has next to none.
_STEEP = 12
_FEWEST_STEEP = 30


class _Look(Enum):
    """What the last frame got."""

    NONE = 0
    HARD = 1
    AGAIN = 2


class Attention:
    """Decides frame by frame. Times are seconds of any steady clock; processor time is told by `spent`."""

    def __init__(self, share: float = SHARE) -> None:
        self._share = share
        self._saved = 0.0
        self._last: float | None = None
        self._scene: NDArray[np.float32] | None = None
        self._hard_looks = 0
        self._looked = self._looked_hard = -math.inf
        self._reading = False
        self._look = _Look.NONE

    def limit(self, small: Image, now: float) -> float | None:
        """Return how many seconds of hard tries a frame is worth: 0 for the engine alone, None for no look at all.

        `small` is its copy (h, w), about `SMALL` pixels across.
        """
        if self._last is not None:
            self._saved = min(_MOST_SAVED_S, self._saved + self._share * (now - self._last))
        self._last = now
        look, self._look = self._look, _Look.NONE
        if self._saved < -_MOST_OWED_S:
            return None
        if look is _Look.HARD and self._reading:
            # A bar code needs a second frame, and the light look would not give it: on credit, once.
            self._look = _Look.AGAIN
            return _HARD_LOOK_S
        if self._changed(_cells(small)):
            self._hard_looks = 0
        elif not self._reading and now - self._looked < _STILL_S and self._hard_looks >= _HARD_LOOKS_AT_ONE_SCENE:
            return None
        if not _steep_enough(small):
            self._reading = False
            return None
        self._looked = now
        worthwhile = self._hard_looks < _HARD_LOOKS_AT_ONE_SCENE or now - self._looked_hard >= _HARD_AGAIN_S
        if self._saved >= _HARD_LOOK_S and not self._reading and worthwhile:
            self._hard_looks += 1
            self._looked_hard = now
            self._look = _Look.HARD
            return self._saved
        return 0.0

    def spent(self, cpu_s: float, read: bool) -> None:
        """Take off the processor seconds that a frame took; `read` says whether something was read in it."""
        self._saved -= cpu_s
        self._reading = read

    def _changed(self, cells: NDArray[np.float32]) -> bool:
        changed = (
            self._scene is None
            or self._scene.shape != cells.shape
            or float(np.abs(cells - self._scene).max()) > _CHANGE
        )
        if changed:
            self._scene = cells
        return changed


def _cells(small: Image) -> NDArray[np.float32]:
    """Return the mean brightness of each square of `_CELLS` pixels."""
    rows, columns = (side // _CELLS * _CELLS for side in small.shape)
    if not rows or not columns:
        return small.astype(np.float32)
    squares = small[:rows, :columns].reshape(rows // _CELLS, _CELLS, columns // _CELLS, _CELLS)
    return np.asarray(squares.mean(axis=(1, 3)), np.float32)


def _steep_enough(small: Image) -> bool:
    levels = small.astype(np.int16)
    across = np.abs(np.diff(levels, axis=1)) > _STEEP
    down = np.abs(np.diff(levels, axis=0)) > _STEEP
    return int(across.sum() + down.sum()) >= _FEWEST_STEEP
