"""Bytes from a scanner cut into frames, one per scan. Pure: it is fed bytes and knows no port and no clock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["MAX_FRAME_BYTES", "FrameError", "FrameFault", "FrameShape", "Framer", "split_aim", "wipe"]

# The largest symbol a scanner can read whole is a QR code version 40-L of 7 089 digits (ISO/IEC 18004, table 7).
MAX_FRAME_BYTES = 8192

_STX = 0x02
_MARKS = re.compile(rb"[\r\n\x02\x03]")
# ISO/IEC 15424: `]`, a code character for the symbology, a modifier.
_AIM = re.compile(rb"\][A-Za-z][0-9A-Za-z]")
_AIM_LENGTH = 3


class FrameFault(StrEnum):
    """Why a frame was dropped."""

    TOO_LONG = "too-long"
    """More than MAX_FRAME_BYTES without a terminator."""
    CUT = "cut"
    """The bytes stopped, or another frame began, before the terminator."""


@dataclass(frozen=True, slots=True)
class FrameError:
    """Stands in the place of a frame that was dropped. Carries none of its bytes."""

    fault: FrameFault


@dataclass(frozen=True, slots=True)
class FrameShape:
    """What a scanner is set to put around each scan.

    `prefix` is taken off where it is there; a scan that lost it counts all the same. `suffix` empty means any of CR,
    LF, CRLF and ETX; given, a frame ends there alone, and CR and LF belong to the data.
    """

    prefix: bytes = b""
    suffix: bytes = b""


class Framer:
    """Cuts a stream into frames at CR, LF, CRLF or ETX, or at the suffix of its shape; drops empty frames.

    Without a suffix of its own STX and ETX are stripped, and an STX drops what stands before it.
    Frames are the same however the stream is cut into calls. Two scans never join: a frame that lost its terminator is
    dropped with a FrameError, never glued to the next. Frames are bytearrays so that the caller can `wipe` them.
    """

    def __init__(self, limit: int = MAX_FRAME_BYTES, shape: FrameShape | None = None) -> None:
        self._limit = limit
        self._prefix = shape.prefix if shape else b""
        self._suffix = shape.suffix if shape else b""
        self._pending = bytearray()
        self._skipping = False

    @property
    def unfinished(self) -> bool:
        """Whether a frame has begun, or the rest of a dropped one may still come: the reader then watches for a gap."""
        return self._skipping or bool(self._pending)

    @property
    def pending(self) -> bytearray:
        """The bytes of the frame that has begun, to look at. Do not change or keep them."""
        return self._pending

    def feed(self, data: bytes) -> list[bytearray | FrameError]:
        """Take the next bytes; return the frames they complete, without terminators, in order."""
        frames: list[bytearray | FrameError] = []
        if self._suffix:
            self._feed_to_suffix(data, frames)
            return frames
        at = 0
        for mark in _MARKS.finditer(data):
            self._add(data[at : mark.start()], frames)
            at = mark.end()
            if data[mark.start()] == _STX:
                # A frame starts: whatever stands before it never got its terminator.
                if self._pending:
                    self._drop()
                    frames.append(FrameError(FrameFault.CUT))
            elif self._pending:
                self._complete(self._pending, frames)
                self._pending = bytearray()
            self._skipping = False
        self._add(data[at:], frames)
        return frames

    def gap(self) -> list[bytearray | FrameError]:
        """The line has been quiet in the middle of a frame: drop what came, and what may still come of it.

        Returns a FrameError where something was dropped. A second gap ends the skipping: after that much silence the
        next byte belongs to another scan.
        """
        if self._pending and not self._skipping:
            self._drop()
            self._skipping = True
            return [FrameError(FrameFault.CUT)]
        self._drop()
        self._skipping = False
        return []

    def finish(self) -> list[bytearray | FrameError]:
        """Return the frame that has begun as if its terminator had come: for a device known to send none."""
        return self.feed(self._suffix or b"\r")

    def reset(self) -> None:
        """Forget the frame that has begun."""
        self._drop()
        self._skipping = False

    def _add(self, part: bytes, frames: list[bytearray | FrameError]) -> None:
        if self._skipping or not part:
            return
        self._pending += part
        if len(self._pending) > self._limit:
            self._drop()
            self._skipping = True
            frames.append(FrameError(FrameFault.TOO_LONG))

    def _feed_to_suffix(self, data: bytes, frames: list[bytearray | FrameError]) -> None:
        # What may be the first bytes of a suffix that is not whole yet.
        overlap = len(self._suffix) - 1
        at = max(0, len(self._pending) - overlap)
        self._pending += data
        while (end := self._pending.find(self._suffix, at)) >= 0:
            frame, rest = self._pending[:end], self._pending[end + len(self._suffix) :]
            self._drop()
            self._pending, at = rest, 0
            if self._skipping:
                wipe(frame)
                self._skipping = False
            elif len(frame) > self._limit:
                wipe(frame)
                frames.append(FrameError(FrameFault.TOO_LONG))
            else:
                self._complete(frame, frames)
        if not self._skipping and len(self._pending) > self._limit + overlap:
            self._skipping = True
            frames.append(FrameError(FrameFault.TOO_LONG))
        if self._skipping:
            tail = self._pending[len(self._pending) - overlap :] if overlap else bytearray()
            self._drop()
            self._pending = tail

    def _complete(self, frame: bytearray, frames: list[bytearray | FrameError]) -> None:
        if self._prefix and frame.startswith(self._prefix):
            del frame[: len(self._prefix)]
        if frame:
            frames.append(frame)

    def _drop(self) -> None:
        wipe(self._pending)
        self._pending = bytearray()


def wipe(buffer: bytearray) -> None:
    """Overwrite `buffer` with zeros. Copies that Python made of it are out of reach."""
    buffer[:] = bytes(len(buffer))


def split_aim(frame: bytes | bytearray) -> tuple[str | None, bytes]:
    """Split a frame into its AIM identifier (`]E0`) or None, and the data. Source: ISO/IEC 15424."""
    if _AIM.match(frame):
        return frame[:_AIM_LENGTH].decode("ascii"), bytes(frame[_AIM_LENGTH:])
    return None, bytes(frame)
