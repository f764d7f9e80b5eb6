"""What other sites' pages can do to a till, in a real Chromium: nothing. And what a paired page can: sell.

The till is a process of its own with everything it serves: the API, the cashier's screen and the manager's pages.
"""

from __future__ import annotations

import functools
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page

from tests.pos_client.plugin.conftest import TOKEN
from tests.pos_client.plugin.pages import OPEN_SOCKET, STREAM, WAIT_MS, pair_and_sell
from tests.support.browser import chromium
from tests.support.till import make_runtime

ROOT = Path(__file__).parents[3]
OURS = {"Authorization": f"Bearer {TOKEN}"}
SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"


@dataclass(frozen=True, slots=True)
class Scene:
    """A till at `till`, and a browser in which every other name leads to this machine, where `port` serves a page."""

    till: str
    port: int
    browser: Browser

    @property
    def address(self) -> str:
        return self.till.removeprefix("http://")

    def page_of(self, name: str) -> Page:
        page = self.browser.new_context().new_page()
        page.goto(f"http://{name}:{self.port}/")
        return page


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("scene")
    (folder / "index.html").write_text("<!doctype html><title>somebody's page</title><p>hello")
    make_runtime(folder / "till").store.close()
    handler = functools.partial(_Quiet, directory=str(folder))
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    port = site.server_address[1]
    command = [
        sys.executable,
        "-m",
        "tests.pos_client.plugin.serving_till",
        str(folder / "till"),
        f"http://till.example:{port}",
        f"http://127.0.0.1:{port}",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            till = process.stdout.readline().strip()
            with chromium("--host-resolver-rules=MAP *.example 127.0.0.1") as browser:
                yield Scene(till, port, browser)
        finally:
            process.terminate()
            site.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def sessions_of(scene: Scene, session: str) -> int:
    """200 when the till has this session, 404 when it does not."""
    return httpx.post(f"{scene.till}/v1/sessions/{session}/quote", headers=OURS).status_code


def test_a_page_whose_name_was_pointed_here(scene: Scene) -> None:
    port = scene.address.partition(":")[2]
    page = scene.browser.new_context().new_page()
    for path in ("/", "/manager", "/v1/hello"):
        answer = page.goto(f"http://rebound.example:{port}{path}")
        assert answer is not None
        assert (answer.status, answer.json()["code"]) == (400, "bad_host")
    # To the browser it is one site: nothing but the Host tells it from ours.
    assert page.evaluate(STREAM, ["/v1/status", TOKEN]) == 400
    assert page.evaluate(OPEN_SOCKET, [f"ws://rebound.example:{port}{SOCKET}", []]) == "refused"
    page.context.close()


def test_posts_without_reading(scene: Scene) -> None:
    page = scene.page_of("evil.example")
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        page.evaluate(
            "([url, kind]) => fetch(url, {method: 'POST', mode: 'no-cors', headers: {'Content-Type': kind},"
            " body: JSON.stringify({id: 'evil'})}).catch(() => 'nothing to read')",
            [f"{scene.till}/v1/sessions", kind],
        )
    with page.expect_navigation():
        page.evaluate(
            "url => { const form = document.createElement('form'); form.method = 'POST'; form.action = url;"
            " form.enctype = 'text/plain'; document.body.append(form); form.submit(); }",
            f"{scene.till}/v1/sessions",
        )
    assert "bad_origin" in page.content()
    assert sessions_of(scene, "evil") == 404
    page.context.close()


@pytest.mark.parametrize("token", [TOKEN, ""])
def test_a_strange_page_reads_no_events_even_with_a_token(scene: Scene, token: str) -> None:
    page = scene.page_of("evil.example")
    with pytest.raises(Exception, match="Failed to fetch"):
        page.evaluate(STREAM, [f"{scene.till}/v1/events", token])
    told = page.evaluate(
        "url => new Promise(done => { const source = new EventSource(url);"
        " source.onopen = () => done('open'); source.onerror = () => done('refused'); })",
        f"{scene.till}/v1/events",
    )
    assert told == "refused"
    page.context.close()


@pytest.mark.parametrize("path", ["/v1/events", SOCKET])
def test_a_strange_page_opens_no_socket_even_with_a_token(scene: Scene, path: str) -> None:
    page = scene.page_of("evil.example")
    protocols = ["spaarpunt", f"bearer.{TOKEN}"] if path == "/v1/events" else []
    assert page.evaluate(OPEN_SOCKET, [f"ws://{scene.address}{path}", protocols]) == "refused"
    page.context.close()


@pytest.mark.parametrize(("name", "shown"), [("evil.example", False), ("localhost", False), ("127.0.0.1", True)])
def test_the_screen_is_shown_in_a_frame_of_a_page_named_here_alone(scene: Scene, name: str, shown: bool) -> None:
    page = scene.page_of(name)
    page.evaluate(
        "url => new Promise(done => { const frame = document.createElement('iframe'); frame.onload = done;"
        " frame.src = url; document.body.append(frame); })",
        f"{scene.till}/",
    )
    frame = page.frame_locator("iframe").locator(".till")
    if shown:
        frame.wait_for(timeout=WAIT_MS)
    assert frame.count() == shown
    page.context.close()


def test_our_own_screen_works_and_a_named_page_pairs_and_sells(scene: Scene) -> None:
    token = pair_and_sell(scene.page_of("till.example"), scene.browser.new_context().new_page(), scene.till, "web-1")
    # Another page that got hold of the token has nothing of it.
    with pytest.raises(Exception, match="Failed to fetch"):
        scene.page_of("evil.example").evaluate(STREAM, [f"{scene.till}/v1/status", token])
