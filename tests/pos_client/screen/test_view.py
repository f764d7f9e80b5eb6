"""From the till's state to the words on the screen, without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from loyalty.basket import Basket, Line
from pos_client.runtime import Runtime
from pos_client.screen.facts import Facts, read_facts
from pos_client.screen.memory import Memory, Notice, Result
from pos_client.screen.shown import MAX_LINES, LineRow, Message, Offer, View
from pos_client.screen.view import build_view
from pos_client.screen.words import NOTICES, OTHER_NOTICE
from tests.support.till import FATIMA, JORIS, SANNE, UNKNOWN_CARD, make_runtime

N = "\u202f"
BREAD = Basket(
    lines=(
        Line(line_id="1", sku="brood", text="Meergranen", quantity=3000, gross_minor=900),
        Line(line_id="2", sku="kaas", quantity=347, gross_minor=1440),
    )
)


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    made = make_runtime(tmp_path)
    yield made
    made.store.close()


def view(runtime: Runtime, memory: Memory | None = None, language: str = "nl") -> View:
    return build_view(read_facts(runtime), memory or Memory(), language)


def sale(runtime: Runtime, card: str | None = SANNE.card, basket: Basket = BREAD) -> str:
    if card is not None:
        runtime.till.present_card(card, "EAN-13")
    session = runtime.till.open_session("sale-1").session
    runtime.till.set_basket(session, basket)
    return session


def test_nobody_there(runtime: Runtime) -> None:
    seen = view(runtime)
    assert (seen.phase, seen.hint, seen.place) == ("idle", "Scan of swipe de kaart", "Bakkerij De Molen · kassa 2")
    assert (seen.lines, seen.to_pay, seen.rows, seen.message, seen.announce) == ((), "", (), None, "")
    assert (seen.action.text, seen.action.state) == ("Afronden", "off")


def test_a_member_and_a_basket(runtime: Runtime) -> None:
    sale(runtime)
    seen = view(runtime)
    assert (seen.name, seen.tier, seen.balance, seen.unit) == ("Sanne", "Zilver", "1.284", "punten")
    assert seen.lines == (LineRow("3 × Meergranen", "€\xa09,00"), LineRow("0,347 × kaas", "€\xa014,40"))
    assert (seen.total, seen.to_pay) == ("€\xa023,40", "€\xa023,40")
    assert (seen.earns, seen.earns_detail, seen.spends) == (f"+{N}34", "23 + 11 zilver", "")
    assert [(row.key, row.name, row.state, row.note) for row in seen.rows] == [
        ("F2", "Koffie gratis", "ready", ""),
        ("F3", "€ 5 korting", "ready", ""),
    ]
    assert seen.action.state == "ready"
    assert view(runtime, language="en").tier == "Silver"


def test_what_was_saved_here_is_told_apart(runtime: Runtime) -> None:
    runtime.till.bookings.commit(sale(runtime))
    seen = view(runtime)
    assert seen.balance == "1.318"
    assert seen.as_of.startswith("bevestigd ")
    assert seen.as_of.endswith(f" · +{N}34 hier")


def test_a_name_that_may_not_be_shown(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, till={"show_first_name": False})
    try:
        runtime.till.present_card(SANNE.card, "EAN-13")
        seen = view(runtime)
        assert seen.name == ""
        assert "Sanne" not in repr(seen)
        assert seen.announce == "Kaart herkend: 1.284 punten"
    finally:
        runtime.store.close()


def test_no_card_number_reaches_the_screen(runtime: Runtime) -> None:
    for card in (SANNE.card, FATIMA.card, JORIS.card, UNKNOWN_CARD):
        runtime.till.present_card(card, "EAN-13")
        assert card[-6:] not in repr(view(runtime))


def test_a_chosen_reward(runtime: Runtime) -> None:
    session = sale(runtime)
    runtime.till.redeem(session, "koffie")
    seen = view(runtime)
    assert [(row.state, row.note) for row in seen.rows] == [
        ("chosen", "Gekozen · nog een keer is terugdraaien"),
        ("off", "max. 500 per dag per kaart"),
    ]
    assert (seen.spends, seen.to_pay) == (f"−{N}250", "€\xa020,90")
    assert seen.lines[-1] == LineRow("Koffie gratis", f"−{N}€\xa02,50", "reward")


def test_every_reason_is_a_sentence(runtime: Runtime) -> None:
    sale(runtime)
    facts = read_facts(runtime)
    notes = {}
    for code in ("limit_per_basket", "till_cap", "mirror_old", "policy_never", "card_blocked", "odd"):
        option = replace(facts.rewards[1], available=False, code=code)
        notes[code] = build_view(replace(facts, rewards=(option,)), Memory(), "nl").rows[0].note
    assert notes == {
        "limit_per_basket": "max. 1 per bon",
        "till_cap": "max. 5.000 per dag op deze kassa",
        "mirror_old": "te lang zonder hoofdkantoor",
        "policy_never": "alleen met verbinding",
        "card_blocked": "kaart is geblokkeerd",
        "odd": "nu niet mogelijk",
    }


def test_an_unknown_card(runtime: Runtime) -> None:
    sale(runtime, UNKNOWN_CARD)
    seen = view(runtime)
    assert (seen.name, seen.tier, seen.balance) == ("Nieuwe kaart", "", "0")
    assert [row.note for row in seen.rows] == ["kaart nog niet bekend", "kaart nog niet bekend"]
    assert seen.message is not None
    assert seen.message.mood == "info"
    assert seen.action.state == "ready"


def test_a_basket_without_a_card(runtime: Runtime) -> None:
    sale(runtime, None)
    seen = view(runtime)
    assert (seen.phase, seen.earns, seen.earns_detail) == ("idle", f"+{N}23", "met een kaart")
    assert seen.action.state == "off"


def test_booked(runtime: Runtime) -> None:
    session = sale(runtime)
    runtime.till.bookings.commit(session)
    now = read_facts(runtime).now_ms
    seen = view(runtime, Memory(last=Result(session, 34, now)))
    assert (seen.phase, seen.action.state, seen.action.text) == ("booked", "done", f"Geboekt +{N}34")
    assert seen.offer == Offer("Ctrl+Z", "Ctrl Z", "Ongedaan maken")
    assert seen.rows == ()
    assert seen.message == Message("ok", f"Geboekt +{N}34 · wordt later verstuurd")
    assert view(runtime, Memory(last=Result(session, 34, now - 10_001))).offer is None
    assert view(runtime, Memory(last=Result("another sale", 34, now))).offer is None
    assert view(runtime, Memory(dismissed=session)).phase == "idle"


def test_a_long_basket_keeps_its_newest_lines(runtime: Runtime) -> None:
    lines = tuple(Line(line_id=str(n), sku="x", text=f"Artikel {n}", gross_minor=100) for n in range(1, 21))
    sale(runtime, basket=Basket(lines=lines))
    seen = view(runtime).lines
    assert len(seen) == MAX_LINES
    assert seen[0] == LineRow("13 eerdere regels", "", "more")
    assert (seen[1].text, seen[-1].text) == ("1 × Artikel 14", "1 × Artikel 20")


@pytest.mark.parametrize(
    ("online", "queued", "dutch"),
    [
        (True, 0, "Online"),
        (True, 3, "Online"),
        (False, 0, "Offline sinds 13:20"),
        (False, 12, "Offline sinds 13:20 · 12 in wachtrij"),
    ],
)
def test_the_badge(runtime: Runtime, online: bool, queued: int, dutch: str) -> None:
    noon_utc = 1_795_262_400_000  # 2026-11-21 12:00 UTC, 13:00 in Amsterdam
    facts = replace(
        read_facts(runtime), online=online, queued=queued, since_ms=noon_utc + 20 * 60_000, now_ms=noon_utc + 3_600_000
    )
    seen = build_view(facts, Memory(), "nl")
    assert (seen.online, seen.badge) == (online, dutch)


@pytest.mark.parametrize("code", [*NOTICES, "a code of a later version"])
def test_every_notice_is_told_aloud(runtime: Runtime, code: str) -> None:
    seen = view(runtime, Memory(notice=Notice(code)), "en")
    mood, text = NOTICES.get(code, OTHER_NOTICE)
    assert seen.message == Message(mood, text)
    assert seen.announce == text


def test_a_reward_that_is_refused_is_named(runtime: Runtime) -> None:
    sale(runtime, JORIS.card)
    seen = view(runtime, Memory(notice=Notice("points_short", "koffie")))
    assert seen.message == Message("warn", "Koffie gratis: nog 70 punten")


def test_a_till_that_never_reached_head_office(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, programme=None)
    try:
        seen = view(runtime, language="en")
        assert seen.message is not None
        assert seen.message.text == "This till has to reach head office once before it can save points"
        runtime.till.present_card(SANNE.card, "EAN-13")
        assert view(runtime).name == "Nieuwe kaart"
    finally:
        runtime.store.close()


def test_a_wrong_clock_and_a_lost_scanner(runtime: Runtime) -> None:
    facts = replace(read_facts(runtime), clock_wrong=True, devices_away=("scanner", "camera"))
    seen = build_view(facts, Memory(), "nl")
    assert seen.devices == "Niet gereed: scanner, camera"
    assert seen.message is not None
    assert seen.message.text.startswith("De klok van deze kassa staat verkeerd")


def test_the_same_facts_give_the_same_view(runtime: Runtime) -> None:
    sale(runtime)
    facts: Facts = read_facts(runtime)
    assert build_view(facts, Memory(), "nl") == build_view(facts, Memory(), "nl")
