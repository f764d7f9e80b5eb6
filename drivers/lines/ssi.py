"""Packets of Zebra's Simple Serial Interface (SSI): bytes to packets and back, and packets to scans. Pure.

Source: Zebra, Simple Serial Interface Programmer's Guide (72E-40451): packet format, DECODE_DATA, CMD_ACK, CMD_NAK.
The driver answers on the port; what to answer is said here.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.formats.framing import MAX_FRAME_BYTES, wipe

__all__ = [
    "ACK",
    "CMD_ACK",
    "CMD_NAK",
    "DECODE_DATA",
    "NAK_RESEND",
    "BadPacket",
    "Packet",
    "PacketReader",
    "ScanJoiner",
    "checksum",
    "packet",
]

_HEADER = 4
_CHECKSUM = 2
CMD_ACK, CMD_NAK, DECODE_DATA = 0xD0, 0xD1, 0xF3
_FROM_DECODER, _FROM_HOST = 0x00, 0x04
_RESEND = 1
# Status bits: the same packet again; more packets of this message follow (DS2208 Product Reference Guide, "SSI
# Interface": "Retransmit", "Cont'd packet").
_RETRANSMITTED, _CONTINUED = 0x01, 0x02

# SSI names a symbology by a number of its own (DECODE_DATA, "Bar Code Type"; the guides' table "Code Type IDs"); the
# rest of the house knows AIM identifiers (ISO/IEC 15424). A number that is not here leaves the symbology unknown.
_AIM = {
    0x01: "]A0",
    0x02: "]F0",
    0x03: "]C0",
    0x06: "]I0",
    0x07: "]G0",
    0x08: "]E0",
    0x0A: "]E4",
    0x0B: "]E0",
    0x0F: "]C1",
    0x11: "]L0",
    0x13: "]A0",
    0x1B: "]d0",
    0x1C: "]Q1",
    0x23: "]e0",
    0x24: "]e0",
    0x25: "]e0",
    0x2D: "]z0",
}


@dataclass(frozen=True, slots=True, repr=False)
class Packet:
    """One packet whose checksum agreed. The repr shows no data."""

    opcode: int
    source: int
    status: int
    data: bytes

    def __repr__(self) -> str:
        return f"Packet(opcode=0x{self.opcode:02X}, source={self.source}, status={self.status}, {len(self.data)} bytes)"


@dataclass(frozen=True, slots=True)
class BadPacket:
    """Stands in the place of a packet that was damaged: answer NAK, and the scanner sends it again."""


def checksum(body: bytes | bytearray) -> bytes:
    """Return the two's complement of the sum of `body` (length byte to last data byte), 16 bits, high byte first."""
    return (-sum(body) & 0xFFFF).to_bytes(_CHECKSUM, "big")


def packet(opcode: int, data: bytes = b"", source: int = _FROM_HOST, status: int = 0) -> bytes:
    """Return a packet ready to send. The length byte counts itself, not the checksum.

    Raises ValueError where `data` does not fit into one packet.
    """
    length = _HEADER + len(data)
    if length > 0xFF:
        raise ValueError(f"expected at most {0xFF - _HEADER} bytes of data in one packet, got {len(data)}")
    body = bytes([length, opcode, source, status]) + data
    return body + checksum(body)


ACK = packet(CMD_ACK)
NAK_RESEND = packet(CMD_NAK, bytes([_RESEND]))


class PacketReader:
    """Cuts a stream into packets. The same packets come out however the stream is cut into calls.

    After a damaged packet its length is still trusted. Where the length itself cannot be, everything is skipped until
    `gap`: the scanner waits for an answer and is silent by then.
    """

    def __init__(self) -> None:
        self._pending = bytearray()
        self._skipping = False

    @property
    def unfinished(self) -> bool:
        """Whether a packet has begun, or bytes are being skipped."""
        return self._skipping or bool(self._pending)

    def feed(self, data: bytes) -> list[Packet | BadPacket]:
        """Take the next bytes; return the packets they complete, in order."""
        if self._skipping:
            return []
        self._pending += data
        found: list[Packet | BadPacket] = []
        while self._pending:
            length = self._pending[0]
            if length < _HEADER:
                found.append(BadPacket())
                self._drop()
                self._skipping = True
                break
            whole = length + _CHECKSUM
            if len(self._pending) < whole:
                break
            body = self._pending[:length]
            if checksum(body) == self._pending[length:whole]:
                found.append(Packet(body[1], body[2], body[3], bytes(body[_HEADER:])))
            else:
                found.append(BadPacket())
            wipe(body)
            rest = self._pending[whole:]
            self._drop()
            self._pending = rest
        return found

    def gap(self) -> list[Packet | BadPacket]:
        """The line has been quiet: what had begun will not be finished. The next byte starts a packet."""
        begun = bool(self._pending)
        self.reset()
        return [BadPacket()] if begun else []

    def reset(self) -> None:
        """Forget what has begun."""
        self._drop()
        self._skipping = False

    def _drop(self) -> None:
        wipe(self._pending)
        self._pending = bytearray()


class ScanJoiner:
    """Puts the scans together out of DECODE_DATA packets, each a frame with its AIM identifier in front.

    A packet that says it is sent again, and was taken the first time (our ACK was lost), counts once. The guides show
    the symbology in front of the data of one packet, and say nothing of later ones: some scanners send it in each,
    some once. A later packet that begins with it again loses it; no symbol long enough for two packets has a number
    that its data would begin with.
    """

    def __init__(self) -> None:
        self._parts = bytearray()
        self._symbology = 0
        self._last: int | None = None

    @property
    def unfinished(self) -> bool:
        """Whether more packets of a scan are to come."""
        return bool(self._parts)

    def take(self, one: Packet) -> bytearray | None:
        """Take a good packet; return the scan it completes, or None. More than a symbol can hold is dropped."""
        if one.opcode != DECODE_DATA or one.source != _FROM_DECODER or not one.data:
            return None
        # Only a hash stays of what was read: enough to know it again.
        mark = hash((one.status & ~_RETRANSMITTED, one.data))
        if one.status & _RETRANSMITTED and mark == self._last:
            return None
        self._last = mark
        first = not self._parts
        if first:
            self._symbology = one.data[0]
            if not one.data.startswith(b"]", 1):
                self._parts += _AIM.get(self._symbology, "").encode("ascii")
        self._parts += one.data[1:] if first or one.data[0] == self._symbology else one.data
        if one.status & _CONTINUED and len(self._parts) <= MAX_FRAME_BYTES:
            return None
        scan, self._parts = self._parts, bytearray()
        return scan if 0 < len(scan) <= MAX_FRAME_BYTES else None

    def reset(self) -> None:
        """Forget the scan under way."""
        wipe(self._parts)
        self._parts = bytearray()
        self._last = None
