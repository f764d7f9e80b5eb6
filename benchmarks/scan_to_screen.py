"""From the last byte of a scan on a real pty to the changed text in Chromium, in a mirror of a million members.

Beside it a bare NiceGUI push; the floor is a bare WebSocket push: a page of three lines, without any framework. All
three take turns in one run, with the same observer in the page and the same clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse
from nicegui import ui
from playwright.sync_api import ConsoleMessage, Page

from benchmarks.lookup import fill
from benchmarks.result import Result
from drivers.simulators.channels import VirtualSerialScanner
from drivers.supervisor import Supervisor
from pos_client.config import LogConfig
from pos_client.device_settings import build_devices
from pos_client.events import EventKind, TillEvent
from pos_client.logs import set_up_logs
from pos_client.runtime import Runtime
from pos_client.screen import cashier
from tests.support.browser import launched, serving
from tests.support.till import EAN_FORMAT, Member, card_text, make_runtime, member_changes, publish

SCANS = 250
WARM_UP = 30
PAUSE_MS = 20
"""Between two scans, so that each finds a browser at rest, as in a shop."""
READY_S = 10.0

Push = Callable[[int], None]
"""Causes the change number n."""

_STAMP = "changed at "
_OBSERVE = (
    """selector => {
        const changed = () => console.log('"""
    + _STAMP
    + """' + (performance.timeOrigin + performance.now()));
        new MutationObserver(changed)
            .observe(document.querySelector(selector), {childList: true, characterData: true, subtree: true});
    }"""
)
_FLOOR_PAGE = """<!doctype html><p id="text">-</p><script>
    const socket = new WebSocket(`ws://${location.host}/floor-socket`);
    socket.onmessage = message => { document.getElementById("text").textContent = message.data; };
</script>"""


def measure() -> list[Result]:
    """p50 and p95 in milliseconds over `SCANS` scans.

    Raises:
        FileNotFoundError: there is no Chromium on this machine.
    """
    set_up_logs(LogConfig(level="warning"))  # standard output is for figures
    with tempfile.TemporaryDirectory() as folder:
        times = _run(Path(folder))
    return [
        Result(
            f"scan_to_screen_{name}",
            figure(times["ours"]),
            "ms",
            "lower",
            {"bare NiceGUI push": figure(times["bare"])},
            floor=figure(times["floor"]),
        )
        for name, figure in (("p50", statistics.median), ("p95", _p95))
    ]


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[94]


def _run(folder: Path) -> dict[str, list[float]]:
    scanner = VirtualSerialScanner(folder)
    runtime = make_runtime(folder / "till", devices={"scanner": {"kind": "serial", "port": str(scanner.path)}})
    members = [
        Member(f"acc-{number}", f"Lid {number}", ("basis", "zilver")[number % 2], 1000 + number, _card(number))
        for number in range(SCANS + WARM_UP)
    ]
    fill(runtime.store)
    publish(runtime.mirror, member_changes(members))
    app = FastAPI()
    bare = _bare_push()
    floor = _floor_push(app)
    cashier.mount(app, runtime)
    with contextlib.ExitStack() as stack:
        stack.callback(runtime.store.close)
        url = stack.enter_context(serving(app))
        stack.callback(scanner.close)
        stack.enter_context(_reading(runtime))
        browser = stack.enter_context(launched())
        ways: dict[str, tuple[Page, Push]] = {}
        for name, path, selector, push in (
            ("ours", "", ".balance", lambda number: scanner.scan(members[number].card)),
            ("bare", "bare", ".bare", bare),
            ("floor", "floor", "#text", floor),
        ):
            page = browser.new_page(viewport={"width": 1024, "height": 600})
            page.goto(url + path)
            if name != "floor":
                page.wait_for_function("() => window.did_handshake")
            page.evaluate(_OBSERVE, selector)
            ways[name] = page, push
        times: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(SCANS + WARM_UP):
            for name, (page, push) in ways.items():
                taken = _one(page, push, number)
                if number >= WARM_UP:
                    times[name].append(taken)
        return times


def _card(number: int) -> str:
    return card_text(EAN_FORMAT, 40_000_000 + number)


def _one(page: Page, push: Push, number: int) -> float:
    """Milliseconds from just before the push until the page's text had changed."""
    page.wait_for_timeout(PAUSE_MS)

    def is_stamp(message: ConsoleMessage) -> bool:
        return message.text.startswith(_STAMP)

    with page.expect_console_message(is_stamp) as message:
        start = time.time()
        push(number)
    return float(message.value.text.removeprefix(_STAMP)) - start * 1000


@contextlib.contextmanager
def _reading(runtime: Runtime) -> Iterator[None]:
    """The till's devices at work, the scanner ready."""
    ready = threading.Event()

    def look(event: TillEvent) -> None:
        if event.kind is EventKind.DEVICE_STATUS and event.data["status"] == "online":
            ready.set()

    supervisor = Supervisor(build_devices(runtime.config), runtime.board.on_event)
    end = runtime.bus.listen(look)
    supervisor.start()
    try:
        if not ready.wait(READY_S):
            raise TimeoutError(f"expected the scanner to be ready within {READY_S:.0f} s")
        yield
    finally:
        end()
        supervisor.stop()


def _bare_push() -> Push:
    """A NiceGUI page with one label, set from another thread."""
    labels: list[tuple[asyncio.AbstractEventLoop, ui.label]] = []

    @ui.page("/bare")
    async def bare() -> None:
        labels.append((asyncio.get_running_loop(), ui.label("-").classes("bare")))

    def push(number: int) -> None:
        loop, label = labels[-1]
        loop.call_soon_threadsafe(label.set_text, f"push {number}")

    return push


def _floor_push(app: FastAPI) -> Push:
    """A page with one WebSocket, written to from another thread."""
    sockets: list[tuple[asyncio.AbstractEventLoop, WebSocket]] = []

    @app.get("/floor")
    def floor() -> HTMLResponse:
        return HTMLResponse(_FLOOR_PAGE)

    @app.websocket("/floor-socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        sockets.append((asyncio.get_running_loop(), websocket))
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await websocket.receive_text()

    def push(number: int) -> None:
        loop, websocket = sockets[-1]
        asyncio.run_coroutine_threadsafe(websocket.send_text(f"push {number}"), loop)

    return push
