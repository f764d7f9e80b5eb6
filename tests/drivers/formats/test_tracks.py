"""Tracks out of what a reader types: golden vectors, faults, and any text at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.formats.tracks import TrackError, TrackFault, Tracks, lone_track, looks_like_swipe, lrc, parse


# Vectors worked out by hand from ISO/IEC 7811-6: XOR of the characters less 0x20 (track 1) or 0x30 (tracks 2 and 3).
@pytest.mark.parametrize(
    ("track", "number", "check"), [(";0001234567?", 2, "4"), ("%L6035123456789012^DOE/JANE?", 1, "K")]
)
def test_lrc_vectors(track: str, number: int, check: str) -> None:
    assert lrc(track, number) == check  # type: ignore[arg-type]
    read = parse(track + check)
    assert read.errors == ()
    assert [data for _, data in read.present()] == [track[1:-1]]


def test_three_tracks() -> None:
    assert parse("%L123^DOE/JANE?;123=99?+456?") == Tracks("L123^DOE/JANE", "123=99", "456")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (";123?", Tracks(None, "123")),
        ("@123?", Tracks(None, "123")),
        ("+123?", Tracks(None, None, "123")),
        ("#123?", Tracks(None, None, "123")),
        ("&123?", Tracks(None, None, "123")),
        (";123?;456?", Tracks(None, "123", "456")),
        ("%E?;123?", Tracks(None, "123", None, (TrackError(1, TrackFault.UNREADABLE),))),
        (
            "%A?;E?+E?",
            Tracks("A", None, None, (TrackError(2, TrackFault.UNREADABLE), TrackError(3, TrackFault.UNREADABLE))),
        ),
        ("%ABC", Tracks(errors=(TrackError(1, TrackFault.NO_END),))),
        (";12A?", Tracks(errors=(TrackError(2, TrackFault.ALPHABET),))),
        (";" + "1" * 38 + "?", Tracks(errors=(TrackError(2, TrackFault.TOO_LONG),))),
        (";0001234567?5", Tracks(errors=(TrackError(2, TrackFault.LRC),))),
        ("xyz", Tracks(errors=(TrackError(0, TrackFault.STRAY),))),
        ("%A?%B?", Tracks("A", errors=(TrackError(1, TrackFault.STRAY),))),
        ("", Tracks()),
    ],
)
def test_variants_and_faults(text: str, expected: Tracks) -> None:
    assert parse(text) == expected


# Seven-bit tracks hold track 1's alphabet; their LRC is over `%` as encoded, or over `;` where `@` stands for that.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#DLNAME/X?", Tracks(None, None, "DLNAME/X")),
        ("@AB12?", Tracks(None, "AB12")),
        ("&AB12?", Tracks(None, None, "AB12")),
        ("#AB?" + lrc("%AB?", 1), Tracks(None, None, "AB")),
        ("@12?" + lrc("%12?", 1), Tracks(None, "12")),
        ("@12?" + lrc(";12?", 2), Tracks(None, "12")),
        ("+AB?", Tracks(errors=(TrackError(3, TrackFault.ALPHABET),))),
        ("#ab?", Tracks(errors=(TrackError(3, TrackFault.ALPHABET),))),
    ],
)
def test_aamva_and_seven_bit_tracks(text: str, expected: Tracks) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("line", "after", "number"),
    [
        (b"%A?", 0, 1),
        (b"%A?K", 0, 1),
        (b";1?", 0, 2),
        (b";1?", 1, 2),
        (b";1?", 2, 3),
        (b"+1?", 0, 3),
        (b"%?", 0, 0),
        (b"%A?;1?", 0, 0),
        (b"A?", 0, 0),
        (b"%A", 0, 0),
        (b"%" + b"A" * 200 + b"?", 0, 0),
        (b"", 0, 0),
    ],
)
def test_lone_tracks(line: bytes, after: int, number: int) -> None:
    assert lone_track(line, after) == number


def test_longest_tracks_fit() -> None:
    # ISO/IEC 7811-6: 79, 40 and 107 characters with both sentinels and the LRC.
    read = parse("%" + "A" * 76 + "?;" + "1" * 37 + "?+" + "2" * 104 + "?")
    assert read.errors == ()
    assert len(read.present()) == 3


DIGITS = st.text("0123456789=", min_size=1, max_size=37)
NAMES = st.text("ABCDEFGHIJ0123456789^/ ", min_size=2, max_size=76).filter(lambda text: text != "E")


@given(st.none() | NAMES, st.none() | DIGITS, st.none() | DIGITS, st.booleans())
def test_what_was_written_is_read(one: str | None, two: str | None, three: str | None, with_lrc: bool) -> None:
    text = ""
    for number, start, on_card, data in ((1, "%", "%", one), (2, ";", ";", two), (3, "+", ";", three)):
        if data is not None:
            check = lrc(f"{on_card}{data}?", number) if with_lrc else ""  # type: ignore[arg-type]
            text += f"{start}{data}?{check}"
    assert parse(text) == Tracks(one, two, three)


@given(st.text("%;+#&@?E=^0123456789AB", max_size=150) | st.text(max_size=50))
def test_any_text_is_read_without_raising(text: str) -> None:
    read = parse(text)
    assert text == "" or read.present() or read.errors


def test_repr_shows_no_number() -> None:
    shown = repr(parse("%L6035123456789012^DOE/JANE?;6035123456789012?"))
    assert "6035" not in shown
    assert "…9012" in shown


@pytest.mark.parametrize("text", ["%A", ";1", "%", "+1?", "1234=5678?", "1111?4", "=12?"])
def test_swipes_and_their_tails(text: str) -> None:
    assert looks_like_swipe(text)


@pytest.mark.parametrize("text", ["", "123", "+31201234567", "https://example.com/?q=1", "]E0", "really?"])
def test_not_swipes(text: str) -> None:
    assert not looks_like_swipe(text)
