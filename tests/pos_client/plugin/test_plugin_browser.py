"""What other sites' pages can do to a till, in a real Chromium: nothing. And what a paired page can: sell.

The till is a process of its own with everything it serves: the API, the cashier's screen and the manager's pages.
"""

from __future__ import annotations

import functools
import http.server
import re
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
from tests.support.browser import chromium
from tests.support.till import SANNE, make_runtime

ROOT = Path(__file__).parents[3]
OURS = {"Authorization": f"Bearer {TOKEN}"}
WAIT_MS = 10_000
SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"

OPEN_SOCKET = """([url, protocols]) => new Promise(done => {
  const socket = new WebSocket(url, protocols);
  socket.onopen = () => done('open');
  socket.onerror = () => done('refused');
})"""
STREAM = """async ([url, token]) => {
  const answer = await fetch(url, {headers: token ? {Authorization: `Bearer ${token}`} : {}});
  return answer.status;
}"""


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
    screen = scene.browser.new_context().new_page()
    screen.goto(f"{scene.till}/")
    screen.wait_for_selector(".till", timeout=WAIT_MS)
    page = scene.page_of("till.example")
    call = """async ([url, method, token, body]) => {
      const headers = {'Content-Type': 'application/json', 'Idempotency-Key': String(Math.random())};
      if (token) headers.Authorization = `Bearer ${token}`;
      const answer = await fetch(url, {method, headers, body: body && JSON.stringify(body)});
      return [answer.status, await answer.json()];
    }"""

    def ask(method: str, path: str, body: object = None, token: str | None = None) -> Any:
        status, told = page.evaluate(call, [scene.till + path, method, token, body])
        assert status in (200, 202), told
        return told

    ask("POST", "/v1/pair", {"name": "Web till"})
    message = screen.locator(".message .text", has_text="Web till")
    message.wait_for(timeout=WAIT_MS)
    code = re.search(r"(\d{3}) (\d{3})", message.inner_text())
    assert code is not None
    token = ask("POST", "/v1/pair", {"code": code[1] + code[2]})["token"]
    message.wait_for(state="detached" if screen.locator(".message .text").count() == 0 else "hidden", timeout=WAIT_MS)

    told = page.evaluate_handle(
        """([url, protocols]) => new Promise(done => {
          const heard = [];
          const socket = new WebSocket(url, protocols);
          socket.onmessage = message => heard.push(JSON.parse(message.data));
          socket.onopen = () => done({heard, protocol: socket.protocol});
        })""",
        [f"ws://{scene.address}/v1/events", ["spaarpunt", f"bearer.{token}"]],
    )
    assert told.evaluate("it => it.protocol") == "spaarpunt", "the token is not sent back"
    assert page.evaluate(STREAM, [f"{scene.till}/v1/events", token]) == 200
    ask("POST", "/v1/sessions", {"id": "web-1"}, token)
    lines = [{"line_id": "1", "sku": "bread", "gross_minor": 1000}]
    ask("PUT", "/v1/sessions/web-1/basket", {"lines": lines, "version": 0}, token)
    ask("POST", "/v1/sessions/web-1/identify", {"card": SANNE.card}, token)
    booked = ask("POST", "/v1/sessions/web-1/commit", None, token)
    assert booked["entry"]["points"] == 15
    page.wait_for_function("it => it.heard.some(event => event.event === 'sale_booked')", arg=told, timeout=WAIT_MS)
    # Another page that got hold of the token has nothing of it.
    with pytest.raises(Exception, match="Failed to fetch"):
        scene.page_of("evil.example").evaluate(STREAM, [f"{scene.till}/v1/status", token])
