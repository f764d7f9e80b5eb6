"""The loopback API of a till that knows a million accounts: identify and quote, beside two calls of a bare FastAPI."""

from __future__ import annotations

import contextlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from benchmarks.lookup import ACCOUNTS, SEED, fill
from benchmarks.result import Result
from loyalty.cards import CardNumber
from sync.wire_mirror import CardChange
from tests.pos_client.plugin.conftest import TOKEN
from tests.support.till import CARD_KEY, EAN_FORMAT, FORMATS, card_text, make_runtime, publish

SALES = 1_000
WARM = 100
LINES = [{"line_id": str(n), "sku": f"sku-{n}", "gross_minor": 199 + n} for n in range(12)]

_ECHO = """
import sys
from fastapi import FastAPI
from typing import Any
from tests.pos_client.plugin.conftest import serving
import threading
app = FastAPI()
@app.post("/echo")
def echo(body: dict[str, Any]) -> dict[str, Any]:
    return body
with serving(app) as address:
    print(address, flush=True)
    threading.Event().wait()
"""


def measure() -> list[Result]:
    """Milliseconds as a program on the same machine sees them, over HTTP: a card identified and the sale quoted, beside
    two calls of a FastAPI that only sends back what it gets, with answers of that size."""
    with tempfile.TemporaryDirectory(prefix="bench-api-") as folder, contextlib.ExitStack() as stack:
        cards = _till(Path(folder) / "till")
        ours = stack.enter_context(_server("-m", "tests.pos_client.plugin.serving_till", str(Path(folder) / "till")))
        echo = stack.enter_context(_server("-c", _ECHO))
        ours.headers["Authorization"] = f"Bearer {TOKEN}"
        answered = _sale(ours, "warm", cards[0])
        body = {"text": "x" * len(answered.content)}

        def sell(number: int) -> float:
            session, card = f"bon-{number}", cards[number % len(cards)]
            ours.post("/v1/sessions", json={"id": session})
            ours.put(f"/v1/sessions/{session}/basket", json={"lines": LINES, "version": 0})
            start = time.perf_counter()
            identified = ours.post(f"/v1/sessions/{session}/identify", json={"card": card})
            quoted = ours.post(f"/v1/sessions/{session}/quote")
            took = time.perf_counter() - start
            assert identified.json()["member"]["known"]
            assert quoted.is_success
            ours.post(f"/v1/sessions/{session}/void")
            return took

        def bare(_: int) -> float:
            start = time.perf_counter()
            for _call in range(2):
                assert echo.post("/echo", json=body).is_success
            return time.perf_counter() - start

        found = {sell: [0.0] * 0, bare: [0.0] * 0}
        for number in range(WARM + SALES):
            for call, times in found.items():  # one after the other, so that the machine treats both alike
                took = call(number)
                if number >= WARM:
                    times.append(took)
    return [
        Result(
            f"identify + quote of 1 000 000, {name}", of(found[sell]), "ms", "lower", {"bare FastAPI": of(found[bare])}
        )
        for name, of in (("p50", _median), ("p99", _p99))
    ]


def _till(folder: Path) -> list[str]:
    """A till with the million, some of them with cards that can be typed; those cards."""
    dice = random.Random(SEED)
    runtime = make_runtime(folder)
    fill(runtime.store)
    cards = [card_text(EAN_FORMAT, 10_000_000 + number) for number in range(400)]
    changes = [
        CardChange(
            token=CardNumber.parse(card, FORMATS).token(CARD_KEY),
            account=f"m{dice.randrange(ACCOUNTS):016x}",
            blocked=False,
        )
        for card in cards
    ]
    publish(runtime.mirror, changes)
    runtime.store.close()
    return cards


def _sale(client: httpx.Client, session: str, card: str) -> httpx.Response:
    client.post("/v1/sessions", json={"id": session}).raise_for_status()
    client.put(f"/v1/sessions/{session}/basket", json={"lines": LINES, "version": 0}).raise_for_status()
    return client.post(f"/v1/sessions/{session}/identify", json={"card": card})


@contextlib.contextmanager
def _server(*arguments: str) -> Iterator[httpx.Client]:
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            with httpx.Client(base_url=process.stdout.readline().strip(), trust_env=False, timeout=30) as client:
                yield client
        finally:
            process.terminate()


def _median(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1000


def _p99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98] * 1000
