"""A day over its hours: points issued and spent against what the weekday usually has, and how long the queue was."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sync.store import Store

WEEKS = 4
"""Weeks that a weekday's mean is made of: enough to even out one odd day, few enough to follow the season."""
STEP_MIN = 15
"""Minutes between two points of the queue's line."""

_MADE = "json_extract(CAST(raw AS TEXT), '$.clock.wall_ms')"


@dataclass(frozen=True, slots=True)
class Hour:
    """Points of one hour; `usual_*` is the mean of the same weekday, None when there was none in the last weeks."""

    hour: int
    issued: int
    spent: int
    usual_issued: int | None
    usual_spent: int | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Entries that head office did not have, at a moment (Unix ms UTC)."""

    at_ms: int
    entries: int


def hours(store: Store, zone: ZoneInfo, day: date) -> list[Hour]:
    """Each hour from the first to the last in which anything happened, on `day` or usually; empty when never.

    Hours go by the clock on the wall in `zone`. What a void takes back counts in the hour of the void.
    """
    before = [day - timedelta(weeks=week) for week in range(1, WEEKS + 1)]
    days = [day, *before]
    marks = ", ".join("?" * len(days))
    rows = store.rows(
        f"SELECT business_date, {_MADE}, earned, spent FROM journal "  # noqa: S608
        f"WHERE business_date IN ({marks}) AND kind <> 'resolution'",
        tuple(each.isoformat() for each in days),
    )
    issued: dict[tuple[str, int], int] = {}
    spent: dict[tuple[str, int], int] = {}
    for on, at_ms, earned, given in rows:
        key = (on, datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone).hour)
        issued[key] = issued.get(key, 0) + earned
        spent[key] = spent.get(key, 0) + given
    open_days = [each.isoformat() for each in before if any(on == each.isoformat() for on, _ in issued)]
    seen = {hour for _, hour in issued}

    def mean(of: dict[tuple[str, int], int], hour: int) -> int | None:
        return round(sum(of.get((on, hour), 0) for on in open_days) / len(open_days)) if open_days else None

    today = day.isoformat()
    return [
        Hour(hour, issued.get((today, hour), 0), spent.get((today, hour), 0), mean(issued, hour), mean(spent, hour))
        for hour in (range(min(seen), max(seen) + 1) if seen else ())
    ]


def queue(store: Store, zone: ZoneInfo, starts: time, day: date, now_ms: int) -> list[Waiting]:
    """How many entries of the present epoch waited, from the start of `day` until its end or now, whichever is first.

    Head office's clock on both ends: when an entry was made, by the offset the till knew then, and when it was taken.
    """
    begin_ms = int(datetime.combine(day, starts, zone).timestamp() * 1000)
    end_ms = min(now_ms, begin_ms + 86_400_000)
    made = store.rows(
        f"SELECT {_MADE} + COALESCE(json_extract(CAST(raw AS TEXT), '$.clock.offset_ms'), 0), seq FROM journal "  # noqa: S608
        "WHERE business_date = ? AND epoch = (SELECT epoch FROM head) ORDER BY seq",
        (day.isoformat(),),
    )
    sent = store.rows(
        "SELECT at_ms, seq FROM sent WHERE epoch = (SELECT epoch FROM head) AND at_ms < ? ORDER BY at_ms, seq",
        (end_ms,),
    )
    first = made[0][1] - 1 if made else 0
    made_at = _rising([at_ms for at_ms, _ in made])
    sent_at, sent_seq = [at_ms for at_ms, _ in sent], _rising([seq for _, seq in sent])
    line = []
    for at_ms in range(begin_ms, end_ms + 1, STEP_MIN * 60_000):
        last = first + bisect_right(made_at, at_ms)
        taken = bisect_right(sent_at, at_ms)
        # What was taken before the list begins was taken long ago: then nothing waited as the day began.
        done = sent_seq[taken - 1] if taken else min(first, sent_seq[0] if sent_seq else first)
        line.append(Waiting(at_ms, max(0, last - done) if made or sent else 0))
    return line


def _rising(values: list[int]) -> list[int]:
    """`values`, none below the one before it: a clock that was set back must not undo what happened."""
    highest: list[int] = []
    for value in values:
        highest.append(max(value, highest[-1]) if highest else value)
    return highest
