"""The desk that has points held: sales ask side by side, and no line that is slow makes a row of waiting customers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync.holds import MAX_ASKED, HoldDesk
from sync.store import Store
from sync.transport import Transport
from sync.wire_bodies import decompress
from sync.wire_spending import HoldAnswer, HoldRequest, HoldState
from tests.sync.wires import scripted

WAIT_S = 10
CARD = "a" * 32


class Office(ThreadingHTTPServer):
    """Holds points once `together` tills' sales have asked for them, and not before."""

    def __init__(self, together: int) -> None:
        super().__init__(("127.0.0.1", 0), _Hold)
        self.together = threading.Barrier(together, timeout=WAIT_S)


class _Hold(BaseHTTPRequestHandler):
    server: Office

    def do_POST(self) -> None:
        asked = HoldRequest.decode(decompress(self.rfile.read(int(self.headers["Content-Length"])), "zstd"))
        self.server.together.wait()
        answer = HoldAnswer(id=asked.id, account="m1", points=asked.points, state=HoldState.ACTIVE, expires_s=900)
        body = answer.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Spaarpunt-Protocol", "1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing on standard error."""


@pytest.fixture
def office(request: pytest.FixtureRequest) -> Iterator[Office]:
    """A head office that answers when as many have asked as the test says."""
    server = Office(request.param)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("office", [MAX_ASKED], indirect=True)
def test_sales_that_redeem_at_the_same_time_ask_at_the_same_time(office: Office, store: Store) -> None:
    """Head office waits for the last of them: one that asked after another would have had no answer."""
    transport = Transport(
        f"http://127.0.0.1:{office.server_port}", Ed25519PrivateKey.generate(), "t-1", timeout_s=WAIT_S
    )
    desk = HoldDesk(store, transport, is_online=lambda: True, ask_s=WAIT_S)
    with ThreadPoolExecutor(MAX_ASKED) as sales:
        asked = [sales.submit(desk.ask, CARD, 10 + number, f"bon-{number}") for number in range(MAX_ASKED)]
        held = [each.result() for each in asked]
    assert [each and each.points for each in held] == [10 + number for number in range(MAX_ASKED)]
    assert store.rows("SELECT count(*) FROM hold WHERE NOT free") == [(MAX_ASKED,)]
    desk.close()


def test_a_line_without_answers_holds_up_each_sale_for_its_time_and_no_more_than_there_may_be(store: Store) -> None:
    """What nobody waits for any more is under way all the same: the next goes by the policy at once."""
    steady = [0.0]
    with scripted(None) as silent:
        transport = Transport(silent.url, Ed25519PrivateKey.generate(), "t-1", timeout_s=WAIT_S)
        desk = HoldDesk(store, transport, is_online=lambda: True, ask_s=0.05, steady_s=lambda: steady[0])
        for _ in range(MAX_ASKED):
            started = time.monotonic()
            assert desk.ask(CARD, 50, "bon") is None
            assert time.monotonic() - started < WAIT_S / 2
            assert not desk.reachable
            steady[0] += 60
        assert desk.reachable
        assert desk.ask(CARD, 50, "bon") is None
        assert store.rows("SELECT count(*), sum(free) FROM hold") == [(MAX_ASKED, MAX_ASKED)]
    desk.close()
