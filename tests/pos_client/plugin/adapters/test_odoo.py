"""Odoo's hardware proxy, against a real till with a scanner on a network port and a printer on a pty."""

from __future__ import annotations

import asyncio
import base64
import io
import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw

from drivers.printing.picture import draw
from drivers.printing.receipt_printer import ReceiptPrinter
from drivers.simulators.lines import VirtualTcpScanner
from drivers.simulators.printer import VirtualPrinter
from drivers.supervisor import Supervisor
from pos_client.device_settings import build_devices
from pos_client.events import EventBus, EventKind
from pos_client.plugin.adapters import odoo_scans
from pos_client.plugin.api import create_api
from pos_client.runtime import Runtime
from tests.pos_client.plugin.adapters.exchanges import exchanges
from tests.pos_client.plugin.adapters.shop import ODOO, shop
from tests.pos_client.plugin.conftest import TOKEN, serving
from tests.support.till import SANNE

WAIT_S = 10.0
PAGE = {"Origin": ODOO}
DOTS = 576
_ids = itertools.count(1)


class Odoo:
    """What Odoo's page does, and the devices it does it to."""

    def __init__(self, url: str, runtime: Runtime, scanner: VirtualTcpScanner, printer: VirtualPrinter) -> None:
        self.url = url
        self.runtime = runtime
        self.scanner = scanner
        self.printer = printer
        self.http = httpx.Client(base_url=url, headers=PAGE, trust_env=False, timeout=60)

    def rpc(self, call: str, **params: Any) -> Any:
        """As `rpc` of Odoo's web client: the result of one call, or its error."""
        asked = {"jsonrpc": "2.0", "method": "call", "params": params, "id": next(_ids)}
        answer = self.http.post(f"/hw_proxy/{call}", json=asked)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, ODOO), answer.text
        told = answer.json()
        assert (told["jsonrpc"], told["id"]) == ("2.0", asked["id"])
        return told["result"] if "result" in told else told["error"]


@pytest.fixture(scope="module")
def odoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Odoo]:
    folder = tmp_path_factory.mktemp("odoo")
    scanner, printer = VirtualTcpScanner(), VirtualPrinter(folder / "devices")
    devices = {
        "kassa": {"kind": "serial", "port": scanner.port},
        "bonnen": {"kind": "printer", "port": printer.port, "columns": DOTS // 12},
    }
    runtime = shop(folder / "till", devices=devices)
    made = build_devices(runtime.config)
    supervisor = Supervisor(made, runtime.board.on_event)
    supervisor.start()
    runtime.printing.start(next(device for device in made if isinstance(device, ReceiptPrinter)))
    _until(lambda: [state.status for state in runtime.board.states()] == ["online", "online"])
    with serving(create_api(runtime, TOKEN)) as url:
        yield Odoo(url, runtime, scanner, printer)
    runtime.printing.stop()
    supervisor.stop()
    scanner.close()
    printer.close()
    runtime.store.close()


def _until(true: Any, within_s: float = WAIT_S) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "not in time"
        threading.Event().wait(0.01)


def test_odoo_finds_the_proxy(odoo: Odoo) -> None:
    hello = odoo.http.get("/hw_proxy/hello")
    assert (hello.text, hello.headers["access-control-allow-origin"]) == ("ping", ODOO)
    assert odoo.rpc("handshake") is True


def test_the_golden_exchanges(odoo: Odoo) -> None:
    for told in exchanges("odoo"):
        call, origin = told.headers["call"], told.headers["Origin"]
        answer = odoo.http.post(f"/hw_proxy/{call}", json=told.body, headers={"Origin": origin})
        assert (answer.status_code, answer.json()) == (told.status, told.answer), told.name


def test_scans_of_articles_reach_odoo_and_cards_of_members_do_not(odoo: Odoo) -> None:
    odoo.scanner.scan(SANNE.card)
    odoo.scanner.scan("8710400000013")
    assert odoo.rpc("scanner") == "8710400000013"
    assert odoo.runtime.till.waiting is not None
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(odoo.rpc, "scanner")
        odoo.scanner.scan("8710400000020")
        assert waiting.result(WAIT_S) == "8710400000020"


def test_several_scans_before_odoo_asks_again_come_in_order(odoo: Odoo) -> None:
    labels = ["8710400000037", "8710400000044", "8710400000051"]
    for label in labels:
        odoo.scanner.scan(label)
    assert [odoo.rpc("scanner") for _ in labels] == labels


def test_a_page_loaded_anew_gets_the_scan_and_its_old_call_an_empty_answer(odoo: Odoo) -> None:
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(odoo.rpc, "scanner")]
        while not calls[0].done():  # until another call took its place, which none does by itself
            calls.append(pool.submit(odoo.rpc, "scanner"))
            _until(lambda: sum(call.done() for call in calls) == len(calls) - 1)
        assert calls[0].result() == ""
        odoo.scanner.scan("8710400000068")
        assert calls[-1].result(WAIT_S) == "8710400000068"


def test_a_bank_card_reaches_nobody(odoo: Odoo) -> None:
    refused = odoo.runtime.board.payment_cards_refused
    odoo.scanner.scan("4111111111111111", aim="]C0")
    odoo.scanner.scan("8710400000075")
    assert odoo.rpc("scanner") == "8710400000075"
    assert odoo.runtime.board.payment_cards_refused == refused + 1


def _picture(kind: str = "JPEG", size: tuple[int, int] = (512, 300)) -> str:
    made = Image.new("RGB", size, "white")
    ImageDraw.Draw(made).rectangle((100, 50, 199, 99), fill="black")
    file = io.BytesIO()
    made.save(file, kind)
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_receipt_that_odoo_drew_comes_out_of_the_printer(odoo: Odoo, kind: str) -> None:
    odoo.printer.tear_off()
    assert odoo.rpc("default_printer_action", data={"action": "print_receipt", "receipt": _picture(kind)}) is True
    paper = draw(odoo.printer.tear_off(), columns=DOTS // 12)
    rows, columns = np.nonzero(paper < 128)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (50, 100)
    assert (paper < 128).sum() == 50 * 100


def test_a_receipt_wider_than_the_paper_is_made_to_fit(odoo: Odoo) -> None:
    odoo.printer.tear_off()
    wide = _picture(size=(DOTS * 2, 300))
    assert odoo.rpc("default_printer_action", data={"action": "print_receipt", "receipt": wide}) is True
    rows, columns = np.nonzero(draw(odoo.printer.tear_off(), columns=DOTS // 12) < 128)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (25, 50)


def test_the_drawer_opens(odoo: Odoo) -> None:
    odoo.printer.tear_off()
    assert odoo.rpc("default_printer_action", data={"action": "cashbox"}) is True
    assert b"\x1bp\x00" in odoo.printer.tear_off()


def test_a_printer_without_paper_is_told_to_odoo(odoo: Odoo) -> None:
    odoo.printer.paper = "out"
    try:
        assert odoo.rpc("default_printer_action", data={"action": "cashbox"}) is False
        _until(lambda: odoo.rpc("status_json")["printer"]["status"] == "disconnected")
        assert "paper" in odoo.rpc("status_json")["printer"]["messages"]
    finally:
        odoo.printer.paper = "ok"
    _until(lambda: odoo.rpc("status_json")["printer"]["status"] == "connected")


@pytest.mark.parametrize(
    "data",
    [
        None,
        "print",
        {"action": "weigh"},
        {"action": "print_receipt"},
        {"action": "print_receipt", "receipt": "not base64!"},
        {"action": "print_receipt", "receipt": base64.b64encode(b"no picture").decode()},
        {"action": "print_receipt", "receipt": _picture("PNG", (3000, 1))},
    ],
)
def test_what_cannot_be_printed_is_an_error_in_odoos_words(odoo: Odoo, data: Any) -> None:
    odoo.printer.tear_off()
    error = odoo.rpc("default_printer_action", data=data)
    assert (error["code"], error["message"][:8]) == (200, "expected")
    assert odoo.printer.tear_off() == b""


@pytest.mark.parametrize("origin", [None, "https://elsewhere.example", "null", ODOO + ".evil.example", ODOO + ":444"])
def test_another_origin_gets_nothing(odoo: Odoo, origin: str | None) -> None:
    headers = {"Origin": origin} if origin else {}
    with httpx.Client(base_url=odoo.url, headers=headers, trust_env=False) as other:
        for call in ("handshake", "status_json", "scanner", "default_printer_action"):
            answer = other.post(f"/hw_proxy/{call}", json={"params": {"data": {"action": "cashbox"}}})
            assert (answer.status_code, answer.headers.get("access-control-allow-origin")) == (403, None)
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        answer = other.options("/hw_proxy/scanner", headers=asked)
        assert (answer.status_code, answer.headers.get("access-control-allow-origin")) == (403, None)


def test_the_browser_is_told_that_odoos_page_may_call(odoo: Odoo) -> None:
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
        "Access-Control-Request-Private-Network": "true",
    }
    answer = odoo.http.options("/hw_proxy/scanner", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == ODOO
    assert "Content-Type" in answer.headers["access-control-allow-headers"]
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-private-network"] == "true"


def test_other_hosts_content_types_and_lengths_are_refused(odoo: Odoo) -> None:
    assert odoo.http.post("/hw_proxy/handshake", json={}, headers={"Host": "evil.example"}).status_code == 400
    assert (
        odoo.http.post("/hw_proxy/handshake", content="{}", headers={"Content-Type": "text/plain"}).status_code == 415
    )
    assert odoo.http.post("/hw_proxy/handshake", json={"params": "x" * 5_000_000}).status_code == 413
    assert odoo.http.post("/hw_proxy/handshake", json=[1]).status_code == 400
    assert odoo.rpc("l10n_be_pos_fdm")["message"] == "no such call here: l10n_be_pos_fdm"


def test_without_a_scan_the_call_is_held() -> None:
    """As long as Odoo's own proxy holds it, or a client asks in a tight loop."""
    assert odoo_scans.HOLD_S >= 25

    async def asked() -> float:
        scans = odoo_scans.Scans(EventBus(), hold_s=0.3)
        scans.open()
        begun = time.monotonic()
        assert await scans.next() == ""
        return time.monotonic() - begun

    assert asyncio.run(asked()) >= 0.3


def test_a_scan_that_nobody_asked_for_in_time_is_dropped() -> None:
    async def asked() -> str:
        bus = EventBus()
        scans = odoo_scans.Scans(bus, hold_s=0.01)
        scans.open()
        bus.publish(EventKind.LABEL_SCANNED, {"text": "8710400000013", "type": "EAN-13"})
        await asyncio.sleep(0)
        scans._fresh[0] = (scans._fresh[0][0] - odoo_scans.FRESH_S - 1, scans._fresh[0][1])
        return await scans.next()

    assert asyncio.run(asked()) == ""


def test_a_till_that_stops_answers_whoever_waits(tmp_path: Path) -> None:
    runtime = shop(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        with serving(create_api(runtime, TOKEN)) as url:
            call = pool.submit(
                httpx.post, url + "/hw_proxy/scanner", json={"id": 1}, headers=PAGE, timeout=odoo_scans.HOLD_S
            )
            with pytest.raises(TimeoutError):
                call.result(0.5)
            begun = time.monotonic()
        assert call.result().json() == {"jsonrpc": "2.0", "id": 1, "result": ""}
        assert time.monotonic() - begun < 5
    runtime.store.close()
