"""Simulated devices over real kernel objects: a pty, a FIFO, a folder of PNG frames. The real drivers read them.

For the demo, for training and for support. Whoever owns these objects plays the hardware; the till is another process,
which may be killed and started again and finds the same paths.
"""

from __future__ import annotations

import errno
import os
import pty
import select
import shutil
import threading
import tty
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.errors import DeviceBusy, DeviceLost, DeviceMissing
from drivers.keyboard.keymap import type_text

if TYPE_CHECKING:
    from drivers.decoding.engines import Image

__all__ = ["VirtualCamera", "VirtualPipe", "VirtualSerialScanner", "VirtualWedge"]

# A pty holds 4 KiB. A till that reads takes it within milliseconds; one that has not in two seconds is not reading.
_WRITE_WAIT_S = 2.0
# An answer to a scanner is six bytes; a pty holds no more than this.
_ANSWER_BYTES = 4096


class VirtualSerialScanner:
    """A bar-code scanner on a pty. `path` is a symbolic link in `folder` to the side that the till opens.

    Starts plugged in. As with a real one, what it sends while nobody reads is lost.
    """

    def __init__(self, folder: Path, name: str = "scanner") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / name
        self._ends: tuple[int, int] | None = None
        self.plug()

    def plug(self) -> None:
        """Plug in: a new pty, and `path` points to it. Does nothing when plugged in."""
        if self._ends is not None:
            return
        own, other = pty.openpty()
        # Raw before anyone opens it: a terminal would echo the scan back and change its CR.
        tty.setraw(other)
        os.set_blocking(own, False)
        self._ends = own, other
        beside = self.path.with_name(self.path.name + ".new")
        beside.unlink(missing_ok=True)
        beside.symlink_to(os.ttyname(other))
        beside.replace(self.path)

    def unplug(self) -> None:
        """Unplug: `path` disappears and the till's reads fail, as they do when a USB cable is drawn."""
        self.path.unlink(missing_ok=True)
        ends, self._ends = self._ends, None
        for end in ends or ():
            os.close(end)

    def scan(self, text: str, aim: str = "]E0", suffix: bytes = b"\r") -> None:
        """Send one scan: AIM identifier, text as UTF-8, suffix. Raises what `send` raises."""
        self.send(aim.encode("ascii") + text.encode() + suffix)

    def send(self, data: bytes) -> None:
        """Send bytes as they are. Raises DeviceLost when unplugged, DeviceBusy when the till does not take them."""
        if self._ends is None:
            raise DeviceLost("the simulated scanner is unplugged", str(self.path), "plug it in")
        own, rest = self._ends[0], memoryview(data)
        while rest:
            _, writable, _ = select.select([], [own], [], _WRITE_WAIT_S)
            if not writable:
                raise DeviceBusy("nobody reads the simulated scanner", str(self.path), "start the till")
            rest = rest[os.write(own, rest) :]

    def answer(self, within_s: float) -> bytes:
        """Return what the till wrote to the scanner, or nothing when it writes nothing in time. Raises DeviceLost."""
        if self._ends is None:
            raise DeviceLost("the simulated scanner is unplugged", str(self.path), "plug it in")
        readable, _, _ = select.select([self._ends[0]], [], [], within_s)
        return os.read(self._ends[0], _ANSWER_BYTES) if readable else b""

    def close(self) -> None:
        """Unplug for good."""
        self.unplug()


class VirtualPipe:
    """A device as a FIFO, `path`, in `folder`, that the till reads. Starts plugged in.

    What is sent while no till reads is refused, as it would be lost.
    """

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / name
        self.path.unlink(missing_ok=True)
        self._end: int | None = None
        self.plug()

    def plug(self) -> None:
        """Plug in. Does nothing when plugged in."""
        if not self.path.exists():
            os.mkfifo(self.path, 0o600)

    def unplug(self) -> None:
        """Unplug: `path` disappears, and the till finds its stream ended."""
        if self._end is None and self.path.exists():
            # A reader learns of an end only from a writer that leaves.
            try:
                self._end = self._open()
            except DeviceMissing:
                self._end = None
        self.path.unlink(missing_ok=True)
        self._hang_up()

    def send(self, records: bytes) -> None:
        """Send bytes as they are.

        Raises DeviceMissing when no till reads, DeviceLost when unplugged, DeviceBusy when nobody takes them.
        """
        if not self.path.exists():
            raise DeviceLost("the simulated reader is unplugged", str(self.path), "plug it in")
        rest = memoryview(records)
        if self._end is None:
            self._end = self._open()
        while rest:
            _, writable, _ = select.select([], [self._end], [], _WRITE_WAIT_S)
            if not writable:
                raise DeviceBusy("nobody reads the simulated reader", str(self.path), "start the till")
            try:
                rest = rest[os.write(self._end, rest) :]
            except BrokenPipeError:
                # The till that read was killed, and what was on its way is lost: begin again for the next one.
                self._hang_up()
                self._end = self._open()
                rest = memoryview(records)

    def close(self) -> None:
        """Unplug for good."""
        self.unplug()

    def _open(self) -> int:
        try:
            return os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            raise DeviceMissing("no till reads the simulated reader", str(self.path), "start the till") from None

    def _hang_up(self) -> None:
        end, self._end = self._end, None
        if end is not None:
            os.close(end)


class VirtualWedge(VirtualPipe):
    """A reader that types: `struct input_event` records into its pipe."""

    def __init__(self, folder: Path, name: str = "wedge") -> None:
        super().__init__(folder, name)

    def swipe(self, text: str) -> None:
        """Type `text` and Enter on a US keyboard. Raises what `send` raises, and ValueError for the text.

        `text` is as a reader types it: `%T1?;T2?+T3?`.
        """
        self.send(b"".join(type_text(text)))


class VirtualCamera:
    """A camera over a folder: each showing is a new PNG sequence, and `path` is always the latest one.

    `path` is what `CameraSettings.source` takes. A showing ends after a while, as a phone is taken away, so that a till
    started later does not read an old code.
    """

    # Frames of one showing: enough for two that agree, whatever the reader's step.
    _FRAMES = 6
    _HEIGHT, _WIDTH = 480, 640
    # Pixels per module: a phone held at 20 cm before a camera of this size.
    _SCALE = 4
    # A showing that has been replaced may still be open in the reader; the one before it is not.
    _KEPT = 2

    def __init__(self, folder: Path, name: str = "camera") -> None:
        self._folder = folder / name
        # The frames of an earlier run are nobody's.
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self._live = self._folder / "live"
        self.path = str(self._live / "frame_%04d.png")
        self._lock = threading.Lock()
        self._number = 0
        self._timer: threading.Timer | None = None
        self.blank()

    def show_qr(self, text: str, seconds: float = 1.5) -> None:
        """Hold a QR code of `text` before the camera for `seconds`. Returns when its frames are there."""
        self.show(text, "QRCode", seconds)

    def show(self, text: str, symbology: str, seconds: float = 1.5) -> None:
        """Hold any code before the camera; `symbology` as zxing-cpp names it: `QRCode`, `EAN13`, `Code128`."""
        import numpy as np
        import zxingcpp

        code = np.asarray(zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat[symbology]).to_image(scale=self._SCALE))
        height, width = max(self._HEIGHT, code.shape[0]), max(self._WIDTH, code.shape[1])
        picture = np.full((height, width), 255, np.uint8)
        top, left = (height - code.shape[0]) // 2, (width - code.shape[1]) // 2
        picture[top : top + code.shape[0], left : left + code.shape[1]] = code
        with self._lock:
            self._put_away()
            self._publish(picture)
            self._timer = threading.Timer(seconds, self._take_away, args=(self._number,))
            self._timer.daemon = True
            self._timer.start()

    def show_noise(self) -> None:
        """Hold something before the camera that is no code: a picture of noise."""
        import numpy as np

        picture = np.random.default_rng().integers(0, 256, (self._HEIGHT, self._WIDTH), np.uint8)
        with self._lock:
            self._put_away()
            self._publish(picture)

    def blank(self) -> None:
        """Nothing before the camera."""
        with self._lock:
            self._put_away()
            self._publish_blank()

    def unplug(self) -> None:
        """Unplug: `path` leads nowhere."""
        with self._lock:
            self._put_away()
            # A timer that is waiting for the lock finds that its showing is over.
            self._number += 1
            self._live.unlink(missing_ok=True)

    def plug(self) -> None:
        """Plug in, with nothing before the camera."""
        self.blank()

    def close(self) -> None:
        """Unplug for good, and remove the frames."""
        self.unplug()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _take_away(self, number: int) -> None:
        with self._lock:
            if number == self._number:
                self._publish_blank()

    def _publish_blank(self) -> None:
        import numpy as np

        self._publish(np.full((self._HEIGHT, self._WIDTH), 128, np.uint8))

    def _put_away(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _publish(self, picture: Image) -> None:
        """Write one showing and make it the live one, in one step. The lock is held."""
        import cv2

        self._number += 1
        showing = self._folder / f"showing-{self._number:06d}"
        showing.mkdir()
        first = showing / "frame_0000.png"
        if not cv2.imwrite(str(first), picture):
            raise DeviceLost("the picture could not be written", str(first), "look whether the disk is full")
        for frame in range(1, self._FRAMES):
            os.link(first, showing / f"frame_{frame:04d}.png")
        beside = self._folder / "live.new"
        beside.unlink(missing_ok=True)
        beside.symlink_to(showing.name)
        beside.replace(self._live)
        for old in sorted(self._folder.glob("showing-*"))[: -self._KEPT]:
            shutil.rmtree(old, ignore_errors=True)
