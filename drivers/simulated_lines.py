"""Simulated scanners that talk: SSI on a pty with its resend rule, and a scanner with a TCP port. Product code."""

from __future__ import annotations

import contextlib
import select
import socket
import time

from drivers import ssi
from drivers.errors import DeviceBusy, DeviceLost, DeviceMissing
from drivers.simulated import VirtualSerialScanner

__all__ = ["VirtualSsiScanner", "VirtualTcpScanner"]

# SSI: the decoder waits 2 s for an answer (host serial response time-out, default), and sends twice more.
ANSWER_S = 2.0
_TRIES = 3
_RETRANSMITTED = 0x01
_SEND_WAIT_S = 2.0
# A till that was killed and started again may have left one dead connection behind; more is a defect.
_BACKLOG = 4


class VirtualSsiScanner(VirtualSerialScanner):
    """A Zebra scanner in SSI mode on a pty: each scan is a packet that wants an ACK."""

    def scan_packet(self, text: str, symbology: int = 0x0B, within_s: float = ANSWER_S) -> int:
        """Send one scan and wait for the ACK; send again, marked so, after a NAK or silence. Return how often.

        `symbology` is SSI's own number (0x0B is EAN-13). Raises DeviceBusy when three tries brought no ACK.
        """
        for attempt in range(_TRIES):
            status = _RETRANSMITTED if attempt else 0
            self.send(ssi.packet(ssi.DECODE_DATA, bytes([symbology]) + text.encode(), source=0, status=status))
            if self.acknowledged(within_s):
                return attempt + 1
        raise DeviceBusy("nobody acknowledges the scan", str(self.path), "start the till; set its protocol to ssi")

    def acknowledged(self, within_s: float) -> bool:
        """Wait for an answer; say whether it was an ACK."""
        reader = ssi.PacketReader()
        deadline = time.monotonic() + within_s
        while (left := deadline - time.monotonic()) > 0:
            for one in reader.feed(self.answer(left)):
                if isinstance(one, ssi.Packet) and one.opcode in (ssi.CMD_ACK, ssi.CMD_NAK):
                    return one.opcode == ssi.CMD_ACK
        return False


class VirtualTcpScanner:
    """A scanner with a TCP port on this machine. `port` is what `SerialSettings.port` takes.

    Starts plugged in. As with a real one, the till connects to it; what it sends while no till is connected is lost.
    """

    def __init__(self, number: int = 0) -> None:
        self._number = number
        self._listener: socket.socket | None = None
        self._peer: socket.socket | None = None
        self.plug()

    @property
    def port(self) -> str:
        """The address, `socket://127.0.0.1:NUMBER`; it stays the same when plugged in again."""
        return f"socket://127.0.0.1:{self._number}"

    def plug(self) -> None:
        """Switch on. Does nothing when on."""
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self._number), backlog=_BACKLOG)
            self._listener.setblocking(False)
            self._number = self._listener.getsockname()[1]

    def unplug(self) -> None:
        """Switch off: the connection breaks and nothing answers any more."""
        for each in (self._peer, self._listener):
            if each is not None:
                each.close()
        self._peer = self._listener = None

    def scan(self, text: str, aim: str = "]E0", suffix: bytes = b"\r") -> None:
        """Send one scan. Raises what `send` raises."""
        self.send(aim.encode("ascii") + text.encode() + suffix)

    def send(self, data: bytes) -> None:
        """Send bytes as they are. Raises DeviceLost when off, DeviceMissing when no till is connected, DeviceBusy."""
        if self._listener is None:
            raise DeviceLost("the simulated scanner is off", self.port, "switch it on")
        self._take_newest(self._listener)
        if self._peer is None:
            raise DeviceMissing("no till is connected to the simulated scanner", self.port, "start the till")
        self._peer.settimeout(_SEND_WAIT_S)
        try:
            self._peer.sendall(data)
        except TimeoutError:
            raise DeviceBusy("nobody reads the simulated scanner", self.port, "start the till") from None
        except OSError:
            self._peer.close()
            self._peer = None
            raise DeviceMissing("the till has gone", self.port, "start the till") from None

    def answer(self, within_s: float) -> bytes:
        """Return what the till sent to the scanner, or nothing when it sends nothing in time."""
        if self._peer is None or not select.select([self._peer], [], [], within_s)[0]:
            return b""
        return self._peer.recv(4096)

    def close(self) -> None:
        """Switch off for good."""
        self.unplug()

    def _take_newest(self, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                newest, _ = listener.accept()
                if self._peer is not None:
                    self._peer.close()
                self._peer = newest
