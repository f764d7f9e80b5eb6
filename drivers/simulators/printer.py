"""A simulated receipt printer, on a pty or a TCP port: keeps what is printed and answers status requests.

Product code: for the demo and for training.
"""

from __future__ import annotations

import os
import pty
import re
import select
import socket
import threading
import tty
from pathlib import Path

__all__ = ["VirtualPrinter"]

_REQUEST = re.compile(rb"\x10\x04([\x01-\x04])")
# What is printed is kept for a look; a day's receipts are less than this.
_KEPT_BYTES = 8 * 1024 * 1024
_READ_BYTES = 65_536


class VirtualPrinter:
    """An ESC/POS printer. `port` is what `PrinterSettings.port` takes. Starts plugged in, with paper and closed.

    On a pty when `folder` is given, else on a TCP port of this machine. `paper` ("ok", "low", "out") and `cover_open`
    may be changed at any time.
    """

    def __init__(self, folder: Path | None = None, name: str = "printer") -> None:
        self.paper = "ok"
        self.cover_open = False
        self._left: int | None = None
        self._garbled = False
        self._path = folder / name if folder is not None else None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._number = 0
        self._printed = bytearray()
        self._arrived = threading.Condition()
        self._unplugged = threading.Event()
        self._thread: threading.Thread | None = None
        self._ends: list[int | socket.socket] = []
        self._wake: tuple[int, int] | None = None
        self.plug()

    @property
    def port(self) -> str:
        """The path, or the address."""
        return str(self._path) if self._path is not None else f"socket://127.0.0.1:{self._number}"

    def plug(self) -> None:
        """Plug in and switch on. Does nothing when on."""
        if self._thread is not None:
            return
        self._wake = os.pipe()
        if self._path is not None:
            own, other = pty.openpty()
            # Raw before anyone opens it: a terminal would echo, and change line ends.
            tty.setraw(other)
            self._ends = [own, other]
            beside = self._path.with_name(self._path.name + ".new")
            beside.unlink(missing_ok=True)
            beside.symlink_to(os.ttyname(other))
            beside.replace(self._path)
            target = self._serve_pty
        else:
            listener = socket.create_server(("127.0.0.1", self._number))
            self._number = listener.getsockname()[1]
            self._ends = [listener]
            target = self._serve_tcp
        self._thread = threading.Thread(target=target, name="virtual-printer", daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """Switch off: the till's connection breaks."""
        if self._thread is None or self._wake is None:
            return
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        os.write(self._wake[1], b"x")
        self._thread.join()
        self._thread = None
        for each in (*self._ends, *self._wake):
            if isinstance(each, int):
                os.close(each)
            else:
                each.close()
        self._ends, self._wake = [], None

    def printed(self) -> bytes:
        """Return all that was printed so far, without the status requests."""
        with self._arrived:
            return bytes(self._printed)

    def wait_for(self, wanted: bytes, within_s: float) -> bool:
        """Wait until `wanted` has been printed; say whether it was in time."""
        with self._arrived:
            return self._arrived.wait_for(lambda: wanted in self._printed, within_s)

    def tear_off(self) -> bytes:
        """Return what was printed since the last time, and begin anew."""
        with self._arrived:
            receipt, self._printed = bytes(self._printed), bytearray()
            return receipt

    def run_out_after(self, size: int) -> None:
        """Let the paper end after `size` more bytes of print: in the middle of a receipt."""
        with self._arrived:
            self._left = size

    def garble(self) -> None:
        """Answer the next status request with noise, as a printer on a bad cable does."""
        self._garbled = True

    def close(self) -> None:
        """Switch off for good."""
        self.unplug()

    def _serve_pty(self) -> None:
        own = self._ends[0]
        assert isinstance(own, int)
        assert self._wake is not None
        while True:
            ready, _, _ = select.select([own, self._wake[0]], [], [])
            if self._wake[0] in ready:
                return
            os.write(own, self._take(os.read(own, _READ_BYTES)))

    def _serve_tcp(self) -> None:
        listener = self._ends[0]
        assert isinstance(listener, socket.socket)
        assert self._wake is not None
        peers: list[socket.socket] = []
        while True:
            watched: list[int | socket.socket] = [self._wake[0], listener, *peers]
            ready, _, _ = select.select(watched, [], [])
            if self._wake[0] in ready:
                break
            for each in ready:
                if each is listener:
                    peers.append(listener.accept()[0])
                elif isinstance(each, socket.socket) and not self._answer(each):
                    peers.remove(each)
                    each.close()
        for each in peers:
            each.close()

    def _answer(self, peer: socket.socket) -> bool:
        try:
            data = peer.recv(_READ_BYTES)
            peer.sendall(self._take(data))
        except OSError:
            return False
        return bool(data)

    def _take(self, data: bytes) -> bytes:
        """Keep what is printed; return the answers to what is asked."""
        printed = _REQUEST.sub(b"", data)
        with self._arrived:
            if self.paper == "out":
                printed = b""
            if self._left is not None and len(printed) > self._left:
                printed, self.paper = printed[: self._left], "out"
            if self._left is not None:
                self._left = None if self.paper == "out" else self._left - len(printed)
            self._printed += printed
            del self._printed[:-_KEPT_BYTES]
            self._arrived.notify_all()
        return b"".join(bytes([self._status(request[1][0])]) for request in _REQUEST.finditer(data))

    def _status(self, number: int) -> int:
        """One status byte (Epson, DLE EOT n): bits 1 and 4 are always set."""
        if self._garbled:
            self._garbled = False
            return 0xFF
        out = self.paper == "out"
        byte = 0x12
        if number == 1 and (out or self.cover_open):
            byte |= 0x08
        if number == 2:
            byte |= (0x20 if out else 0) | (0x04 if self.cover_open else 0)
        if number == 4:
            byte |= (0x60 if out else 0) | (0x0C if out or self.paper == "low" else 0)
        return byte
