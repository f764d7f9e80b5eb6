"""A quote: a basket of 40 lines settled by a programme of 50 rules, beside asking every rule about every line."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.result import Result
from loyalty.basket import Basket, Line
from loyalty.facts import Facts
from loyalty.programme import Programme
from loyalty.programme_parts import Goods
from loyalty.programme_rules import PerAmount
from loyalty.settlement import settle

LINES = 40
RULES = 50
ROUNDS = 15
QUOTES = 200
"""Quotes in one round: some tens of milliseconds, so that the clock's own step does not count."""

AT_MS = 1_774_944_000_000
"""Tuesday 31 March 2026, 10:00 in Amsterdam: within the bonus hours of the programme below."""

_TEXT = {"nl": "naam", "en": "name"}
_CATEGORIES = tuple(f"group-{number}" for number in range(20))


def measure() -> list[Result]:
    """Microseconds for one whole settlement, the fastest round; the peer finds the base points of each rule alone.

    The fastest, since whatever else runs on the machine only ever adds.
    """
    rules, goods, facts = programme(), basket(), Facts(at_ms=AT_MS, segments=("regulars",))
    settle(rules, goods, "silver", (), facts)
    ours, naive = [], []
    for _ in range(ROUNDS):
        ours.append(_time(lambda: settle(rules, goods, "silver", (), facts)))
        naive.append(_time(lambda: every_rule_about_every_line(rules, goods)))
    return [
        Result(
            bench="quote",
            ours=min(ours),
            unit="µs",
            better="lower",
            peers={"every rule, every line": min(naive)},
        )
    ]


def programme() -> Programme:
    """A supermarket in a busy week: a base, 30 campaigns by group, 6 by article, 5 by hour and day, tiers, segments."""
    earn: list[dict[str, Any]] = [{"kind": "per_amount", "points": 1, "per_minor": 100}]
    earn += [{"kind": "multiplier", "percent": 100, "categories": [name]} for name in _CATEGORIES]
    earn += [
        {"kind": "per_amount", "points": 2, "per_minor": 100, "bonus": True, "categories": [name]}
        for name in _CATEGORIES[:10]
    ]
    earn += [{"kind": "per_item", "points": 5, "bonus": True, "skus": [f"sku-{number}"]} for number in range(6)]
    earn += [
        {"kind": "multiplier", "percent": 50, "weekdays": [day], "hours": ["09:00-11:00"]}
        for day in ("mon", "tue", "wed", "thu", "fri")
    ]
    earn += [{"kind": "multiplier", "percent": 25, "tiers": [tier]} for tier in ("basic", "silver", "gold")]
    earn += [
        {"kind": "per_visit", "points": 10, "bonus": True, "segments": [name]} for name in ("students", "regulars")
    ]
    earn += [
        {"kind": "per_amount", "points": 1, "per_minor": 50, "bonus": True, "valid_from": f"2026-0{month}-01"}
        for month in (2, 3, 4)
    ]
    assert len(earn) == RULES
    return Programme.from_document(
        {
            "format": 1,
            "id": "bench",
            "version": 1,
            "name": _TEXT,
            "currency": "EUR",
            "time_zone": "Europe/Amsterdam",
            "tiers": [{"id": tier, "name": _TEXT} for tier in ("basic", "silver", "gold")],
            "earn": [{"id": f"rule-{number}", "name": _TEXT} | rule for number, rule in enumerate(earn)],
            "caps": {"per_basket_points": 5000},
            "excluded_categories": ["tobacco"],
        }
    )


def basket() -> Basket:
    """40 lines, two of each group."""
    return Basket(
        lines=tuple(
            Line(
                line_id=str(number),
                sku=f"sku-{number}",
                category=_CATEGORIES[number % len(_CATEGORIES)],
                gross_minor=89 + 37 * number,
                quantity=347 if number % 7 == 0 else 1000,
            )
            for number in range(LINES)
        )
    )


def every_rule_about_every_line(rules: Programme, goods: Basket) -> int:
    """The base of each rule, found the plain way; no points, shares or caps yet."""
    total = 0
    for rule in rules.earn:
        named = Goods(**{name: getattr(rule, name) for name in Goods.model_fields})
        total += sum(line.gross_minor for line in goods.lines if named.include(line.category, line.sku))
        total += isinstance(rule, PerAmount)
    return total


def _time(quote: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(QUOTES):
        quote()
    return (time.perf_counter() - start) * 1e6 / QUOTES
