"""docs/programmes.md holds: every piece of it is a programme, and every row of its tables is what the engine says."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from loyalty import programme as whole
from loyalty import programme_members, programme_rewards, programme_rules
from loyalty.basket import Basket
from loyalty.explain import say
from loyalty.programme import Programme
from loyalty.programme_parts import Part
from pos_client.programme_tools.sales import OUR_COLUMNS, RETAIL_COLUMNS, read_sales
from pos_client.programme_tools.trying import LineBack, Member, Return, Trial, moment_ms, try_basket, try_return

DOCUMENT = Path(__file__).parents[3] / "docs" / "programmes.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
NOON = datetime(2026, 11, 18, 12, 0, tzinfo=ZoneInfo("Europe/Amsterdam"))


@dataclass(frozen=True)
class Piece:
    """A block of TOML with the chapter it stands in and the rows of the table that follows."""

    title: str
    toml: str
    rows: list[dict[str, str]] = field(default_factory=list)


def pieces() -> Iterator[Piece]:
    header: list[str] = []
    title, piece = "", Piece("", "")
    for part in re.split(r"(^```toml\n.*?^```$)", TEXT, flags=re.MULTILINE | re.DOTALL):
        if part.startswith("```toml\n"):
            if piece.toml:
                yield piece
            piece, header = Piece(title, part[8:-3]), []
            continue
        for line in part.splitlines():
            if line.startswith("#"):
                title = line.lstrip("# ")
                if title in {"Returns", "Limits"} and piece.toml:
                    yield piece
                    # The tables of these chapters stand before any TOML of their own.
                    piece = Piece(title, "# the smallest programme")
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if not line.startswith("|"):
                header = []
            elif not header:
                header = cells
            elif "---" not in cells[0] and "basket" in header:
                piece.rows.append(dict(zip(header, cells, strict=True)))
    yield piece


PIECES = list(pieces())
FRAME = tomllib.loads(PIECES[0].toml)


def document(piece: Piece) -> dict[str, Any]:
    """The smallest programme with a piece put into it: what has an id that is there takes its place."""
    merged = dict(FRAME)
    for name, value in tomllib.loads(piece.toml).items():
        if isinstance(value, list) and isinstance(merged.get(name), list) and value and isinstance(value[0], dict):
            new = {part["id"]: part for part in value}
            kept = [new.pop(part["id"], part) for part in merged[name]]
            merged[name] = [*kept, *new.values()]
        else:
            merged[name] = value
    return merged


def basket(text: str) -> Basket:
    lines = []
    for number, item in enumerate(text.split("; "), 1):
        match = re.fullmatch(r"([\d.]+) × ([A-Z]+) \((\w+)\) € ([\d.]+)", item)
        assert match, item
        lines.append(
            {
                "line_id": str(number),
                "sku": match[2],
                "category": match[3],
                "quantity": int(Decimal(match[1]) * 1000),
                "gross_minor": int(Decimal(match[4]) * 100),
            }
        )
    return Basket.model_validate({"lines": lines})


def run(programme: Programme, row: dict[str, str]) -> Trial:
    member = Member.model_validate_json(row.get("member", "").strip("`") or "{}")
    at = NOON
    if row.get("when"):
        weekday, moment = row["when"].split(" ", 1)
        at = datetime.fromisoformat(moment).replace(tzinfo=NOON.tzinfo)
        assert f"{at:%a}" == weekday, row["when"]
    if "comes back" not in row:
        return try_basket(programme, basket(row["basket"]), member, moment_ms(at, programme, NOON))
    match = re.fullmatch(r"(\d+) of line (\d+)(?:, after (\d+))?", row["comes back"])
    assert match, row["comes back"]
    back = Return(
        basket=basket(row["basket"]),
        member=member,
        at=at,
        before=(LineBack(line_id=match[2], quantity=int(match[3]) * 1000),) if match[3] else (),
        returned=(LineBack(line_id=match[2], quantity=int(match[1]) * 1000),),
    )
    return try_return(programme, back, datetime.now(UTC))


def test_the_document_has_its_pieces_and_tables() -> None:
    assert len([piece for piece in PIECES if "[[" in piece.toml]) >= 20
    assert sum(len(piece.rows) for piece in PIECES) >= 40


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.title)
def test_every_piece_is_a_programme(piece: Piece) -> None:
    Programme.from_document(document(piece))


@pytest.mark.parametrize(
    ("piece", "row"),
    [(piece, row) for piece in PIECES for row in piece.rows],
    ids=lambda part: part.title if isinstance(part, Piece) else part["basket"],
)
def test_every_row_is_what_the_engine_says(piece: Piece, row: dict[str, str]) -> None:
    programme = Programme.from_document(document(piece))
    trial = run(programme, row)
    assert trial.settlement.points_earned == int(row["points"])
    assert say(programme, trial.settlement, "en") == row["read out"]
    if "to pay" in row:
        assert trial.settlement.payable_minor == int(Decimal(row["to pay"].removeprefix("€ ")) * 100)


def test_the_discount_is_spread_as_the_document_says() -> None:
    piece = next(piece for piece in PIECES if piece.title == "An amount off")
    trial = run(Programme.from_document(document(piece)), piece.rows[0])
    assert [line.discount_minor for line in trial.settlement.redemptions[0].lines] == [414, 86]
    assert "€ 4.14 comes off the pie and € 0.86 off the bread" in TEXT


def test_stamps_are_as_the_document_says() -> None:
    piece = next(piece for piece in PIECES if piece.title == "Stamp cards")
    programme = Programme.from_document(document(piece))
    changes = [sum(part.count for part in run(programme, row).settlement.counters) for row in piece.rows]
    assert [9 + changes[0], 11 + changes[1]] == [11, 2]


def test_every_field_of_a_programme_is_in_the_document() -> None:
    fields = {
        name
        for module in (whole, programme_members, programme_rewards, programme_rules)
        for part in vars(module).values()
        if isinstance(part, type) and issubclass(part, Part)
        for name in part.model_fields
    }
    written = set(re.findall(r"\b[a-z_]+\b", TEXT))
    assert fields - written == set()


def test_every_kind_is_in_the_document() -> None:
    kinds = {
        kind
        for name, part in Programme.model_json_schema()["$defs"].items()
        if not name.endswith("Gift") and "kind" in part.get("properties", {})
        for kind in part["properties"]["kind"].get("enum", [part["properties"]["kind"].get("const")])
    }
    written = {
        part.get("kind")
        for piece in PIECES
        for group in document(piece).values()
        if isinstance(group, list)
        for part in group
        if isinstance(part, dict)
    }
    assert kinds <= written


def test_the_json_examples_are_what_try_takes() -> None:
    bought, back = (json.loads(text) for text in re.findall(r"^```json\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))
    assert Basket.model_validate(bought).gross_minor == 925
    trial = try_return(Programme.from_document(FRAME), Return.model_validate_json(json.dumps(back)), NOON)
    assert trial.settlement.points_earned == -6


def test_the_csv_example_is_what_replay_takes(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```csv\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    file = tmp_path / "sales.csv"
    file.write_text(example, encoding="utf-8")
    receipts = list(read_sales(file, "EUR", lambda _: None))
    assert [(receipt.card, sum(line.amount_minor for line in receipt.lines)) for receipt in receipts] == [
        ("member-17", 912),
        ("", 1440),
        ("member-17", -300),
    ]
    assert ",".join(OUR_COLUMNS) in example
    assert ",".join(RETAIL_COLUMNS) in TEXT
