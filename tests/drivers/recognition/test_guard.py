"""The payment guard: our cards, bank cards, and neither, in that order."""

from __future__ import annotations

import pytest
from biip.checksums import gs1_standard_check_digit
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import BadDeviceSettings
from drivers.recognition.guard import (
    PAYMENT_RANGES,
    CardPattern,
    check_patterns,
    classify_digits,
    classify_scan,
    luhn_valid,
    match_loyalty,
)

# Published test numbers of the card schemes; they pass Luhn and belong to nobody.
TEST_CARDS = ["4111111111111111", "5555555555554444", "2223003122003222", "378282246310005", "6011111111111117"]
TEST_CARDS += ["3530111333300000", "30569309025904", "38520000023237", "6200000000000005", "6759649826438453"]


@pytest.mark.parametrize("pan", TEST_CARDS)
def test_bank_card_in_every_dress(pan: str, patterns: tuple[CardPattern, ...]) -> None:
    grouped = " ".join(pan[at : at + 4] for at in range(0, len(pan), 4))
    for text in (
        pan,
        grouped,
        grouped.replace(" ", "-"),
        f";{pan}?",
        f";{pan}=26012011234?",
        f"%B{pan}^DOE/JANE^26012011234?",
        f"+01{pan}=724724?",
        f"https://example.com/?card={pan}&x=1",
        f"card {grouped}.",
    ):
        assert classify_digits(text, patterns) == "payment", f"case {text.replace(pan, '<pan>')!r}"


def test_track_2_with_expiry_is_payment_even_where_luhn_fails(patterns: tuple[CardPattern, ...]) -> None:
    assert not luhn_valid("4111111111111112")
    assert classify_digits(";4111111111111112=26012011234?", patterns) == "payment"


def test_our_own_format_comes_first() -> None:
    number = next(f"980000000000000{digit}" for digit in range(10) if luhn_valid(f"980000000000000{digit}"))
    ours = [CardPattern("club", "98", 16)]
    assert classify_digits(number, ours) == "loyalty"
    assert classify_digits(f"%B{number}^DOE/JANE^26012011234?", ours) == "loyalty"
    assert classify_digits(number, []) == "payment"


def test_format_code_binds_track_1_alone(patterns: tuple[CardPattern, ...]) -> None:
    assert match_loyalty("%L9876000000000001^X/Y?", patterns) == "9876000000000001"
    assert match_loyalty("%K9876000000000001^X/Y?", patterns) is None
    assert match_loyalty(";9876000000000001?", patterns) == "9876000000000001"


@pytest.mark.parametrize(
    "text", ["", "A", "hello", "123456", "2800000000", ";123?", "S1.k7.57600123.04711815", "€é", "²"]
)
def test_neither(text: str, patterns: tuple[CardPattern, ...]) -> None:
    assert classify_digits(text, patterns) == "unknown"


def test_article_number_that_passes_luhn_is_no_card() -> None:
    # Found by search: valid by GS1 General Specifications 7.9 and by Luhn at once.
    both = "4000000000006"
    assert luhn_valid(both)
    assert classify_scan(both, "]E0", []) == "unknown"
    assert classify_scan(both, None, []) == "payment"
    assert classify_scan(both, "]C0", []) == "payment"


def test_ean_symbology_excuses_nothing_that_is_no_ean() -> None:
    assert classify_scan("4222222222222", "]E0", []) == "payment", "13 digits, GS1 check digit wrong"
    assert classify_scan("378282246310005", "]E3", []) == "payment"
    assert classify_scan("4111111111111111", "]E0", []) == "payment"


# The GS1 company prefix 871234567 is nobody's; all keys have valid check digits (GS1 General Specifications 7.9).
@pytest.mark.parametrize("points", range(0, 200, 7))
def test_coupons_in_gs1_128_are_product_data(points: int) -> None:
    body = f"87123456{points:04}"
    coupon = f"255{body}{gs1_standard_check_digit(body)}"
    for text in (coupon, f"{coupon}\x1d8111{points:04}", f"{coupon}123456789012\x1d3902{points + 1}"):
        assert classify_scan(text, "]C1", []) == "unknown", text
    # Without the identifier a coupon of 16 digits is as good as a card of 16 digits.
    assert classify_scan(coupon, None, []) == ("payment" if luhn_valid(coupon) else "unknown")


@given(st.integers(0, 10**17 - 1))
def test_memberships_are_product_data(number: int) -> None:
    body = f"{number:017}"
    gsrn = f"{body}{gs1_standard_check_digit(body)}"
    assert classify_scan(f"8018{gsrn}", "]C1", []) == "unknown"
    assert classify_scan(f"https://id.gs1.org/8018/{gsrn}", "]Q1", []) == "unknown"
    assert classify_scan(f"8018{gsrn}", None, []) == "unknown", "22 digits: longer than any account number"


@pytest.mark.parametrize("pan", TEST_CARDS)
def test_gs1_dress_excuses_no_bank_card(pan: str) -> None:
    ours = "01087123456789068"[:16]
    for text, aim in (
        (pan, "]C1"),
        (pan, "]e0"),
        (pan, "]E3"),
        (pan, "]I1"),
        (f"{ours}10{pan}", "]C1"),
        (f"{ours}21{pan}\x1d9912", "]d2"),
        (f"10{pan}", "]C1"),
        (f"https://id.gs1.org/01/08712345678906/10/{pan}", "]Q1"),
        (f"https://id.gs1.org/01/08712345678906?21={pan}", "]Q3"),
    ):
        if len(pan) > 14 or aim != "]I1":
            assert classify_scan(text, aim, []) == "payment", f"case {aim} {text.replace(pan, '<pan>')!r}"


def test_magazines_with_add_ons_are_product_data() -> None:
    for number in range(100):
        body = f"9771234567{number:02}"
        assert classify_scan(f"{body}{gs1_standard_check_digit(body)}12345", "]E3", []) == "unknown"


@pytest.mark.parametrize("size", [20, 22, 24, 30])
def test_longer_numbers_than_any_card_are_no_cards(size: int) -> None:
    for number in range(50):
        assert classify_scan(f"4{number}".ljust(size, "1"), "]C0", []) == "unknown"


def test_a_card_with_its_date_behind_it_in_groups() -> None:
    for text in ("4111 1111 1111 1111 1226", "12 26 4111-1111-1111-1111", "nr 4111 1111 1111 1111 12 26"):
        assert classify_digits(text, []) == "payment"
    assert classify_digits("ş4111111111111111-26012011234:", []) == "payment", "a Turkish keyboard's track 2"


@given(st.sampled_from(PAYMENT_RANGES), st.integers(0, 10**9), st.integers(0, 6))
def test_a_prefix_that_can_reach_a_payment_range_is_refused(span: tuple[str, str, str], tail: int, longer: int) -> None:
    first, last, _ = span
    inside = str(int(first) + tail % (int(last) - int(first) + 1))
    for prefix in (inside + str(tail)[:longer], inside[:1]):
        with pytest.raises(BadDeviceSettings) as refused:
            check_patterns([CardPattern("club", prefix, 16)])
        assert repr(prefix) in str(refused.value)
        assert "range" in str(refused.value)
        assert "choose" in str(refused.value)


def test_good_prefixes_pass() -> None:
    check_patterns(
        [CardPattern(p, p, 13) for p in ("20", "21", "2220", "2721", "28", "29", "9", "0", "SP", "4X", "3501")]
    )


@pytest.mark.parametrize(("prefix", "length"), [("", 10), ("é", 10), ("28 ", 10), ("2800", 3)])
def test_patterns_that_make_no_sense(prefix: str, length: int) -> None:
    with pytest.raises(BadDeviceSettings, match="expected"):
        check_patterns([CardPattern("club", prefix, length)])


@given(st.text(max_size=60))
def test_never_raises(text: str) -> None:
    assert classify_digits(text, []) in ("payment", "unknown")
    assert classify_scan(text, "]E0", []) in ("payment", "unknown")
