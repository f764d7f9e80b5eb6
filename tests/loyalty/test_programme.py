"""A programme document is used as it stands, or refused with the path of every problem."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from loyalty.errors import ProgrammeError
from loyalty.money import Rounding
from loyalty.offline import OfflineMode
from loyalty.programme import Multiplier, PerAmount, Programme
from loyalty.programme_checks import SHAPES
from tests.loyalty.build import TEXT, amount_off, document, multiplier, per_amount, programme

SAMPLES = Path(__file__).parents[2] / "pos_client" / "samples"
SCHEMA = Path(__file__).parents[2] / "docs" / "programme.schema.json"
GOOD = document(per_amount(1, 100), multiplier(50, "silver"), rewards=(amount_off("five", 500, 500),))


def broken(path: str, value: Any) -> dict[str, Any]:
    """`GOOD` with `value` at a dotted path; `...` takes the key away."""
    result = json.loads(json.dumps(GOOD))
    place: Any = result
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in way:
        place = place.setdefault(part, {}) if isinstance(part, str) else place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return result


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_the_samples_are_programmes(sample: Path) -> None:
    read = Programme.from_toml(sample.read_text(encoding="utf-8"))
    assert read.earn
    assert read.rewards
    # What head office publishes and a till stores is the same document again, and so is its JSON form.
    assert Programme.from_document(read.model_dump(mode="json")) == read
    assert Programme.from_json(read.model_dump_json()) == read


def test_the_json_schema_in_the_documents_is_that_of_the_code() -> None:
    """Write it anew with the command in docs/programmes.md when a field was added."""
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == Programme.model_json_schema()


def test_there_is_a_sample() -> None:
    assert list(SAMPLES.glob("*.toml"))


def test_defaults() -> None:
    read = programme()
    rule = read.earn[0]
    assert isinstance(rule, PerAmount)
    assert (rule.rounding, rule.excluded_categories) == (Rounding.FLOOR, ())
    assert read.offline.redeem is OfflineMode.NEVER
    assert (read.offline.per_card_day_points, read.offline.per_till_day_points) == (0, 0)


@pytest.mark.parametrize(
    ("path", "value", "where", "text"),
    [
        ("format", 2, "format", "Input should be 1"),
        ("format", ..., "format", "Field required"),
        ("id", "Has Spaces", "id", "expected up to 40 small letters, digits and dashes, got 'Has Spaces'"),
        ("version", 0, "version", "greater than 0"),
        ("version", "1", "version", "valid integer"),
        ("name.nl", "", "name.nl", "at least 1"),
        ("name.fr", "nom", "name.fr", "not permitted"),
        ("name.en", ..., "name.en", "Field required"),
        ("currency", "euro", "currency", "expected a currency of three capitals, such as EUR, got 'euro'"),
        ("tiers", [], "tiers", "at least 1"),
        ("tiers.1.name", "silver", "tiers.1.name", 'expected both languages, as in { nl = "Koffie", en = "Coffee" }'),
        ("earn", [], "earn", "at least 1"),
        ("earn.0.kind", "per_moon", "earn.0", "expected a kind out of 'per_amount', 'per_item'"),
        ("earn.0.kind", ..., "earn.0", "discriminator"),
        ("earn.0.per_minor", 0, "earn.0.per_minor", "greater than 0"),
        ("earn.0.per_minor", 99.5, "earn.0.per_minor", "valid integer"),
        ("earn.0.points", -1, "earn.0.points", "greater than 0"),
        ("earn.0.rounding", "up", "earn.0.rounding", "'floor' or 'half_up'"),
        ("earn.0.extra", 2, "earn.0.extra", "not permitted"),
        ("earn.1.percent", 1001, "earn.1.percent", "less than or equal to 1000"),
        ("earn.1.percent", True, "earn.1.percent", "valid integer"),
        ("rewards.0.cost_points", 0, "rewards.0.cost_points", "greater than 0"),
        ("rewards.0.discount_minor", 10**9 + 1, "rewards.0.discount_minor", "less than or equal"),
        ("rewards.0.limit_per_basket", 21, "rewards.0.limit_per_basket", "less than or equal to 20"),
        ("offline.redeem", "always", "offline.redeem", "'never', 'capped' or 'lease', got 'always'"),
        ("earn.0.valid_from", "morgen", "earn.0.valid_from", "expected a date such as 2026-04-01, without quotes"),
        ("earn.0.hours", ["9:00-12:00"], "earn.0.hours.0", "expected hours such as 09:00-17:30, got '9:00-12:00'"),
        ("earn.0.category", "bread", "earn.0.category", "did you mean 'categories'?"),
        ("earn.0.cap", 5, "earn.0.cap", "did you mean 'cap_points'?"),
        ("offline.per_card_day_points", -1, "offline.per_card_day_points", "greater than or equal to 0"),
        ("offline.mirror_max_age_s", 0, "offline.mirror_max_age_s", "greater than 0"),
        ("colour", "red", "colour", "not permitted"),
    ],
)
def test_each_problem_names_its_path(path: str, value: Any, where: str, text: str) -> None:
    with pytest.raises(ProgrammeError) as caught:
        Programme.from_document(broken(path, value))
    assert len(caught.value.problems) == 1
    named, _, said = caught.value.problems[0].partition(": ")
    assert named == where
    assert text in said


@pytest.mark.parametrize("zone", ["Europe/Amsterdm", "Europe", "", "../../etc/passwd", "/etc/localtime", "x" * 300])
def test_a_time_zone_is_one_of_iana(zone: str) -> None:
    with pytest.raises(ProgrammeError, match=r"time_zone: .*expected an IANA time zone such as 'Europe/Amsterdam'"):
        Programme.from_document(broken("time_zone", zone))


def test_a_list_whose_only_part_is_wrong_is_not_called_empty() -> None:
    wrong = broken("tiers", [{"id": "basic", "name": {"nl": "Basis"}}])
    for group in ("earn", "rewards"):
        for part in wrong[group]:
            part.pop("tiers", None)
    with pytest.raises(ProgrammeError) as caught:
        Programme.from_document(wrong)
    assert caught.value.problems == ["tiers.0.name.en: Field required: add 'en'"]


def test_every_pattern_is_put_in_words() -> None:
    patterns = set(re.findall(r'"pattern": ("[^"]+")', json.dumps(Programme.model_json_schema())))
    assert {json.loads(pattern) for pattern in patterns} == set(SHAPES)


def test_every_problem_is_named_at_once() -> None:
    wrong = broken("version", -1)
    wrong["earn"][1]["percent"] = 0
    del wrong["rewards"][0]["cost_points"]
    with pytest.raises(ProgrammeError) as caught:
        Programme.from_document(wrong)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "version",
        "earn.1.percent",
        "rewards.0.cost_points",
    ]


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("tiers.1.id", "basic", "tiers: expected distinct tier ids, got ['basic'] twice"),
        ("earn.1.id", "base", "earn: expected distinct earn rule ids, got ['base'] twice"),
        ("rewards", [amount_off("a", 1, 1), amount_off("a", 2, 2)], "rewards: expected distinct reward ids, got ['a']"),
        ("earn.1.tiers", ["silver", "bronze"], "earn.1.tiers: expected tiers of this programme, ['basic', 'silver',"),
        ("rewards.0.id", "base", "rewards.0.id: expected another name, 'base' is used in earn"),
        ("earn.0.id", "return", "earn.0.id: expected another name, 'return' is used in entries that no rule made"),
        ("tiers.1.threshold", 100, "tier_policy: expected one beside thresholds"),
        ("tier_policy", {"by": "points"}, "tiers.1.threshold: expected more than the 0 of the tier below, got 0"),
        (
            "caps",
            {"per_basket_points": 9, "per_card_day_points": 5},
            "caps.per_basket_points: expected at most per_card",
        ),
        (
            "coupons",
            [
                {"id": "x", "name": TEXT, "code_prefix": "AB", "gives": {"kind": "points", "points": 5}},
                {"id": "y", "name": TEXT, "code_prefix": "ABC", "gives": {"kind": "points", "points": 5}},
            ],
            "coupons.1.code_prefix: expected one that does not begin with that of coupons.0, 'AB', got 'ABC'",
        ),
    ],
)
def test_names_within_the_document_hold(path: str, value: Any, text: str) -> None:
    with pytest.raises(ProgrammeError) as caught:
        Programme.from_document(broken(path, value))
    assert any(problem.startswith(text) for problem in caught.value.problems), caught.value.problems


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("earn.1.percnt", 20, "earn.1.percnt: Extra inputs are not permitted: did you mean 'percent'?"),
        ("earn.0.kind", ..., "earn.0: Unable to extract tag using discriminator 'kind': add 'kind', which says what"),
        ("name.en", ..., "name.en: Field required: add 'en'"),
        ("earn.0.valid_from", 20260401, "earn.0.valid_from: expected a date such as 2026-04-01, got a number"),
        ("earn.0.hours", ["22:00-02:00"], "earn.0.hours: expected hours within one day, got '22:00-02:00'"),
        (
            "rewards.0",
            {"kind": "pay_with_points", "id": "p", "name": TEXT, "cost_points": 3, "value_minor": 10, "step_minor": 5},
            "rewards.0: expected a step that costs whole points, got step_minor 5 at 3 points for 10",
        ),
        (
            "coupons",
            [{"id": "x", "name": TEXT, "gives": {"kind": "points", "points": 5}}],
            "coupons.0: expected a code_prefix, segments, tiers or a limit_per_member",
        ),
        ("expiry", {"end_of_year": True}, "expiry: expected after_months beside end_of_year"),
    ],
)
def test_a_problem_says_what_to_change(path: str, value: Any, problem: str) -> None:
    with pytest.raises(ProgrammeError) as caught:
        Programme.from_document(broken(path, value))
    assert caught.value.problems[0].startswith(problem), caught.value.problems


def test_not_toml() -> None:
    with pytest.raises(ProgrammeError, match=r"not valid TOML: .*line 2"):
        Programme.from_toml("format = 1\nid = x\n")
    with pytest.raises(ProgrammeError, match="format: Field required"):
        Programme.from_toml("")
    with pytest.raises(ProgrammeError, match=r"not valid JSON: .*line 1"):
        Programme.from_json("{")
    with pytest.raises(ProgrammeError, match="programme: Input should be a valid dictionary"):
        Programme.from_json("[]")


def test_look_ups() -> None:
    read = Programme.from_document(GOOD)
    assert read.tier("gold").id == "gold"
    assert read.tier("platinum").id == "basic"  # a tier of a later version counts as the lowest until it is known
    assert read.reward("five") is read.rewards[0]
    assert read.reward("six") is None
    assert isinstance(read.earn[1], Multiplier)
    assert (read.name.get("nl"), read.name.get("en"), read.name.get("de")) == ("naam", "name", "name")
