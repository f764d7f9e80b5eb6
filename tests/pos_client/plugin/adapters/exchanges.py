"""Golden exchanges: read from files, sent to a real till, the answers compared whole."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.pos_client.plugin.conftest import TOKEN

VECTORS = Path(__file__).parents[3] / "vectors" / "adapters"
ANY = "<any>"


@dataclass(frozen=True)
class Exchange:
    """One file: what is sent, and what comes back. `<name>` is a value that an earlier answer had there."""

    name: str
    headers: dict[str, str]
    body: Any
    status: int
    answer: Any


def exchanges(folder: str) -> list[Exchange]:
    """Those of a folder, in order."""
    found = []
    for path in sorted((VECTORS / folder).glob("*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        found.append(Exchange(path.stem, told["headers"], told["body"], told["status"], told["answer"]))
    assert found, f"no exchanges in {folder}"
    return found


def replay(url: str, told: list[Exchange]) -> None:
    """Send every one of them, in order, to the call at `url`."""
    names: dict[str, Any] = {"<moment>": "2026-03-31T10:15:00Z"}
    with httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False) as client:
        for exchange in told:
            answer = client.post(url, headers=exchange.headers, json=_named(exchange.body, names))
            assert answer.status_code == exchange.status, f"{exchange.name}: {answer.text}"
            got = answer.json()
            assert _same(exchange.answer, got, names), f"{exchange.name}: expected {exchange.answer}, got {got}"


def _named(value: Any, names: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _named(part, names) for key, part in value.items()}
    if isinstance(value, list):
        return [_named(part, names) for part in value]
    return names[value] if isinstance(value, str) and value.startswith("<") else value


def _same(expected: Any, got: Any, names: dict[str, Any]) -> bool:
    if expected == ANY:
        return got is not None
    if isinstance(expected, str) and expected.startswith("<"):
        return bool(names.setdefault(expected, got) == got)
    if isinstance(expected, dict):
        return (
            isinstance(got, dict)
            and expected.keys() == got.keys()
            and all(_same(part, got[key], names) for key, part in expected.items())
        )
    if isinstance(expected, list):
        return (
            isinstance(got, list)
            and len(expected) == len(got)
            and all(_same(one, other, names) for one, other in zip(expected, got, strict=True))
        )
    return bool(expected == got)
