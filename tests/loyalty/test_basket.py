"""A basket is exact and bounded, or it is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from loyalty.basket import MAX_LINES, MAX_MINOR, Basket, Line
from tests.loyalty.build import basket, line


def test_totals() -> None:
    goods = Basket(lines=(line("a", 250), line("b", -100, quantity=-1000), line("c", 347, quantity=347)))
    assert goods.gross_minor == 497
    assert goods.quantity_pieces == 3
    assert Basket().gross_minor == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"gross_minor": 1.5},
        {"gross_minor": "150"},
        {"gross_minor": True},
        {"gross_minor": MAX_MINOR + 1},
        {"gross_minor": -MAX_MINOR - 1},
        {"quantity": 0.347},
        {"quantity": 10**9 + 1},
        {"gtin": "87101"},
        {"gtin": "8710A398"},
        {"line_id": ""},
        {"sku": "x" * 65},
        {"text": "x" * 81},
        {"text": "\ud800"},  # half of a surrogate pair cannot be written as UTF-8
        {"eligible": 1},
        {"price": 100},
    ],
    ids=str,
)
def test_a_line_that_cannot_be_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        Line.model_validate({"line_id": "1", "sku": "x", "gross_minor": 100, **wrong})
    assert [problem["loc"][0] for problem in caught.value.errors()] == list(wrong)


def test_line_ids_are_distinct() -> None:
    with pytest.raises(ValidationError, match="expected distinct line ids, got 'a' twice"):
        Basket(lines=(line("a", 1), line("b", 1), line("a", 1)))


def test_the_number_of_lines_is_limited() -> None:
    lines = tuple(line(str(number), 1) for number in range(MAX_LINES + 1))
    assert len(Basket(lines=lines[:-1]).lines) == MAX_LINES
    with pytest.raises(ValidationError, match="at most 500"):
        Basket(lines=lines)


@pytest.mark.parametrize("currency", ["eur", "EURO", "", "€"])
def test_a_currency_is_three_capitals(currency: str) -> None:
    with pytest.raises(ValidationError, match="currency"):
        Basket(currency=currency)


def test_a_basket_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        basket(1).currency = "USD"  # type: ignore[misc]
