"""The demo is the first user story: one shop morning, and every figure agrees."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from rich.console import Console

from pos_client.commands.demo import figures_json, play
from pos_client.demo.shops import SHOPS
from pos_client.samples import SAMPLES
from tests.support.shop import ForkedWorld

FIRST = "bakery"
"""The one that `make demo` plays."""


def expect_agreement(figures: dict[str, object]) -> None:
    """All that is published, and every side says the same."""
    assert set(figures) == {
        "sales",
        "entries_journaled",
        "entries_at_hq",
        "points_local",
        "points_at_hq",
        "proof_agrees",
        "payment_cards_refused",
        "killed",
    }
    sales = figures["sales"]
    assert isinstance(sales, int)
    assert sales >= 10
    assert figures["entries_journaled"] == figures["entries_at_hq"] == sales + 2  # one void, one return
    assert figures["points_local"] == figures["points_at_hq"]
    assert figures["proof_agrees"] is True
    assert figures["payment_cards_refused"] == 2
    assert figures["killed"] == 1


def test_the_morning_agrees_on_every_figure() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pos_client", "demo", "--headless", "--json", "--programme", FIRST],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    expect_agreement(json.loads(done.stdout.splitlines()[-1]))
    assert "411111" not in done.stdout + done.stderr


@pytest.mark.parametrize("programme", [name for name in SAMPLES if name != FIRST])
def test_the_morning_of_another_shop_does(programme: str) -> None:
    said = Console(file=io.StringIO())
    with tempfile.TemporaryDirectory(prefix="spaarpunt-demo-", ignore_cleanup_errors=True) as folder:
        world = ForkedWorld(Path(folder), SHOPS[programme])
        try:
            figures, problems = play(world, said)
        finally:
            world.close()
    assert problems == []
    expect_agreement(figures_json(figures))
    assert isinstance(said.file, io.StringIO)
    assert "every figure agrees" in said.file.getvalue()
    assert "411111" not in said.file.getvalue()


def test_json_needs_headless() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pos_client", "demo", "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "--json goes with --headless" in done.stderr
