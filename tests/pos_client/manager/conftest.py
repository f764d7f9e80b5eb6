"""One till and one Chromium for all tests of the manager's pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from loyalty.contacts import email_hash, phone_hash
from pos_client.approvals import MAX_WRONG
from pos_client.devices import DeviceState
from pos_client.runtime import Runtime
from sync.terminal import wall_ms
from sync.wire_mirror import AccountChange, ParkedState
from tests.pos_client.commands.test_inbox import parked
from tests.pos_client.conftest import Pages
from tests.pos_client.office.conftest import EMAIL, PHONE, sell
from tests.support.browser import chromium
from tests.support.till import CARD_KEY, FATIMA, JORIS, SANNE, publish

ROOT = Path(__file__).resolve().parents[3]
PICTURES = ROOT / "build" / "screenshots"
PIN = "2468"

LOOKS = {
    "small-light-nl": ((1024, 600), "light", "nl"),
    "large-dark-nl": ((1280, 800), "dark", "nl"),
    "small-dark-en": ((1024, 600), "dark", "en"),
    "large-light-en": ((1280, 800), "light", "en"),
}
"""Both sizes, both schemes, both languages."""

CUT_CHOICES = """() => [...document.querySelectorAll("select")].filter((made) => {
  if (!made.checkVisibility()) return false;
  const room = made.offsetWidth;
  made.style.width = "max-content";
  made.style.minWidth = "0";
  const wanted = made.offsetWidth;
  made.style.width = made.style.minWidth = "";
  return wanted > room;
}).map((made) => made.textContent)"""
"""The choices whose longest text does not fit their box; the browser cuts them without a word."""


@dataclass
class Office:
    """A till, and every window of a manager that is open on it."""

    runtime: Runtime
    url: str
    browser: Browser
    windows: dict[str, Page] = field(default_factory=dict)

    @property
    def page(self) -> Page:
        """The smallest window that speaks English."""
        return self.windows["small-dark-en"]

    def open(self, look: str = "small-dark-en") -> Page:
        """A window before the PIN; beside the one that is open in this look, which has loaded what both need."""
        (width, height), scheme, language = LOOKS[look]
        colours: Any = scheme
        if look in self.windows:
            page = self.windows[look].context.new_page()
        else:
            page = self.browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=colours, reduced_motion="reduce"
            ).new_page()
        page.goto(f"{self.url}manager?lang={language}")
        page.wait_for_function("() => window.did_handshake && document.querySelector('.office') !== null")
        return page

    def picture(self, name: str, look: str, page: Page) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / f"manager-{name}-{look}.png", animations="disabled")
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"
        assert page.evaluate(CUT_CHOICES) == [], f"{name}: a choice is cut"


def enter(page: Page, name: str = "Wil", pin: str = PIN) -> None:
    """Give name and PIN."""
    page.locator("select[name=name]").select_option(name)
    page.locator("input[name=pin]").fill(pin)
    page.locator("input[name=pin]").press("Enter")


def look_up(page: Page, text: str) -> None:
    page.locator("header input").fill(text)
    page.locator("header input").press("Enter")


def go(page: Page, number: int) -> None:
    """A page of the rail, from 0."""
    page.locator(".rail button").nth(number).click()
    expect(page.locator(".rail button").nth(number)).to_have_attribute("aria-current", "page")


@pytest.fixture(scope="module")
def office(pages: Pages) -> Iterator[Office]:
    runtime = pages.office
    runtime.approvals.add("Wil", PIN)
    runtime.approvals.add("Guess", "1357")
    phone = phone_hash(PHONE, CARD_KEY)
    publish(
        runtime.mirror,
        [
            AccountChange(
                account=SANNE.account,
                first_name="Sanne",
                tier="zilver",
                points=1284,
                phone=phone,
                email=email_hash(EMAIL, CARD_KEY),
            ),
            AccountChange(account=JORIS.account, first_name="Joris", tier="basis", points=180, phone=phone),
            parked(1),
            parked(2, "unknown_card"),
            parked(3, state=ParkedState.REVERSED, approver="Bo", reason="dubbel ingevoerd", decided_ms=wall_ms()),
        ],
    )
    sell(runtime, SANNE.card, minor=2340)
    sell(runtime, SANNE.card, minor=1000, reward="koffie")
    runtime.till.bookings.void(sell(runtime, FATIMA.card, minor=500))
    runtime.board._states["scanner"] = DeviceState("scanner", "online", "Zebra DS2208 on a serial line")
    runtime.board._states["printer"] = DeviceState("printer", "offline", "no printer answers: is it switched on?")
    assert MAX_WRONG == 5
    with chromium() as browser:
        made = Office(runtime, pages.url, browser)
        for look in LOOKS:
            page = made.windows[look] = made.open(look)
            enter(page)
            expect(page.locator(".rail")).to_be_visible()
        yield made
        for window in made.windows.values():
            window.context.close()
