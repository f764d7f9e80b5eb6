"""A till from cold to its screen, what its process takes, and whether 500 sales in a row leave anything behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from playwright.sync_api import Page, expect

from benchmarks.result import Result
from loyalty.basket import Basket, Line
from pos_client.plugin.client import TillClient
from tests.support.browser import launched
from tests.support.till import FORMATS, MEMBERS, closed_port, make_runtime

STARTS = 5
SALES = 500
WARM_UP = 50
"""Sales before the first look: caches that fill once are no growth."""
READY_S = 30.0
MB = 1024 * 1024


def measure() -> list[Result]:
    """Seconds, and megabytes of 2**20 bytes.

    Raises:
        FileNotFoundError: there is no Chromium on this machine.
    """
    with tempfile.TemporaryDirectory(prefix="bench-till-") as folder:
        config = _prepare(Path(folder))
        starts = []
        for _ in range(STARTS):
            with _running(config) as (process, _, seconds):
                taken = process.cpu_times()
                starts.append((seconds, taken.user + taken.system))
        with _running(config) as (process, address, _):
            resident, page_grew, till_grew = _sales(process, address, Path(folder) / "till" / "plugin.token")
    return [
        Result(
            "cold start to ready, median of 5",
            statistics.median(wall for wall, _ in starts),
            "s",
            "lower",
            floor=statistics.median(busy for _, busy in starts),  # the processor's time: what an idle machine needs
        ),
        Result("till process with a screen", resident, "MB", "lower"),
        Result("growth of the page over 500 sales", page_grew, "MB", "lower"),
        Result("growth of the till over 500 sales", till_grew, "MB", "lower"),
    ]


def _prepare(folder: Path) -> Path:
    """A till that was enrolled and knows its members; returns its configuration."""
    make_runtime(folder / "till").store.close()
    formats = "\n".join(
        f'[[card_formats]]\nname = "{each.name}"\nprefix = "{each.prefix}"\nlength = {each.length}\n'
        f'check = "{each.check.value}"'
        for each in FORMATS
    )
    config = folder / "spaarpunt.toml"
    config.write_text(
        f"[till]\ndata_dir = {json.dumps(str(folder / 'till'))}\n"
        f'head_office_url = "http://127.0.0.1:{closed_port()}"\n[screen]\nport = {closed_port()}\n'
        f'[log]\nlevel = "error"\n{formats}\n',
        encoding="utf-8",
    )
    return config


@contextlib.contextmanager
def _running(config: Path) -> Iterator[tuple[psutil.Process, str, float]]:
    """A till in a process of its own: the process, its address, and the seconds until it said that it was ready."""
    begun = time.perf_counter()
    program = subprocess.Popen(
        [sys.executable, "-m", "pos_client", "--config", str(config), "till"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert program.stdout is not None
        line = program.stdout.readline()
        if "is ready" not in line:
            raise RuntimeError(f"expected a till that is ready, got: {line}")
        yield psutil.Process(program.pid), line.split("ready: ")[1].strip(), time.perf_counter() - begun
    finally:
        program.send_signal(signal.SIGTERM)
        program.wait(READY_S)


def _sales(process: psutil.Process, address: str, token: Path) -> tuple[float, float, float]:
    """Resident megabytes of the till after all sales, and what page and till grew by over the last `SALES`."""
    with launched() as browser, TillClient(address, token.read_text(encoding="utf-8").strip()) as client:
        page = browser.new_page(viewport={"width": 1024, "height": 600})
        page.goto(address)
        page.wait_for_function("() => window.did_handshake && document.querySelector('.till') !== null")
        for number in range(WARM_UP):
            _one(page, client, number)
        page_before, till_before = _heap(page), process.memory_info().rss
        for number in range(SALES):
            _one(page, client, number)
        resident = process.memory_info().rss
        return resident / MB, (_heap(page) - page_before) / MB, (resident - till_before) / MB


def _one(page: Page, client: TillClient, number: int) -> None:
    """A customer: card, basket, booked, next."""
    member = MEMBERS[number % 3]
    session = client.open_session().session
    client.identify(session, member.card)
    client.set_basket(session, _BREAD, 0)
    client.commit(session)
    expect(page.locator(".till")).to_have_attribute("data-phase", "booked")
    expect(page.locator(".first-name")).to_have_text(member.first_name)


_BREAD = Basket(lines=(Line(line_id="1", sku="brood", text="Brood", gross_minor=345),))


def _heap(page: Page) -> float:
    """Bytes that the page's scripts hold once everything that can go is gone."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    metrics = session.send("Performance.enable") or session.send("Performance.getMetrics")
    used = next(metric["value"] for metric in metrics["metrics"] if metric["name"] == "JSHeapUsedSize")
    session.detach()
    return float(used)
