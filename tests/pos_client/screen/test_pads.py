"""What is typed, agreed to, taken back and answered on the cashier's screen, in a real Chromium."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from loyalty.contacts import phone_hash
from loyalty.ledger import Entry, EntryKind
from pos_client.pins import MAX_WRONG
from pos_client.receipts.code import ReceiptCodes
from sync.wire_mirror import AccountChange
from tests.pos_client.screen.conftest import (
    BREAD,
    NARROW,
    QUESTION,
    TERMS,
    Counter,
    in_all,
    open_window,
    pad,
    phase,
    pinned,
    pins,
)
from tests.pos_client.screen.test_readers import type_as_a_reader
from tests.support.axe import serious
from tests.support.till import CARD_KEY, EAN_FORMAT, JORIS, SANNE, UNKNOWN_CARD, card_text, make_runtime, publish

pytestmark = pytest.mark.browser


def row(counter: Counter, name: str) -> Locator:
    return counter.page.locator(".reward", has_text=name)


def booked(counter: Counter, kind: EntryKind) -> list[Entry]:
    rows = counter.runtime.store.rows("SELECT raw FROM journal WHERE kind = ? ORDER BY seq", (kind,))
    return [Entry.decode(raw) for (raw,) in rows]


# -- a sale without software ------------------------------------------------------------------------------------------


def test_an_amount_is_typed_and_sold(counter: Counter) -> None:
    before = len(booked(counter, EntryKind.SALE))
    in_all(counter, ".action span", "Bedrag intikken", "Type the amount")
    counter.page.keyboard.press("F12")
    pad(counter, "amount")
    for digit in "1995":
        counter.page.keyboard.press(digit)
        counter.page.wait_for_timeout(120)  # a hand, and no reader
    counter.page.keyboard.press("Backspace")
    in_all(counter, ".pad output", "€\xa01,99", "€1.99")
    counter.picture("amount")
    counter.page.locator(".digits button", has_text="0").click()
    in_all(counter, ".pad output", "€\xa019,90", "€19.90")
    counter.page.locator(".action").click()
    pad(counter, "none")
    counter.scan(JORIS.card)
    in_all(counter, ".pay .amount", "€\xa019,90", "€19.90")
    in_all(counter, ".sums .row:first-child .amount", f"+{NARROW}19", f"+{NARROW}19")
    counter.page.keyboard.press("F12")
    phase(counter, "booked")
    sales = booked(counter, EntryKind.SALE)
    assert len(sales) == before + 1
    assert sales[-1].basket.gross_minor == 1990


def test_escape_closes_a_pad_and_drops_nothing(counter: Counter) -> None:
    counter.scan(SANNE.card)
    phase(counter, "card")
    counter.page.keyboard.press("F12")
    pad(counter, "amount")
    counter.page.locator(".offer").click()
    pad(counter, "none")
    phase(counter, "card")


# -- a card by hand ---------------------------------------------------------------------------------------------------


def test_a_number_is_typed(counter: Counter) -> None:
    counter.page.locator("[data-key=F10]").click()
    pad(counter, "number")
    for digit in SANNE.card:
        counter.page.locator(".digits button", has_text=digit).click()
    in_all(counter, ".pad output", *[" ".join(re.findall(".{1,4}", SANNE.card))] * 2)
    counter.picture("number")
    counter.page.locator(".action").click()
    phase(counter, "card")
    pad(counter, "none")
    in_all(counter, ".first-name", "Sanne", "Sanne")


def test_a_wrong_number_is_told_and_stays(counter: Counter) -> None:
    counter.page.keyboard.press("F10")
    pad(counter, "number")
    wrong = SANNE.card[:-1] + str((int(SANNE.card[-1]) + 1) % 10)
    for digit in wrong:
        counter.page.locator(".digits button", has_text=digit).click()
    counter.page.locator(".action").click()
    dutch, english = "Dit is geen nummer van onze kaarten: kijk het nog eens na", "This is no number of our cards: "
    in_all(counter, ".message .text", dutch, english + "please check it")
    pad(counter, "number")
    counter.picture("number-wrong")


def test_a_bank_card_number_is_refused_by_hand_too(counter: Counter) -> None:
    counter.page.keyboard.press("F10")
    pad(counter, "number")
    for digit in "4111111111111111":
        counter.page.locator(".digits button", has_text=digit).click()
    counter.page.locator(".action").click()
    expect(counter.page.locator(".message .text")).to_contain_text("bankpas")


def test_a_phone_number_finds_its_member_and_nobody_is_said_to_be_nobody(counter: Counter) -> None:
    hashed = phone_hash("06-12345678", CARD_KEY)
    change = AccountChange(account=JORIS.account, first_name="Joris", tier=JORIS.tier, points=180, phone=hashed)
    publish(counter.runtime.mirror, [change], includes_seq=counter.runtime.journal.head().seq)
    counter.page.keyboard.press("F10")
    pad(counter, "number")
    for digit in "0612345679":
        counter.page.locator(".digits button", has_text=digit).click()
    counter.page.locator(".action").click()
    in_all(
        counter,
        ".message .text",
        "Niemand heeft dit telefoonnummer: scan de kaart",
        "No member has this phone number: please scan the card",
    )
    counter.page.keyboard.press("Backspace")
    counter.page.locator(".digits button", has_text="8").click()
    counter.page.locator(".action").click()
    phase(counter, "card")
    in_all(counter, ".first-name", "Joris", "Joris")


def test_a_scan_answers_an_open_pad(counter: Counter) -> None:
    counter.page.keyboard.press("F10")
    pad(counter, "number")
    type_as_a_reader(counter.page, JORIS.card)
    phase(counter, "card")
    pad(counter, "none")
    in_all(counter, ".first-name", JORIS.first_name, JORIS.first_name)


def test_a_reopened_window_shows_the_open_pad(counter: Counter) -> None:
    counter.page.keyboard.press("F12")
    pad(counter, "amount")
    counter.page.locator(".digits button", has_text="7").click()
    in_all(counter, ".pad output", "€\xa00,07", "€0.07")
    page = open_window(counter.page.context, counter.url, "en")
    try:
        expect(page.locator(".pad output")).to_have_text("€0.07")
    finally:
        page.close()


# -- what the programme puts on the screen ----------------------------------------------------------------------------


def test_stamps_offers_and_the_programmes_colour(shop: Counter) -> None:
    shop.scan(SANNE.card)
    shop.runtime.till.bookings.commit(shop.sell())
    shop.scan(SANNE.card)
    shop.sell()
    in_all(shop, ".tag", "Voor jou", "For you")
    expect(row(shop, "verwenkorting").locator(".cost")).to_have_text(f"−{NARROW}€\xa02,00")
    expect(row(shop, "brood gratis").locator("u[data-got=yes]")).to_have_count(3)
    expect(row(shop, "brood gratis").locator(".note")).to_have_text("nog 7 stempels")
    assert shop.page.locator("header").evaluate("e => getComputedStyle(e).backgroundColor") != "rgb(255, 255, 255)"
    shop.picture("programme")
    row(shop, "verwenkorting").click()
    in_all(shop, ".pay .amount", "€\xa021,40", "€21.40")


def test_a_pin_gives_the_reward_it_was_asked_for(shop: Counter) -> None:
    pins(shop)
    shop.scan(SANNE.card)
    session = shop.sell()
    in_all(
        shop,
        "[data-key=F2] .note",
        "alleen met de code op de telefoon of de pincode",
        "only with the code on the phone or the PIN",
    )
    shop.page.locator("[data-key=F2]").click()
    pad(shop, "pin")
    enter(shop, "2580")
    in_all(shop, ".pad output", "●●●●", "●●●●")
    assert "2580" not in shop.page.locator(".pad").inner_html()
    shop.picture("pin")
    shop.page.locator(".action").click()
    pad(shop, "none")
    expect(shop.page.locator("[data-key=F2]")).to_have_attribute("data-state", "chosen")
    assert [taken.reward for taken in shop.runtime.till.quote(session).settlement.redemptions] == ["koffie"]


def test_five_wrong_pins(shop: Counter) -> None:
    pins(shop)
    shop.scan(JORIS.card)
    shop.sell()
    publish(shop.runtime.mirror, [pinned(JORIS.account, JORIS.tier, 900)], includes_seq=shop.runtime.journal.head().seq)
    shop.go_online()
    expect(shop.page.locator("[data-key=F2]")).to_have_attribute("data-state", "asks")
    shop.page.locator("[data-key=F2]").click()
    pad(shop, "pin")
    for tries in range(1, MAX_WRONG + 1):
        enter(shop, "1111")
        expect(shop.page.locator(".pad output")).to_have_text("●●●●")
        shop.page.locator(".action").click()
        if tries < MAX_WRONG:
            in_all(shop, ".message .text", "Verkeerde pincode: probeer het nog eens", "Wrong PIN: please try again")
            expect(shop.page.locator(".pad output")).to_have_text("")
        if tries == 1:
            shop.picture("pin-wrong")
    pad(shop, "none")
    expect(shop.page.locator(".message")).to_have_attribute("data-mood", "stop")
    expect(shop.page.locator(".message .text")).to_contain_text("sparen gaat door")
    shop.picture("pin-locked")


def enter(counter: Counter, digits: str) -> None:
    for number, digit in enumerate(digits, start=1):
        counter.page.locator(".digits button", has_text=digit).click()
        expect(counter.page.locator(".pad output")).to_have_text("●" * number)


# -- becoming a member ------------------------------------------------------------------------------------------------


def test_an_unknown_card_becomes_a_members_in_two_keys(shop: Counter) -> None:
    card = card_text(EAN_FORMAT, 55_000_001)
    shop.scan(card)
    session = shop.sell()
    in_all(shop, ".offer span", "Lid worden", "Become a member")
    shop.picture("join")
    shop.page.keyboard.press("F9")
    pad(shop, "consent")
    in_all(shop, ".pad p", TERMS["nl"], TERMS["en"])
    shop.picture("consent")
    shop.page.keyboard.press("F12")
    pad(shop, "none")
    in_all(shop, ".first-name", "Nieuw lid", "New member")
    shop.picture("joined")
    entry = booked(shop, EntryKind.ENROLMENT)[-1]
    assert (entry.consent, entry.programme_version, entry.points) == ("nl", shop.version, 0)
    assert entry.card == shop.runtime.till.quote(session).holder.card  # type: ignore[union-attr]
    shop.page.keyboard.press("F12")
    phase(shop, "booked")


def test_who_does_not_agree_is_nobodys_member(shop: Counter) -> None:
    before = len(booked(shop, EntryKind.ENROLMENT))
    shop.scan(UNKNOWN_CARD)
    expect(shop.page.locator(".offer")).to_have_attribute("data-key", "F9")
    shop.page.keyboard.press("F9")
    pad(shop, "consent")
    shop.page.keyboard.press("Escape")
    pad(shop, "none")
    in_all(shop, ".first-name", "Nieuwe kaart", "New card")
    assert len(booked(shop, EntryKind.ENROLMENT)) == before


# -- goods that come back ---------------------------------------------------------------------------------------------


def test_a_receipt_is_scanned_and_part_comes_back(counter: Counter) -> None:
    counter.scan(SANNE.card)
    sale = counter.sell()
    counter.runtime.till.bookings.commit(sale)
    counter.page.keyboard.press("Escape")
    phase(counter, "idle")
    counter.page.keyboard.press("F11")
    pad(counter, "receipt")
    counter.picture("receipt")
    counter.runtime.till.present_card(sale, "QR")
    phase(counter, "return")
    expect(counter.page.locator(".action")).to_have_attribute("data-state", "off")
    counter.page.keyboard.press("F2")
    in_all(counter, "[data-key=F2] .note", "1 van 3 terug", "1 of 3 back")
    counter.page.locator("[data-key=F2]").click()
    in_all(counter, "[data-key=F2] .note", "2 van 3 terug", "2 of 3 back")
    in_all(counter, ".pay .amount", "€\xa06,00", "€6.00")
    counter.picture("return")
    counter.page.keyboard.press("F12")
    phase(counter, "idle")
    in_all(
        counter,
        ".message .text",
        "Retour geboekt: de punten staan weer zoals ze stonden",
        "Return booked: the points are back as they were",
    )
    counter.picture("returned")
    entry = booked(counter, EntryKind.RETURN)[-1]
    assert [(line.line_id, line.quantity, line.gross_minor) for line in entry.basket.lines] == [("1", -2000, -600)]


def test_everything_of_the_last_receipt_comes_back_once(counter: Counter) -> None:
    counter.scan(JORIS.card)
    counter.sell()
    phase(counter, "card")
    counter.page.keyboard.press("F12")
    phase(counter, "booked")
    counter.page.keyboard.press("F11")
    pad(counter, "receipt")
    counter.page.keyboard.press("F12")
    phase(counter, "return")
    before = len(booked(counter, EntryKind.RETURN))
    counter.page.keyboard.press("F10")
    in_all(counter, ".pay .amount", "€\xa023,40", "€23.40")
    # Both before the screen can change: a slower second click means the button that is there by then.
    counter.page.locator(".action").evaluate("button => { button.click(); button.click(); }")
    phase(counter, "idle")
    assert len(booked(counter, EntryKind.RETURN)) == before + 1
    counter.page.keyboard.press("F11")
    pad(counter, "receipt")
    counter.page.keyboard.press("F12")
    expect(counter.page.locator(".message .text")).to_have_text("Alles van deze bon is al eerder teruggekomen")


def test_a_receipt_of_elsewhere(counter: Counter) -> None:
    counter.page.keyboard.press("F11")
    pad(counter, "receipt")
    counter.runtime.till.present_card("a receipt of another shop", "QR")
    in_all(
        counter,
        ".message .text",
        "Deze bon is hier niet bekend: scan de vierkante code erop",
        "This receipt is not known here: scan the square code on it",
    )
    counter.picture("receipt-elsewhere")


def test_goods_of_another_till_come_back_by_the_code_on_the_receipt(counter: Counter, tmp_path: Path) -> None:
    """No line: head office is away. A reader types the code into the page, whatever has the focus."""
    other = make_runtime(tmp_path / "till", terminal="till-0007")
    other.till.open_session("bon-elders")
    other.till.identify("bon-elders", SANNE.card)
    other.till.set_basket("bon-elders", BREAD)
    entry = other.till.bookings.commit("bon-elders").entry
    code = ReceiptCodes(other.store).write(entry)
    other.store.close()
    assert code is not None
    counter.go_online(online=False)
    counter.page.keyboard.press("F11")
    pad(counter, "receipt")
    type_as_a_reader(counter.page, code[:80] + ("A" if code[80] != "A" else "B") + code[81:])
    in_all(
        counter,
        ".message .text",
        "Deze code is niet van een bon van ons: scan hem nog eens",
        "This code is not of one of our receipts: please scan it again",
    )
    type_as_a_reader(counter.page, code)
    phase(counter, "return")
    in_all(counter, "[data-key=F2] .name", "Meergranen", "Meergranen")
    counter.page.keyboard.press("F2")
    in_all(counter, ".pay .amount", "€\xa03,00", "€3.00")
    counter.picture("return-elsewhere")
    assert serious(counter.page) == []
    counter.page.keyboard.press("F12")
    phase(counter, "idle")
    back = booked(counter, EntryKind.RETURN)[-1]
    assert (back.original, back.card) == (entry.id, entry.card)


# -- the question -----------------------------------------------------------------------------------------------------


def test_one_question_one_tap(shop: Counter) -> None:
    shop.scan(JORIS.card)
    session = shop.sell(BREAD)
    phase(shop, "card")
    shop.page.keyboard.press("F12")
    phase(shop, "booked")
    in_all(shop, "#question", QUESTION["nl"], QUESTION["en"])
    shop.picture("question")
    shop.page.locator(".scores button", has_text="9").click()
    in_all(shop, ".message .text", "Bedankt voor het antwoord", "Thank you for your answer")
    for window in shop.windows.values():
        expect(window.locator(".scores")).to_have_count(0)
    answer = shop.runtime.journal.find_all(session=session)[EntryKind.ANSWER]
    assert (answer.answer, answer.points) == (9, 0)
    shop.picture("answered")


# -- sound ------------------------------------------------------------------------------------------------------------


def test_sound_is_muted_and_stays_so(counter: Counter) -> None:
    mute = counter.page.get_by_role("button", name="Geluid")
    expect(mute).to_have_attribute("aria-pressed", "true")
    mute.click()
    expect(mute).to_have_attribute("aria-pressed", "false")
    counter.page.reload()
    counter.page.wait_for_function("() => window.did_handshake && document.querySelector('.till') !== null")
    expect(mute).to_have_attribute("aria-pressed", "false")
    counter.page.keyboard.press("Alt+m")
    expect(mute).to_have_attribute("aria-pressed", "true")
