"""Journal entries: one encoding, a digest chain that shows every change, points that follow from the settlement."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from loyalty.basket import Basket
from loyalty.errors import BasketError, ChainBroken, LoyaltyError
from loyalty.ledger import GENESIS, MAX_ENTRY_BYTES, Clock, Entry, EntryKind, chain, expect_head, follow
from loyalty.programme import Programme
from loyalty.settlement import settle
from sync.wire import MAX_BATCH_BYTES
from tests.loyalty.build import TIERS, basket, baskets, line, programme, programmes

CHAIN = Path(__file__).parents[1] / "vectors" / "chain"
RAWS = [(CHAIN / f"entry-{number}.json").read_bytes() for number in (1, 2, 3)]
DIGESTS = [
    bytes.fromhex(row.split()[1])
    for row in (CHAIN / "digests.txt").read_text(encoding="utf-8").splitlines()
    if not row.startswith("#")
]


def entry(goods: Basket | None = None, rules: Programme | None = None, tier: str = "basic", **changes: Any) -> Entry:
    """A sale of € 10.00, or of `goods`; `changes` as in `Entry`."""
    rules = rules or programme()
    goods = basket(1000) if goods is None else goods
    settlement = settle(rules, goods, tier)
    fields: dict[str, Any] = {
        "terminal": "t-1",
        "epoch": 1,
        "seq": 1,
        "id": "019d4530-4c00-7a00-8000-000000000001",
        "kind": EntryKind.SALE,
        "session": "s-1",
        "clock": Clock(wall_ms=1_774_944_000_000, monotonic_ms=1, boot_id="b", offset_ms=None),
        "business_date": date(2026, 3, 31),
        "card": "0" * 32,
        "account": None,
        "programme": rules.id,
        "programme_version": rules.version,
        "tier": tier,
        "basket": goods,
        "settlement": settlement,
        "points": settlement.points_delta,
    }
    return Entry.model_validate({**fields, **changes})


def test_golden_entries_read_as_they_were_worked_out_by_hand() -> None:
    """By the bakery sample: a point a euro, silver half as much again, coffee € 2.50 off for 250 points.

    1. Silver. € 3.45 + € 6.58 (0.347 kg) = € 10.03, the deposit does not count: 10 + 5 = 15.
    2. € 17.50 less € 2.50 = € 15.00 → 15, 250 spent: −235. 250 spread: 250·1250/1750 = 178.57 → 179, and 71.
    3. The void of 2: +235.
    """
    first, second, third = (Entry.decode(raw) for raw in RAWS)
    assert (first.points, first.settlement.payable_minor) == (15, 1028)
    assert [(part.rule, part.points) for part in first.settlement.accrual.components] == [
        ("euro", 10),
        ("zilver-extra", 5),
    ]
    assert (second.points, second.settlement.points_earned, second.settlement.points_spent) == (-235, 15, 250)
    assert [part.discount_minor for part in second.settlement.redemptions[0].lines] == [179, 71]
    assert (third.kind, third.points, third.reverses) == (EntryKind.VOID, 235, second.id)


def test_golden_entries_are_encoded_as_they_were() -> None:
    assert [Entry.decode(raw).encode() for raw in RAWS] == RAWS


def test_golden_digests() -> None:
    previous = GENESIS
    for raw, digest in zip(RAWS, DIGESTS, strict=True):
        previous = chain(previous, raw)
        assert previous == digest
    assert follow(GENESIS, RAWS) == DIGESTS[-1]
    assert follow(DIGESTS[0], RAWS[1:]) == DIGESTS[-1]
    expect_head(GENESIS, RAWS, DIGESTS[-1])


def test_the_chain_is_sha256_of_previous_and_bytes() -> None:
    assert chain(b"\1" * 32, b"abc") == hashlib.sha256(b"\1" * 32 + b"abc").digest()
    assert bytes(32) == GENESIS
    assert follow(b"x" * 32, []) == b"x" * 32


@given(st.integers(0, 2), st.data())
def test_any_changed_byte_breaks_the_chain(which: int, data: st.DataObject) -> None:
    raw = RAWS[which]
    place = data.draw(st.integers(0, len(raw) - 1))
    bit = data.draw(st.integers(0, 7))
    changed = raw[:place] + bytes([raw[place] ^ 1 << bit]) + raw[place + 1 :]
    with pytest.raises(ChainBroken, match="expected head digest 9bf4bf091a86d1f8…, got "):
        expect_head(GENESIS, [*RAWS[:which], changed, *RAWS[which + 1 :]], DIGESTS[-1])


@pytest.mark.parametrize(
    "raws", [RAWS[:2], RAWS[1:], [RAWS[1], RAWS[0], RAWS[2]], [*RAWS, RAWS[2]], [RAWS[0] + RAWS[1], RAWS[2]], []]
)
def test_missing_moved_doubled_or_joined_entries_break_the_chain(raws: list[bytes]) -> None:
    # Joined bytes are the one case plain concatenation would not notice: each link is a digest of its own.
    with pytest.raises(ChainBroken):
        expect_head(GENESIS, raws, DIGESTS[-1])


@given(programmes(), baskets(), TIERS)
def test_encode_and_decode_give_the_same_entry_and_the_same_bytes(rules: Programme, goods: Basket, tier: str) -> None:
    sale = entry(goods, rules, tier)
    raw = sale.encode()
    assert Entry.decode(raw) == sale
    assert Entry.decode(raw).encode() == raw
    assert json.loads(raw)["points"] == sale.points


@given(st.text(max_size=80))
def test_any_text_of_a_line_survives(text: str) -> None:
    sale = entry(Basket(lines=(line("a", 100, text=text),)))
    assert Entry.decode(sale.encode()).basket.lines[0].text == text


DECISION = {"terminal": "t-1", "epoch": 1, "seq": 7, "digest": "0" * 64, "action": "reverse"}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"points": 11}, "expected 10 points from the settlement, got 11"),
        ({"points": -10}, "expected 10 points from the settlement, got -10"),
        ({"kind": "void", "reverses": "x"}, "expected -10 points from the settlement, got 10"),
        ({"kind": "void", "points": -10}, "expected 'reverses' on every void and only there"),
        ({"reverses": "x"}, "expected 'reverses' on every void and only there"),
        ({"kind": "adjustment", "approver": "Wil"}, "expected 'reason' on every adjustment and resolution"),
        ({"kind": "resolution", "approver": "Wil", "reason": "klopt"}, "expected 'resolves' on every resolution"),
        (
            {"kind": "resolution", "approver": "Wil", "reason": "klopt", "resolves": DECISION},
            "without points and goods",
        ),
        ({"resolves": DECISION}, "expected 'resolves' on every resolution and only there"),
        ({"resolves": {**DECISION, "account": "m1"}}, "expected 'account' on every link and only there"),
        ({"resolves": {**DECISION, "action": "link"}}, "expected 'account' on every link and only there"),
        ({"seq": 0}, "greater than or equal to 1"),
        ({"epoch": 0}, "greater than or equal to 1"),
        ({"seq": 1.0}, "valid integer"),
        ({"schema_version": 2}, "Input should be 1"),
        ({"kind": "enrolment"}, "expected 'consent' on every enrolment and only there"),
        ({"consent": "nl"}, "expected 'consent' on every enrolment and only there"),
        ({"kind": "enrolment", "consent": "nl"}, "without points and goods"),
        ({"answer": 0}, "expected 'answer' on every answer and only there"),
        ({"kind": "answer", "answer": 11}, "less than or equal to 10"),
        ({"kind": "gift"}, "'adjustment', 'resolution', 'enrolment' or 'answer'"),
        (
            {"kind": "void", "points": -10, "reverses": "x", "serving": {"tender": "cash"}},
            "expected 'serving' on a sale",
        ),
        ({"serving": {"cashier": "Wil de Vries"}}, "should match pattern"),
        ({"mood": "good"}, "not permitted"),
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        entry(**changes)


def test_a_void_takes_back() -> None:
    assert entry(kind="void", points=-10, reverses="x").points == -10


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", "not a journal entry: entry: Invalid JSON"),
        (b"{", "not a journal entry: entry: Invalid JSON"),
        (b"[]", "not a journal entry: entry: "),
        (b"\xff\xfe", "not a journal entry: entry: Invalid JSON"),
        (RAWS[0][:-1], "not a journal entry: entry: Invalid JSON"),
        (RAWS[0].replace(b'"points":15,"reverses"', b'"points":16,"reverses"'), "expected 15 points"),
        (RAWS[0].replace(b'"schema_version":1', b'"schema_version":2'), "schema_version: Input should be 1"),
        (RAWS[0].replace(b'"gross_minor":345', b'"gross_minor":3.45'), "basket.lines.0.gross_minor: "),
    ],
)
def test_what_is_no_entry_is_refused_by_path(raw: bytes, text: str) -> None:
    with pytest.raises(LoyaltyError) as caught:
        Entry.decode(raw)
    assert str(caught.value).startswith("not a journal entry: ")
    assert text in str(caught.value)


def test_an_error_shows_paths_and_no_values() -> None:
    raw = RAWS[0].replace(b'"seq":1', b'"seq":"4242424242424242"')
    with pytest.raises(LoyaltyError) as caught:
        Entry.decode(raw)
    assert "seq" in str(caught.value)
    assert "4242" not in str(caught.value)


def test_an_entry_too_large_for_the_wire_is_never_made() -> None:
    """It would be refused by head office for ever, with every later entry waiting behind it."""
    large = Basket(lines=tuple(line(str(number), 1, text="€" * 80, category="€" * 64) for number in range(500)))
    with pytest.raises(BasketError, match=r"expected a sale of at most 200000 bytes, got \d+: book it as two baskets"):
        entry(large).encode()
    plain = Basket(lines=tuple(line(str(number), 199, text="A sale line of usual length") for number in range(500)))
    assert len(entry(plain).encode()) < MAX_ENTRY_BYTES < MAX_BATCH_BYTES
