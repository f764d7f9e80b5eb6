"""The manager's pages in a real browser: both sizes, light and dark, Dutch and English; axe finds nothing serious."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.pos_client.manager.conftest import LOOKS, Office, enter, go, look_up
from tests.pos_client.office.conftest import EMAIL, PHONE, sell
from tests.support import axe
from tests.support.axe import serious
from tests.support.till import EAN_FORMAT, FATIMA, JORIS, NOOR, SANNE, card_text

pytestmark = pytest.mark.browser

AXE_LOOKS = axe.LOOKS | {"small-dark-en"}
"""The pages' own language is among what axe looks at."""


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_looks_well_and_is_accessible(office: Office, look: str) -> None:
    def well(window: Page) -> None:
        assert look not in AXE_LOOKS or serious(window) == []

    page = office.windows[look]
    gate = office.open(look)
    try:
        expect(gate.locator("h1")).to_be_visible()
        office.picture("pin", look, gate)
        well(gate)
    finally:
        gate.close()
    look_up(page, SANNE.card)
    expect(page.locator("h1")).to_have_text("Sanne")
    office.picture("member", look, page)
    well(page)
    page.locator("summary").first.click()
    office.picture("adjust", look, page)
    well(page)
    look_up(page, NOOR.card)
    page.locator("summary").nth(1).click()
    expect(page.locator("select[name=action]")).to_be_visible()
    office.picture("block", look, page)
    well(page)
    look_up(page, PHONE)
    expect(page.locator("tbody tr")).to_have_count(2)
    office.picture("found", look, page)
    for number, name in enumerate(("lookup", "today", "inbox", "devices", "sync")):
        go(page, number)
        expect(page.locator("h1")).to_be_visible()
        office.picture(name, look, page)
        well(page)
    go(page, 2)
    page.locator("table").first.locator("tbody tr").last.locator("button").click()
    expect(page.locator("select[name=action]")).to_be_visible()
    office.picture("decide", look, page)
    well(page)
    go(page, 2)
    page.locator("table").last.locator("button").click()
    expect(page.locator("input[name=reason]")).to_be_visible()
    office.picture("undo", look, page)
    well(page)


def test_looking_up_by_anything(office: Office) -> None:
    page = office.page
    receipt = sell(office.runtime, SANNE.card, minor=1900)
    for text in (SANNE.card, EMAIL, receipt):
        go(page, 3)
        look_up(page, text)
        expect(page.locator("header input")).to_have_value("")  # no card number stays, and the next scan comes alone
        expect(page.locator("h1")).to_have_text("Sanne")
    expect(page.locator("tbody tr").first).to_contain_text("This receipt")
    expect(page.locator("tbody tr").first).to_contain_text("€ 19.00 × 1 point per euro = 19")
    look_up(page, PHONE)
    page.get_by_role("button", name="Open").first.click()
    expect(page.locator("h1")).to_have_text("Joris")
    look_up(page, "4111111111111111")
    expect(page.locator(".status")).to_contain_text("bank card")
    look_up(page, "gibberish")
    expect(page.locator(".status")).to_contain_text("Nothing is known here")
    look_up(page, "0687654321")
    expect(page.locator("main.page")).to_contain_text("Nobody is known here")


def test_adjusting_with_a_reason(office: Office) -> None:
    page = office.page
    look_up(page, JORIS.card)
    page.locator("summary").first.click()
    page.locator("input[name=points]").fill("-30")
    page.locator("input[name=reason]:visible").fill("kapotte kop <b>")
    page.get_by_role("button", name="Book").click()
    expect(page.locator(".status")).to_contain_text("Booked")
    expect(page.locator("tbody tr").first).to_contain_text("kapotte kop <b> — Wil")
    expect(page.locator("dd").first).to_have_text("150")
    page.locator("summary").first.click()
    page.locator("input[name=points]").fill("many")
    page.locator("input[name=reason]:visible").fill("x")
    page.get_by_role("button", name="Book").click()
    expect(page.locator(".status")).to_contain_text("needs points and a reason")


def test_deciding_about_a_parked_entry(office: Office) -> None:
    page = office.page
    go(page, 2)
    expect(page.get_by_role("button", name="Decide").first).to_be_visible()
    before = page.get_by_role("button", name="Decide").count()
    page.get_by_role("button", name="Decide").first.click()
    page.locator("select[name=action]").select_option("reverse")
    page.locator("input[name=reason]").fill("seen the receipt")
    page.get_by_role("button", name="Decide").click()
    expect(page.locator(".status")).to_contain_text("Decided")
    expect(page.get_by_role("button", name="Decide")).to_have_count(before - 1)
    expect(page.locator("tbody").first).to_contain_text("decided; on its way to head office")


def test_undoing_a_decision(office: Office) -> None:
    """One that is on its way, and one of another till; what was said before is shown beside it."""
    page = office.page
    go(page, 2)
    for row, why, what in (("nothing booked", "dubbel ingevoerd", "nothing booked"), ("decided;", "seen the", "Book")):
        rows = page.locator("tbody tr").filter(has_text=row)
        rows.get_by_role("button", name="Undo").click()
        expect(page.locator("input[name=reason]")).to_be_visible()
        expect(page.locator("table")).to_contain_text(why)
        expect(page.locator("table")).to_contain_text(what)
        page.locator("input[name=reason]").fill("wrong button")
        page.get_by_role("button", name="Undo the decision").click()
        expect(page.locator(".status")).to_contain_text("Undone")
        expect(page.locator("h1")).to_have_text("Inbox")
    expect(page.get_by_text("undone; on its way to head office")).to_have_count(2)
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)


def test_exchanging_now_without_a_line_says_so(office: Office) -> None:
    page = office.page
    go(page, 4)
    page.get_by_role("button", name="Exchange now").click()
    expect(page.locator(".status")).to_contain_text("No line with head office", timeout=15_000)
    expect(page.get_by_role("button", name="Exchange now")).to_be_enabled()


def test_by_keyboard_alone(office: Office) -> None:
    page = office.open()
    try:
        page.keyboard.press("Tab") if page.evaluate("document.activeElement.name") != "name" else None
        enter(page)
        expect(page.locator("header input")).to_be_focused()
        page.keyboard.type(SANNE.card)
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Sanne")
    finally:
        page.close()


def test_wrong_pin_five_times(office: Office) -> None:
    page = office.open()
    try:
        for number in range(5):
            enter(page, "Guess", f"000{number}")
            expect(page.locator("input[name=pin]")).to_have_value("")  # the form anew: the answer has come
            expect(page.locator(".note[role=alert]")).to_have_text(
                "Wrong PIN" if number < 4 else "Too many wrong PINs: try again in 15 minutes"
            )
        enter(page, "Guess", "1357")  # the right one, too late
        expect(page.locator(".note[role=alert]")).to_contain_text("Too many wrong PINs")
        expect(page.locator(".rail")).to_have_count(0)
    finally:
        page.close()


def test_leaving_asks_for_the_pin_again(office: Office) -> None:
    page = office.open()
    try:
        enter(page)
        page.get_by_role("button", name="Leave").click()
        expect(page.locator("input[name=pin]")).to_be_visible()
        expect(page.locator(".rail")).to_have_count(0)
    finally:
        page.close()


def test_the_day_as_files_and_what_is_worth_a_look(office: Office) -> None:
    page = office.page
    sell(office.runtime, FATIMA.card, minor=90_000)
    sell(office.runtime, FATIMA.card, minor=1000, reward="koffie")
    go(page, 1)
    for name, begins in (("PDF", b"%PDF-"), ("CSV", "\ufeffsection".encode())):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=name).click()
        path = waiting.value.path()
        assert path.read_bytes().startswith(begins)
        assert waiting.value.suggested_filename.endswith(f".{name.lower()}")
    page.get_by_role("button", name="See").last.click()
    expect(page.locator("h1")).to_have_text("Points spent within minutes of earning")
    expect(page.locator("tbody tr")).to_have_count(2)
    office.picture("hint", "small-dark-en", page)
    assert serious(page) == []
    page.get_by_role("button", name="To the member").click()
    expect(page.locator("h1")).to_have_text("Fatima")


def test_blocking_and_replacing_a_card(office: Office) -> None:
    page = office.page
    look_up(page, NOOR.card)
    expect(page.locator("main.page")).to_contain_text("This card is blocked.")
    page.locator("summary").nth(1).click()
    page.locator("select[name=action]").select_option("replace")
    page.locator("input[name=reason]:visible").fill("lost")
    page.get_by_role("button", name="Do it").click()
    expect(page.locator(".status")).to_contain_text("a new card for a replacement")
    page.locator("input[name=new_card]").fill(card_text(EAN_FORMAT, 4_444_444))
    page.get_by_role("button", name="Do it").click()
    expect(page.locator(".status")).to_contain_text("Done here at once")
    expect(page.locator("tbody tr").first).to_contain_text("Replace the card")
    look_up(page, card_text(EAN_FORMAT, 4_444_444))
    expect(page.locator("h1")).to_have_text("Noor")
