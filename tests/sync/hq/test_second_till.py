"""The till in another language, `examples/second_till`: held against the golden vectors, and a day with head office."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import playwright
import pytest

from loyalty.programme import Programme
from sync.hq.database import Database
from sync.hq.members import import_members
from sync.hq.programmes import publish
from tests.support.entries import DAY, PROGRAMME_TOML
from tests.sync.hq.conftest import CARDS, code

ROOT = Path(__file__).parents[3]
NODE = Path(playwright.__file__).parent / "driver" / "node"
"""Playwright brings one: wherever the tests of the screen run, these do."""
PATIENCE_S = 30
MEMBER, STRANGER = "2900000000001", "2900000000002"


def run(*arguments: str) -> dict[str, Any]:
    ran = subprocess.run(
        [NODE, ROOT / "examples" / "second_till" / "check.mjs", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """In place of the tests' head office: one that sets points aside at tills."""
    document = PROGRAMME_TOML.replace('redeem = "capped"', 'redeem = "lease"\nlease_points = 100')
    with Database(database_url) as opened:
        with opened.connection() as conn:
            publish(conn, Programme.from_toml(document))
            rows = ["card_number,first_name,tier,points", f"{MEMBER},Anna,basic,500"]
            import_members(conn, opened.keys.card, CARDS, rows, today=DAY)
        yield opened


def test_it_agrees_with_every_vector() -> None:
    """All but the one about caps, which it says that it does not know."""
    vectors = ROOT / "tests" / "vectors"
    agreed = run("vectors", str(vectors))
    assert agreed.pop("beyond") == 1
    assert agreed == {
        "tokens": 6,
        "chain": 3,
        "keys": 3,
        "requests": len(list((vectors / "requests").glob("*.http"))),
        "packed": 1,
        "signed": 3,
        "vouched": 4,
        "mirror": 1,
        "conversation": 8,
        "settlements": len(list((vectors / "settlements").glob("*.json"))) - 1,
    }


def test_it_says_when_a_vector_differs(tmp_path: Path) -> None:
    keys = json.loads((ROOT / "tests" / "vectors" / "keys.json").read_text(encoding="utf-8"))
    (tmp_path / "card_tokens.txt").write_text(f"{keys['terminal']['seed']} 2910000000017 {'0' * 32}\n")
    with pytest.raises(AssertionError, match="451dff74a070cd3b82a5e040784fd8c4"):
        run("vectors", str(tmp_path))


class _Proxy(BaseHTTPRequestHandler):
    """Says what proxies say when nobody is behind them."""

    def do_POST(self) -> None:
        self.send_response(HTTPStatus.BAD_GATEWAY)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<h1>Bad Gateway</h1>")

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


def test_it_knows_an_answer_that_is_not_head_offices(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        with pytest.raises(AssertionError, match="502, and not from head office"):
            run("day", f"http://127.0.0.1:{proxy.server_port}", "AAAA-AAAA", MEMBER, STRANGER, str(tmp_path))
        proxy.shutdown()


def test_a_day_with_head_office(database: Database, hq: httpx.Client, tmp_path: Path) -> None:
    """500 points; + 12; + 12 − 50 held = 474; + 15 − 50 leased = 439; a bread back, + 3 = 442; undone, + 35 = 477."""
    played = run("day", str(hq.base_url), code(database), MEMBER, STRANGER, str(tmp_path))
    assert played["opening"] == 500
    assert [(one["outcome"], one["code"]) for one in played["sent"]] == [
        ("booked", None),
        ("parked", "unknown_card"),
        ("booked", None),
    ]
    assert played["again"] == ["duplicate"] * 3
    assert [[(part["kind"], part["points"]) for part in paid] for paid in played["authority"]] == [
        [("hold", 50)],
        [("lease", 50)],
    ]
    assert played["refused"] == {
        "gap": "gap",
        "digest": "stream_conflict",
        "schema": "malformed",
        "cursor": "cursor",
        "key": "signature",
        "short": "points_short",
    }
    assert [one["outcome"] for one in played["rest"]] == ["booked"] * 3
    assert played["clock"]
    assert played["expiry"] == ["points_short", "taken", "late"]
    assert played["back"] == 3
    assert played["balance"] == 477
    assert played["agree"]
    with database.connection() as conn:
        assert conn.execute("SELECT account_id, points FROM balance").fetchall() == [(played["account"], 477)]
