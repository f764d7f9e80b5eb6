"""The cashier's screen in a real Chromium: every state of a sale in four looks."""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from drivers.events import StatusUpdateEvent
from loyalty.basket import Basket, Line
from loyalty.ledger import EntryKind
from loyalty.lots import TOLD_AHEAD_DAYS
from pos_client.screen.shown import MAX_LINES
from sync.errors import TransportError
from sync.terminal import wall_ms
from sync.wire_mirror import AccountChange
from tests.pos_client.programme_tools.test_logo import logo
from tests.pos_client.screen.conftest import NARROW, Counter, in_all, phase
from tests.support.axe import serious
from tests.support.till import FATIMA, JORIS, NOOR, PROGRAMME, SANNE, UNKNOWN_CARD, publish

pytestmark = pytest.mark.browser


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
    counter.runtime.till.bookings.commit(counter.sell())
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
        expect(window.locator(".offer")).to_be_visible()
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
    counter.runtime.till.bookings.commit(counter.sell())
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
    counter.runtime.till.bookings.commit(counter.sell())
    board.on_event(StatusUpdateEvent("handscanner", "offline", "unplugged"))
    try:
        in_all(counter, ".devices", "Niet gereed: handscanner", "Not ready: handscanner")
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
        for look, window in counter.windows.items():
            told = "nog 2 beloningen via de kassa" if look.endswith("nl") else "2 more rewards at the till"
            expect(window.locator(".more")).to_contain_text(told)
        counter.picture("ten-rewards")
    finally:
        counter.publish_programme(rewards=PROGRAMME["rewards"])


def test_help(counter: Counter) -> None:
    for window in counter.windows.values():
        window.keyboard.press("F1")
        help_ = window.locator("dialog.help")
        expect(help_).to_be_visible()
        assert help_.evaluate("dialog => dialog.scrollHeight <= dialog.clientHeight"), "all keys are seen at once"
    counter.picture("help")
    counter.page.keyboard.press("Escape")
    expect(counter.page.locator("dialog.help")).to_be_hidden()
    counter.windows["large-dark-nl"].locator("dialog.help button").click()
    expect(counter.windows["large-dark-nl"].locator("dialog.help")).to_be_hidden()


def test_points_that_lapse_soon(counter: Counter) -> None:
    """As of today and the member; with eight rewards there is room for it as well."""
    counter.publish_programme(rewards=[{**PROGRAMME["rewards"][0], "id": f"r{number}"} for number in range(8)])
    today = counter.runtime.till.reckoning.business_date(wall_ms())
    for days, shown in ((TOLD_AHEAD_DAYS, True), (TOLD_AHEAD_DAYS + 1, False)):
        on = today + timedelta(days=days)
        change = AccountChange(
            account=SANNE.account, first_name="Sanne", tier="zilver", points=1284, expires_on=on, expiring=120
        )
        publish(counter.runtime.mirror, [change], includes_seq=counter.runtime.journal.head().seq)
        counter.scan(SANNE.card)
        if shown:
            expect(counter.page.locator(".expiring")).to_contain_text(f"120 verlopen na {on.day} ")
            counter.sell()
            phase(counter, "card")
            counter.picture("expiring")
            assert serious(counter.page) == []
        else:
            expect(counter.page.locator(".expiring")).to_have_text("")
    counter.publish_programme(rewards=PROGRAMME["rewards"])


def test_the_logo_of_the_programme(counter: Counter) -> None:
    picture = {"colour": "#7a1020", "logo": "molen.png", "logo_png": base64.b64encode(logo()).decode()}
    counter.publish_programme(branding=picture)
    counter.go_online()
    loaded = (
        "() => [...document.querySelectorAll('img.logo')].every(each => each.complete && each.naturalWidth === 300)"
    )
    for window in counter.windows.values():
        expect(window.locator("img.logo")).to_have_count(2)
        window.wait_for_function(loaded)
    counter.picture("logo-idle")
    counter.scan(SANNE.card)
    counter.sell()
    phase(counter, "card")
    counter.picture("logo")
    assert serious(counter.page) == []
    counter.publish_programme()
    counter.go_online()
    expect(counter.page.locator("img.logo")).to_have_count(0)
    assert httpx.get(f"{counter.url}logo.png").status_code == 404


def test_a_till_that_is_away_is_said_in_place_of_what_may_be_old(counter: Counter) -> None:
    counter.scan(SANNE.card)
    in_all(counter, ".balance", "1.284", "1,284")
    for window in counter.windows.values():
        window.evaluate("() => window.socket.disconnect()")
    for look, window in counter.windows.items():
        sign = window.get_by_role("alert").filter(has_text="antwoordt niet" if look.endswith("nl") else "not answer")
        expect(sign).to_be_visible()
        box = sign.bounding_box()
        assert box is not None
        assert (box["x"], box["y"], box["width"]) == (0, 0, window.viewport_size["width"]), "the balance shows"
    counter.picture("away")
    assert serious(counter.page) == []
    for window in counter.windows.values():
        window.evaluate("() => window.socket.connect()")
        expect(window.locator("#popup")).to_be_hidden()
    in_all(counter, ".balance", "1.284", "1,284")
