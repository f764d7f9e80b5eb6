"""Axe looks at every kind of state in every look, and finds nothing serious; messages are told to screen readers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.pos_client.screen.conftest import Counter, in_all, pad, phase, pins
from tests.support import axe
from tests.support.axe import serious
from tests.support.till import SANNE, UNKNOWN_CARD

pytestmark = pytest.mark.browser


def idle(counter: Counter) -> None:
    phase(counter, "idle")


def member(counter: Counter) -> None:
    counter.scan(SANNE.card)
    counter.sell()
    phase(counter, "card")


def asking(counter: Counter) -> None:
    pins(counter)
    member(counter)
    expect(counter.page.locator("[data-key=F2]")).to_have_attribute("data-state", "asks")
    counter.page.locator("[data-key=F2]").click()
    pad(counter, "pin")


def joining(counter: Counter) -> None:
    counter.scan(UNKNOWN_CARD)
    expect(counter.page.locator(".offer")).to_have_attribute("data-key", "F9")
    counter.page.keyboard.press("F9")
    pad(counter, "consent")


def returning(counter: Counter) -> None:
    member(counter)
    counter.page.keyboard.press("F12")
    phase(counter, "booked")
    counter.page.keyboard.press("F11")
    pad(counter, "receipt")
    counter.page.keyboard.press("F12")
    phase(counter, "return")
    counter.page.keyboard.press("F2")
    expect(counter.page.locator("[data-key=F2]")).to_have_attribute("data-state", "chosen")


def asked(counter: Counter) -> None:
    member(counter)
    counter.page.keyboard.press("F12")
    phase(counter, "booked")


def offline(counter: Counter) -> None:
    counter.go_online(online=False)
    in_all(
        counter,
        ".allowed",
        "Sparen gaat door. Inwisselen tot 500 punten per dag per kaart",
        "Saving goes on. Redeeming up to 500 points a day per card",
    )


def refused(counter: Counter) -> None:
    counter.runtime.till.refuse_card("payment_card")
    expect(counter.page.locator(".message")).to_have_attribute("data-mood", "stop")


@pytest.mark.parametrize(
    "state", [idle, member, asking, joining, returning, asked, offline, refused], ids=lambda state: state.__name__
)
def test_axe_finds_nothing_serious(shop: Counter, state: Callable[[Counter], None]) -> None:
    state(shop)
    for look in sorted(axe.LOOKS):
        assert serious(shop.windows[look]) == []


def test_what_happens_is_told_aloud(shop: Counter) -> None:
    status = shop.page.get_by_role("status")
    expect(status).to_have_attribute("aria-live", "polite")
    joining(shop)
    expect(status).to_have_text("Lid worden. Lees dit met de klant")
    shop.page.keyboard.press("Escape")
    pad(shop, "none")
    refused(shop)
    expect(status).to_have_text("Dit is een bankpas: gebruik het pinapparaat")
