"""The cashier's screen in a real Chromium: every state in four looks, keys, touch, and windows in step."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from drivers.events import DataEvent, ScanDataType, StatusUpdateEvent
from loyalty.basket import Basket, Line
from loyalty.ledger import EntryKind
from pos_client.events import EventKind
from pos_client.screen.view import MAX_LINES
from sync.errors import TransportError
from sync.terminal import wall_ms
from tests.pos_client.screen.conftest import BREAD, Counter, open_window
from tests.pos_client.screen.test_wedge import PAN, keys_of
from tests.support.till import FATIMA, JORIS, NOOR, PROGRAMME, SANNE, UNKNOWN_CARD

pytestmark = pytest.mark.browser

NARROW = "\u202f"


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


# -- states -----------------------------------------------------------------------------------------------------------


def test_idle(counter: Counter) -> None:
    phase(counter, "idle")
    in_all(counter, ".hint", "Scan of swipe de kaart", "Scan or swipe the card")
    in_all(counter, ".place", "Bakkerij De Molen · kassa 2", "Bakkerij De Molen · kassa 2")
    in_all(counter, ".badge", "Online", "Online")
    counter.picture("idle")


def test_a_card_before_any_sale(counter: Counter) -> None:
    counter.scan(SANNE.card)
    phase(counter, "card")
    in_all(counter, ".first-name", "Sanne", "Sanne")
    in_all(counter, ".tier", "Zilver", "Silver")
    in_all(counter, ".balance", "1.284", "1,284")
    expect(counter.page.locator('[data-key="F2"]')).to_have_attribute("aria-disabled", "true")
    in_all(counter, '[data-key="F2"] .note', "vanaf €\xa02,50 op de bon", "from €2.50 on the receipt")
    counter.picture("card")


def test_a_member_with_a_basket(counter: Counter, readme_picture: Path | None) -> None:
    counter.scan(SANNE.card)
    counter.runtime.till.commit(counter.sell())
    counter.scan(SANNE.card)
    counter.sell()
    in_all(counter, ".balance", "1.318", "1,318")
    expect(counter.page.locator(".as-of")).to_have_text(re.compile(rf"^bevestigd \d\d:\d\d · \+{NARROW}34 hier$"))
    in_all(counter, ".sums .row:first-child .amount", f"+{NARROW}34", f"+{NARROW}34")
    in_all(counter, ".sums .detail", "23 + 11 zilver", "23 + 11 silver")
    in_all(counter, ".pay .amount", "€\xa023,40", "€23.40")
    in_all(counter, ".lines li:first-child", "3 × Meergranen€\xa09,00", "3 × Meergranen€9.00")
    in_all(counter, ".announce", "Sanne: 1.318 punten", "Sanne: 1,318 points")
    counter.picture("member")
    if readme_picture is not None:
        readme_picture.parent.mkdir(parents=True, exist_ok=True)
        counter.page.screenshot(path=readme_picture, animations="disabled")


def test_a_reward_chosen(counter: Counter) -> None:
    counter.scan(SANNE.card)
    session = counter.sell()
    counter.page.locator('[data-key="F2"]').click()
    in_all(counter, '[data-key="F2"] .note', "Gekozen · nog een keer is terugdraaien", "Chosen · press again to undo")
    in_all(counter, ".pay .amount", "€\xa020,90", "€20.90")
    in_all(counter, ".sums .row:nth-child(2) .amount", f"−{NARROW}250", f"−{NARROW}250")
    in_all(
        counter,
        '[data-key="F3"] .note',
        "max. 500 per dag per kaart",
        "at most 500 a day per card",
    )
    assert [taken.reward for taken in counter.runtime.till.quote(session).settlement.redemptions] == ["koffie"]
    counter.picture("reward")


def test_points_short(counter: Counter) -> None:
    counter.scan(JORIS.card)
    counter.sell()
    in_all(counter, '[data-key="F2"] .note', "nog 70 punten", "70 points to go")
    counter.page.keyboard.press("F2")
    in_all(counter, ".message .text", "Koffie gratis: nog 70 punten", "Free coffee: 70 points to go")
    counter.picture("short")


def test_an_unknown_card_is_a_calm_state(counter: Counter) -> None:
    counter.scan(UNKNOWN_CARD)
    counter.sell()
    in_all(counter, ".first-name", "Nieuwe kaart", "New card")
    in_all(
        counter,
        ".message .text",
        "Kaart nog niet bekend: punten worden gespaard en later bijgeboekt",
        "Card not known yet: points are saved and added later",
    )
    expect(counter.page.locator(".message")).to_have_attribute("data-mood", "info")
    counter.picture("unknown")


def test_a_bank_card_with_nobody_there(counter: Counter) -> None:
    counter.runtime.till.refuse_card("payment_card")
    dutch, english = "Dit is een bankpas: gebruik het pinapparaat", "This is a bank card: use the payment terminal"
    in_all(counter, ".message .text", dutch, english)
    in_all(counter, ".announce", dutch, english)
    phase(counter, "idle")
    counter.picture("bank-card")


def test_a_bank_card_leaves_the_member(counter: Counter) -> None:
    counter.scan(SANNE.card)
    counter.sell()
    counter.runtime.till.refuse_card("payment_card")
    expect(counter.page.locator(".message")).to_have_attribute("data-mood", "stop")
    expect(counter.page.locator(".first-name")).to_have_text("Sanne")
    counter.picture("bank-card-member")


def test_a_blocked_card(counter: Counter) -> None:
    counter.scan(NOOR.card)
    in_all(
        counter,
        ".message .text",
        "Geblokkeerd: verwijs naar de balie",
        "Blocked: please refer to the service desk",
    )
    phase(counter, "idle")
    counter.picture("blocked")


def test_booked_and_taken_back(counter: Counter) -> None:
    counter.scan(SANNE.card)
    session = counter.sell()
    counter.page.keyboard.press("F12")
    phase(counter, "booked")
    in_all(counter, ".action", f"F12Geboekt +{NARROW}34", f"F12Booked +{NARROW}34")
    in_all(counter, ".balance", "1.318", "1,318")
    for window in counter.windows.values():
        expect(window.locator(".undo")).to_be_visible()
    counter.picture("booked")
    counter.page.keyboard.press("Control+z")
    in_all(
        counter,
        ".message .text",
        "Ongedaan gemaakt: de boeking is teruggedraaid",
        "Undone: the booking has been reversed",
    )
    phase(counter, "idle")
    void = counter.runtime.journal.find_all(session=session).get(EntryKind.VOID)
    assert void is not None
    assert void.points == -34
    counter.picture("undone")


def test_the_last_result_stays_in_sight(counter: Counter) -> None:
    counter.scan(SANNE.card)
    counter.sell()
    counter.page.keyboard.press("F12")
    phase(counter, "booked")
    counter.page.keyboard.press("Escape")
    phase(counter, "idle")
    expect(counter.page.locator(".last")).to_have_text(re.compile(rf"^Laatst: geboekt \+{NARROW}34 · \d\d:\d\d$"))
    counter.picture("idle-last")


def test_offline_with_a_queue(counter: Counter) -> None:
    counter.scan(FATIMA.card)
    counter.runtime.till.commit(counter.sell())
    with pytest.raises(TransportError):
        counter.runtime.agent.run_once()
    expect(counter.page.locator(".badge")).to_have_text(re.compile(r"^Offline sinds \d\d:\d\d · 1 in wachtrij$"))
    in_all(
        counter,
        ".message .text",
        f"Geboekt +{NARROW}23 · wordt later verstuurd",
        f"Booked +{NARROW}23 · will be sent later",
    )
    counter.picture("offline")


def test_offline_since_yesterday(counter: Counter) -> None:
    counter.go_online(online=False, since_ms=wall_ms() - 86_400_000)
    expect(counter.page.locator(".badge")).to_have_text(re.compile(r"^Offline sinds gisteren \d\d:\d\d$"))
    counter.picture("offline-yesterday")


def test_a_scanner_that_was_unplugged(counter: Counter) -> None:
    board = counter.runtime.board
    counter.go_online(online=False, since_ms=wall_ms() - 86_400_000)
    counter.scan(FATIMA.card)
    counter.runtime.till.commit(counter.sell())
    board.on_event(StatusUpdateEvent("handscanner", "offline", "unplugged"))
    try:
        in_all(counter, ".devices", "Niet verbonden: handscanner", "Not connected: handscanner")
        counter.picture("scanner-away")
    finally:
        board.on_event(StatusUpdateEvent("handscanner", "online", "connected"))
    in_all(counter, ".devices", "", "")


def test_a_basket_without_a_card(counter: Counter) -> None:
    counter.sell()
    in_all(counter, ".sums .detail", "met een kaart", "with a card")
    counter.page.keyboard.press("F12")
    in_all(counter, ".message .text", "Scan of swipe eerst de kaart", "Scan or swipe the card first")
    counter.picture("no-card")


def test_a_long_basket_shows_its_newest_lines(counter: Counter) -> None:
    lines = tuple(
        Line(line_id=str(number), sku="x", text=f"Artikel met een lange omschrijving nummer {number}", gross_minor=1999)
        for number in range(1, 31)
    )
    counter.scan(FATIMA.card)
    counter.sell(Basket(lines=lines))
    rows = counter.page.locator(".lines li:visible")
    expect(rows).to_have_count(MAX_LINES)
    expect(rows.first).to_have_text("23 eerdere regels")
    expect(rows.last).to_contain_text("nummer 30")
    counter.picture("long-basket")


def test_a_basket_that_became_too_small(counter: Counter) -> None:
    counter.scan(SANNE.card)
    session = counter.sell()
    counter.runtime.till.redeem(session, "koffie")
    counter.runtime.till.set_basket(
        session, Basket(lines=(Line(line_id="1", sku="b", text="Bolletje", gross_minor=60),))
    )
    in_all(
        counter,
        ".message .text",
        "Koffie gratis is eraf gehaald: de bon werd te klein",
        "Free coffee was taken off: the receipt became too small",
    )
    counter.picture("dropped")


def test_ten_rewards(counter: Counter) -> None:
    rewards = [
        {
            "kind": "amount_off",
            "id": f"r{number}",
            "name": {"nl": f"Verrassingsgebak {number}", "en": f"Surprise pastry {number}"},
            "cost_points": 100 * number,
            "discount_minor": 50 * number,
        }
        for number in range(1, 11)
    ]
    counter.publish_programme(rewards=rewards)
    try:
        counter.scan(SANNE.card)
        counter.sell()
        expect(counter.page.locator(".reward:visible")).to_have_count(8)
        in_all(counter, ".more", "nog 2 beloningen via de kassa", "2 more rewards at the till")
        counter.picture("ten-rewards")
    finally:
        counter.publish_programme(rewards=PROGRAMME["rewards"])


def test_help(counter: Counter) -> None:
    for window in counter.windows.values():
        window.keyboard.press("F1")
        expect(window.locator("dialog.help")).to_be_visible()
    counter.picture("help")
    counter.page.keyboard.press("Escape")
    expect(counter.page.locator("dialog.help")).to_be_hidden()
    counter.windows["large-dark-nl"].locator("dialog.help button").click()
    expect(counter.windows["large-dark-nl"].locator("dialog.help")).to_be_hidden()


# -- hands ------------------------------------------------------------------------------------------------------------


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
        assert height(window, ".languages a:first-child") >= 40
    assert height(counter.page, "header") == 40
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
    counter.page.locator(".undo").click()
    phase(counter, "idle")


def test_keyboard_alone(counter: Counter) -> None:
    counter.scan(SANNE.card)
    session = counter.sell()
    reward = counter.page.locator('[data-key="F2"]')
    expect(reward).to_have_attribute("data-state", "ready")
    for _ in range(6):
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
    page = open_window(counter.page.context.browser, counter.url, (1024, 600), "light", "en")  # type: ignore[arg-type]
    try:
        expect(page.locator(".balance")).to_have_text("1,284")
        expect(page.locator(".lines li:visible")).to_have_count(len(BREAD.lines))
    finally:
        page.context.close()


def test_the_language_changes_on_the_screen(counter: Counter) -> None:
    page = open_window(counter.page.context.browser, counter.url, (1024, 600), "light", "xx")  # type: ignore[arg-type]
    try:
        expect(page.locator(".hint")).to_have_text("Scan of swipe de kaart")
        page.get_by_role("link", name="EN").click()
        expect(page.locator(".hint")).to_have_text("Scan or swipe the card")
        assert page.evaluate("document.documentElement.lang") == "en"
    finally:
        page.context.close()


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


# -- readers that type into the page ----------------------------------------------------------------------------------


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
