"""People read the shop's own time, whatever the machine's; programs read UTC."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from pos_client.config import Config
from pos_client.moments import iso, local, minutes

AT = datetime(2026, 7, 1, 22, 5, 9, tzinfo=UTC)
AT_MS = int(AT.timestamp() * 1000)


@pytest.fixture(autouse=True)
def elsewhere() -> Iterator[None]:
    """A machine that was left on another time zone than its shop's."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "America/New_York"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize(
    ("zone", "said"), [("Europe/Amsterdam", "02-07-2026 00:05"), ("America/Curacao", "01-07-2026 18:05")]
)
def test_people_read_the_shops_time(zone: str, said: str) -> None:
    config = Config.model_validate({"till": {"time_zone": zone}})
    assert minutes(AT_MS, config) == local(AT, config) == said
    assert minutes(None, config) == "never"


def test_programs_read_utc() -> None:
    assert iso(AT_MS) == "2026-07-01T22:05:09+00:00"
    assert iso(None) is None
