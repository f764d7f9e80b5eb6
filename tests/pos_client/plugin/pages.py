"""What a page in a real Chromium does at a till: pairs by the code on the cashier's screen, listens, sells."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page

from tests.support.till import SANNE

WAIT_MS = 10_000
CALL = """async ([url, method, token, body]) => {
  const headers = {'Content-Type': 'application/json', 'Idempotency-Key': String(Math.random())};
  if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(url, {method, headers, body: body && JSON.stringify(body)});
  return [answer.status, await answer.json()];
}"""
LISTEN = """([url, protocols]) => new Promise(done => {
  const heard = [];
  const socket = new WebSocket(url, protocols);
  socket.onmessage = message => heard.push(JSON.parse(message.data));
  socket.onopen = () => done({heard, protocol: socket.protocol});
})"""
STREAM = """async ([url, token]) => {
  const answer = await fetch(url, {headers: token ? {Authorization: `Bearer ${token}`} : {}});
  return answer.status;
}"""
OPEN_SOCKET = """([url, protocols]) => new Promise(done => {
  const socket = new WebSocket(url, protocols);
  socket.onopen = () => done('open');
  socket.onerror = () => done('refused');
})"""


def pair_and_sell(page: Page, screen: Page, till: str, session: str) -> str:
    """Have `page` pair with the till at `till`, whose screen `screen` shows, and sell; gives its token."""

    def ask(method: str, path: str, body: object = None, token: str | None = None) -> Any:
        status, told = page.evaluate(CALL, [till + path, method, token, body])
        assert status in (200, 202), told
        return told

    screen.goto(f"{till}/")
    screen.wait_for_selector(".till", timeout=WAIT_MS)
    ask("POST", "/v1/pair", {"name": "Web till"})
    message = screen.locator(".message .text", has_text="Web till")
    message.wait_for(timeout=WAIT_MS)
    code = re.search(r"(\d{3}) (\d{3})", message.inner_text())
    assert code is not None
    token: str = ask("POST", "/v1/pair", {"code": code[1] + code[2]})["token"]
    message.wait_for(state="detached" if screen.locator(".message .text").count() == 0 else "hidden", timeout=WAIT_MS)

    address = till.removeprefix("http://")
    told = page.evaluate_handle(LISTEN, [f"ws://{address}/v1/events", ["spaarpunt", f"bearer.{token}"]])
    assert told.evaluate("it => it.protocol") == "spaarpunt", "the token is not sent back"
    assert page.evaluate(STREAM, [f"{till}/v1/events", token]) == 200
    ask("POST", "/v1/sessions", {"id": session}, token)
    lines = [{"line_id": "1", "sku": "bread", "gross_minor": 1000}]
    ask("PUT", f"/v1/sessions/{session}/basket", {"lines": lines, "version": 0}, token)
    ask("POST", f"/v1/sessions/{session}/identify", {"card": SANNE.card}, token)
    booked = ask("POST", f"/v1/sessions/{session}/commit", None, token)
    assert booked["entry"]["points"] == 15
    page.wait_for_function("it => it.heard.some(event => event.event === 'sale_booked')", arg=told, timeout=WAIT_MS)
    return token
