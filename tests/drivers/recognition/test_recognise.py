"""Frames, symbols and typed numbers become events: what is delivered, what is refused, what is an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import BadDeviceSettings
from drivers.events import DataEvent, ErrorEvent, Event, PaymentCardRefused
from drivers.formats.framing import FrameError, Framer, FrameShape
from drivers.formats.gs1 import LabelKind
from drivers.formats.layouts import LAYOUTS, typed_as
from drivers.formats.swipes import SwipeFramer
from drivers.formats.tracks import TrackError, TrackFault, lrc
from drivers.recognition.guard import CardPattern, luhn_valid
from drivers.recognition.reader import ReaderSettings
from drivers.recognition.recognise import frame_error_event, recognise_frame, recognise_typed

GSRN = "871234567890123451"
PATTERNS = (
    CardPattern("paper card", "28", 13),
    CardPattern("plastic card", "SP", 10),
    CardPattern("stripe card", "9876", 16),
    CardPattern("membership", "8712345", 18),
)


def frame(text: str, reader: ReaderSettings | None = None, patterns: tuple[CardPattern, ...] = PATTERNS) -> Event:
    settings = {} if reader is None else {"reader": reader}
    return recognise_frame("x", bytearray(text.encode()), patterns, 7, **settings)


def data(event: Event) -> DataEvent:
    assert isinstance(event, DataEvent), repr(event)
    return event


@pytest.mark.parametrize(
    "text",
    [
        f"]C18018{GSRN}",
        f"]C18018{GSRN}\x1d80191",
        f"]d28018{GSRN}",
        f"8018{GSRN}",
        f"]Q1https://id.gs1.org/8018/{GSRN}",
        f"]Q3https://id.gs1.org/8018/{GSRN}/8019/2",
        f"https://shop.example/kaart/8018/{GSRN}?lang=nl",
    ],
)
def test_a_membership_number_is_the_label(text: str) -> None:
    event = data(frame(text))
    assert event.scan_data_label == GSRN
    assert event.gs1 is not None
    assert event.gs1.kind is LabelKind.MEMBERSHIP
    assert event.scan_data in text.encode(), "the data is as received"


def test_a_membership_of_another_shop_stays_as_it_came() -> None:
    event = data(frame(f"]Q1https://id.gs1.org/8018/{GSRN}", patterns=()))
    assert event.scan_data_label == f"https://id.gs1.org/8018/{GSRN}"
    assert event.gs1 is not None
    assert event.gs1.key == GSRN


def test_a_loyalty_number_under_a_companys_own_identifier() -> None:
    event = data(frame("]C1918712345\x1d972800000000015"))
    assert event.scan_data_label == "2800000000015"


def test_articles_and_coupons_say_what_they_are() -> None:
    assert [
        data(frame(text)).gs1.kind  # type: ignore[union-attr]
        for text in ("]E04006381333931", "]E02910000000017", "]C12558712345678906\x1d81110100", "]E09801234567892")
    ] == [LabelKind.ARTICLE, LabelKind.RESTRICTED, LabelKind.COUPON, LabelKind.REFUND]
    assert data(frame("]C0HELLO")).gs1 is None


@pytest.mark.parametrize("text", ["]F0A2800000000015B", "]F02800000000015", "]A0SP12345678", "]I02800000000015"])
def test_cards_in_other_symbologies(text: str) -> None:
    assert data(frame(text)).scan_data_label in ("2800000000015", "SP12345678")


def test_codabar_hides_no_bank_card() -> None:
    assert isinstance(frame("]F0A500000000009B"), PaymentCardRefused)
    assert data(frame("]F0A1234B")).scan_data_label == "A1234B"


def test_good_tracks_are_delivered_beside_one_at_fault() -> None:
    for text, fault in (("%E?;123?", TrackFault.UNREADABLE), ("%A?Z;123?", TrackFault.LRC)):
        event = data(frame(text))
        assert event.scan_data_label == "123"
        assert event.tracks is not None
        assert (event.tracks.track2, event.tracks.errors) == ("123", (TrackError(1, fault),))
        assert event.scan_data == b"123", "what came of the other track is dropped"


@pytest.mark.parametrize("text", ["%E?;E?", ";123?9", "%ABC", "%A?xyz", ";12A?"])
def test_no_good_track_is_an_error(text: str) -> None:
    event = frame(text)
    assert isinstance(event, ErrorEvent)
    assert event.code == "unreadable-swipe"


def test_a_track_2_of_ours_alone_with_and_without_lrc() -> None:
    number = "9876000000000001"
    for end in ("", lrc(f";{number}?", 2)):
        assert data(frame(f";{number}?{end}")).scan_data_label == number


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (ReaderSettings(prefix="~", suffix="#"), "~]E02800000000015#"),
        (ReaderSettings(prefix="SCAN:"), "SCAN:]E02800000000015"),
        # A prefix that an input method swallowed takes the scan with it nowhere.
        (ReaderSettings(prefix="SCAN:"), "]E02800000000015"),
        (ReaderSettings(track_prefix="T", track_suffix="/"), "T%A?/T;2800000000015?/"),
        (ReaderSettings(track_suffix="/"), "%A?!/;2800000000015?" + lrc(";2800000000015?", 2) + "/"),
        (ReaderSettings(prefix="<", suffix=">", track_prefix="!"), "<!%A?!;2800000000015?>"),
    ],
)
def test_what_a_reader_adds_is_taken_off(settings: ReaderSettings, text: str) -> None:
    event = data(frame(text, settings))
    assert event.scan_data_label == "2800000000015"
    if event.tracks is not None and not event.tracks.errors:
        assert event.tracks.track1 == "A"


def test_reader_settings_that_cannot_work() -> None:
    for wrong in ({"prefix": "x" * 17}, {"track_prefix": "%"}, {"track_suffix": "a?"}, {"layout": "xx"}):
        with pytest.raises(BadDeviceSettings, match="expected"):
            ReaderSettings(**wrong)


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
@pytest.mark.parametrize(
    "text", ["]E02800000000015", "%L9876000000000001^DE VRIES/A?;9876000000000001=99?", ";2800000000015?", "SP12345678"]
)
def test_cards_through_every_layout(layout: str, text: str) -> None:
    settings = ReaderSettings(layout=layout)
    direct, through = data(frame(text)), data(frame(typed_as(text, layout), settings))
    assert (through.scan_data_label, through.aim, through.tracks) == (direct.scan_data_label, direct.aim, direct.tracks)


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
@pytest.mark.parametrize(
    "text", ["%B4111111111111111^DOE/JANE^26012011234?;4111111111111111=26012011234?", ";4111111111111111=26012011234?"]
)
@pytest.mark.parametrize("known", [True, False])
def test_bank_cards_through_every_layout(layout: str, text: str, known: bool) -> None:
    # Refused also where the configuration does not know of the layout.
    settings = ReaderSettings(layout=layout) if known else None
    event = frame(typed_as(text, layout), settings)
    assert isinstance(event, PaymentCardRefused | ErrorEvent), repr(event)
    assert not known or isinstance(event, PaymentCardRefused)


# -- typed ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["2800000000015", " 28 0000000001-5 ", "280-0000-0000-15"])
def test_typed_loyalty_number(text: str) -> None:
    event = data(recognise_typed("field", text, PATTERNS, 7))
    assert (event.kind, event.scan_data_label, event.device, event.received_at) == (
        "typed",
        "2800000000015",
        "field",
        7,
    )


def test_typed_small_letters_are_capitals() -> None:
    assert data(recognise_typed("field", "sp12345678", PATTERNS, 0)).scan_data_label == "SP12345678"


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111/1111/1111/1111",
        "4111  1111\t1111 1111",
        "4111\u00a01111\u00a01111\u00a01111",
        "４１１１１１１１１１１１１１１１",
        "٤١١١١١١١١١١١١١١١",
        "4111\u200b1111\u200b1111\u200b1111",
        "4\x001\x001\x001\x001\x001\x001\x001\x001\x001\x001\x001\x001\x001\x001\x001",
        "card: 4111 1111 1111 1111, 12/26",
        "4111 1111 1111 1111 1226",
        "378282246310005",
        "%B4111111111111111^DOE/JANE^26012011234?",
        "%b4111111111111112^doe/jane^26012011234?",
        "]C04111111111111111",
    ],
)
def test_typed_bank_card_is_refused_however_it_is_written(text: str) -> None:
    event = recognise_typed("field", text, PATTERNS, 0)
    assert isinstance(event, PaymentCardRefused)
    assert "1111" not in repr(event)


def test_typed_nothing_and_too_much() -> None:
    assert recognise_typed("field", " ", PATTERNS, 0) == ErrorEvent(
        "field", "empty", "nothing was typed: type the number on the card"
    )
    event = recognise_typed("field", "1" * 10_000, PATTERNS, 0)
    assert isinstance(event, ErrorEvent)
    assert event.code == "too-long"


def test_a_reader_may_type_into_the_field() -> None:
    assert data(recognise_typed("field", "]E02800000000015", PATTERNS, 0)).scan_data_type == "EAN-13"
    assert data(recognise_typed("field", ";2800000000015?", PATTERNS, 0)).kind == "swipe"
    azerty = ReaderSettings(layout="be-azerty")
    assert data(recognise_typed("field", "àà'HA\"", PATTERNS, 0, azerty)).scan_data_label == "004HQ3"


@given(st.text(max_size=60))
def test_typed_text_never_raises(text: str) -> None:
    event = recognise_typed("field", text, PATTERNS, 0)
    assert not isinstance(event, ErrorEvent) or event.code != "internal"


@given(st.binary(max_size=80), st.sampled_from(sorted(LAYOUTS)))
def test_any_frame_never_raises(frame_bytes: bytes, layout: str) -> None:
    event = recognise_frame("x", bytearray(frame_bytes), PATTERNS, 0, reader=ReaderSettings(layout=layout))
    assert not isinstance(event, ErrorEvent) or event.code != "internal"
    if isinstance(event, DataEvent) and event.scan_data_label.isdigit() and len(event.scan_data_label) == 16:
        assert not luhn_valid(event.scan_data_label) or event.scan_data_label.startswith("9876")


# -- any stream -------------------------------------------------------------------------------------------------------

BANK_PIECES = ["4111111111111111", "%B", "=26012011234", "4111 1111", "4111-1111-1111-1111"]
OUR_PIECES = ["%LX^Y?", "2800000000015", ";2800000000015?", "4006381333931", "8018", "https://id.gs1.org/8018/"]
MARKS = [";", "?", "\r", "\n", "\x02", "\x03", "\x1d", "]E0", "]C0", "]C1", "^"]
PIECES = st.sampled_from(BANK_PIECES + OUR_PIECES + MARKS)
STREAMS = st.lists(PIECES | st.text(max_size=3), max_size=20).map(lambda parts: "".join(parts).encode())


def events_of(framer: Framer | SwipeFramer, pieces: Iterable[bytes]) -> list[Event]:
    frames = [found for piece in pieces for found in framer.feed(piece)] + framer.finish()
    return [
        frame_error_event("x", each) if isinstance(each, FrameError) else recognise_frame("x", each, PATTERNS, 7)
        for each in frames
    ]


@pytest.mark.parametrize("make", [Framer, SwipeFramer, lambda: Framer(shape=FrameShape(b"]", b"\r\n"))])
@given(stream=STREAMS, cuts=st.lists(st.integers(0, 200), max_size=6))
def test_one_piece_or_byte_by_byte_gives_the_same_events(
    make: Callable[[], Framer | SwipeFramer], stream: bytes, cuts: list[int]
) -> None:
    whole = events_of(make(), [stream])
    edges = [0, *sorted(cuts), len(stream)]
    assert events_of(make(), [stream[a:b] for a, b in pairwise(edges)]) == whole
    assert events_of(make(), [bytes([byte]) for byte in stream]) == whole
    for event in whole:
        assert not isinstance(event, ErrorEvent) or event.code != "internal"
        if isinstance(event, DataEvent):
            # Longer than 19 digits without a break is no card: docs/decisions/002.
            for run in re.findall("[0-9]+", event.scan_data_label + " " + event.scan_data.decode(errors="replace")):
                assert run != "4111111111111111"


@given(st.lists(st.integers(0, 10**12 - 1), max_size=12), st.lists(st.integers(0, 200), max_size=6))
def test_two_scans_never_join(numbers: list[int], cuts: list[int]) -> None:
    sent = [f"X{number}" for number in numbers]
    stream = "".join(f"]C0{text}\r\n" for text in sent).encode()
    edges = [0, *sorted(cuts), len(stream)]
    found = events_of(Framer(), [stream[a:b] for a, b in pairwise(edges)])
    assert [data(event).scan_data_label for event in found] == sent
