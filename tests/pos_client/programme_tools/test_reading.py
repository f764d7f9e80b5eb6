"""What the programme tools say of JSON that they cannot use: the path, what was expected, what came."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from loyalty.basket import Basket
from pos_client.programme_tools.reading import Unreadable, read_document
from pos_client.programme_tools.trying import Member

LINE = '{"currency": "EUR", "lines": [{"line_id": "1", %s}]}'


@pytest.mark.parametrize(
    ("model", "text", "problem"),
    [
        (Basket, "{", "JSON: not valid JSON: EOF while parsing an object at line 1 column 1"),
        (Basket, LINE % '"gross_minor": 5', "JSON: lines.0.sku: expected, but not there: add it"),
        (
            Basket,
            LINE % '"sku": "a", "gross_minor": 12.5',
            "JSON: lines.0.gross_minor: expected a whole number (cents, points, thousandths), got 12.5",
        ),
        (
            Basket,
            LINE % '"sku": "a", "gross_minor": 5, "bar": 2',
            "JSON: lines.0.bar: unknown: take it out, or look up its name",
        ),
        (Member, '{"balanc": 3}', "JSON: balanc: unknown; did you mean 'balance'?"),
        (Member, '{"earned_today": -3}', "JSON: earned_today: Input should be greater than or equal to 0, got -3"),
        (
            Member,
            "no-such-file.json",
            "no-such-file.json: No such file or directory: expected a file or the JSON itself",
        ),
    ],
)
def test_each_problem_names_its_place_and_what_was_expected(model: type[BaseModel], text: str, problem: str) -> None:
    with pytest.raises(Unreadable) as told:
        read_document(model, text)
    assert told.value.problems == (problem,)


def test_a_name_far_from_any_is_answered_with_all_names() -> None:
    with pytest.raises(Unreadable, match=r"foo: unknown; known: balance, birthday, counters, .*, tier"):
        read_document(Member, '{"foo": 1}')
