"""The domain computes in whole numbers: no float, no true division, anywhere in its source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import loyalty

SOURCES = sorted(Path(loyalty.__file__).parent.glob("**/*.py"))


def inexact(tree: ast.AST) -> list[str]:
    """Every construct that can make a float, as "line: what"."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            found.append(f"{node.lineno}: literal {node.value}")
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            found.append(f"{node.lineno}: true division")
        elif isinstance(node, ast.Name) and node.id in {"float", "complex", "round"}:
            found.append(f"{node.lineno}: {node.id}")
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            if names & {"math", "cmath", "numpy", "decimal", "statistics"}:
                found.append(f"{node.lineno}: import of {sorted(filter(None, names))}")
    return found


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_no_float(source: Path) -> None:
    assert inexact(ast.parse(source.read_text(encoding="utf-8"))) == []


def test_the_sources_are_found() -> None:
    assert {"accrual.py", "money.py", "redemption.py"} <= {path.name for path in SOURCES}


@pytest.mark.parametrize(
    "text", ["x = 1.5", "x = a / b", "x /= 2", "x = float(1)", "x = round(y)", "import math", "from math import floor"]
)
def test_the_search_finds_them(text: str) -> None:
    assert inexact(ast.parse(text))
