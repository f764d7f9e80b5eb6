"""Hands on the cashier's screen: touch alone, keyboard alone, double taps, windows in step, contrast."""

from __future__ import annotations

import threading

import pytest
from playwright.sync_api import expect

from loyalty.ledger import EntryKind
from tests.pos_client.screen.conftest import BREAD, Counter, height, in_all, open_window, phase
from tests.support.till import FATIMA, JORIS, SANNE

pytestmark = pytest.mark.browser

SMALL_TARGETS = """() => [...document.querySelectorAll('.till :is(a, button)')].filter(e => e.offsetParent !== null)
    .map(e => [e.innerText, e.getBoundingClientRect()])
    .filter(([text, box]) => box.height < 44 || box.width < 44).map(([text]) => text)"""


def test_sizes_for_eye_and_finger(counter: Counter) -> None:
    counter.scan(SANNE.card)
    counter.sell()
    phase(counter, "card")
    for window in counter.windows.values():
        size = window.locator(".balance").evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
        numerals = window.locator(".balance").evaluate("e => getComputedStyle(e).fontVariantNumeric")
        assert size >= 64
        assert "tabular-nums" in numerals
        assert height(window, '[data-key="F2"]') >= 56
        assert height(window, '[data-key="F12"]') >= 56
        small = window.evaluate(SMALL_TARGETS)
        assert small == [], "WCAG 2.2, 2.5.5: everything that can be tapped is at least 44 px high and wide"
    assert height(counter.page, "header") == 44
    action = counter.page.locator('[data-key="F12"]').bounding_box()
    assert action is not None
    assert action["x"] + action["width"] > 990
    assert action["y"] + action["height"] > 560


def test_the_action_never_moves(counter: Counter) -> None:
    places = [counter.page.locator('[data-key="F12"]').bounding_box()]
    counter.scan(SANNE.card)
    counter.sell()
    phase(counter, "card")
    places.append(counter.page.locator('[data-key="F12"]').bounding_box())
    counter.page.keyboard.press("Enter")
    phase(counter, "booked")
    places.append(counter.page.locator('[data-key="F12"]').bounding_box())
    assert places[0] == places[1] == places[2]


def test_touch_alone(counter: Counter) -> None:
    counter.scan(SANNE.card)
    session = counter.sell()
    counter.page.locator(".reward .name", has_text="€ 5 korting").click()
    expect(counter.page.locator('[data-key="F3"]')).to_have_attribute("data-state", "chosen")
    # After a touch Enter still finishes: the focus left on the reward was the finger's, not the keyboard's.
    counter.page.keyboard.press("Enter")
    phase(counter, "booked")
    entry = counter.runtime.journal.find_all(session=session).get(EntryKind.SALE)
    assert entry is not None
    assert entry.settlement.points_spent == 500
    counter.page.locator(".offer").click()
    phase(counter, "idle")


def test_keyboard_alone(counter: Counter) -> None:
    counter.scan(SANNE.card)
    session = counter.sell()
    reward = counter.page.locator('[data-key="F2"]')
    expect(reward).to_have_attribute("data-state", "ready")
    for _ in range(8):
        counter.page.keyboard.press("Tab")
        if reward.evaluate("e => e === document.activeElement"):
            break
    expect(reward).to_be_focused()
    assert reward.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    counter.page.keyboard.press("Enter")
    expect(reward).to_have_attribute("data-state", "chosen")
    assert counter.runtime.journal.find_all(session=session).get(EntryKind.SALE) is None
    counter.page.keyboard.press("F12")
    phase(counter, "booked")
    counter.page.keyboard.press("Control+z")
    phase(counter, "idle")


def test_a_chosen_reward_is_given_back(counter: Counter) -> None:
    counter.scan(SANNE.card)
    session = counter.sell()
    reward = counter.page.locator('[data-key="F2"]')
    expect(reward).to_have_attribute("data-state", "ready")
    reward.dblclick()
    expect(reward).to_have_attribute("data-state", "chosen")
    assert counter.runtime.till.quote(session).settlement.points_spent == 250
    # Past the time of a double tap, a press takes it back.
    expect(reward).to_have_attribute("data-state", "chosen")
    counter.page.wait_for_timeout(600)
    reward.click()
    expect(reward).to_have_attribute("data-state", "ready")
    assert counter.runtime.till.quote(session).settlement.points_spent == 0


def test_a_double_press_books_once(counter: Counter) -> None:
    counter.scan(SANNE.card)
    counter.sell()
    phase(counter, "card")
    before = counter.runtime.journal.head().seq
    counter.page.locator('[data-key="F12"]').dblclick()
    counter.page.keyboard.press("F12")
    phase(counter, "booked")
    assert counter.runtime.journal.head().seq == before + 1


def test_escape_drops_the_card_that_waits(counter: Counter) -> None:
    counter.scan(SANNE.card)
    phase(counter, "card")
    counter.page.keyboard.press("Escape")
    phase(counter, "idle")
    assert counter.runtime.till.waiting is None


def test_escape_drops_the_sale(counter: Counter) -> None:
    counter.scan(SANNE.card)
    counter.sell()
    phase(counter, "card")
    counter.page.keyboard.press("Escape")
    phase(counter, "idle")
    assert counter.runtime.till.current is None


def test_another_card_takes_over_at_once(counter: Counter) -> None:
    counter.scan(SANNE.card)
    counter.sell()
    phase(counter, "card")
    counter.scan(FATIMA.card)
    in_all(counter, ".first-name", "Fatima", "Fatima")
    in_all(counter, ".balance", "12.480", "12,480")
    assert counter.page.evaluate("document.getAnimations().length") == 0


def test_a_new_window_shows_the_sale_under_way(counter: Counter) -> None:
    counter.scan(SANNE.card)
    counter.sell()
    page = open_window(counter.page.context, counter.url, "en")
    try:
        expect(page.locator(".balance")).to_have_text("1,284")
        expect(page.locator(".lines li:visible")).to_have_count(len(BREAD.lines))
    finally:
        page.close()


def test_the_language_changes_on_the_screen(counter: Counter) -> None:
    page = open_window(counter.page.context, counter.url, "xx")
    try:
        expect(page.locator(".hint")).to_have_text("Scan of swipe de kaart")
        page.get_by_role("link", name="EN").click()
        expect(page.locator(".hint")).to_have_text("Scan or swipe the card")
        assert page.evaluate("document.documentElement.lang") == "en"
    finally:
        page.close()


def test_nothing_comes_from_elsewhere(counter: Counter) -> None:
    """A till has no internet: every address the page asks for is its own."""
    browser = counter.page.context.browser
    assert browser is not None
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    try:
        page.goto(counter.url)
        page.wait_for_function("() => window.did_handshake")
        assert len(asked) > 3
        assert [url for url in asked if not url.startswith((counter.url, "data:"))] == []
    finally:
        page.close()


CONTRAST = """selector => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = c => { const v = c / 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  return [...document.querySelectorAll(selector)].filter(e => e.offsetParent !== null && e.innerText).map(element => {
    let behind = element;
    while (rgb(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
    const pair = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor].map(rgb).map(luminance);
    return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  });
}"""


def test_contrast(counter: Counter) -> None:
    """WCAG 2.2, 1.4.6 (7:1) for balance and action, 1.4.3 (4.5:1) for the rest."""
    counter.scan(SANNE.card)
    counter.sell()
    expect(counter.page.locator('[data-key="F2"]')).to_have_attribute("data-state", "ready")
    counter.page.keyboard.press("F2")
    expect(counter.page.locator('[data-key="F2"]')).to_have_attribute("data-state", "chosen")
    for mood in ("payment_card", "unreadable"):
        counter.runtime.till.refuse_card(mood)
        for window in counter.windows.values():
            expect(window.locator(".message")).to_have_attribute(
                "data-mood", "stop" if mood == "payment_card" else "warn"
            )
            ratios = window.evaluate(CONTRAST, ".till :is(span, p, kbd, a, button)")
            assert len(ratios) > 20
            assert min(ratios) >= 4.5
            assert min(window.evaluate(CONTRAST, ".balance, .action, .action span")) >= 7


def test_a_scan_during_a_commit_costs_nobody_a_point(counter: Counter) -> None:
    """Whoever is first: one booking, to the card that the sale had then; the other card waits for the next sale."""
    till = counter.runtime.till
    for number in range(10):
        counter.scan(SANNE.card)
        session = counter.sell()
        before = counter.runtime.journal.head().seq
        late = threading.Thread(target=counter.scan, args=(JORIS.card,))
        late.start()
        if number % 2:
            counter.page.wait_for_timeout(1)
        till.bookings.commit(session)
        late.join()
        assert counter.runtime.journal.head().seq == before + 1
        entry = counter.runtime.journal.find_all(session=session)[EntryKind.SALE]
        waiting = till.waiting
        if entry.account == SANNE.account:
            assert waiting is not None
            assert waiting.account == JORIS.account
        else:
            assert (entry.account, waiting) == (JORIS.account, None)
        till.forget_card()
    counter.page.keyboard.press("Escape")
    phase(counter, "idle")
