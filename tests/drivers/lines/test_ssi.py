"""SSI packets: the guide's own bytes, damaged ones, and the same packets however the stream is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.formats.framing import FrameError, FrameFault, FrameShape
from drivers.lines import ssi
from drivers.lines.line import LineProtocol, build_line

EAN = b"\x0b4006381333931"


def scan(data: bytes, status: int = 0) -> bytes:
    return ssi.packet(ssi.DECODE_DATA, data, source=0, status=status)


def test_the_packets_of_the_guide() -> None:
    # Simple Serial Interface Programmer's Guide 72E-40451: CMD_ACK and CMD_NAK (RESEND) from the host.
    assert bytes.fromhex("04 D0 04 00 FF 28") == ssi.ACK
    assert bytes.fromhex("05 D1 04 00 01 FF 25") == ssi.NAK_RESEND
    assert ssi.packet(0xE4) == bytes.fromhex("04 E4 04 00 FF 14")


def test_a_packet_that_is_too_long() -> None:
    assert len(ssi.packet(ssi.DECODE_DATA, bytes(251))) == 257
    with pytest.raises(ValueError, match="at most 251 bytes"):
        ssi.packet(ssi.DECODE_DATA, bytes(252))


@given(st.lists(st.binary(max_size=60), max_size=5), st.binary(max_size=20), st.data())
def test_cut_anywhere_the_packets_are_the_same(datas: list[bytes], noise: bytes, data: st.DataObject) -> None:
    stream = b"".join(scan(each) for each in datas) + noise
    whole = ssi.PacketReader().feed(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reader = ssi.PacketReader()
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [one for piece in pieces for one in reader.feed(piece)] == whole
    assert [one.data for one in whole[: len(datas)] if isinstance(one, ssi.Packet)] == datas


@given(st.binary(max_size=300))
def test_any_stream_never_crashes_and_always_recovers(noise: bytes) -> None:
    line = build_line(LineProtocol.SSI, FrameShape())
    line.feed(noise)
    while line.unfinished:
        line.gap()
    taken = line.feed(scan(EAN))
    assert taken.frames == [bytearray(b"]E04006381333931")]
    assert taken.reply == ssi.ACK


def test_damaged_then_sent_again_is_one_scan_and_no_error() -> None:
    line = build_line(LineProtocol.SSI, FrameShape())
    damaged = bytearray(scan(EAN))
    damaged[7] ^= 1
    assert line.feed(bytes(damaged)) == ([], ssi.NAK_RESEND)
    assert line.unfinished
    assert line.feed(scan(EAN, status=1)) == ([bytearray(b"]E04006381333931")], ssi.ACK)
    assert not line.unfinished


def test_damaged_and_never_sent_again_is_an_error() -> None:
    line = build_line(LineProtocol.SSI, FrameShape())
    assert line.feed(scan(EAN)[:9]) == ([], b"")
    assert line.gap() == ([], ssi.NAK_RESEND)
    assert line.gap() == ([FrameError(FrameFault.CUT)], b"")
    assert not line.unfinished


def test_sent_again_because_our_ack_was_lost_counts_once() -> None:
    line = build_line(LineProtocol.SSI, FrameShape())
    assert len(line.feed(scan(EAN)).frames) == 1
    assert line.feed(scan(EAN, status=1)) == ([], ssi.ACK)
    assert len(line.feed(scan(EAN)).frames) == 1, "scanned again on purpose"


def test_a_long_scan_in_several_packets() -> None:
    line = build_line(LineProtocol.SSI, FrameShape())
    assert line.feed(scan(b"\x1c" + b"a" * 100, status=2)) == ([], ssi.ACK)
    assert line.feed(scan(b"\x1c" + b"b" * 10)).frames == [bytearray(b"]Q1" + b"a" * 100 + b"b" * 10)]


def test_later_packets_may_come_without_the_symbology() -> None:
    line = build_line(LineProtocol.SSI, FrameShape())
    assert line.feed(scan(b"\x1c" + b"a" * 100, status=2)) == ([], ssi.ACK)
    assert line.feed(scan(b"b" * 10, status=2)) == ([], ssi.ACK)
    assert line.feed(scan(b"c")).frames == [bytearray(b"]Q1" + b"a" * 100 + b"b" * 10 + b"c")]


@pytest.mark.parametrize(
    ("number", "aim"),
    [
        (0x01, b"]A0"),
        (0x03, b"]C0"),
        (0x0A, b"]E4"),
        (0x0F, b"]C1"),
        (0x1B, b"]d0"),
        (0x1C, b"]Q1"),
        (0x24, b"]e0"),
        (0x77, b""),
    ],
)
def test_symbologies_become_aim_identifiers(number: int, aim: bytes) -> None:
    line = build_line(LineProtocol.SSI, FrameShape())
    assert line.feed(scan(bytes([number]) + b"ABC")).frames == [bytearray(aim + b"ABC")]


def test_a_scanner_that_sends_its_own_aim_identifier() -> None:
    line = build_line(LineProtocol.SSI, FrameShape())
    assert line.feed(scan(b"\x1c]Q3abc")).frames == [bytearray(b"]Q3abc")]


def test_repr_shows_no_data() -> None:
    assert "4006" not in repr(ssi.PacketReader().feed(scan(EAN)))
