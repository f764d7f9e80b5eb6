"""A camera that looks at cards and phones: frames by OpenCV, symbols by `drivers.decode`.

Also reads a video or a sequence of PNG files: the same loop, for the demo, for training and for support.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from drivers.decode import DEFAULT_FORMATS, decode, parse_formats
from drivers.device import Sink
from drivers.errors import BadDeviceSettings, DeviceBusy, DeviceDenied, DeviceLost, DeviceMissing
from drivers.guard import CardPattern
from drivers.recognise import recognise_symbol
from drivers.sightings import Sightings

if TYPE_CHECKING:
    import cv2

    from drivers.decode import Image

__all__ = ["CameraDevice", "CameraSettings"]

# Above this a till's processor does nothing else, and no hand moves that fast.
MAX_FPS = 60
# Frames a camera's driver may hold back while we decode one; more than four it does not queue.
_MOST_STALE = 4
_NODE = re.compile(r"/dev/video[0-9]+")
_NUMBERED = re.compile(r"%0?[0-9]*d")
_PLUG_IN = "plug the camera in, or correct `source`"


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """Which camera, and what to look for.

    `source` is an index (`"0"`), a node (`/dev/v4l/by-id/…`), a video file, or a PNG sequence (`…/frame_%04d.png`).
    `formats` are names of `drivers.decode.FORMATS`; `fps` is frames looked at per second. Raises BadDeviceSettings.
    """

    source: str
    formats: tuple[str, ...] = DEFAULT_FORMATS
    fps: int = 15

    def __post_init__(self) -> None:
        if not self.source:
            raise BadDeviceSettings("expected a camera, got none", "source", "give an index or one of /dev/v4l/by-id")
        if not 0 < self.fps <= MAX_FPS:
            raise BadDeviceSettings(
                f"expected 1 to {MAX_FPS} frames a second, got {self.fps}", self.source, "15 is enough"
            )
        parse_formats(self.formats)


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
        self._sightings = Sightings()
        self._any_frame = False

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
        while not stop.is_set():
            began = time.monotonic()
            seen = self._look(sink)
            if live and not seen:
                raise self._lost()
            if not live and not seen:
                self._follow()
            spent = time.monotonic() - began
            if live:
                for _ in range(min(int(spent / self._period_s), _MOST_STALE)):
                    self._capture.grab()
            stop.wait(max(0.0, self._period_s - spent))

    def interrupt(self) -> None:
        """Nothing to wake: `run` looks at `stop` at every frame."""

    def disable(self) -> None:
        """No more events."""
        self._sink = None

    def release(self) -> None:
        """Let the camera go."""
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
        node = self._node_path()
        if node is not None:
            capture = cv2.VideoCapture(int(node.name.removeprefix("video")))
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
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

    def _look(self, sink: Sink) -> bool:
        """Read one frame and deliver what it shows. Return False where there was none."""
        import cv2

        capture = self._capture
        if capture is None:
            return False
        if _NUMBERED.search(self._source) and capture.get(cv2.CAP_PROP_POS_FRAMES) >= capture.get(
            cv2.CAP_PROP_FRAME_COUNT
        ):
            return False
        try:
            read, frame = capture.read()
        except cv2.error:
            # Its text names a source line of OpenCV and helps nobody at a till.
            raise self._lost() from None
        at = time.monotonic_ns()
        if not read:
            return False
        self._any_frame = True
        gray = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        for symbol in self._sightings.accept(decode(cast("Image", gray), self._formats), at):
            sink(recognise_symbol(self.name, symbol, self._patterns, at))
        return True

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
