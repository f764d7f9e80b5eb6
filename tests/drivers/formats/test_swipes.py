"""The tracks of one swipe that come as lines: joined by the rule, and by no other."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.formats.framing import FrameError, FrameFault, Framer
from drivers.formats.swipes import SwipeFramer

CUT = FrameError(FrameFault.CUT)


def through(stream: bytes) -> list[object]:
    framer = SwipeFramer()
    return [*framer.feed(stream), *framer.gap()]


@pytest.mark.parametrize(
    ("stream", "frames"),
    [
        (b"%A?\r;1?\r+2?\r", [b"%A?;1?+2?"]),
        (b"%A?\r\n;1?\r\n", [b"%A?;1?"]),
        (b"%A?K\r;1?4\r", [b"%A?K;1?4"]),
        (b"%E?\r;1?\r;2?\r", [b"%E?;1?;2?"]),
        (b"%A?\r+2?\r", [b"%A?+2?"]),
        (b"%A?\r%B?\r", [b"%A?", b"%B?"]),
        (b"%A?\r]E04006381333931\r;1?\r", [b"%A?", b"]E04006381333931", b";1?"]),
        (b"%A?\r\x02;1", [b"%A?", CUT]),
        # A track 2 alone is whole: most loyalty cards have no other, and nobody waits for one.
        (b";1?\r;1?\r", [b";1?", b";1?"]),
        (b"%A?;1?\r+2?\r", [b"%A?;1?", b"+2?"]),
    ],
)
def test_the_rule(stream: bytes, frames: list[object]) -> None:
    assert through(stream) == frames


def test_a_track_1_waits_and_nothing_else_does() -> None:
    framer = SwipeFramer()
    assert framer.feed(b"]C0123\r") == [bytearray(b"]C0123")]
    assert not framer.unfinished
    assert framer.feed(b"%A?\r") == []
    assert framer.unfinished
    assert framer.gap() == [bytearray(b"%A?")]
    assert not framer.unfinished
    framer.feed(b"%A?\r")
    framer.reset()
    assert not framer.unfinished
    assert framer.finish() == []


def test_finish_ends_what_has_begun() -> None:
    framer = SwipeFramer()
    assert framer.feed(b"%A?\r;1?") == []
    assert framer.pending == b";1?"
    assert framer.finish() == [bytearray(b"%A?;1?")]


LINES = st.lists(st.sampled_from([b"%A?", b"%E?", b";1?", b"+2?", b"]E0123", b"x", b"%B4?;5?", b"\x02"]), max_size=12)


@given(LINES, st.lists(st.integers(0, 60), max_size=6))
def test_same_swipes_however_cut(lines: list[bytes], cuts: list[int]) -> None:
    stream = b"\r".join(lines)
    expected = through(stream)
    cut, single = SwipeFramer(), SwipeFramer()
    edges = [0, *sorted(cuts), len(stream)]
    assert [f for a, b in pairwise(edges) for f in cut.feed(stream[a:b])] + cut.gap() == expected
    assert [f for byte in stream for f in single.feed(bytes([byte]))] + single.gap() == expected


@given(st.lists(st.sampled_from([b"%A?", b";1?", b"+2?", b"]E0123", b"x"]), max_size=12))
def test_joining_loses_and_adds_nothing(lines: list[bytes]) -> None:
    stream = b"".join(line + b"\r" for line in lines)
    plain = b"".join(bytes(frame) for frame in Framer().feed(stream) if isinstance(frame, bytearray))
    joined = b"".join(bytes(frame) for frame in through(stream) if isinstance(frame, bytearray))
    assert joined == plain
