"""The best that can happen to a customer: moments, members and articles for which most rules hold at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from loyalty.basket import MAX_MINOR, Basket, Line
from loyalty.compiled import Condition
from loyalty.facts import Facts
from loyalty.programme import Programme
from loyalty.programme_parts import Goods, minutes
from loyalty.programme_rules import Birthday, PerAmount, PerItem

CHEAP_MINOR = 100
"""The price assumed of the cheapest article that a rule by item or visit is about, in minor units: a document of rules
has no prices, and an article for nothing would make every such rule look ruinous."""

ORDINARY_MINOR = 10_000
"""A large ordinary basket, in minor units."""

MAX_MOMENTS = 5_000
MAX_PAIRS = 2_000
"""Bounds on what is looked through: `check` answers in seconds for the largest programme allowed."""


@dataclass(frozen=True, slots=True)
class Case:
    """A basket of one kind of article, the member who buys it, and when."""

    basket: Basket
    tier: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class Article:
    """One kind of article, by what rules look at."""

    category: str
    sku: str


def moments(programme: Programme, today: date) -> list[int]:
    """Moments from `today` on, one for each largest set of earn rules that hold together; Unix milliseconds UTC."""
    conditions = [Condition(rule) for rule in programme.earn]
    zone = ZoneInfo(programme.time_zone)
    starts = sorted(
        {today, *(rule.valid_from for rule in programme.earn if rule.valid_from and rule.valid_from > today)}
    )
    hours = sorted({12 * 60, *(minutes(hours)[0] for rule in programme.earn for hours in rule.hours)})
    days = (start + timedelta(days=more) for start in starts for more in range(7))
    found: dict[frozenset[int], int] = {}
    for day, minute in itertools.islice(itertools.product(days, hours), MAX_MOMENTS):
        local = datetime.combine(day, time(minute // 60, minute % 60), zone)
        at_ms = int(local.timestamp()) * 1000
        moment = programme.compiled.asker("", Facts(at_ms=at_ms)).moment
        found.setdefault(frozenset(n for n, condition in enumerate(conditions) if condition.at(moment)), at_ms)
    return [at_ms for active, at_ms in found.items() if not any(active < other for other in found)]


def member_facts(programme: Programme, at_ms: int) -> Facts:
    """A member in every segment, whose birthday it is, and who bought here before."""
    parts = (*programme.earn, *programme.rewards, *programme.coupons, *programme.stamp_cards)
    segments = sorted({segment for part in parts for segment in part.segments})
    return Facts(at_ms=at_ms, birthday=tuple(Birthday), segments=tuple(segments)[:100])


def articles(programme: Programme, parts: Sequence[Goods]) -> list[Article]:
    """Articles that are not excluded, one for each largest set of `parts` that one article can belong to."""
    excluded = Goods(excluded_categories=programme.excluded_categories, excluded_skus=programme.excluded_skus)
    categories = ["goods", *dict.fromkeys(name for part in parts for name in part.categories)]
    skus = ["article", *dict.fromkeys(name for part in parts for name in part.skus)]
    found: dict[frozenset[int], Article] = {}
    for category, sku in itertools.islice(itertools.product(categories, skus), MAX_PAIRS):
        if excluded.include(category, sku):
            within = frozenset(n for n, part in enumerate(parts) if part.include(category, sku))
            found.setdefault(within, Article(category, sku))
    return [article for within, article in found.items() if within and not any(within < other for other in found)]


def basket_of(programme: Programme, article: Article, amount_minor: int, items: int = 1) -> Basket:
    """A basket of one line: `items` of an article for `amount_minor` together."""
    line = Line(
        line_id="1",
        sku=article.sku,
        category=article.category,
        quantity=items * 1000,
        gross_minor=min(amount_minor, MAX_MINOR),
    )
    return Basket(currency=programme.currency, lines=(line,))


def amounts(programme: Programme) -> list[int]:
    """Amounts at which rules give most for the money: where they begin to give, and an ordinary basket."""
    found = {CHEAP_MINOR, ORDINARY_MINOR}
    for rule in programme.earn:
        found.add(max(CHEAP_MINOR, rule.minimum_basket_minor))
        if isinstance(rule, PerAmount):
            # A rounded-up half point comes at half the amount of a whole one.
            found |= {max(1, rule.per_minor // 2), -(-rule.per_minor // 2), rule.per_minor}
        elif isinstance(rule, PerItem):
            found.add(rule.per_items * CHEAP_MINOR)
    return sorted(amount for amount in found if amount <= MAX_MINOR)


def cases(programme: Programme, today: date) -> Iterator[Case]:
    """Every combination of moment, tier, article and amount worth trying, plain ones first."""
    kinds = articles(programme, programme.earn)
    for at_ms in moments(programme, today):
        facts = member_facts(programme, at_ms)
        for tier in programme.tiers:
            for article in kinds:
                for amount in amounts(programme):
                    items = max(1, min(amount // CHEAP_MINOR, 1_000_000))
                    yield Case(basket_of(programme, article, amount, items), tier.id, facts)
