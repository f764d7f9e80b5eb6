"""`spaarpunt simulate`: figures for people and programs, a picture, and an end by Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

from click.testing import CliRunner

from pos_client.cli import main

DEADLINE_S = 60


def test_a_small_run_ends_well_with_figures_and_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "run.svg"
    arguments = ["simulate", "--tills", "10", "--seed", "3", "--sales-per-day", "2", "--plot", str(picture), "--json"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["complete"]
    assert report["scenario"]["seed"] == 3
    assert report["tally"]["nights"] == 10
    assert report["peak"]["per_s"] >= 1
    assert {drain["after"] for drain in report["drains"]} == {"a region without a line", "head office away"}
    root = ElementTree.parse(picture).getroot()
    assert root.tag.endswith("svg")
    assert "10 tills" in picture.read_text(encoding="utf-8")


def test_ctrl_c_ends_it_with_the_report_so_far() -> None:
    command = [sys.executable, "-m", "pos_client", "simulate", "--tills", "400", "--days", "31", "--json"]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        _wait_for_sales(started)
        os.kill(started.pid, signal.SIGINT)
        output, errors = started.communicate(timeout=DEADLINE_S)
    finally:
        started.kill()
        started.wait()
    assert started.returncode == 0, errors
    report = json.loads(output)
    assert not report["complete"]
    assert report["simulated_s"] > 0
    assert report["checks"]["problems"] == []


def _wait_for_sales(process: subprocess.Popen[str]) -> None:
    """Until the process has opened tills: they exist from their first sale on."""
    deadline = time.monotonic() + DEADLINE_S
    folder = Path(f"/proc/{process.pid}/fd")
    while time.monotonic() < deadline:
        assert process.poll() is None
        if any("/tills/000/" in _target(link) for link in folder.iterdir()):
            return
        time.sleep(0.05)
    raise AssertionError("no till was opened in time")


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""  # closed meanwhile
