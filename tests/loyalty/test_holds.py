"""`holds` says what a comparison with `settle` says, for every programme, basket, and claim that is wrong somewhere."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty.basket import Basket
from loyalty.facts import Facts
from loyalty.programme import Programme
from loyalty.settlement import Settlement, holds, settle
from tests.loyalty.build import TIERS, goods_baskets, known_facts, rich_programmes

quick = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

CASES = st.tuples(rich_programmes(), goods_baskets(), TIERS, known_facts())


@quick
@given(CASES)
def test_what_settle_gives_holds(case: tuple[Programme, Basket, str, Facts]) -> None:
    rules, goods, tier, facts = case
    assert holds(rules, goods, tier, facts, settle(rules, goods, tier, (), facts))


@quick
@given(CASES, st.data())
def test_nothing_else_holds(case: tuple[Programme, Basket, str, Facts], data: st.DataObject) -> None:
    rules, goods, tier, facts = case
    settled = settle(rules, goods, tier, (), facts)
    document = settled.model_dump(mode="json")
    places = list(_leaves(document))
    *above, last = data.draw(st.sampled_from(places))
    inside: Any = document
    for step in above:
        inside = inside[step]
    if isinstance(inside[last], int):
        inside[last] += data.draw(st.sampled_from([-1, 1, 10**30]))
    elif last == "kind":
        inside[last] = "base" if inside[last] == "bonus" else "bonus"
    elif last == "capped_by":
        inside[last] = None if inside[last] else "rule"
    else:
        inside[last] += "x"
    claim = Settlement.model_validate_json(json.dumps(document))
    assert claim != settled
    assert not holds(rules, goods, tier, facts, claim)


@quick
@given(CASES)
def test_a_part_too_many_or_too_few_does_not_hold(case: tuple[Programme, Basket, str, Facts]) -> None:
    rules, goods, tier, facts = case
    settled = settle(rules, goods, tier, (), facts)
    accrual = settled.accrual
    for name in ("components", "lines"):
        parts = getattr(accrual, name)
        for other in (parts[:-1], (*parts, *parts[-1:])):
            if other != parts:
                claim = settled.model_copy(update={"accrual": accrual.model_copy(update={name: other})})
                assert not holds(rules, goods, tier, facts, claim)
    for counters in (settled.counters[:-1], (*settled.counters, *settled.counters[-1:])):
        if counters != settled.counters:
            assert not holds(rules, goods, tier, facts, settled.model_copy(update={"counters": counters}))


def test_another_currency_does_not_hold() -> None:
    from tests.support.entries import basket, programme

    settled = settle(programme(), basket(1000), "basic")
    pounds = basket(1000).model_copy(update={"currency": "GBP"})
    assert holds(programme(), basket(1000), "basic", Facts(), settled)
    assert not holds(programme(), pounds, "basic", Facts(), settled)


def _leaves(document: Any, above: tuple[Any, ...] = ()) -> Any:
    """The paths of all numbers and texts of a settlement without redemptions."""
    steps = document.items() if isinstance(document, dict) else enumerate(document)
    for step, inside in steps:
        if isinstance(inside, dict | list):
            yield from _leaves(inside, (*above, step))
        else:
            yield (*above, step)
