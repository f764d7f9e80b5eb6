"""Lines that are the tracks of one swipe, joined: some readers send a CR after each track. Pure.

The rule: a line that is one whole track 1, or its `%E?`, opens a swipe. Each line after it that is one whole track of a
higher number joins it. The swipe ends with track 3, with a line that is anything else, or when the line goes quiet.
Any other line is handed on at once. Only for readers that are set so: elsewhere every line is a swipe of its own, and
two cards swiped one after the other never join.
"""

from __future__ import annotations

from drivers.formats.framing import FrameError, Framer, wipe
from drivers.formats.tracks import lone_track

__all__ = ["SwipeFramer"]


class SwipeFramer:
    """A `Framer` that joins the tracks of one swipe; used in its place, with the same methods.

    Joins are the same however the stream is cut into calls.
    """

    def __init__(self, framer: Framer | None = None) -> None:
        self._framer = framer or Framer()
        self._swipe = bytearray()
        self._last = 0

    @property
    def unfinished(self) -> bool:
        """Whether a frame has begun, or a swipe may go on: the reader then watches for a gap."""
        return bool(self._swipe) or self._framer.unfinished

    @property
    def pending(self) -> bytearray:
        """The bytes of the frame that has begun, without tracks that wait. Do not change or keep them."""
        return self._framer.pending

    def feed(self, data: bytes) -> list[bytearray | FrameError]:
        """Take the next bytes; return the frames and swipes they complete, in order."""
        return self._joined(self._framer.feed(data))

    def gap(self) -> list[bytearray | FrameError]:
        """The line has been quiet: the swipe that waits is whole; see `Framer.gap` for the rest."""
        return self._flushed() + self._framer.gap()

    def finish(self) -> list[bytearray | FrameError]:
        """Return what has begun as if its terminator had come, and the swipe that waits."""
        return self._joined(self._framer.finish()) + self._flushed()

    def reset(self) -> None:
        """Forget what has begun."""
        wipe(self._swipe)
        self._swipe, self._last = bytearray(), 0
        self._framer.reset()

    def _joined(self, frames: list[bytearray | FrameError]) -> list[bytearray | FrameError]:
        out: list[bytearray | FrameError] = []
        for frame in frames:
            number = 0 if isinstance(frame, FrameError) else lone_track(frame, self._last)
            if isinstance(frame, FrameError) or not (number == 1 or (self._last < number and self._swipe)):
                out += [*self._flushed(), frame]
                continue
            if number == 1:
                out += self._flushed()
            self._swipe += frame
            wipe(frame)
            self._last = number
            if number == 3:
                out += self._flushed()
        return out

    def _flushed(self) -> list[bytearray | FrameError]:
        swipe, self._swipe, self._last = self._swipe, bytearray(), 0
        return [swipe] if swipe else []
