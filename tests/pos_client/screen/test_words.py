"""Amounts, points and times as people say them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.offline import Mode, Reason, Verdict
from pos_client.screen.words import NOTICES, REASONS, Words

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NL, EN = Words("nl", AMSTERDAM), Words("en", AMSTERDAM)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=AMSTERDAM).timestamp() * 1000)


def test_points_and_signs() -> None:
    assert (NL.points(1284), EN.points(1284)) == ("1.284", "1,284")
    assert (NL.signed(34), NL.signed(-250), NL.signed(0)) == ("+\u202f34", "−\u202f250", "+\u202f0")


def test_money() -> None:
    assert (NL.money(2340, "EUR"), EN.money(2340, "EUR")) == ("€\xa023,40", "€23.40")
    assert NL.money(-250, "EUR") == "−\u202f€\xa02,50"
    assert NL.money(1500, "JPY") == "JP¥\xa01.500"  # ISO 4217: the yen has no minor unit


@given(st.integers(-100_000_000, 100_000_000))
def test_no_cent_is_lost_in_money(minor: int) -> None:
    digits = int(re.sub(r"[^0-9]", "", NL.money(minor, "EUR")))
    assert digits == abs(minor)
    assert NL.money(minor, "EUR").startswith("−") == (minor < 0)


def test_quantities() -> None:
    assert (NL.quantity(3000), NL.quantity(347), EN.quantity(347), NL.quantity(12_000)) == ("3", "0,347", "0.347", "12")
    assert NL.quantity(-1000) == "-1"


@pytest.mark.parametrize(
    ("then", "now", "dutch", "english"),
    [
        ("2026-11-21 14:02", "2026-11-21 14:03", "14:02", "14:02"),
        ("2026-11-21 00:00", "2026-11-21 23:59", "00:00", "00:00"),
        ("2026-11-20 23:59", "2026-11-21 00:01", "gisteren 23:59", "yesterday 23:59"),
        ("2026-11-17 09:30", "2026-11-21 14:03", "17 nov 2026", "17 Nov 2026"),
        ("2025-12-31 23:00", "2026-01-01 08:00", "gisteren 23:00", "yesterday 23:00"),
    ],
)
def test_moments(then: str, now: str, dutch: str, english: str) -> None:
    assert (NL.moment(at(then), at(now)), EN.moment(at(then), at(now))) == (dutch, english)


def test_time_is_the_shops_not_the_machines() -> None:
    noon = int(datetime(2026, 7, 1, 12, 0, tzinfo=UTC).timestamp() * 1000)
    assert NL.time(noon) == "14:00"
    assert Words("nl", ZoneInfo("Europe/London")).time(noon) == "13:00"


@pytest.mark.parametrize(
    ("verdict", "dutch", "english"),
    [
        (Verdict(True, 1200, 0, Reason.BALANCE, Mode.ONLINE), "", ""),
        (
            Verdict(True, 1200, 0, Reason.CARD_CAP, Mode.CAPPED),
            "zonder hoofdkantoor: tot 1.200 punten",
            "without head office: up to 1,200 points",
        ),
        (
            Verdict(True, 300, 0, Reason.LEASE_SHORT, Mode.LEASE),
            "zonder hoofdkantoor: 300 punten gereserveerd op deze kassa",
            "without head office: 300 points set aside at this till",
        ),
        (
            Verdict(False, 0, 0, Reason.POLICY_NEVER, Mode.NEVER),
            "zonder hoofdkantoor: geen beloningen",
            "without head office: no rewards",
        ),
        (Verdict(False, 0, 0, Reason.CARD_BLOCKED, Mode.NEVER), "", ""),
    ],
)
def test_on_whose_word(verdict: Verdict, dutch: str, english: str) -> None:
    assert (NL.alone(verdict), EN.alone(verdict)) == (dutch, english)


def test_every_sentence_is_translated() -> None:
    for _mood, text in NOTICES.values():
        assert NL.translate(text) != text
    for text in REASONS.values():
        assert NL.translate(text) != text
