"""Readers that type like a keyboard: magstripe and bar-code wedges, from an evdev node or a recorded stream in a pipe.

An exclusive grab comes first: it keeps what is typed from every other program, and nothing else's typing is taken for a
card. Timing comes second, for hands on the grabbed device: it is a scan when no key comes later than 100 ms after the
one before and there are six characters or more, or the start sentinel of a swipe. What is slower or shorter was typed
by a person and is dropped without an event. A fast typist passes that test too: that is why the grab comes first.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from drivers.device import Sink
from drivers.errors import BadDeviceSettings, DeviceBusy, DeviceDenied, DeviceLost, DeviceMissing, DriverError
from drivers.events import ErrorEvent, Event
from drivers.formats import tracks
from drivers.formats.framing import FrameError, Framer, wipe
from drivers.formats.layouts import layout_named
from drivers.formats.swipes import SwipeFramer
from drivers.keyboard.keymap import EV_KEY, EV_SYN, EVENT, SYN_DROPPED, Keys
from drivers.recognition.guard import CardPattern
from drivers.recognition.reader import FACTORY, ReaderSettings
from drivers.recognition.recognise import frame_error_event, recognise_frame
from drivers.tap import Tap

if TYPE_CHECKING:
    from evdev import InputDevice

__all__ = ["KeyboardWedge", "WedgeSettings"]

log = structlog.get_logger(__name__)

# A reader types a key every 1 to 30 ms; what is slower is a person. A third of a second of silence ends a swipe.
IDLE_GAP_S = 0.3
# One read takes this many records at most: a whole swipe of three tracks is about 900.
_RECORDS_PER_READ = 1024
# Between two keys of a reader, and the fewest it types: the shortest card number that a configuration may have.
SLOWEST_KEY_US = 100_000
FEWEST_CHARACTERS = 6
# Beyond these no record is genuine (input-event-codes.h: EV_MAX, KEY_MAX; a timeval holds less than a second of µs).
_EV_MAX, _KEY_MAX, _MICROSECONDS = 0x1F, 0x2FF, 1_000_000
# Bytes drained at once from a stream that lost its step; one pipe holds 64 KiB.
_DRAIN_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class WedgeSettings:
    """Where a wedge types: an evdev node (`/dev/input/by-id/…-event-kbd`), or a FIFO or file of input_event records.

    `layout` is the keyboard layout that the *reader* is programmed for (see `layouts`); `grab` False leaves the typing
    to other programs as well, for a keyboard with a reader built in; `reader` is what it puts around what it reads.
    Raises BadDeviceSettings.
    """

    path: str
    layout: str = "us"
    grab: bool = True
    reader: ReaderSettings = FACTORY

    def __post_init__(self) -> None:
        layout_named(self.layout)
        if not self.path:
            raise BadDeviceSettings("expected a path, got none", "path", "give one of /dev/input/by-id/*-event-kbd")


class KeyboardWedge:
    """A `Device` over an input node, a FIFO, or a recording."""

    def __init__(self, name: str, settings: WedgeSettings, patterns: Sequence[CardPattern]) -> None:
        self.name = name
        self._path = settings.path
        self._layout = settings.layout
        self._grab = settings.grab
        self._reader = settings.reader
        self.tap: Tap | None = None
        self._patterns = tuple(patterns)
        self._framer = SwipeFramer() if settings.reader.line_per_track else Framer()
        self._keys = Keys(settings.layout)
        # When the last character came, and the longest wait within this frame, by the records' own clock.
        self._last_us: int | None = None
        self._longest_us = 0
        self._mode = 0
        self._fd: int | None = None
        self._node: InputDevice[str] | None = None
        self._sink: Sink | None = None
        self._wake: tuple[int, int] | None = None
        self._lock = threading.Lock()

    def open(self) -> None:
        """Look at what the path is. Raises DeviceMissing, DeviceDenied or BadDeviceSettings."""
        if sys.platform == "win32":
            raise BadDeviceSettings(
                "Windows lets no program take a keyboard for itself", self._path, "set the reader to USB-CDC or HID-POS"
            )
        try:
            self._mode = Path(self._path).stat().st_mode
        except OSError as error:
            raise self._why_not_opened(error) from None
        if not (stat.S_ISCHR(self._mode) or stat.S_ISFIFO(self._mode) or stat.S_ISREG(self._mode)):
            raise BadDeviceSettings(
                "expected an input node, a pipe or a recording", self._path, "give one of /dev/input/by-id/*-event-kbd"
            )

    def claim(self) -> None:
        """Open the stream; grab an evdev node exclusively. Raises DeviceBusy, DeviceDenied, DeviceMissing."""
        if not self._mode:
            self.open()
        try:
            if stat.S_ISCHR(self._mode):
                self._claim_node()
            else:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
            with self._lock:
                self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self.release()
            raise self._why_not_opened(error) from None

    def enable(self, sink: Sink) -> None:
        """Deliver to `sink`."""
        self._forget()
        self._sink = sink

    def run(self, stop: threading.Event) -> None:
        """Read until `stop` and `interrupt`. Raises DeviceLost. At the end of a recording it waits for `stop`."""
        sink, wake = self._sink, self._wake
        if sink is None or wake is None or self._fd is None:
            raise RuntimeError(f"{self.name}: claim and enable come before run")
        partial = bytearray()
        ended = False
        while not stop.is_set():
            watched = [wake[0]] if ended else [wake[0], self._fd]
            ready, _, _ = select.select(watched, [], [], IDLE_GAP_S if self._framer.unfinished else None)
            if wake[0] in ready:
                os.read(wake[0], 64)
                continue
            if not ready:
                self._quiet(sink)
                continue
            try:
                data = os.read(self._fd, EVENT.size * _RECORDS_PER_READ)
            except BlockingIOError:
                continue
            except OSError:
                # errno 19 when the device is unplugged or the machine slept.
                raise self._lost() from None
            if data:
                partial += data
                # A crash report may print what a frame of ours holds: it must not be the last card.
                del data
                self._take(partial, time.monotonic_ns(), sink)
            else:
                partial.clear()
                ended = self._end_of_stream()

    def interrupt(self) -> None:
        """Wake `run`."""
        with self._lock:
            if self._wake is not None:
                try:
                    os.write(self._wake[1], b"x")
                except BlockingIOError:
                    # The pipe is full of wake-ups already: one is as good as many.
                    log.debug("wedge_wake_pending", device=self.name)

    def disable(self) -> None:
        """No more events."""
        self._sink = None
        self._forget()

    def release(self) -> None:
        """Close the stream; an evdev node is ungrabbed by that."""
        node, self._node = self._node, None
        fd, self._fd = self._fd, None
        with self._lock:
            wake, self._wake = self._wake, None
        if node is not None:
            node.close()
        elif fd is not None:
            os.close(fd)
        for end in wake or ():
            os.close(end)

    def close(self) -> None:
        """Forget what the path was."""
        self._mode = 0

    def _claim_node(self) -> None:
        # evdev exists on Linux only; a till on Windows never comes here.
        from evdev import InputDevice

        self._node = InputDevice(self._path)
        if self._grab:
            self._node.grab()
        self._fd = self._node.fd

    def _take(self, partial: bytearray, received_at: int, sink: Sink) -> None:
        """Use up the whole records in `partial`; what is left of it is the start of the next one."""
        whole = len(partial) - len(partial) % EVENT.size
        if whole and self.tap is not None:
            self.tap.raw(bytes(partial[:whole]), received_at)
        for seconds, micros, kind, code, value in EVENT.iter_unpack(bytes(partial[:whole])):
            if kind > _EV_MAX or code > _KEY_MAX or not 0 <= micros < _MICROSECONDS:
                self._lose_step(partial, sink)
                return
            if kind == EV_SYN and code == SYN_DROPPED:
                # The kernel's buffer ran over: the swipe under way has a hole in it.
                self._deliver(self._framer.gap(), received_at, sink)
                self._keys = Keys(self._layout)
            elif kind == EV_KEY and (typed := self._keys.press(code, value)):
                self._time(seconds * _MICROSECONDS + micros)
                self._deliver(self._framer.feed(typed.encode()), received_at, sink)
        partial[:whole] = bytes(whole)
        del partial[:whole]
        if self.tap is not None and not self._framer.unfinished:
            self.tap.rest()

    def _time(self, now_us: int) -> None:
        """Note how long this key let us wait, unless it begins a frame."""
        if self._last_us is not None and self._framer.pending:
            self._longest_us = max(self._longest_us, abs(now_us - self._last_us))
        self._last_us = now_us

    def _quiet(self, sink: Sink) -> None:
        """Nothing typed for a while, without Enter: a whole swipe counts, a piece of something does not."""
        pending = self._framer.pending.decode()
        whole = bool(pending) and tracks.looks_like_swipe(pending) and not tracks.parse(pending).errors
        if whole:
            frames = self._framer.finish()
        else:
            frames = self._framer.gap()
            if pending and self._by_hand(pending):
                log.debug("wedge_typed_by_hand", device=self.name)
                frames, self._longest_us = [], 0
        self._deliver(frames, time.monotonic_ns(), sink)
        if self.tap is not None and not self._framer.unfinished:
            self.tap.rest()

    def _by_hand(self, text: str) -> bool:
        """Say whether a person typed `text`: see the first lines of this file."""
        return self._longest_us > SLOWEST_KEY_US or (
            len(text) < FEWEST_CHARACTERS and text[:1] not in tracks.START_SENTINELS
        )

    def _deliver(self, frames: list[bytearray | FrameError], received_at: int, sink: Sink) -> None:
        for frame in frames:
            if isinstance(frame, FrameError):
                event: Event = frame_error_event(self.name, frame)
            elif self._by_hand(frame.decode()):
                wipe(frame)
                log.debug("wedge_typed_by_hand", device=self.name)
                continue
            else:
                event = recognise_frame(self.name, frame, self._patterns, received_at, reader=self._reader)
            if self.tap is not None:
                self.tap.event(event)
            sink(event)
        if frames:
            self._longest_us = 0

    def _lose_step(self, partial: bytearray, sink: Sink) -> None:
        """Records cannot be told apart any more: a writer died in the middle of one. Start again with an empty pipe."""
        partial.clear()
        self._forget()
        if self._fd is not None:
            try:
                while os.read(self._fd, _DRAIN_BYTES):
                    pass
            except BlockingIOError:
                log.debug("wedge_drained", device=self.name)
        sink(ErrorEvent(self.name, "garbled", "the reader's data made no sense: swipe again"))

    def _end_of_stream(self) -> bool:
        """The writer has gone. Return True at the end of a recording; a pipe is opened again for the next writer."""
        if self._fd is None or stat.S_ISREG(self._mode):
            return True
        if stat.S_ISCHR(self._mode):
            raise self._lost()
        try:
            again = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            raise self._lost() from None
        os.close(self._fd)
        self._fd = again
        return False

    def _forget(self) -> None:
        self._framer.reset()
        self._keys = Keys(self._layout)
        self._last_us, self._longest_us = None, 0

    def _lost(self) -> DeviceLost:
        return DeviceLost("the reader went away", self._path, "plug it in again")

    def _why_not_opened(self, error: OSError) -> DriverError:
        match error.errno:
            case errno.EBUSY:
                return DeviceBusy("the reader is taken", self._path, "close the other program that reads it")
            case errno.EACCES | errno.EPERM:
                return DeviceDenied(
                    "no permission for the reader", self._path, "add the till's user to the group input"
                )
            case errno.ENOENT | errno.ENXIO | errno.ENODEV:
                return DeviceMissing("no such reader", self._path, "plug it in, or correct `path`")
            case _:
                return BadDeviceSettings("not an input device", self._path, "give one of /dev/input/by-id/*-event-kbd")
