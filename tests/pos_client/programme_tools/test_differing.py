"""What changes for customers, in words: nothing is passed over, and dearer is not called cheaper."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from loyalty.programme import Programme
from pos_client.i18n import LANGUAGES
from pos_client.programme_tools.differing import Change, diff
from pos_client.programme_tools.reading import read_programme
from pos_client.samples import SAMPLES
from tests.pos_client.programme_tools.build import BAKERY, document, part, programme


def changes(old: dict[str, Any], new: dict[str, Any], language: str = "en") -> tuple[Change, ...]:
    return diff(Programme.from_document(old), Programme.from_document(new), language)


def reward_with(**changed: Any) -> dict[str, Any]:
    rewards = copy.deepcopy(BAKERY["rewards"])
    rewards[0].update(changed)
    return document(rewards=rewards)


@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_changes_between_equals(name: str) -> None:
    assert diff(read_programme(name), read_programme(name), "en") == ()


def test_a_version_alone_changes_nothing() -> None:
    assert changes(document(), document(version=2)) == ()


def test_dearer_and_cheaper() -> None:
    (dearer,) = changes(document(), reward_with(cost_points=300))
    assert (dearer.path, dearer.kind, dearer.effect) == ("rewards.koffie", "changed", "worse")
    assert dearer.text == (
        "the reward 'Free coffee' changes (dearer): was “250 points: €2.50 off”, becomes “300 points: €2.50 off”"
    )
    (cheaper,) = changes(document(), reward_with(cost_points=300, discount_minor=350))
    assert (cheaper.effect, "(cheaper)" in cheaper.text) == ("better", True)
    (same,) = changes(document(), reward_with(cost_points=500, discount_minor=500))
    assert same.effect == "changed"


def test_in_dutch() -> None:
    (dearer,) = changes(document(), reward_with(cost_points=300), "nl")
    assert dearer.text == (
        "de beloning 'Koffie gratis' verandert (duurder): was “250 punten: € 2,50 korting”, "
        "wordt “300 punten: € 2,50 korting”"
    ).replace("€ 2", "€\xa02")


def test_what_goes_and_what_is_new() -> None:
    earn = [BAKERY["earn"][0], part("per_visit", "visit", points=5)]
    gone, new = changes(document(), document(earn=earn))
    assert (gone.kind, gone.effect, gone.path) == ("removed", "worse", "earn.zilver-extra")
    assert gone.text == "the earning rule 'silver' goes: 50 % more points; for Silver"
    assert (new.kind, new.effect, new.path) == ("added", "better", "earn.visit")


def test_earning_less_is_worse() -> None:
    earn = copy.deepcopy(BAKERY["earn"])
    earn[0]["per_minor"] = 200
    (change,) = changes(document(), document(earn=earn))
    assert change.effect == "worse"
    earn[0]["points"] = 3
    (change,) = changes(document(), document(earn=earn))
    assert change.effect == "better"


@pytest.mark.parametrize(
    ("changed", "path", "effect"),
    [
        ({"excluded_categories": ["brood"]}, "excluded_categories", "worse"),
        ({"caps": {"per_basket_points": 100}}, "caps", "worse"),
        ({"expiry": {"after_months": 12}}, "expiry", "worse"),
        ({"expiry": {"vesting_days": 3}}, "expiry", "worse"),
        ({"offline": {"redeem": "never"}}, "offline", "changed"),
        ({"credential": {"spend": ["pin"]}}, "credential", "changed"),
        ({"branding": {"colour": "#000000"}}, "branding", "changed"),
        ({"texts": {"terms": {"nl": "nl", "en": "en"}}}, "texts", "changed"),
        ({"currency": "CHF"}, "currency", "changed"),
        ({"time_zone": "Europe/Zurich"}, "time_zone", "changed"),
        ({"name": {"nl": "nl", "en": "en"}}, "name", "changed"),
        (
            {"tier_policy": {"by": "visits"}, "tiers": [BAKERY["tiers"][0], {**BAKERY["tiers"][1], "threshold": 5}]},
            "tiers.zilver",
            "worse",
        ),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_policies(changed: dict[str, Any], path: str, effect: str, language: str) -> None:
    found = {change.path: change.effect for change in changes(document(), document(**changed), language)}
    assert found.get(path) == effect


OTHERS: dict[str, Any] = {
    "str": "other",
    "tiers": ["basis"],
    "segments": ["group"],
    "weekdays": ["fri"],
    "hours": ["09:00-10:00"],
    "valid_from": "2027-01-01",
    "valid_until": "2027-01-31",
    "birthday": "week",
    "rounding": "half_up",
    "stacking": "max",
    "counts": "visits",
    "every": "month",
    "code_prefix": "ZZ",
    "gives": {"kind": "points", "points": 7},
    "name": {"nl": "ander", "en": "other"},
}
FULL = document(
    earn=[
        *BAKERY["earn"],
        part("per_item", "item", points=1, per_items=2),
        part("per_visit", "visit", points=5),
    ],
    rewards=[
        *BAKERY["rewards"],
        part("percent_off", "percent", cost_points=100, percent=10, max_minor=200),
        part("free_item", "free", cost_points=100, max_minor=200),
        part("pay_with_points", "pay", cost_points=100, value_minor=100),
        part("voucher", "voucher", cost_points=100, value_minor=100),
        part("cash_back", "cash", cost_points=100, value_minor=100),
    ],
    coupons=[part(None, "coupon", code_prefix="AB", gives={"kind": "percent_off", "percent": 10})],
    challenges=[part(None, "challenge", goal=3, points=5)],
    badges=[part(None, "badge", goal=3, counts="items")],
)


def every_field() -> list[tuple[str, int, str]]:
    read = Programme.from_document(FULL)
    return [
        (group, place, field)
        for group in ("earn", "rewards", "coupons", "stamp_cards", "challenges", "badges")
        for place, one in enumerate(getattr(read, group))
        for field in type(one).model_fields
        if field not in {"id", "kind"}
    ]


@pytest.mark.parametrize(("group", "place", "field"), every_field())
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_field_can_change_unsaid(group: str, place: int, field: str, language: str) -> None:
    changed = copy.deepcopy(FULL)
    was = getattr(getattr(Programme.from_document(FULL), group)[place], field)
    other = OTHERS.get(field)
    if other is None:
        if isinstance(was, bool):
            other = not was
        elif isinstance(was, int):
            other = was + 1 if was < 20 else was - 1
        else:
            other = ["iets"] if field.endswith(("categories", "skus")) else 3
    if field == "step_minor":
        other = 50
    if was == other:
        other = "items"  # of what is counted
    changed[group][place][field] = other
    found = changes(FULL, changed, language)
    assert [change.path for change in found] == [f"{group}.{changed[group][place]['id']}"]
    assert "{" not in found[0].text


def test_the_order_of_rules_is_said() -> None:
    (change,) = changes(document(), document(rewards=list(reversed(BAKERY["rewards"]))))
    assert (change.path, change.text) == ("rewards", "the order of each reward changes: vijf-euro, koffie")


def test_a_tier_that_is_renamed() -> None:
    tiers = [BAKERY["tiers"][0], {**BAKERY["tiers"][1], "name": {"nl": "Goud", "en": "Gold"}}]
    texts = [change.text for change in changes(document(), document(tiers=tiers))]
    assert "the tier 'Silver' is called 'Gold' from now on" in texts


def test_a_new_programme_altogether() -> None:
    found = diff(programme(), read_programme("fashion"), "en")
    assert {"id", "name", "earn.verjaardag", "rewards.koffie", "tiers.goud", "expiry"} <= {one.path for one in found}
