"""What the list of printer models says: a model that is not there, or that is too narrow for what is laid out."""

from __future__ import annotations

import pytest

from drivers.errors import BadDeviceSettings
from drivers.printing.models import check_profile


@pytest.mark.parametrize(
    ("profile", "columns"),
    [
        ("default", 48),  # of no width in particular
        ("TM-T88III", 42),
        ("TM-T20II", 48),
        ("POS-5890", 32),
        ("NT-80-V-UL", 48),  # the list says 12 characters and 576 dots
        ("RP326", 48),  # the list does not know its dots
    ],
)
def test_a_model_that_is_wide_enough(profile: str, columns: int) -> None:
    check_profile(profile, columns)


@pytest.mark.parametrize(
    ("profile", "columns", "fit"), [("POS-5890", 42, 32), ("TM-T88III", 48, 42), ("AF-240", 32, 20)]
)
def test_a_model_that_is_too_narrow(profile: str, columns: int, fit: int) -> None:
    with pytest.raises(BadDeviceSettings, match=f"expected at most {fit} columns.*{profile}.*got {columns}"):
        check_profile(profile, columns)


def test_a_model_that_is_not_there_and_the_one_that_is_nearest() -> None:
    with pytest.raises(BadDeviceSettings, match=r"got 'TM-T88VI'.*nearest known is 'TM-T88V'"):
        check_profile("TM-T88VI", 42)
    with pytest.raises(BadDeviceSettings, match=r"got 'Gutenberg 1450'.*leave it out"):
        check_profile("Gutenberg 1450", 42)
