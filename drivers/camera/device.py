"""A camera that looks at cards and phones: frames by OpenCV, symbols by `drivers.decoding.decode`.

Also reads a video or a sequence of PNG files: the same loop, for the demo, for training and for support.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from drivers.camera.attention import SMALL, Attention
from drivers.camera.exposure import ExposureControl, evened, is_glaring
from drivers.camera.frames import NewestFrame
from drivers.camera.settings import CameraSettings
from drivers.camera.sightings import Sightings
from drivers.decoding.decode import examine, parse_formats
from drivers.device import Sink
from drivers.errors import BadDeviceSettings, DeviceBusy, DeviceDenied, DeviceLost, DeviceMissing
from drivers.recognition.guard import CardPattern
from drivers.recognition.recognise import recognise_symbol

if TYPE_CHECKING:
    import cv2

    from drivers.decoding.engines import Image

__all__ = ["CameraDevice"]

# What a live camera is asked for; it gives the nearest it can. More pixels read no more cards at arm's length.
_WIDTH, _HEIGHT = 1280, 720
_NODE = re.compile(r"/dev/video[0-9]+")
_NUMBERED = re.compile(r"%0?[0-9]*d")
_PLUG_IN = "plug the camera in, or correct `source`"


class CameraDevice:
    """A `Device` over cv2.VideoCapture. A live camera is read newest frame first; files are played at `fps`."""

    def __init__(self, name: str, settings: CameraSettings, patterns: Sequence[CardPattern]) -> None:
        self.name = name
        self._source = settings.source
        self._formats = parse_formats(settings.formats)
        self._period_s = 1 / settings.fps
        self._fps = settings.fps
        self._patterns = tuple(patterns)
        self._capture: cv2.VideoCapture | None = None
        self._sink: Sink | None = None
        self._shown: tuple[int, int, int] | None = None
        self._region = settings.region
        self._sightings = Sightings()
        self._attention = Attention()
        self._exposure: ExposureControl | None = None
        self._newest: NewestFrame | None = None
        self._any_frame = False
        self._frames = 0

    def open(self) -> None:
        """Look whether the source is there. Raises DeviceMissing."""
        if not (self._node_path() or _first_file(self._source)).exists():
            raise DeviceMissing("no such camera", self._source, _PLUG_IN)

    def claim(self) -> None:
        """Open the source. Raises DeviceMissing, DeviceBusy, DeviceDenied or BadDeviceSettings."""
        self.open()
        self._capture = self._start()

    def enable(self, sink: Sink) -> None:
        """Deliver to `sink`."""
        self._sightings = Sightings()
        self._attention = Attention()
        self._sink = sink

    def run(self, stop: threading.Event) -> None:
        """Look at frames until `stop`.

        Raises DeviceLost when a live camera goes away or a file is removed, BadDeviceSettings when a file holds no
        picture at all.
        """
        sink = self._sink
        if sink is None or self._capture is None:
            raise RuntimeError(f"{self.name}: claim and enable come before run")
        live = self._node_path() is not None
        if live:
            self._exposure = ExposureControl(self._capture)
            # The thread that reads the camera releases it: both at once would crash in the driver.
            self._newest, self._capture = NewestFrame(self._capture, self.name), None
        while not stop.is_set():
            began, cpu = time.monotonic(), self._cpu_s()
            frame = self._newest.take() if self._newest else self._read()
            at = time.monotonic_ns()
            if frame is not None:
                read = self._look(frame, at, sink)
                self._attention.spent(self._cpu_s() - cpu, read)
            elif stop.is_set():
                return
            elif live:
                raise self._lost()
            else:
                self._follow()
            stop.wait(max(0.0, self._period_s - (time.monotonic() - began)))

    def interrupt(self) -> None:
        """Wake `run` where it waits for a live camera; with files it looks at `stop` at every frame."""
        newest = self._newest
        if newest is not None:
            newest.wake()

    def disable(self) -> None:
        """No more events."""
        self._sink = None

    def release(self) -> None:
        """Let the camera go."""
        newest, self._newest, self._exposure = self._newest, None, None
        if newest is not None:
            newest.close()
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()

    def close(self) -> None:
        """Forget what was shown."""
        self._shown = None

    def _node_path(self) -> Path | None:
        """Return `/dev/videoN` for a live camera, None for files."""
        if self._source.isdecimal():
            return Path(f"/dev/video{self._source}")
        real = Path(self._source).resolve()
        return real if _NODE.fullmatch(str(real)) else None

    def _start(self) -> cv2.VideoCapture:
        # Half a second and 54 MB: only a till with a camera pays them.
        import cv2

        # A source that does not open is reported below, in one line of ours.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        # One core at most: OpenCV would spread each small operation over all of them, and the till has other work.
        cv2.setNumThreads(1)
        node = self._node_path()
        if node is not None:
            capture = cv2.VideoCapture(int(node.name.removeprefix("video")))
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
            # Uncompressed, USB 2 carries this size five times a second only.
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, _WIDTH)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, _HEIGHT)
            capture.set(cv2.CAP_PROP_FPS, self._fps)
        else:
            self._any_frame = False
            # Noted before opening: what is put there in between is then read twice rather than never.
            self._shown = self._identity()
            backend = cv2.CAP_IMAGES if _NUMBERED.search(self._source) else cv2.CAP_ANY
            capture = cv2.VideoCapture(self._source, backend)
        if capture.isOpened():
            return capture
        capture.release()
        path = node or _first_file(self._source)
        if not path.exists():
            raise DeviceMissing("no such camera", self._source, _PLUG_IN)
        if not os.access(path, os.R_OK):
            raise DeviceDenied("no permission for the camera", self._source, "add the till's user to the group video")
        if path.is_char_device():
            raise DeviceBusy("the camera gives no picture", self._source, "close the other program that uses it")
        raise self._unfit()

    def _read(self) -> Image | None:
        """Return the next frame of a file, or None where there is none."""
        import cv2

        capture = self._capture
        if capture is None:
            return None
        if _NUMBERED.search(self._source) and capture.get(cv2.CAP_PROP_POS_FRAMES) >= capture.get(
            cv2.CAP_PROP_FRAME_COUNT
        ):
            return None
        try:
            read, frame = capture.read()
        except cv2.error:
            # Its text names a source line of OpenCV and helps nobody at a till.
            raise self._lost() from None
        self._any_frame |= read
        return cast("Image", frame) if read else None

    def _look(self, frame: Image, at: int, sink: Sink) -> bool:
        """Deliver what `frame` shows; return whether it shows anything. `at` is when it came, monotonic nanoseconds."""
        import cv2

        height, width = frame.shape[:2]
        left, top, right, bottom = self._region
        part = frame[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]
        gray = cast("Image", part if part.ndim == 2 else cv2.cvtColor(part, cv2.COLOR_BGR2GRAY))
        scale = SMALL / gray.shape[1]
        small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else gray
        if self._exposure is not None:
            self._exposure.see(gray)
        limit_s = self._attention.limit(cast("Image", small), at / 1e9)
        if limit_s is None:
            return False
        self._frames += 1
        if self._frames % 2 and is_glaring(gray):
            gray = evened(gray)
        found = examine(gray, self._formats, limit_s)
        for symbol in self._sightings.accept(found.sure, at, found.doubtful):
            sink(recognise_symbol(self.name, symbol, self._patterns, at))
        return bool(found.sure or found.doubtful)

    def _cpu_s(self) -> float:
        """Return the processor seconds of this thread and of the one that reads the camera."""
        return time.thread_time() + (self._newest.cpu_s if self._newest else 0.0)

    def _follow(self) -> None:
        """The file or sequence has been played: start again when another one stands in its place."""
        now = self._identity()
        if now is None:
            raise self._lost()
        if now != self._shown:
            self.release()
            try:
                self._capture = self._start()
            except (DeviceMissing, BadDeviceSettings):
                raise self._lost() from None
        elif not self._any_frame:
            raise self._unfit()

    def _identity(self) -> tuple[int, int, int] | None:
        """What tells this file from another one put in its place; None where there is none."""
        try:
            found = _first_file(self._source).stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_mtime_ns

    def _unfit(self) -> BadDeviceSettings:
        return BadDeviceSettings("not a camera, a video or pictures", self._source, "give an index or a frame_%04d.png")

    def _lost(self) -> DeviceLost:
        return DeviceLost("the camera gives no more pictures", self._source, "plug it in again")


def _first_file(source: str) -> Path:
    """Return the first file of a numbered sequence (0 or 1, where OpenCV starts to look), or `source` itself."""
    form = _NUMBERED.search(source)
    if form is None:
        return Path(source)
    zero, one = (Path(source.replace(form.group(), form.group() % start)) for start in (0, 1))
    return one if one.exists() and not zero.exists() else zero
