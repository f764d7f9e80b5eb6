"""The newest frame of a live camera: a thread reads them all and keeps one, so that nobody looks at an old picture."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import cv2

    from drivers.decoding.engines import Image

__all__ = ["NewestFrame"]

# A camera that gives no frame for this long is gone: the slowest that shops use give five a second.
SILENCE_S = 5.0
# A read that hangs ends with the camera's own time-out (V4L2: ten seconds); the till does not wait for that.
_JOIN_S = 1.0


class NewestFrame:
    """Reads `capture` in a thread of its own and releases it when the reading ends."""

    def __init__(self, capture: cv2.VideoCapture, name: str) -> None:
        self._capture = capture
        self._fresh = threading.Condition()
        self._frame: Image | None = None
        self._ended = False
        self._stop = threading.Event()
        self.dropped = 0
        """Frames that a newer one replaced before anybody looked."""
        self.cpu_s = 0.0
        """Processor seconds that reading and unpacking took so far."""
        self._thread = threading.Thread(target=self._read_all, name=f"{name}-frames", daemon=True)
        self._thread.start()

    def take(self, timeout_s: float = SILENCE_S) -> Image | None:
        """Return the newest frame nobody has had, waiting for one; None when the camera has ended or is silent."""
        with self._fresh:
            self._fresh.wait_for(lambda: self._frame is not None or self._ended, timeout_s)
            frame, self._frame = self._frame, None
            return frame

    def wake(self) -> None:
        """Let whoever waits in `take` return, and stop reading. Callable from any thread."""
        self._stop.set()
        with self._fresh:
            self._ended = True
            self._fresh.notify()

    def close(self) -> None:
        """Stop reading. The camera is free when this returns, unless it hangs."""
        self.wake()
        self._thread.join(_JOIN_S)

    def _read_all(self) -> None:
        import cv2

        try:
            while not self._stop.is_set():
                read, frame = self._capture.read()
                if not read:
                    break
                with self._fresh:
                    self.dropped += self._frame is not None
                    self._frame = cast("Image", frame)
                    self.cpu_s = time.thread_time()
                    self._fresh.notify()
        except cv2.error:
            # Its text names a source line of OpenCV; whoever takes the next frame learns that there is none.
            return
        finally:
            self._capture.release()
            with self._fresh:
                self._ended = True
                self._fresh.notify()
