"""The quick reader of plain sales against the one that counts: whatever it takes, `Entry.decode` reads the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty.basket import Basket
from loyalty.errors import LoyaltyError
from loyalty.facts import Facts
from loyalty.ledger import Entry
from loyalty.programme import Programme
from sync.hq.plain import PlainSale, read_plain
from sync.hq.received import receive
from sync.wire import Batch, WireError
from tests.loyalty.build import TIERS, goods_baskets, known_facts, rich_programmes
from tests.support.entries import DAY, Chain

CARD = "c19d8f4baab5f398d47a9aec3fd7829f"
quick = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def sale(**more: Any) -> Entry:
    return Chain("t-0123456789").sale(CARD, (1250, 300), account="m1f0c2a9b8d7e6f50", **more)


def same(plain: PlainSale, entry: Entry) -> None:
    """Every field of the entry is in the plain sale, with the same value."""

    def compare(mine: Any, whole: Any) -> None:
        if hasattr(whole, "model_fields_set"):
            for name in type(whole).model_fields:
                if hasattr(mine, name):
                    compare(getattr(mine, name), getattr(whole, name))
                else:
                    assert not getattr(whole, name), name
        elif isinstance(whole, tuple):
            assert len(mine) == len(whole)
            for one, other in zip(mine, whole, strict=True):
                compare(one, other)
        else:
            assert mine == whole

    compare(plain, entry)
    compare(plain.known_facts, entry.known_facts)


@quick
@given(rich_programmes(), goods_baskets(), TIERS, known_facts(), st.booleans())
def test_every_sale_without_rewards_is_read_quickly_and_the_same(
    rules: Programme, goods: Basket, tier: str, facts: Facts, told: bool
) -> None:
    entry = Chain("t-1").sale(CARD, rules=rules, goods=goods, tier=tier, facts=facts if told else None)
    plain = read_plain(entry.encode())
    assert plain is not None
    same(plain, entry)


def test_what_a_plain_sale_has_not_is_left_to_the_other_reader() -> None:
    chain = Chain("t-1")
    bought = chain.sale(CARD, (2000,))
    chain.sale(CARD, (2000,), rewards=["five-off"])
    chain.void(bought)
    chain.returned(bought, {"1": 1000})
    assert [read_plain(raw) is not None for raw in chain.raws] == [True, False, False, False]


_VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=70)
    | st.sampled_from([1.0, 0, -1, 10**40, 2**63, "", "EUR\n", "12345678\n", CARD + "\n", "m\n", "é", [], {}, [None]])
    | st.sampled_from(["2026-03-31T00:00:00", "2026-3-1", "2026-02-30", 1_774_915_200, "base", "card_day"])
)  # fmt: skip


def _places(document: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    steps = document.items() if isinstance(document, dict) else enumerate(document)
    for step, inside in steps:
        found.append((document, step))
        if isinstance(inside, dict | list):
            found += _places(inside)
    return found


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_whatever_is_read_quickly_is_an_entry_and_the_same_one(data: st.DataObject) -> None:
    """An honest entry with a value replaced, left out, doubled or added anywhere in it."""
    facts = Facts(at_ms=1, segments=("regulars",), earned_today=3)
    document = json.loads(sale(facts=facts).encode())
    document["serving"] = {"cashier": "7", "tender": "cash", "card_after_tender": True}
    assert read_plain(json.dumps(document).encode()) is not None
    for _ in range(data.draw(st.integers(1, 2))):
        inside, step = data.draw(st.sampled_from(_places(document)))
        match data.draw(st.sampled_from(["replace", "leave out", "add", "twice"])):
            case "replace":
                inside[step] = data.draw(_VALUES)
            case "leave out":
                del inside[step]
            case "add" if isinstance(inside, dict):
                inside[data.draw(st.sampled_from(["surprise", "lines", "reason", "original"]))] = data.draw(_VALUES)
            case _ if isinstance(inside, list):
                inside.append(inside[step])
    raw = json.dumps(document, ensure_ascii=data.draw(st.booleans())).encode(errors="surrogatepass")
    _agrees(raw)


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 2000), st.binary(min_size=1, max_size=6), st.booleans())
def test_damaged_bytes_are_never_read_as_another_entry(place: int, junk: bytes, over: bool) -> None:
    raw = sale(facts=Facts(at_ms=1)).encode()
    place = min(place, len(raw))
    _agrees(raw[:place] + junk + raw[place + (len(junk) if over else 0) :])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"text":"Kaas"', '"text":"\\ud800"'),
        ('"text":"Kaas"', '"text":"\\ud800\\u0041"'),
        ('"text":"Kaas"', '"text":"\\udc00"'),
        ('"text":"Kaas"', '"text":"\\u0000"'),
        ('"text":"Kaas"', '"text":"Kaas","text":"Brood"'),
        ('"seq":1,', '"seq":1,"seq":2,'),
        ('"quantity":1000', '"quantity":1000.0'),
        ('"quantity":1000', '"quantity":1e3'),
        ('"points":15', '"points":15.0'),
        ('"business_date":"2026-03-31"', '"business_date":"2026-03-31 "'),
        ('"business_date":"2026-03-31"', '"business_date":"20260331"'),
        ('"reverses":null', '"reverses":null,"reason":null'),
        ('"schema_version":1', '"schema_version":2'),
        ('"redemptions":[]', '"redemptions":[null]'),
    ],
)
def test_texts_that_readers_of_json_differ_about(old: str, new: str) -> None:
    text = sale().encode().decode()
    assert old in text
    _agrees(text.replace(old, new).encode())


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_batch_is_read_or_refused_and_its_entries_have_bytes(data: st.DataObject) -> None:
    chain = Chain("t-1")
    chain.sale(CARD)
    document = json.loads(chain.batch().encode())
    inside, step = data.draw(st.sampled_from(_places(document)))
    if data.draw(st.booleans()):
        inside[step] = data.draw(_VALUES)
    else:
        del inside[step]
    raw = json.dumps(document, ensure_ascii=data.draw(st.booleans())).encode(errors="surrogatepass")
    try:
        batch = Batch.decode(raw)
    except WireError as error:
        assert str(error).startswith("expected Batch: ")
        return
    assert [text.encode().decode() for text in batch.entries] == list(batch.entries)
    assert Batch.decode(batch.encode()) == batch


def test_a_wrong_amount_is_found_and_said_as_before() -> None:
    entry = sale()
    wrong = entry.settlement.model_copy(update={"points_earned": 999})
    raw = sale(settlement=wrong, points=999).encode()
    received = receive(1, raw, bytes(32), terminal=entry.terminal, epoch=1, today=DAY)
    assert isinstance(received.read, PlainSale)
    assert received.entry == Entry.decode(raw)


def _agrees(raw: bytes) -> None:
    plain = read_plain(raw)
    if plain is None:
        return
    try:
        entry = Entry.decode(raw)
    except LoyaltyError as error:
        pytest.fail(f"read quickly, but refused: {error}")
    same(plain, entry)
