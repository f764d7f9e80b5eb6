"""The golden settlements: sales and returns worked out by hand, for who writes a second till; and docs/entries.md."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loyalty.basket import Basket, Line
from loyalty.facts import UNKNOWN, Facts
from loyalty.ledger import Entry, EntryKind
from loyalty.programme import Programme
from loyalty.redemption import discounts_by_line
from loyalty.returns import Sold, spent_by_line, take_back
from loyalty.settlement import Settlement, settle

ROOT = Path(__file__).parents[2]
PLACES = sorted((ROOT / "tests" / "vectors" / "settlements").glob("*.json"))
TEXT = (ROOT / "docs" / "entries.md").read_text(encoding="utf-8")
EXAMPLES = {name: json.loads(body) for name, body in re.findall(r"```json (\w+)\n(.*?)```", TEXT, re.DOTALL)}


def read(place: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    return found


def of(name: str) -> dict[str, Any]:
    return next(read(place) for place in PLACES if place.stem.endswith(f"-{name}"))


@pytest.mark.parametrize(
    "place", [place for place in PLACES if "sale" not in read(place)], ids=lambda place: place.stem
)
def test_a_sale_comes_to_what_was_worked_out(place: Path) -> None:
    case = read(place)
    programme, basket = Programme.from_document(case["programme"]), Basket.model_validate(case["basket"])
    facts = Facts.model_validate(case["facts"]) if "facts" in case else UNKNOWN
    settled = settle(programme, basket, case["tier"], case["rewards"], facts)
    assert json.loads(settled.model_dump_json()) == case["settlement"]


@pytest.mark.parametrize("place", [place for place in PLACES if "sale" in read(place)], ids=lambda place: place.stem)
def test_a_return_comes_to_what_was_worked_out(place: Path) -> None:
    case = read(place)
    settled = Settlement.model_validate(case["sale"]["settlement"])
    sold = Sold(
        id="sale",
        card="0" * 32,
        account=None,
        programme="spaarpunt",
        programme_version=1,
        tier="basic",
        business_date=date(2026, 3, 31),
        at_ms=0,
        payable_minor=settled.payable_minor,
        basket=Basket.model_validate(case["sale"]["basket"]),
        earned={line.line_id: line.points for line in settled.accrual.lines},
        spent=spent_by_line(settled),
        off=discounts_by_line(settled.redemptions),
    )
    returned = take_back(sold, case["before"], case["back"])
    assert json.loads(returned.basket.model_dump_json()) == case["basket"]
    assert json.loads(returned.settlement.model_dump_json()) == case["settlement"]


def test_the_two_returns_take_back_the_whole_sale() -> None:
    sale, one, rest = of("reward")["settlement"], of("return-one")["settlement"], of("return-rest")["settlement"]
    for field in ("points_earned", "points_spent", "payable_minor"):
        assert sale[field] + one[field] + rest[field] == 0


def test_the_examples_of_the_document_are_vectors() -> None:
    for name, vector in (("Sale", "reward"), ("Return", "return-one")):
        shown = dict(EXAMPLES[name])
        del shown["what"]
        assert shown == of(vector)["settlement"]


def test_the_document_names_every_field_and_kind() -> None:
    rows = "\n".join(line for line in TEXT.splitlines() if line.startswith("|"))
    for field in [*Entry.model_fields, *Basket.model_fields, *Line.model_fields, *(kind.value for kind in EntryKind)]:
        assert f"`{field}`" in rows, field
    for field in [*Facts.model_fields, *Settlement.model_fields]:
        assert re.search(rf"\b{field}\b", TEXT), field
