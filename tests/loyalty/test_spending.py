"""What points were spent on: holds and leases first, never beyond what they have, the own allowance for the rest."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from loyalty.errors import LoyaltyError
from loyalty.ledger import Entry
from loyalty.spending import Authority, AuthorityKind, SetAside, cover, floor_of
from tests.support.entries import Chain

SOURCES = st.lists(
    st.builds(
        SetAside,
        kind=st.sampled_from([AuthorityKind.HOLD, AuthorityKind.LEASE]),
        id=st.uuids().map(str),
        points=st.integers(0, 500),
    ),
    max_size=6,
    unique_by=lambda source: source.id,
)


@given(st.integers(0, 2000), SOURCES)
def test_points_are_covered_exactly(points: int, sources: list[SetAside]) -> None:
    found = cover(points, sources)
    assert sum(part.points for part in found) == points
    have = {source.id: source.points for source in sources}
    for part in found:
        assert part.kind is AuthorityKind.FLOOR or part.points <= have[part.id or ""]
    assert floor_of(found) == max(0, points - sum(have.values()))


def test_in_the_order_given() -> None:
    sources = [SetAside(AuthorityKind.HOLD, "h", 30), SetAside(AuthorityKind.LEASE, "l", 50)]
    assert cover(60, sources) == (
        Authority(kind=AuthorityKind.HOLD, id="h", points=30),
        Authority(kind=AuthorityKind.LEASE, id="l", points=30),
    )
    assert cover(0, sources) == ()


@pytest.mark.parametrize(
    "wrong", [{"kind": "hold", "points": 5}, {"kind": "floor", "id": "x", "points": 5}, {"kind": "floor", "points": 0}]
)
def test_an_authority_names_what_it_is_of(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Authority.model_validate(wrong)


def test_an_entry_carries_it_and_old_bytes_stay_as_they_were() -> None:
    chain = Chain("t-1")
    plain = chain.sale("a" * 32, (10_000,), account="m1")
    assert b"authority" not in plain.encode()
    authority = (Authority(kind=AuthorityKind.FLOOR, points=50),)
    spent = chain.sale("a" * 32, (10_000,), account="m1", rewards=("five-off",), authority=authority)
    assert Entry.decode(spent.encode()) == spent
    assert json.loads(spent.encode())["authority"] == [{"kind": "floor", "points": 50}]


@pytest.mark.parametrize("points", [49, 51])
def test_an_authority_is_over_the_points_spent(points: int) -> None:
    entry = Chain("t-1").sale("a" * 32, (10_000,), account="m1", rewards=("five-off",))
    document = json.loads(entry.encode()) | {"authority": [{"kind": "floor", "points": points}]}
    with pytest.raises(LoyaltyError, match="authority over the 50 points"):
        Entry.decode(json.dumps(document).encode())
