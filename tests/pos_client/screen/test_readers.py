"""Readers that type into the cashier's page, whatever has the focus."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Page, expect

from drivers.events import DataEvent, ScanDataType
from pos_client.events import EventKind
from tests.pos_client.screen.conftest import Counter
from tests.pos_client.screen.test_wedge import PAN, keys_of
from tests.support.till import FATIMA, JORIS, NOOR, SANNE

pytestmark = pytest.mark.browser


def type_as_a_reader(page: Page, text: str) -> None:
    """Let the keys of `text` and Enter go down and up, one right after the other, on whatever has focus."""
    page.evaluate(
        """keys => {
            for (const [code, down] of keys) {
                const key = /^(Enter|Shift)/.test(code) ? code : code === "Space" ? " " : "x";
                const options = {code, key, bubbles: true, cancelable: true};
                document.activeElement.dispatchEvent(new KeyboardEvent(down ? "keydown" : "keyup", options));
            }
        }""",
        keys_of(text),
    )


def test_a_card_typed_into_the_page(counter: Counter) -> None:
    name = counter.page.locator(".till[data-phase=card] .first-name")
    # A busy machine may press too slowly for a reader: then the card is scanned again.
    deadline = time.monotonic() + 20
    while not name.is_visible() and time.monotonic() < deadline:
        for char in SANNE.card:
            counter.page.keyboard.press(char)
        counter.page.keyboard.press("Enter")
        counter.page.wait_for_timeout(300)
    expect(name).to_have_text("Sanne")


def test_whatever_has_focus_a_scan_presses_nothing(counter: Counter) -> None:
    session = counter.sell()
    counter.page.locator("button.keys").focus()
    type_as_a_reader(counter.page, JORIS.card)
    expect(counter.page.locator(".first-name")).to_have_text(JORIS.first_name)
    expect(counter.page.locator(".action")).to_have_attribute("data-state", "ready")
    assert not counter.page.locator("dialog.help").evaluate("dialog => dialog.open")
    assert counter.runtime.till.quote(session).state == "open", "the Enter of a scan books nothing"


def test_a_bank_card_typed_into_the_page(counter: Counter) -> None:
    refused = counter.runtime.board.payment_cards_refused
    type_as_a_reader(counter.page, PAN)
    expect(counter.page.locator(".message .text")).to_contain_text("bankpas")
    assert counter.runtime.board.payment_cards_refused == refused + 1
    assert PAN[:7] not in counter.page.content()


def test_the_tracks_of_one_swipe_each_with_an_enter_are_one_card(counter: Counter) -> None:
    seen: list[str] = []
    end = counter.runtime.bus.listen(lambda event: seen.append(event.kind))
    type_as_a_reader(counter.page, "%LVRIEND^VAN DE MOLEN?")
    type_as_a_reader(counter.page, f";{FATIMA.card}?")
    expect(counter.page.locator(".first-name")).to_have_text(FATIMA.first_name)
    end()
    assert seen.count(EventKind.CARD_PRESENTED) == 1
    assert EventKind.CARD_REFUSED not in seen
    assert EventKind.LABEL_SCANNED not in seen


def test_a_hand_types_no_card(counter: Counter) -> None:
    counter.page.keyboard.type(NOOR.card[:8], delay=130)
    counter.page.keyboard.press("Enter")
    counter.page.wait_for_timeout(100)
    expect(counter.page.locator(".till")).to_have_attribute("data-phase", "idle")


def test_the_same_scan_by_a_driver_too_is_one(counter: Counter) -> None:
    seen: list[str] = []
    end = counter.runtime.bus.listen(
        lambda event: seen.append(event.kind) if event.kind is EventKind.CARD_PRESENTED else None
    )
    type_as_a_reader(counter.page, FATIMA.card)
    expect(counter.page.locator(".first-name")).to_have_text(FATIMA.first_name)
    again = DataEvent(
        "scanner",
        "scan",
        FATIMA.card.encode(),
        FATIMA.card,
        ScanDataType.UNKNOWN,
        None,
        None,
        time.monotonic_ns(),
    )
    counter.runtime.board.on_event(again)
    end()
    assert len(seen) == 1
