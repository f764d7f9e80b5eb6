"""One till and one Chromium for all tests of the cashier's screen."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from playwright.sync_api import Browser, BrowserContext, Page, expect

from loyalty.basket import Basket, Line
from pos_client.events import EventKind
from pos_client.runtime import Runtime
from sync.agent import SyncState
from sync.terminal import wall_ms
from sync.wire_mirror import AccountChange, ProgrammeChange
from tests.pos_client.conftest import Pages
from tests.support.browser import chromium
from tests.support.till import MEMBERS, PROGRAMME, SANNE, member_changes, publish

ROOT = Path(__file__).resolve().parents[3]
PICTURES = ROOT / "build" / "screenshots"
README_PICTURE = ROOT / "docs" / "images" / "cashier.png"
DOCUMENTED = {
    "amount",
    "booked",
    "consent",
    "offline-yesterday",
    "pin",
    "programme",
    "question",
    "receipt-no-paper",
    "return",
}
"""States whose pictures stand in docs/cashier.md."""

LOOKS = {
    "small-light-nl": ((1024, 600), "light", "nl"),
    "large-dark-nl": ((1280, 800), "dark", "nl"),
    "small-dark-en": ((1024, 600), "dark", "en"),
    "large-light-en": ((1280, 800), "light", "en"),
}
"""Both sizes, both schemes, both languages; all four windows stand before the same till."""

BREAD = Basket(
    lines=(
        Line(line_id="1", sku="brood-3", text="Meergranen", quantity=3000, gross_minor=900),
        Line(line_id="2", sku="taart-1", text="Appeltaart", quantity=1000, gross_minor=1440),
    )
)


NARROW = "\u202f"

TERMS = {
    "nl": "U spaart 1 punt per euro. We bewaren uw aankopen bij deze kaart, alleen voor de punten. Stoppen kan altijd.",
    "en": "You earn 1 point per euro. We keep your purchases with this card, for the points alone. Stop at any time.",
}
QUESTION = {"nl": "Zou u ons aanraden bij een vriend?", "en": "Would you recommend us to a friend?"}
OFFERS = [
    {
        "id": "verjaardag",
        "name": {"nl": "€ 2 verwenkorting", "en": "€2 treat"},
        "tiers": ["zilver"],
        "gives": {"kind": "amount_off", "discount_minor": 200},
    }
]
STAMPS = [
    {
        "id": "broodkaart",
        "name": {"nl": "10e brood gratis", "en": "10th bread free"},
        "skus": ["brood-3"],
        "stamps": 10,
        "gives": {"kind": "free_item", "skus": ["brood-3"]},
    }
]


@dataclass
class Counter:
    """A till, and every window open on it."""

    runtime: Runtime
    url: str
    windows: dict[str, Page] = field(default_factory=dict)
    version: int = 1

    @property
    def page(self) -> Page:
        """The smallest window, in Dutch."""
        return self.windows["small-light-nl"]

    def scan(self, card: str) -> None:
        self.runtime.till.present_card(card, "EAN-13")

    def sell(self, basket: Basket = BREAD) -> str:
        """Open a sale as the till's software does; returns its session."""
        session = str(uuid.uuid4())
        self.runtime.till.open_session(session)
        self.runtime.till.set_basket(session, basket)
        return session

    def go_online(self, online: bool = True, since_ms: int | None = None) -> None:
        self.runtime.agent.state = SyncState(online, wall_ms() if since_ms is None else since_ms)
        self.runtime.bus.publish(EventKind.SYNC_STATE, {"online": online})

    def publish_programme(self, **changes: Any) -> None:
        self.version += 1
        document = {**PROGRAMME, "version": self.version, **changes}
        publish(self.runtime.mirror, [ProgrammeChange(document=document)], includes_seq=self._seq())

    def reset(self) -> None:
        """Nobody at the counter, and balances as published."""
        for window in self.windows.values():
            if window.locator("dialog.help").evaluate("dialog => dialog.open"):
                window.keyboard.press("F1")
        publish(self.runtime.mirror, member_changes(MEMBERS), includes_seq=self._seq())
        self.runtime.journal.acknowledge(1, self._seq())
        if self.page.locator(".till").get_attribute("data-pad") != "none":
            self.page.keyboard.press("Escape")
        expect(self.page.locator(".till")).to_have_attribute("data-pad", "none")
        if self.page.locator(".till").get_attribute("data-phase") != "idle":
            self.page.keyboard.press("Escape")
        expect(self.page.locator(".till")).to_have_attribute("data-phase", "idle")
        # Only where it changes something to wait for: a key that is still under way would act on the next test's sale.
        if self.page.locator(".message").get_attribute("data-mood") != "none":
            self.page.keyboard.press("Escape")
        expect(self.page.locator(".message")).to_have_attribute("data-mood", "none")
        self.go_online()
        expect(self.page.locator(".badge")).to_have_attribute("data-net", "online")

    def picture(self, state: str) -> None:
        """Take a picture of `state` in every look, and see that nothing scrolls in any."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        if state in DOCUMENTED and os.environ.get("SPAARPUNT_UPDATE_SCREENSHOTS") == "1":
            self.page.screenshot(path=README_PICTURE.with_name(f"cashier-{state}.png"), animations="disabled")
        for look, window in self.windows.items():
            window.screenshot(path=PICTURES / f"{state}-{look}.png", animations="disabled")
            assert fits(window), f"{state} does not fit in {look}"

    def _seq(self) -> int:
        return self.runtime.journal.head().seq


def fits(page: Page) -> bool:
    """True when nothing scrolls, and no part of the screen is larger than the room it has."""
    return bool(
        page.evaluate(
            """() => document.documentElement.scrollHeight <= innerHeight
                && document.documentElement.scrollWidth <= innerWidth
                && [...document.querySelectorAll('.left, .right, .member, .lines, header')]
                    .every(e => e.scrollHeight <= e.clientHeight && e.scrollWidth <= e.clientWidth)"""
        )
    )


def open_window(context: BrowserContext, url: str, language: str) -> Page:
    """Open the cashier's screen and wait until it is live."""
    page = context.new_page()
    page.goto(f"{url}?lang={language}")
    page.wait_for_function("() => window.did_handshake && document.querySelector('.till') !== null")
    return page


def in_all(counter: Counter, selector: str, dutch: str, english: str) -> None:
    """Every window shows its language's text."""
    for look, window in counter.windows.items():
        expect(window.locator(selector)).to_have_text(dutch if look.endswith("nl") else english)


def phase(counter: Counter, wanted: str) -> None:
    for window in counter.windows.values():
        expect(window.locator(".till")).to_have_attribute("data-phase", wanted)


def height(page: Page, selector: str) -> float:
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box["height"]


def pad(counter: Counter, kind: str) -> None:
    for window in counter.windows.values():
        expect(window.locator(".till")).to_have_attribute("data-pad", kind)


def pinned(account: str, tier: str, points: int) -> AccountChange:
    hashed = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("2580")
    return AccountChange(account=account, first_name=account[4:].title(), tier=tier, points=points, pin=hashed)


def pins(counter: Counter) -> None:
    """Sanne has a PIN."""
    publish(
        counter.runtime.mirror,
        [pinned(SANNE.account, SANNE.tier, SANNE.points)],
        includes_seq=counter.runtime.journal.head().seq,
    )


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="package")
def the_counter(browser: Browser, pages: Pages) -> Iterator[Counter]:
    made = Counter(pages.counter, pages.url)
    for look, ((width, height), scheme, language) in LOOKS.items():
        colours: Any = scheme
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=colours, reduced_motion="reduce"
        )
        made.windows[look] = open_window(context, made.url, language)
    yield made
    for window in made.windows.values():
        window.context.close()


@pytest.fixture
def counter(the_counter: Counter) -> Counter:
    the_counter.reset()
    return the_counter


@pytest.fixture
def readme_picture() -> Path | None:
    """Where the README's picture goes, when it is asked for."""
    return README_PICTURE if os.environ.get("SPAARPUNT_UPDATE_SCREENSHOTS") == "1" else None


@pytest.fixture
def shop(counter: Counter) -> Iterator[Counter]:
    """The counter with everything a programme can put on the screen."""
    counter.publish_programme(
        texts={"terms": TERMS, "question": QUESTION},
        coupons=OFFERS,
        stamp_cards=STAMPS,
        branding={"colour": "#c8102e"},
        credential={"spend": ["rotating", "pin"]},
    )
    counter.go_online()  # the screen hears of a programme with the next event
    yield counter
    counter.publish_programme(rewards=PROGRAMME["rewards"])
