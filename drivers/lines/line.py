"""How a scanner on a line talks: plain frames, frames that want an ACK, or SSI packets. Pure: says what to answer.

One shape for the three: bytes in; frames, and what to write back, out.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, Protocol

from drivers.formats.framing import FrameError, FrameFault, Framer, FrameShape
from drivers.lines import ssi

__all__ = ["Line", "LineProtocol", "Taken", "build_line"]

# Honeywell, "ACK/NAK" in the serial chapter of its user's guides; the control characters of ISO/IEC 646.
_ACK, _NAK = b"\x06", b"\x15"


class LineProtocol(StrEnum):
    """What the scanner expects of us."""

    PLAIN = "plain"
    """Nothing: it sends and forgets."""
    ACK = "ack"
    """0x06 after each good scan, 0x15 after a bad one (Honeywell, Datalogic)."""
    SSI = "ssi"
    """Zebra's Simple Serial Interface."""


class Taken(NamedTuple):
    """What bytes came to: frames in order, and what to write back (empty for nothing)."""

    frames: list[bytearray | FrameError]
    reply: bytes


class Line(Protocol):
    """One scanner's talk. The same frames come out however the stream is cut into calls."""

    @property
    def unfinished(self) -> bool:
        """Whether something is expected: the reader then watches for a gap."""

    def feed(self, data: bytes) -> Taken:
        """Take the next bytes."""

    def gap(self) -> Taken:
        """The line has been quiet in the middle of something."""

    def reset(self) -> None:
        """Forget what has begun."""


def build_line(protocol: LineProtocol, shape: FrameShape) -> Line:
    """Return the talk for `protocol`; `shape` is what the scanner puts around its frames (SSI has packets instead)."""
    match protocol:
        case LineProtocol.PLAIN:
            return _Framed(shape, answers=False)
        case LineProtocol.ACK:
            return _Framed(shape, answers=True)
        case LineProtocol.SSI:
            return _Ssi()


class _Framed:
    def __init__(self, shape: FrameShape, *, answers: bool) -> None:
        self._framer = Framer(shape=shape)
        self._answers = answers

    @property
    def unfinished(self) -> bool:
        return self._framer.unfinished

    def feed(self, data: bytes) -> Taken:
        return self._taken(self._framer.feed(data))

    def gap(self) -> Taken:
        return self._taken(self._framer.gap())

    def reset(self) -> None:
        self._framer.reset()

    def _taken(self, frames: list[bytearray | FrameError]) -> Taken:
        if not self._answers:
            return Taken(frames, b"")
        return Taken(frames, b"".join(_NAK if isinstance(frame, FrameError) else _ACK for frame in frames))


class _Ssi:
    """Every packet but an ACK or a NAK is acknowledged; a damaged one is asked for again.

    The cashier hears of a damaged packet only when the line then stays silent: the scanner resends by itself.
    """

    def __init__(self) -> None:
        self._reader = ssi.PacketReader()
        self._joiner = ssi.ScanJoiner()
        self._owed = False

    @property
    def unfinished(self) -> bool:
        return self._owed or self._reader.unfinished or self._joiner.unfinished

    def feed(self, data: bytes) -> Taken:
        return self._take(self._reader.feed(data))

    def gap(self) -> Taken:
        if self._reader.unfinished:
            # Half a packet: the scanner, unanswered, would send it again; asking is quicker.
            return self._take(self._reader.gap())
        lost = self._owed or self._joiner.unfinished
        self.reset()
        return Taken([FrameError(FrameFault.CUT)] if lost else [], b"")

    def reset(self) -> None:
        self._reader.reset()
        self._joiner.reset()
        self._owed = False

    def _take(self, packets: list[ssi.Packet | ssi.BadPacket]) -> Taken:
        frames: list[bytearray | FrameError] = []
        reply = b""
        for one in packets:
            if isinstance(one, ssi.BadPacket):
                self._owed = True
                reply += ssi.NAK_RESEND
                continue
            if one.opcode in (ssi.CMD_ACK, ssi.CMD_NAK):
                continue
            self._owed = False
            reply += ssi.ACK
            scan = self._joiner.take(one)
            if scan is not None:
                frames.append(scan)
        return Taken(frames, reply)
