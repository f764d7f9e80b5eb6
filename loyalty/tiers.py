"""Which tier a member is in: up at once, down at the end of the period, over a rolling or calendar window."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from loyalty.programme import Programme
from loyalty.programme_members import TierPolicy


@dataclass(frozen=True, slots=True)
class Activity:
    """What one booking counts for: points earned, minor units paid, visits. A return or void counts negative."""

    day: date
    points: int = 0
    spend_minor: int = 0
    visits: int = 0


def window(policy: TierPolicy, today: date) -> tuple[date, date]:
    """The days that count today, both included: this calendar year, or the months up to today."""
    if policy.window == "calendar":
        return date(today.year, 1, 1), date(today.year, 12, 31)
    return months_later(today, -policy.months) + timedelta(days=1), today


def months_later(day: date, months: int) -> date:
    """The same day so many months later (earlier when negative), or the last of that month when it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def qualifying(policy: TierPolicy, history: Iterable[Activity], today: date) -> int:
    """What a member has towards tiers within the window: points, minor units or visits; never negative."""
    start, end = window(policy, today)
    within = [activity for activity in history if start <= activity.day <= end]
    match policy.by:
        case "points":
            return max(0, sum(activity.points for activity in within))
        case "spend":
            return max(0, sum(activity.spend_minor for activity in within))
        case "visits":
            return max(0, sum(activity.visits for activity in within))


def reached(programme: Programme, amount: int) -> str:
    """The highest tier whose threshold `amount` reaches."""
    return next(tier.id for tier in reversed(programme.tiers) if amount >= tier.threshold)


def upgraded(programme: Programme, tier: str, amount: int) -> str:
    """The tier after a sale: at least the one there was, higher at once when `amount` reaches it."""
    if programme.tier_policy is None:
        return programme.tier(tier).id
    return max(programme.tier(tier).id, reached(programme, amount), key=_level(programme))


def reviewed(programme: Programme, tier: str, amount: int) -> str:
    """The tier at the end of a period in which a member had `amount`: kept, one lower, or what was reached."""
    policy, level = programme.tier_policy, _level(programme)
    current = programme.tier(tier).id
    if policy is None:
        return current
    earned = reached(programme, amount)
    if policy.downgrade == "never" or level(earned) >= level(current):
        return max(current, earned, key=level)
    return earned if policy.downgrade == "by_balance" else programme.tiers[level(current) - 1].id


def _level(programme: Programme) -> Callable[[str], int]:
    """How high a tier is, 0 for the lowest."""
    return [tier.id for tier in programme.tiers].index
