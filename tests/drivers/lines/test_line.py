"""Prefixes, suffixes and ACKs of scanners on a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.formats.framing import FrameError, FrameFault, Framer, FrameShape
from drivers.lines.line import LineProtocol, build_line


@pytest.mark.parametrize("suffix", [b"\t", b"##", b"\r\n\r\n"])
def test_a_suffix_of_its_own(suffix: bytes) -> None:
    framer = Framer(shape=FrameShape(suffix=suffix))
    assert framer.feed(b"one" + suffix + b"t\rwo" + suffix + b"rest") == [b"one", b"t\rwo"]
    assert framer.gap() == [FrameError(FrameFault.CUT)]
    assert framer.feed(b"tail" + suffix + b"next" + suffix) == [b"next"], "the tail of a dropped frame is no scan"


def test_a_prefix_is_taken_off_and_its_loss_is_borne() -> None:
    framer = Framer(shape=FrameShape(prefix=b"~>"))
    assert framer.feed(b"~>2910\r2911\r~>\r") == [b"2910", b"2911"]


@given(st.lists(st.binary(max_size=12), max_size=8), st.sampled_from([b"", b"\t", b"##", b"#\r#"]), st.data())
def test_cut_anywhere_the_frames_are_the_same(parts: list[bytes], suffix: bytes, data: st.DataObject) -> None:
    stream = (suffix or b"\r").join(parts)
    shape = FrameShape(prefix=b">", suffix=suffix)
    whole = Framer(8, shape).feed(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    framer = Framer(8, shape)
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [frame for piece in pieces for frame in framer.feed(piece)] == whole
    assert all(isinstance(frame, FrameError) or 0 < len(frame) <= 8 for frame in whole)


def test_too_long_then_found_again() -> None:
    framer = Framer(4, FrameShape(suffix=b"##"))
    assert framer.feed(b"abcdefgh") == [FrameError(FrameFault.TOO_LONG)]
    assert framer.feed(b"ij#") == []
    assert framer.feed(b"#ok##") == [b"ok"]


def test_ack_and_nak() -> None:
    line = build_line(LineProtocol.ACK, FrameShape())
    assert line.feed(b"4006381333931\r\n") == ([b"4006381333931"], b"\x06")
    assert line.feed(b"40063") == ([], b"")
    assert line.gap() == ([FrameError(FrameFault.CUT)], b"\x15")
    assert line.gap() == ([], b"")


def test_plain_answers_nothing() -> None:
    line = build_line(LineProtocol.PLAIN, FrameShape())
    assert line.feed(b"\x024006381333931\x03") == ([b"4006381333931"], b"")
