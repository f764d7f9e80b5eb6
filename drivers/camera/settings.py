"""Which camera, and what to look for. What decodes pictures is loaded with the first camera: most tills have none."""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.errors import BadDeviceSettings

__all__ = ["CameraSettings"]

# Above this a till's processor does nothing else, and no hand moves that fast.
MAX_FPS = 60
# A region smaller than this share of the frame's side cannot hold a code.
_LEAST_REGION = 0.05


def _default_formats() -> tuple[str, ...]:
    from drivers.decoding.decode import DEFAULT_FORMATS

    return DEFAULT_FORMATS


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """Which camera, and what to look for.

    `source` is an index (`"0"`), a node (`/dev/v4l/by-id/…`), a video file, or a PNG sequence (`…/frame_%04d.png`).
    `formats` are names of `drivers.decoding.decode.FORMATS`; `fps` is frames looked at per second. `region` is the part
    of the frame that counts, as shares of its sides, 0 to 1: left, top, right, bottom. Raises BadDeviceSettings.
    """

    source: str
    formats: tuple[str, ...] = field(default_factory=_default_formats)
    fps: int = 15
    region: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if not self.source:
            raise BadDeviceSettings("expected a camera, got none", "source", "give an index or one of /dev/v4l/by-id")
        if not 0 < self.fps <= MAX_FPS:
            raise BadDeviceSettings(
                f"expected 1 to {MAX_FPS} frames a second, got {self.fps}", self.source, "15 is enough"
            )
        from drivers.decoding.decode import parse_formats

        parse_formats(self.formats)
        left, top, right, bottom = self.region
        if (
            not (0 <= left <= right - _LEAST_REGION <= 1 and 0 <= top <= bottom - _LEAST_REGION <= 1)
            or max(right, bottom) > 1
        ):
            raise BadDeviceSettings(
                f"expected a region of left, top, right, bottom from 0 to 1, got {self.region}",
                self.source,
                "0, 0, 1, 1 is the whole picture",
            )
