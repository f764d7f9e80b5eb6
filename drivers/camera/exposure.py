"""Light: a phone's screen is ten times brighter than the card beside it, and a laminated card throws the lamp back.

Where the camera lets us, its exposure is set so that the brightest part keeps its detail; where not, pictures with
blown-out parts are read in a darkened and evened copy in turn with the picture itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from drivers.decoding.engines import Image

__all__ = ["Camera", "ExposureControl", "evened", "is_glaring"]

# From this level on a sensor has lost detail; so much of the picture may without a code being hidden there.
_BLOWN = 248
_SHARE_BLOWN = 0.04
# Exposure is changed by a third at a time, after this many frames that ask for it: longer than a hand passing by.
_STEP = 0.67
_FRAMES = 4
# Exposure goes up again when even the brightest parts are below this: a step up then blows nothing out.
_DIM = 150
# No darker than this share of what the camera chose for itself: a screen needs an eighth.
_LEAST = 1 / 16

# OpenCV's V4L2 backend: 1 is manual, 3 lets the camera choose.
_MANUAL, _AUTOMATIC = 1.0, 3.0


class Camera(Protocol):
    """The part of cv2.VideoCapture that sets a camera."""

    def get(self, propId: int, /) -> float: ...  # noqa: N803 - OpenCV's name

    def set(self, propId: int, value: float, /) -> bool: ...  # noqa: N803


class ExposureControl:
    """Sets the exposure of one camera from what its frames look like. Does nothing where the camera refuses."""

    def __init__(self, camera: Camera) -> None:
        import cv2

        self._camera = camera
        self._auto, self._value = cv2.CAP_PROP_AUTO_EXPOSURE, cv2.CAP_PROP_EXPOSURE
        self._chosen = camera.get(self._value)
        """What the camera set for itself; 0 or less where the backend cannot say."""
        self._now = self._chosen
        self._wanting = 0
        self.works = self._chosen > 0
        """Whether the camera has taken every setting so far."""

    def see(self, gray: Image) -> None:
        """Take one frame (h, w) into account."""
        if not self.works:
            return
        if is_glaring(gray) and self._now > self._chosen * _LEAST:
            self._wanting = max(0, self._wanting) + 1
        elif self._now < self._chosen and float(np.percentile(gray[::8, ::8], 98)) < _DIM:
            self._wanting = min(0, self._wanting) - 1
        else:
            self._wanting = 0
        if abs(self._wanting) < _FRAMES:
            return
        self._now = self._now * _STEP if self._wanting > 0 else min(self._chosen, self._now / _STEP)
        self._wanting = 0
        automatic = self._now >= self._chosen
        self.works = self._camera.set(self._auto, _AUTOMATIC if automatic else _MANUAL) and (
            automatic or self._camera.set(self._value, self._now)
        )


def is_glaring(gray: Image) -> bool:
    """Say whether part of the picture (h, w) is blown out."""
    return float((gray[::8, ::8] >= _BLOWN).mean()) > _SHARE_BLOWN


def evened(gray: Image) -> Image:
    """Return `gray` (h, w) with its bright parts darkened and their contrast raised, place by place."""
    import cv2

    levels = np.arange(256) / 255
    darker = np.asarray(255 * levels**2.2, np.uint8)
    return np.asarray(cv2.createCLAHE(3.0, (8, 8)).apply(cv2.LUT(gray, darker)), np.uint8)
