"""The real till process: how it is watched, examined, stopped in the middle of a sale, started again, and killed."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
from playwright.sync_api import Page, expect

from drivers.simulators.channels import VirtualSerialScanner
from loyalty.basket import Basket, Line
from loyalty.serving import Tender
from pos_client.app import build_runtime, open_store
from pos_client.plugin.client import TillClient
from pos_client.reckoning import TillError
from pos_client.session import SessionState
from tests.support.browser import chromium
from tests.support.process import TillProcess
from tests.support.till import JORIS, SANNE, make_runtime

BREAD = Basket(lines=(Line(line_id="1", sku="brood", text="Brood", gross_minor=2340),))
SOON_S = 10


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TillProcess, VirtualSerialScanner]]:
    folder = tmp_path_factory.mktemp("running")
    scanner = VirtualSerialScanner(folder)
    till = TillProcess(folder, devices={"scanner": {"kind": "serial", "port": str(scanner.path)}})
    yield till, scanner
    till.stop()
    scanner.close()


def window(page: Page, till: TillProcess) -> Page:
    page.goto(f"{till.address}/?lang=nl")
    page.wait_for_function("() => window.did_handshake && document.querySelector('.till') !== null")
    return page


def sale_is_there(page: Page) -> None:
    expect(page.locator(".first-name")).to_have_text("Sanne", timeout=SOON_S * 1000)
    expect(page.locator(".pay .amount")).to_contain_text("20,90")


def test_a_till_stopped_and_killed_in_the_middle_of_a_sale(place: tuple[TillProcess, VirtualSerialScanner]) -> None:
    till, scanner = place
    assert till.json("status")[0]["state"] == "never"
    till.start()
    client = till.client()
    with chromium() as browser:
        page = window(browser.new_page(), till)
        other = window(browser.new_page(), till)
        until_scanner_is_online(client)
        scanner.scan(SANNE.card, aim="]E0")
        expect(page.locator(".first-name")).to_have_text("Sanne")
        expect(other.locator(".first-name")).to_have_text("Sanne")
        client.open_session("bon-1", cashier="7")
        client.set_basket("bon-1", BREAD, 0)
        client.redeem("bon-1", "koffie")
        sale_is_there(page)
        other.close()
        sale_is_there(window(browser.new_page(), till))  # closed and opened again in the middle of a sale
        client.tender("bon-1", Tender.CASH)
        watched(till)
        client.close()

        page.evaluate("() => { window.old = true }")
        assert till.end() == 0
        with serial.Serial(str(scanner.path), exclusive=True):
            pass  # the device was given back
        status, code = till.json("status")
        assert (status["state"], status["healthy"], code) == ("stopped", False, 1)
        assert status["since"] == status["at"]
        assert "was stopped" in till.run("status").stdout

        till.start()
        client = till.client()
        # By itself: the browser has found the till again, and loaded its page.
        page.wait_for_function("() => window.old === undefined && window.did_handshake", timeout=SOON_S * 1000)
        sale_is_there(page)
        quote = client.quote("bon-1")
        assert (quote.member and quote.member.first_name, quote.settlement.points_spent) == ("Sanne", 250)
        page.keyboard.press("F12")
        expect(page.locator(".till")).to_have_attribute("data-phase", "booked")
        client.open_session("bon-2")
        client.set_basket("bon-2", BREAD, 0)
    client.close()
    running, _ = till.json("status")
    assert (running["state"], running["since"]) == ("running", running["started"])
    till.end(signal.SIGKILL)
    status, code = till.json("status")
    assert (status["state"], code) == ("down", 1)
    assert "last seen" in till.run("status").stdout
    assert till.json("sync", "status")[0]["seq"] == 1  # the sale that was booked is there, the one that was open is not


def until_scanner_is_online(client: TillClient) -> None:
    with client.events("0") as events:  # of another run: those that were kept come first
        for event in events:
            if event.event == "device_status" and event.data["status"] == "online":
                return


def watched(till: TillProcess) -> None:
    """Status and doctor beside the running till; the status as a file."""
    status, code = till.json("status")
    assert (status["state"], status["till"], code) == ("running", "kassa 2", 0)
    assert [problem["code"] for problem in status["problems"]] in ([], ["unreachable"])
    found, code = till.json("doctor")
    checks = {check["part"]: check["well"] for check in found["checks"]}
    assert (code, found["well"]) == (1, False)
    assert checks == {
        "versions": True,
        "clock": True,
        "configuration": True,
        "till": True,
        "disk": True,
        "key": True,
        "database": True,
        "enrolment": True,
        "programme": True,
        "head office": False,
        "device scanner": True,
    }
    in_file = json.loads((till.data / "status.json").read_text(encoding="utf-8"))
    assert (in_file["till"], in_file["stopped"]) == ("kassa 2", False)
    assert SANNE.card not in json.dumps(in_file) + (till.data / "logs" / "till.log").read_text(encoding="utf-8")


def test_open_sales_outlive_a_stop_once_and_booked_ones_are_left_out(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path)
    config, till = runtime.config, runtime.till
    for session, card in (("bon-1", SANNE.card), ("bon-2", JORIS.card)):
        till.open_session(session, cashier="7")
        till.set_basket(session, BREAD)
        till.identify(session, card)
    before = till.redeem("bon-1", "koffie")
    till.upkeep.suspend()
    till.bookings.commit("bon-2")  # as if the stop had come a moment earlier
    runtime.store.close()

    runtime = build_runtime(config, open_store(config))
    assert runtime.till.current is None
    runtime.till.upkeep.resume()
    quote = runtime.till.quote("bon-1")
    assert (quote.settlement, quote.serving, quote.basket) == (before.settlement, before.serving, before.basket)
    assert runtime.till.quote("bon-2").state is SessionState.BOOKED
    runtime.till.open_session("bon-1")
    runtime.store.close()  # killed: nothing is kept

    runtime = build_runtime(config, open_store(config))
    runtime.till.upkeep.resume()
    with pytest.raises(TillError, match="no such session"):
        runtime.till.quote("bon-1")
    runtime.store.close()


def test_a_card_that_waits_outlives_a_stop(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path)
    runtime.till.present_card(SANNE.card, "EAN-13")
    runtime.till.upkeep.suspend()
    runtime.store.close()
    again = build_runtime(runtime.config, open_store(runtime.config))
    again.till.upkeep.resume()
    assert again.till.waiting is not None
    assert again.till.waiting.first_name == "Sanne"
    again.store.close()


def test_open_sales_of_another_version_start_again(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path)
    with runtime.store.transaction() as connection:
        connection.execute("INSERT INTO open_sales VALUES (1, ?)", ('{"sales": [{"id": "bon-1"}]}',))
    runtime.till.upkeep.resume()
    assert runtime.store.row("SELECT * FROM open_sales") is None
    runtime.store.close()
