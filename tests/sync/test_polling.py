"""A till that has nothing to send asks for changes as often as head office wishes, unless configured otherwise."""

from __future__ import annotations

import threading

from sync.agent import Agent
from sync.journal import Journal
from sync.store import Store
from sync.terminal import load_terminal
from sync.transport import Transport
from tests.sync.build import draft, hear, page
from tests.sync.test_agent import stream_at
from tests.sync.test_sender import taken
from tests.sync.wires import Asked, http, judging

WAIT_S = 20
"""Less than a till waits that was told nothing."""


def test_an_idle_till_asks_again_when_head_office_wants_it(store: Store, journal: Journal) -> None:
    hear(store)
    journal.append(draft())
    asked_again = threading.Event()
    pages = 0

    def judge(asked: Asked) -> bytes:
        nonlocal pages
        if asked.path == "/v1/stream":
            return stream_at(0)
        if asked.path == "/v1/entries":
            return taken(1, next_poll_s=1)
        pages += 1
        if pages > 1:
            asked_again.set()
        return http("200 OK", page().encode(), Spaarpunt_Protocol="1")

    with judging(judge) as office:
        terminal = load_terminal(store)
        transport = Transport(office.url, terminal.private_key, terminal.terminal, timeout_s=5)
        agent = Agent(store, terminal, transport, poll_s=None)
        agent.start()
        assert asked_again.wait(WAIT_S)
        agent.stop()
        transport.close()
