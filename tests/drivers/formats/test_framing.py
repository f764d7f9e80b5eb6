"""Bytes to frames: terminators, limits, gaps, and the same frames however the stream is cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.formats.framing import MAX_FRAME_BYTES, FrameError, FrameFault, Framer, split_aim, wipe


def feed(framer: Framer, data: bytes) -> list[object]:
    """The frames as objects: bytearrays, which equal the bytes they hold, and errors."""
    return list(framer.feed(data))


CUT, LONG = FrameError(FrameFault.CUT), FrameError(FrameFault.TOO_LONG)


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\x03", b"\x03\r\n"])
@pytest.mark.parametrize("start", [b"", b"\x02"])
def test_terminators(start: bytes, end: bytes) -> None:
    assert feed(Framer(), start + b"]E0123" + end + start + b"456" + end) == [b"]E0123", b"456"]


def test_crlf_across_two_reads_gives_no_empty_second_scan() -> None:
    framer = Framer()
    assert feed(framer, b"123\r") == [b"123"]
    assert feed(framer, b"\n") == []
    assert not framer.unfinished


def test_hidden_group_separator_is_kept() -> None:
    assert feed(Framer(), b"]C18018\x1d99\r") == [b"]C18018\x1d99"]


def test_frame_without_terminator_never_joins_the_next() -> None:
    assert feed(Framer(), b"\x02111\x02222\x03") == [CUT, b"222"]


def test_limit() -> None:
    framer = Framer(limit=8)
    assert feed(framer, b"12345678\r") == [b"12345678"]
    assert feed(framer, b"123456789") == [LONG]
    assert feed(framer, b"still the same\r" + b"next\r") == [b"next"]


def test_memory_is_bounded() -> None:
    framer = Framer()
    found = [frame for _ in range(100) for frame in feed(framer, b"x" * 4096)]
    assert found == [LONG]
    assert len(framer.pending) <= MAX_FRAME_BYTES


def test_gap_drops_the_piece_and_its_tail() -> None:
    framer = Framer()
    feed(framer, b"]E02800")
    assert framer.gap() == [CUT]
    assert feed(framer, b"000000015\r") == [], "the tail of a scan that was cut is not a scan"
    assert feed(framer, b"next\r") == [b"next"]


def test_second_gap_ends_the_skipping() -> None:
    framer = Framer()
    feed(framer, b"\x80")
    assert framer.gap() == [CUT]
    assert framer.unfinished
    assert framer.gap() == []
    assert not framer.unfinished
    assert feed(framer, b"123\r") == [b"123"]


STREAM = st.binary(max_size=60) | st.text("12]E\r\n\x02\x03", max_size=80).map(str.encode)


@given(STREAM, st.lists(st.integers(0, 80), max_size=8))
def test_same_frames_however_cut(stream: bytes, cuts: list[int]) -> None:
    whole, cut, single = Framer(limit=10), Framer(limit=10), Framer(limit=10)
    expected = whole.feed(stream)
    edges = [0, *sorted(cuts), len(stream)]
    assert [f for a, b in pairwise(edges) for f in cut.feed(stream[a:b])] == expected
    assert [f for byte in stream for f in single.feed(bytes([byte]))] == expected
    assert single.pending == whole.pending == cut.pending


@given(st.lists(st.binary(min_size=1, max_size=20).filter(lambda b: not set(b) & {2, 3, 10, 13}), max_size=10))
def test_every_scan_comes_out_once(scans: list[bytes]) -> None:
    assert feed(Framer(), b"".join(scan + b"\r\n" for scan in scans)) == scans


def test_split_aim() -> None:
    assert split_aim(b"]E04006381333931") == ("]E0", b"4006381333931")
    assert split_aim(bytearray(b"]Q1")) == ("]Q1", b"")
    assert split_aim(b"4006381333931") == (None, b"4006381333931")
    assert split_aim(b"]\xff1x") == (None, b"]\xff1x")


def test_wipe() -> None:
    buffer = bytearray(b"secret")
    wipe(buffer)
    assert buffer == bytes(6)
