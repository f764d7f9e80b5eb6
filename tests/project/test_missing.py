"""A gate that a machine cannot run says so in every run, and fails one that nobody reads."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GATE = """
from tests.support.missing import missing

def test_a_gate():
    missing("no gate here: apt install gate")
"""


@pytest.mark.parametrize(
    ("ci", "said", "status"),
    [(None, r"SKIPPED \[1\] \S*test_gate\.py:5: no gate here: apt install gate", 0), ("true", "no gate here", 1)],
    ids=["by hand", "on a build server"],
)
def test_what_is_missing_is_told_or_fails(tmp_path: Path, ci: str | None, said: str, status: int) -> None:
    """A run of its own, with the project's settings."""
    gate = tmp_path / "test_gate.py"
    gate.write_text(GATE)
    environment = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), str(gate)]
    ran = subprocess.run(
        command,
        cwd=ROOT,
        env=environment | ({} if ci is None else {"CI": ci}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == status, ran.stdout + ran.stderr
    assert re.search(said, ran.stdout), ran.stdout


def test_nothing_is_skipped_in_another_way() -> None:
    """But for the kernel's own keyboards: machines in a cloud have no uinput, build servers are such machines, and the
    same wedge is driven through a FIFO beside it."""
    skipping = re.compile(r"\b(?:pytest|mark)\.(?:skip|skipif|xfail|importorskip)\b")
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("*.py")
        if skipping.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"tests/support/missing.py", "tests/drivers/keyboard/test_wedge.py"}
