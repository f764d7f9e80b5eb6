"""A picture file becomes an image to decode: gray, upright as it was taken, transparent parts white."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drivers.errors import DriverError

if TYPE_CHECKING:
    from drivers.decoding.engines import Image

__all__ = ["MAX_FILE_BYTES", "UnreadablePicture", "read_picture"]

MAX_FILE_BYTES = 64 * 1024 * 1024
"""The largest photographs of telephones have a third of that."""

# OpenCV's own limit on the pixels it unpacks is a thousand million; a compressed bomb must not get that far.
_MOST_PIXELS = 120_000_000


class UnreadablePicture(DriverError):
    """The file is not there, not ours to read, or not a picture."""


def read_picture(path: Path) -> Image:
    """Return the picture in `path` as (h, w) gray bytes. Raises UnreadablePicture."""
    import cv2

    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UnreadablePicture(f"more than {MAX_FILE_BYTES // 1_048_576} MB", str(path), "give a smaller picture")
        packed = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise UnreadablePicture(f"cannot be read: {error.strerror}", str(path), "correct the name") from None
    # A broken file is reported below, in one line of ours.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        upright = cv2.imdecode(packed, cv2.IMREAD_COLOR) if packed.size else None
        whole = cv2.imdecode(packed, cv2.IMREAD_UNCHANGED) if upright is not None else None
    except cv2.error:
        upright = whole = None
    if upright is None or whole is None:
        raise UnreadablePicture("not a picture", str(path), "give a PNG, JPEG, WebP, BMP or TIFF file")
    if upright.shape[0] * upright.shape[1] > _MOST_PIXELS:
        raise UnreadablePicture(f"more than {_MOST_PIXELS // 1_000_000} million pixels", str(path), "make it smaller")
    gray = cv2.cvtColor(upright, cv2.COLOR_BGR2GRAY)
    if whole.ndim == 3 and whole.shape[2] == 4 and whole.shape[:2] == gray.shape:
        # What is transparent has a colour too, and mostly it is black: on paper it is white.
        opaque = 65_535 if whole.dtype == np.uint16 else 255
        cover = whole[:, :, 3].astype(np.float32) / opaque
        gray = gray * cover + 255 * (1 - cover)
    return np.ascontiguousarray(gray, np.uint8)
