"""Short ways to write baskets and programmes in the tests of the domain, and hypothesis strategies for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from hypothesis import strategies as st

from loyalty.basket import Basket, Line
from loyalty.codes import make_code
from loyalty.errors import RewardRefused
from loyalty.facts import Count, Facts
from loyalty.ledger import Clock, Entry, EntryKind
from loyalty.programme import Programme
from loyalty.redemption import Choice, redeem
from loyalty.settlement import settle

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


CATEGORIES = ("", "food", "bread", "tobacco")
SEGMENTS = ("students", "regulars")
AT_MS = st.integers(1_767_225_600_000, 1_798_761_599_000)
"""Moments of 2026, UTC."""


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    """Who and when, mostly nobody in particular and always."""
    if draw(st.booleans()):
        return {}
    found: dict[str, Any] = {}
    if draw(st.booleans()):
        found["tiers"] = draw(st.lists(st.sampled_from(["basic", "silver", "gold"]), max_size=2, unique=True))
    if draw(st.booleans()):
        found["segments"] = [draw(st.sampled_from(SEGMENTS))]
    if draw(st.booleans()):
        found["weekdays"] = draw(st.lists(st.sampled_from(["mon", "wed", "sat", "sun"]), max_size=3, unique=True))
    if draw(st.booleans()):
        found["hours"] = draw(st.sampled_from([["09:00-11:00"], ["00:00-12:00", "18:00-24:00"]]))
    if draw(st.booleans()):
        found |= {"valid_from": "2026-02-01", "valid_until": draw(st.sampled_from(["2026-02-28", "2026-09-30"]))}
    return found


@st.composite
def goods_named(draw: st.DrawFn) -> dict[str, Any]:
    """Which lines, mostly all."""
    return draw(
        st.sampled_from(
            [
                {},
                {},
                {"categories": ["food"]},
                {"categories": ["bread"], "skus": ["sku-1"]},
                {"excluded_skus": ["sku-0"]},
            ]
        )
    )


@st.composite
def earn_rules(
    draw: st.DrawFn, *, floor_only: bool = False, visits: bool = True, capped: bool = True
) -> dict[str, Any]:
    """One rule that gives points of its own."""
    rounding = "floor" if floor_only else draw(ROUNDINGS)
    own = draw(
        st.sampled_from(
            [
                {"kind": "per_amount", "points": 3, "per_minor": 100, "rounding": rounding},
                {"kind": "per_amount", "points": 1, "per_minor": 30, "rounding": rounding},
                {"kind": "per_item", "points": 5, "per_items": 2},
                *([{"kind": "per_visit", "points": 7}] if visits else []),
            ]
        )
    )
    more: dict[str, Any] = {"name": TEXT, "bonus": draw(st.booleans())}
    if capped and draw(st.booleans()):
        more["cap_points"] = draw(st.integers(1, 60))
    if draw(st.booleans()):
        more["minimum_basket_minor"] = draw(st.integers(0, 3000))
    return {**own, **more, **draw(goods_named()), **draw(conditions())}


GIFTS = st.sampled_from(
    [
        {"kind": "amount_off", "discount_minor": 150},
        {"kind": "percent_off", "percent": 33, "max_minor": 700},
        {"kind": "percent_off", "percent": 100, "categories": ["food"], "rounding": "half_up"},
        {"kind": "free_item"},
        {"kind": "free_item", "categories": ["food", "bread"], "max_minor": 300},
        {"kind": "points", "points": 25},
    ]
)


@st.composite
def rich_programmes(draw: st.DrawFn) -> Programme:
    """Programmes of every kind of rule, reward, coupon, stamp card and goal, with caps."""
    earn = [draw(earn_rules()) | {"id": f"rule-{number}"} for number in range(draw(st.integers(1, 3)))]
    earn += [
        {
            **multiplier(draw(st.integers(1, 300)), rounding=draw(ROUNDINGS), id=f"multi-{number}"),
            "stacking": draw(st.sampled_from(["add", "max"])),
            **draw(goods_named()),
            **draw(conditions()),
        }
        for number in range(draw(st.integers(0, 3)))
    ]
    rewards = [
        {"kind": "pay_with_points", "cost_points": 100, "value_minor": 100, "step_minor": 50},
        {"kind": "voucher", "cost_points": 300, "value_minor": 500},
        {"kind": "cash_back", "cost_points": 200, "value_minor": 100},
    ] + [gift | {"cost_points": 90} for gift in draw(st.lists(GIFTS, max_size=2)) if gift["kind"] != "points"]
    caps: dict[str, int] = {}
    if draw(st.booleans()):
        caps["per_basket_points"] = draw(st.integers(1, 80))
    if draw(st.booleans()):
        caps["per_card_day_points"] = draw(st.integers(80, 200))
    return programme(
        *earn,
        rewards=tuple(
            {"name": TEXT, "id": f"reward-{number}", "limit_per_basket": 2}
            | reward
            | (draw(conditions()) if number else {})
            for number, reward in enumerate(rewards)
        ),
        caps=caps,
        coupons=[
            {"id": "code", "name": TEXT, "code_prefix": "AB", "gives": draw(GIFTS)},
            {"id": "offer", "name": TEXT, "segments": ["students"], "limit_per_member": 2, "gives": draw(GIFTS)},
        ],
        stamp_cards=[
            {
                "id": "stamps",
                "name": TEXT,
                "stamps": 4,
                "categories": ["food"],
                "gives": draw(GIFTS),
                "limit_per_basket": 2,
            }
        ],
        challenges=[
            {"id": "bread-month", "name": TEXT, "counts": "items", "goal": 3, "every": "month", "points": 40},
            {"id": "spender", "name": TEXT, "counts": "spend", "goal": 5000, "points": 15, "categories": ["bread"]},
        ],
        badges=[{"id": "regular", "name": TEXT, "goal": 2}],
        excluded_categories=draw(st.sampled_from([[], ["tobacco"]])),
    )


@st.composite
def goods_baskets(draw: st.DrawFn, min_minor: int = -2000) -> Basket:
    """Baskets with whole items, weights, empty and negative quantities, in the categories that the rules name."""
    lines = tuple(
        line(
            str(number),
            draw(st.integers(min_minor, 4000)),
            category=draw(st.sampled_from(CATEGORIES)),
            eligible=draw(st.sampled_from([True, True, True, False])),
            quantity=draw(st.sampled_from([1000, 2000, 3000, 7000, 347, 1204, 0, *([-1000] if min_minor < 0 else [])])),
        )
        for number in range(draw(st.integers(0, 6)))
    )
    return Basket(lines=lines)


@st.composite
def known_facts(draw: st.DrawFn) -> Facts:
    """What a till might know of a member and a moment."""
    counters = {
        "stamps": draw(st.integers(0, 12)),
        "offer!": draw(st.integers(0, 2)),
        "spender": draw(st.integers(0, 6000)),
    }
    return Facts(
        at_ms=draw(AT_MS),
        birthday=draw(st.sampled_from([(), ("month",), ("day", "week", "month")])),
        first_purchase=draw(st.booleans()),
        earned_today=draw(st.integers(0, 250)),
        segments=tuple(draw(st.lists(st.sampled_from(SEGMENTS), unique=True))),
        counters=tuple(Count(counter=name, count=count) for name, count in counters.items()),
    )


CODE = make_code("AB", 4711)


def take_some(rules: Programme, goods: Basket, tier: str, facts: Facts, wanted: list[str]) -> list[Choice]:
    """As many of the wanted benefits as can be had, as choices."""
    taken: list[Choice] = []
    for name in wanted:
        amount = 150 if name == "reward-0" else None  # three steps of paying with points
        choice = Choice(reward=name, amount_minor=amount, code=CODE if name == "code" else None)
        try:
            redeem(rules, goods, [*taken, choice], tier=tier, facts=facts)
        except RewardRefused:
            continue
        taken.append(choice)
    return taken


WANTED = st.lists(
    st.sampled_from(["code", "offer", "stamps", *(f"reward-{number}" for number in range(5))]), max_size=6
)


def sale_entry(rules: Programme, goods: Basket, tier: str, wanted: Sequence[str | Choice], facts: Facts) -> Entry:
    """The journal entry of a sale, as a till would write it."""
    settlement = settle(rules, goods, tier, wanted, facts)
    return Entry(
        terminal="t-1",
        epoch=1,
        seq=1,
        id="019d4530-4c00-7a00-8000-000000000001",
        kind=EntryKind.SALE,
        session="s-1",
        clock=Clock(wall_ms=facts.at_ms, monotonic_ms=1, boot_id="b", offset_ms=None),
        business_date=date(2026, 3, 31),
        card="0" * 32,
        account="m1",
        programme=rules.id,
        programme_version=rules.version,
        tier=tier,
        basket=goods,
        settlement=settlement,
        points=settlement.points_delta,
        facts=facts,
    )
