"""The camera's loop: how much of one core it takes at 1280×720 and 15 frames a second, whatever it looks at."""

from __future__ import annotations

import resource
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from benchmarks.result import Result
from drivers.camera.device import CameraDevice
from drivers.camera.settings import CameraSettings
from tests.support.hard_set import NOTHING, sample
from tests.support.labels import Gray

WIDTH, HEIGHT, FPS = 1280, 720, 15

SECONDS = 8
"""Of each film: long enough for the saved time to have been spent, and the share to show."""

CHANGE_EVERY = 5
"""Frames of one busy scene: a hand before a shelf moves three times a second."""


def measure() -> list[Result]:
    """Percent of one core on an empty counter, a busy changing scene, and a code held before the camera."""
    with tempfile.TemporaryDirectory(prefix="bench-camera-") as folder:
        films = {"empty": _empty, "busy": _busy, "code held": _held}
        return [
            Result(
                bench=f"camera loop, {name}",
                ours=_percent_of_core(_film(Path(folder) / f"{number}.avi", scene)),
                unit="% of a core",
                better="lower",
            )
            for number, (name, scene) in enumerate(films.items())
        ]


def _film(path: Path, scene: Callable[[int], Gray]) -> Path:
    """Write `SECONDS` of Motion JPEG, as cameras send it, with a sensor's noise."""
    chance = np.random.default_rng(7)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (WIDTH, HEIGHT))
    for frame in range(SECONDS * FPS):
        noisy = scene(frame) + chance.normal(0, 4, (HEIGHT, WIDTH))
        writer.write(cv2.cvtColor(np.clip(noisy, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


def _percent_of_core(film: Path) -> float:
    """Run the device over `film`, paced at its rate, and count the processor time of the whole process."""
    device = CameraDevice("eye", CameraSettings(str(film), fps=FPS), ())
    stop = threading.Event()
    device.claim()
    device.enable(lambda event: None)
    timer = threading.Timer(SECONDS, stop.set)
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    timer.start()
    device.run(stop)
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF)
    device.disable()
    device.release()
    device.close()
    return 100 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / took


def _empty(frame: int) -> Gray:
    across = np.linspace(90, 170, WIDTH)[None, :] + np.linspace(-20, 20, HEIGHT)[:, None]
    return np.asarray(across, np.uint8)


def _busy(frame: int) -> Gray:
    picture = sample("work", NOTHING, frame // CHANGE_EVERY).image
    return np.asarray(cv2.resize(picture, (WIDTH, HEIGHT)), np.uint8)


def _held(frame: int) -> Gray:
    picture = sample("work", "QR", 3 + frame // (SECONDS * FPS)).image
    return np.asarray(cv2.resize(picture, (WIDTH, HEIGHT)), np.uint8)
