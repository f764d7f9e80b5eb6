"""Short ways to write baskets and programmes in the tests of the domain, and hypothesis strategies for them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from loyalty.basket import Basket, Line
from loyalty.programme import Programme

TEXT = {"nl": "naam", "en": "name"}


def line(line_id: str, gross_minor: int, **more: Any) -> Line:
    """A line of `gross_minor` minor units; `more` as in `Line`."""
    return Line(line_id=line_id, sku=f"sku-{line_id}", gross_minor=gross_minor, **more)


def basket(*amounts: int) -> Basket:
    """A basket of eligible lines "a", "b", … of these minor units."""
    return Basket(lines=tuple(line(chr(ord("a") + index), amount) for index, amount in enumerate(amounts)))


def per_amount(points: int, per_minor: int, **more: Any) -> dict[str, Any]:
    """A base rule, as a document part."""
    return {"kind": "per_amount", "id": "base", "name": TEXT, "points": points, "per_minor": per_minor, **more}


def multiplier(percent: int, *tiers: str, **more: Any) -> dict[str, Any]:
    """A bonus rule, as a document part."""
    return {"kind": "multiplier", "id": "bonus", "name": TEXT, "percent": percent, "tiers": list(tiers), **more}


def amount_off(reward: str, cost_points: int, discount_minor: int, **more: Any) -> dict[str, Any]:
    """A reward, as a document part."""
    return {
        "kind": "amount_off",
        "id": reward,
        "name": TEXT,
        "cost_points": cost_points,
        "discount_minor": discount_minor,
        **more,
    }


def document(*earn: dict[str, Any], rewards: tuple[dict[str, Any], ...] = (), **more: Any) -> dict[str, Any]:
    """A programme document with tiers basic, silver and gold."""
    return {
        "format": 1,
        "id": "test",
        "version": 1,
        "name": TEXT,
        "currency": "EUR",
        "time_zone": "Europe/Amsterdam",
        "tiers": [{"id": tier, "name": TEXT} for tier in ("basic", "silver", "gold")],
        "earn": list(earn) or [per_amount(1, 100)],
        "rewards": list(rewards),
        **more,
    }


def programme(*earn: dict[str, Any], rewards: tuple[dict[str, Any], ...] = (), **more: Any) -> Programme:
    """The programme of `document`."""
    return Programme.from_document(document(*earn, rewards=rewards, **more))


ROUNDINGS = st.sampled_from(["floor", "half_up"])


@st.composite
def programmes(draw: st.DrawFn) -> Programme:
    """Programmes with one or two base rules, up to three bonuses and two rewards."""
    rules = [
        per_amount(
            draw(st.integers(1, 50)),
            draw(st.integers(1, 500)),
            id=f"base-{number}",
            rounding=draw(ROUNDINGS),
            excluded_categories=draw(st.lists(st.sampled_from(["tobacco", "food"]), max_size=1)),
        )
        for number in range(draw(st.integers(1, 2)))
    ]
    rules += [
        multiplier(
            draw(st.integers(1, 300)),
            *draw(st.lists(st.sampled_from(["silver", "gold"]), max_size=2, unique=True)),
            id=f"bonus-{number}",
            rounding=draw(ROUNDINGS),
        )
        for number in range(draw(st.integers(0, 3)))
    ]
    rewards = tuple(
        amount_off(
            f"reward-{number}",
            draw(st.integers(1, 1000)),
            draw(st.integers(1, 2000)),
            limit_per_basket=draw(st.integers(1, 3)),
        )
        for number in range(2)
    )
    return programme(*rules, rewards=rewards)


@st.composite
def baskets(draw: st.DrawFn, min_minor: int = -3000, max_minor: int = 8000) -> Basket:
    """Baskets of up to eight lines, some not eligible, some of a category that may be excluded, some negative."""
    lines = tuple(
        line(
            str(number),
            draw(st.integers(min_minor, max_minor)),
            category=draw(st.sampled_from(["", "food", "tobacco"])),
            eligible=draw(st.booleans()),
            quantity=draw(st.integers(-5000, 5000)),
        )
        for number in range(draw(st.integers(0, 8)))
    )
    return Basket(lines=lines)


TIERS = st.sampled_from(["basic", "silver", "gold", "not-known-here"])
