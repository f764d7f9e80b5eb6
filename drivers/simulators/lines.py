"""Simulated scanners that talk: SSI on a pty with its resend rule, and a scanner with a TCP port. Product code."""

from __future__ import annotations

import select
import socket
import threading
import time

from drivers.errors import DeviceBusy, DeviceLost, DeviceMissing
from drivers.lines import ssi
from drivers.simulators.channels import VirtualSerialScanner

__all__ = ["VirtualSsiScanner", "VirtualTcpScanner"]

# SSI: the decoder waits 2 s for an answer (host serial response time-out, default), and sends twice more.
ANSWER_S = 2.0
_TRIES = 3
_RETRANSMITTED = 0x01
_SEND_WAIT_S = 2.0
_ACCEPT_S = 0.5


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

    Starts plugged in. As with a real one, the till connects to it; the newest connection is the one that counts, and
    what it sends while no till is connected is lost.
    """

    def __init__(self, number: int = 0) -> None:
        self._number = number
        self._lock = threading.Lock()
        self._connected = threading.Condition(self._lock)
        self._peer: socket.socket | None = None
        self._wake: tuple[socket.socket, socket.socket] | None = None
        self._thread: threading.Thread | None = None
        self.plug()

    @property
    def port(self) -> str:
        """The address, `socket://127.0.0.1:NUMBER`; it stays the same when plugged in again."""
        return f"socket://127.0.0.1:{self._number}"

    def plug(self) -> None:
        """Switch on. Does nothing when on."""
        if self._thread is not None:
            return
        listener = socket.create_server(("127.0.0.1", self._number))
        self._number = listener.getsockname()[1]
        self._wake = socket.socketpair()
        self._thread = threading.Thread(
            target=self._accept, args=(listener, self._wake[0]), name="virtual-tcp-scanner", daemon=True
        )
        self._thread.start()

    def unplug(self) -> None:
        """Switch off: the connection breaks and nothing answers any more."""
        if self._thread is None or self._wake is None:
            return
        self._wake[1].send(b"x")
        self._thread.join()
        for end in self._wake:
            end.close()
        self._thread = self._wake = None
        self._take(None)

    def scan(self, text: str, aim: str = "]E0", suffix: bytes = b"\r") -> None:
        """Send one scan. Raises what `send` raises."""
        self.send(aim.encode("ascii") + text.encode() + suffix)

    def send(self, data: bytes) -> None:
        """Send bytes as they are. Raises DeviceLost when off, DeviceMissing when no till is connected, DeviceBusy."""
        if self._thread is None:
            raise DeviceLost("the simulated scanner is off", self.port, "switch it on")
        with self._connected:
            # A till that says it is connected may be a moment ahead of our thread.
            if not self._connected.wait_for(lambda: self._peer is not None, _ACCEPT_S) or self._peer is None:
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
        peer = self._peer
        if peer is None or not select.select([peer], [], [], within_s)[0]:
            return b""
        return peer.recv(4096)

    def close(self) -> None:
        """Switch off for good."""
        self.unplug()

    def _accept(self, listener: socket.socket, wake: socket.socket) -> None:
        with listener:
            while wake not in select.select([listener, wake], [], [])[0]:
                self._take(listener.accept()[0])

    def _take(self, newest: socket.socket | None) -> None:
        with self._connected:
            if self._peer is not None:
                self._peer.close()
            self._peer = newest
            self._connected.notify_all()
