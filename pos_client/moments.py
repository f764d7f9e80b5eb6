"""Moments as commands and the doctor say them: to people in the shop's time zone; to programs in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload
from zoneinfo import ZoneInfo

from pos_client.config import Config


def minutes(at_ms: int | None, config: Config) -> str:
    """A moment (Unix ms UTC) for people; "never" for None."""
    return "never" if at_ms is None else local(_at(at_ms), config)


def local(at: datetime, config: Config) -> str:
    """A moment for people: day and minute."""
    return f"{at.astimezone(ZoneInfo(config.till.time_zone)):%d-%m-%Y %H:%M}"


@overload
def iso(at_ms: int) -> str: ...
@overload
def iso(at_ms: None) -> None: ...
def iso(at_ms: int | None) -> str | None:
    """A moment (Unix ms UTC) for programs."""
    return None if at_ms is None else _at(at_ms).isoformat()


def _at(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
