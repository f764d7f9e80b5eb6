"""The demo is the first user story: one shop morning, and every figure agrees."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pos_client.samples import SAMPLES


@pytest.mark.parametrize("programme", SAMPLES)
def test_the_morning_agrees_on_every_figure(programme: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pos_client", "demo", "--headless", "--json", "--programme", programme],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
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
    assert figures["sales"] >= 10
    assert figures["entries_journaled"] == figures["entries_at_hq"] == figures["sales"] + 2  # one void, one return
    assert figures["points_local"] == figures["points_at_hq"]
    assert figures["proof_agrees"] is True
    assert figures["payment_cards_refused"] == 2
    assert figures["killed"] == 1
    assert "4111" not in done.stdout + done.stderr


def test_json_needs_headless() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pos_client", "demo", "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "--json goes with --headless" in done.stderr
