"""The limits in docs/entries.md are those that head office reads entries with: at their ends, and beyond."""

from __future__ import annotations

import copy
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loyalty.facts import Count, Facts
from loyalty.ledger import MAX_ENTRY_BYTES
from loyalty.redemption import Choice
from sync.hq.received import Code, receive
from tests.support.entries import Chain

TEXT = (Path(__file__).parents[3] / "docs" / "entries.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([\w.\[\]]+)` \| (items|characters|number) \| ([-\d ]+) \| ([-\d ]+) \|$", TEXT, re.MULTILINE)
TERMINAL = "t-0123456789"


def sale() -> dict[str, Any]:
    chain = Chain(TERMINAL)
    chain.sale("c" * 32, (6000,), account="m1", rewards=[Choice(reward="five-off")])
    entry: dict[str, Any] = json.loads(chain.raws[0])
    facts = Facts(counters=(Count(counter="mug", count=1),)).model_dump(mode="json")
    entry["settlement"]["counters"] = [{"counter": "mug", "count": 1}]
    return entry | {
        "facts": facts,
        "authority": [{"kind": "hold", "id": "hold", "points": 50}],
        "serving": {"cashier": "anna", "tender": "cash"},
    }


def without_goods(kind: str, **more: Any) -> dict[str, Any]:
    entry = sale()
    for name in ("facts", "authority", "serving"):
        del entry[name]
    entry["basket"]["lines"] = []
    nothing = {"redemptions": [], "accrual": {"points": 0, "components": [], "lines": []}}
    return (
        entry
        | {"kind": kind, "settlement": nothing | {"points_earned": 0, "points_spent": 0, "payable_minor": 0}}
        | more
    )


def with_field(path: str) -> dict[str, Any]:
    """A sound entry that has the field."""
    if path.startswith(("resolves", "approver", "reason")):
        parked = {"terminal": TERMINAL, "epoch": 1, "seq": 1, "digest": "0" * 64, "action": "link", "account": "m1"}
        return without_goods("resolution", reason="why", approver="Anna", resolves=parked)
    return without_goods("answer", answer=5) if path == "answer" else sale()


ITEMS: dict[str, Any] = {
    "basket.lines": {"sku": "tea", "gross_minor": 100},
    "facts.birthday": "day",
    "facts.segments": "tea",
    "facts.counters": {"counter": "mug", "count": 1},
    "facts.stock": {"counter": "mug", "count": 1},
    "authority": {"kind": "hold", "id": "hold", "points": 1},
}


def sized(path: str, what: str, size: int) -> Any:
    """A value of that size for the field."""
    if what == "number":
        return size
    if what == "characters":
        return "x" * size
    if path == "basket.lines":
        return [ITEMS[path] | {"line_id": str(place)} for place in range(size)]
    return [ITEMS[path]] * size


def put(entry: dict[str, Any], path: str, what: str, size: int) -> bytes:
    """The entry's bytes with the field of that size, and the sums that follow from it."""
    entry = copy.deepcopy(entry)
    inside: Any = entry
    *way, last = path.replace("[]", ".0").split(".")
    for name in way:
        inside = inside[int(name)] if name.isdigit() else inside[name]
    inside[last] = sized(path, what, size)
    settlement = entry["settlement"]
    if path == "authority":
        settlement["points_spent"] = size or settlement["points_spent"]
    elif path == "settlement.points_spent":
        del entry["authority"]
    entry["points"] = settlement["points_earned"] - settlement["points_spent"]
    return json.dumps(entry).encode()


def read(raw: bytes) -> Code | None:
    fault = receive(1, raw, bytes(32), terminal=TERMINAL, epoch=1, today=date(2026, 3, 31)).fault
    return fault.code if fault is not None else None


@pytest.mark.parametrize(("path", "what", "least", "most"), ROWS, ids=[row[0] for row in ROWS])
def test_a_limit_is_that_of_the_code(path: str, what: str, least: str, most: str) -> None:
    start, end = (int(text.replace(" ", "")) for text in (least, most))
    entry = with_field(path)
    for size in (start, end):
        assert read(put(entry, path, what, size)) is None, size
    for size in {start - 1, end + 1} - ({-1} if what != "number" else set()):
        assert read(put(entry, path, what, size)) is Code.UNREADABLE, size


def test_the_table_has_every_limit() -> None:
    assert len(ROWS) == len(re.findall(r"^\| `[^`]+` \| (?:items|characters|number) \|", TEXT, re.MULTILINE))
    assert {path.split("[")[0].split(".")[0] for path, *_ in ROWS} == {
        "basket", "settlement", "account", "facts", "authority", "serving", "reason", "approver", "resolves", "answer",
    }  # fmt: skip
    assert f"at most {MAX_ENTRY_BYTES:,} bytes".replace(",", " ") in TEXT


@pytest.mark.parametrize("name", ["facts", "serving", "reverses", "original", "order", "reason"])
def test_what_says_nothing_may_be_null(name: str) -> None:
    assert read(json.dumps(sale() | {name: None}).encode()) is None


def test_a_list_is_never_null() -> None:
    assert read(json.dumps(sale() | {"authority": None}).encode()) is Code.UNREADABLE
    assert read(json.dumps(sale() | {"authority": []}).encode()) is None
