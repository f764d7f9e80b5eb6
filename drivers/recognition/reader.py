"""How a reader was set up: what it puts around what it reads, and the keyboards between it and us. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from drivers.errors import BadDeviceSettings
from drivers.formats.layouts import layout_named, recover

__all__ = ["FACTORY", "ReaderSettings"]

# More than any reader can be set to send before or after its data.
_LONGEST_MARK = 16
_STARTS = "%;@+#&"


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """A reader's settings, as data. What they name is taken off where it is there; a scan without it counts too.

    `prefix` and `suffix` stand around a whole scan or swipe, `track_prefix` and `track_suffix` around each track of a
    swipe, outside its sentinels and LRC. `layout` is the till's keyboard layout where the reader's text came through
    the operating system (typed, or a serial port fed by keyboard software), `reader_layout` the one that the reader is
    programmed for; both are names of `drivers.formats.layouts.LAYOUTS`. `line_per_track` is for readers that end each
    track with a CR of its own (see `drivers.formats.swipes`). Raises BadDeviceSettings.
    """

    prefix: str = ""
    suffix: str = ""
    track_prefix: str = ""
    track_suffix: str = ""
    layout: str = "us"
    reader_layout: str = "us"
    line_per_track: bool = False

    def __post_init__(self) -> None:
        layout_named(self.layout)
        layout_named(self.reader_layout)
        for name in ("prefix", "suffix", "track_prefix", "track_suffix"):
            mark = getattr(self, name)
            if len(mark) > _LONGEST_MARK:
                raise BadDeviceSettings(
                    f"expected a {name} of at most {_LONGEST_MARK} characters, got {len(mark)}", name, "shorten it"
                )
            if name.startswith("track_") and set(mark) & set(_STARTS + "?"):
                raise BadDeviceSettings(
                    f"expected a {name} without the sentinels {_STARTS}?", name, "give what the reader adds, not those"
                )

    def undress(self, text: str) -> str:
        """Return what the reader read: the layout undone, then the marks taken off."""
        text = recover(text, self.layout, self.reader_layout).removeprefix(self.prefix).removesuffix(self.suffix)
        if self.track_prefix:
            text = re.sub(rf"{re.escape(self.track_prefix)}(?=[{_STARTS}])", "", text)
        if self.track_suffix:
            # Behind the end sentinel and the LRC, if one is sent, and before the next track or the end.
            text = re.sub(rf"(\?.?){re.escape(self.track_suffix)}(?=[{_STARTS}]|$)", r"\1", text)
        return text


FACTORY = ReaderSettings()
"""A reader as it leaves the factory: nothing around the data, and a US keyboard."""
