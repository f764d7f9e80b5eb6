"""The payment guard: our cards, bank cards, and neither, in that order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import BadDeviceSettings
from drivers.guard import (
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
