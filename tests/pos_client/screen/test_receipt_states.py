"""The cashier's screen when a receipt is not on paper; the printer is a simulated one on a real socket."""

from __future__ import annotations

import queue
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from drivers.events import Event, StatusUpdateEvent
from drivers.printing.receipt_printer import PrinterSettings, ReceiptPrinter
from drivers.simulators.printer import VirtualPrinter
from drivers.supervisor import Supervisor
from tests.pos_client.screen.conftest import Counter, in_all, phase
from tests.support.axe import serious
from tests.support.till import SANNE

WAIT_S = 10.0


@pytest.fixture
def printer(counter: Counter) -> Iterator[tuple[VirtualPrinter, ReceiptPrinter]]:
    hardware = VirtualPrinter()
    device = ReceiptPrinter("bonnen", PrinterSettings(hardware.port))
    statuses: queue.Queue[Event] = queue.Queue()
    supervisor = Supervisor([device], statuses.put)
    supervisor.start()
    first = statuses.get(timeout=WAIT_S)
    assert isinstance(first, StatusUpdateEvent)
    assert first.status == "online"
    yield hardware, device
    counter.runtime.printing.stop()
    counter.runtime.printing.dismiss()
    supervisor.stop()
    hardware.close()


def test_no_paper_and_printed_after_all(counter: Counter, printer: tuple[VirtualPrinter, ReceiptPrinter]) -> None:
    hardware, device = printer
    counter.runtime.printing.start(device)
    hardware.paper = "out"
    counter.scan(SANNE.card)
    counter.sell()
    counter.page.keyboard.press("F12")
    in_all(
        counter,
        ".message .text",
        "Bon niet geprint: doe een nieuwe rol in de printer. De boeking staat",
        "Receipt not printed: put in a new roll. The booking stands",
    )
    in_all(counter, ".message .offer", "Ctrl PPrint de bon", "Ctrl PPrint the receipt")
    phase(counter, "booked")
    counter.picture("receipt-no-paper")
    assert serious(counter.page) == []
    hardware.paper = "ok"
    counter.page.keyboard.press("Control+p")
    expect(counter.page.locator(".message .text")).to_contain_text("Geboekt")
    assert b"Appeltaart" in hardware.tear_off()
    counter.page.keyboard.press("Control+p")
    assert hardware.wait_for(b"KOPIE", WAIT_S), "once more is a copy"


def test_a_till_that_was_cut_off_offers_the_receipt(
    counter: Counter, printer: tuple[VirtualPrinter, ReceiptPrinter]
) -> None:
    hardware, device = printer
    counter.scan(SANNE.card)
    counter.sell()
    counter.page.keyboard.press("F12")
    phase(counter, "booked")
    counter.page.keyboard.press("Escape")
    phase(counter, "idle")
    counter.runtime.printing.start(device)  # as a till does that starts, and finds a sale without a receipt
    counter.go_online()
    in_all(
        counter,
        ".message .text",
        "De laatste bon is misschien niet geprint. De boeking staat",
        "The last receipt may not have been printed. The booking stands",
    )
    counter.picture("receipt-after-a-cut")
    counter.windows["large-light-en"].locator(".message .offer").click()
    assert hardware.wait_for(b"Appeltaart", WAIT_S)
    expect(counter.page.locator(".message")).to_have_attribute("data-mood", "none")


def test_what_nobody_wants_printed_is_waved_away(
    counter: Counter, printer: tuple[VirtualPrinter, ReceiptPrinter]
) -> None:
    hardware, device = printer
    counter.runtime.printing.start(device)
    hardware.cover_open = True
    counter.scan(SANNE.card)
    counter.sell()
    counter.page.keyboard.press("F12")
    expect(counter.page.locator(".message .text")).to_contain_text("sluit de klep")
    counter.page.keyboard.press("Escape")
    phase(counter, "idle")
    expect(counter.page.locator(".message")).to_have_attribute("data-mood", "none")
    hardware.cover_open = False
    counter.scan(SANNE.card)
    counter.sell()
    counter.page.keyboard.press("F12")
    assert hardware.wait_for(b"Appeltaart", WAIT_S)
    expect(counter.page.locator(".message .text")).to_contain_text("Geboekt")
