"""The till's use cases on a real encrypted store."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest

from drivers.recognition.guard import luhn_valid
from loyalty.basket import Basket
from loyalty.cards import CardNumber
from loyalty.errors import BasketError, CardFormatError, RewardRefused
from loyalty.ledger import EntryKind
from loyalty.programme import Programme
from pos_client.app import build_runtime, open_store
from pos_client.events import EventKind, TillEvent
from pos_client.reckoning import TillError
from pos_client.runtime import Runtime
from pos_client.session import Booked, SessionState
from pos_client.sessions import MAX_SESSIONS
from pos_client.till import Till
from sync.errors import StoreFull
from sync.terminal import EARLIEST_MS, clock_problem, wall_ms
from sync.wire_mirror import ProgrammeChange
from tests.support.entries import basket
from tests.support.till import (
    CARD_KEY,
    FATIMA,
    FORMATS,
    JORIS,
    NOOR,
    PROGRAMME,
    SANNE,
    UNKNOWN_CARD,
    make_runtime,
    publish,
)

# A test number of the card scheme itself (Visa: 4111…), passing Luhn.
PAYMENT_CARD = "4111111111111111"
ARTICLE = "8710400000006"
NO_PAGE_LIMIT = 1_073_741_823


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    made = make_runtime(tmp_path)
    yield made
    made.store.close()


def token(card: str) -> str:
    return CardNumber.parse(card, FORMATS).token(CARD_KEY)


def prepare(runtime: Runtime, session: str, card: str, *amounts: int, rewards: tuple[str, ...] = ()) -> None:
    runtime.till.open_session(session)
    runtime.till.set_basket(session, basket(*amounts))
    runtime.till.identify(session, card)
    for reward in rewards:
        runtime.till.redeem(session, reward)


def sell(runtime: Runtime, session: str, card: str, *amounts: int, rewards: tuple[str, ...] = ()) -> Booked:
    prepare(runtime, session, card, *amounts, rewards=rewards)
    return runtime.till.bookings.commit(session)


def refusal(runtime: Runtime, session: str, reward: str) -> str:
    with pytest.raises(RewardRefused) as caught:
        runtime.till.redeem(session, reward)
    return caught.value.code


def with_offline(**changes: Any) -> dict[str, Any]:
    document = copy.deepcopy(PROGRAMME)
    document["offline"].update(changes)
    return document


def heard(runtime: Runtime) -> list[TillEvent]:
    events: list[TillEvent] = []
    runtime.bus.listen(events.append)
    return events


# -- earn, commit, void ---------------------------------------------------------------------------------------------


def test_a_sale_earns_and_is_queued(runtime: Runtime) -> None:
    events = heard(runtime)
    booked = sell(runtime, "bon-1", SANNE.card, 2340)
    # 23 whole euros, and half as many again for silver, rounded down: 23 + 11.
    assert (booked.entry.points, booked.balance) == (34, 1284 + 34)
    assert booked.entry.account == SANNE.account
    holder = runtime.mirror.find(token(SANNE.card))
    assert (holder.confirmed, holder.queued) == (1284, 34)
    assert runtime.journal.head().queued == 1
    assert events[-1].kind is EventKind.SALE_BOOKED
    assert events[-1].data == {"session": "bon-1", "points": 34, "balance": 1318}


def test_commit_twice_books_once(runtime: Runtime) -> None:
    first = sell(runtime, "bon-1", SANNE.card, 1000)
    assert runtime.till.bookings.commit("bon-1") == first
    assert runtime.journal.head().seq == 1


def test_commits_at_the_same_time_book_once(runtime: Runtime) -> None:
    prepare(runtime, "bon-1", SANNE.card, 1000)
    with ThreadPoolExecutor(8) as pool:
        booked = list(pool.map(lambda _: runtime.till.bookings.commit("bon-1"), range(24)))
    assert all(one == booked[0] for one in booked)
    assert runtime.journal.head().seq == 1


def test_a_booked_sale_is_found_again_after_a_restart(tmp_path: Path) -> None:
    before = make_runtime(tmp_path)
    first = sell(before, "bon-1", SANNE.card, 1000, rewards=("koffie",))
    config = before.config
    before.store.close()
    after = build_runtime(config, open_store(config))
    try:
        reopened = after.till.open_session("bon-1")
        assert reopened.state is SessionState.BOOKED
        assert reopened.settlement == first.entry.settlement
        assert after.till.bookings.commit("bon-1") == first
        with pytest.raises(TillError, match="booked") as caught:
            after.till.set_basket("bon-1", basket(5))
        assert caught.value.code == "session_closed"
        assert after.till.bookings.void("bon-1") is not None
        assert after.till.quote("bon-1").state is SessionState.VOIDED
    finally:
        after.store.close()


def test_void_of_a_booked_sale_reverses_it_once(runtime: Runtime) -> None:
    sale = sell(runtime, "bon-1", SANNE.card, 1000, rewards=("vijf-euro",))
    void = runtime.till.bookings.void("bon-1")
    assert void is not None
    assert (void.entry.kind, void.entry.reverses) == (EntryKind.VOID, sale.entry.id)
    assert void.entry.points == -sale.entry.points
    assert void.balance == 1284
    events = heard(runtime)
    assert runtime.till.bookings.void("bon-1") == void
    assert events == []
    assert runtime.journal.head().seq == 2
    after = runtime.till.quote("bon-1")
    assert (after.state, after.balance_after) == (SessionState.VOIDED, 1284)


def test_void_of_an_open_sale_books_nothing(runtime: Runtime) -> None:
    prepare(runtime, "bon-1", SANNE.card, 1000)
    assert runtime.till.bookings.void("bon-1") is None
    assert runtime.journal.head().seq == 0
    with pytest.raises(TillError) as caught:
        runtime.till.bookings.commit("bon-1")
    assert caught.value.code == "session_closed"


def test_commit_after_void_is_refused(runtime: Runtime) -> None:
    sell(runtime, "bon-1", SANNE.card, 1000)
    runtime.till.bookings.void("bon-1")
    with pytest.raises(TillError) as caught:
        runtime.till.bookings.commit("bon-1")
    assert caught.value.code == "session_closed"
    assert runtime.journal.head().seq == 2


def test_commit_needs_a_card_and_a_session(runtime: Runtime) -> None:
    runtime.till.open_session("bon-1")
    for session, code in (("bon-1", "no_card"), ("bon-2", "unknown_session")):
        with pytest.raises(TillError) as caught:
            runtime.till.bookings.commit(session)
        assert caught.value.code == code


def test_a_booked_quote_stands_when_the_programme_changes(runtime: Runtime) -> None:
    booked = sell(runtime, "bon-1", SANNE.card, 1000, rewards=("koffie",))
    document = {**PROGRAMME, "version": 2, "rewards": []}
    publish(runtime.mirror, [ProgrammeChange(document=Programme.from_document(document).model_dump(mode="json"))])
    quote = runtime.till.quote("bon-1")
    assert quote.programme.version == 2
    assert quote.settlement == booked.entry.settlement


def test_without_a_programme_nothing_starts(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, programme=None)
    with pytest.raises(TillError) as caught:
        runtime.till.open_session()
    assert caught.value.code == "no_programme"
    runtime.store.close()


# -- cards ----------------------------------------------------------------------------------------------------------


def test_an_unknown_card_earns_to_its_token(runtime: Runtime) -> None:
    booked = sell(runtime, "bon-1", UNKNOWN_CARD, 1000)
    assert booked.entry.account is None
    assert booked.entry.card == token(UNKNOWN_CARD)
    assert UNKNOWN_CARD not in booked.entry.encode().decode()
    assert (booked.entry.points, booked.balance) == (10, 10)


def test_a_blocked_card_is_refused(runtime: Runtime) -> None:
    runtime.till.open_session("bon-1")
    with pytest.raises(TillError) as caught:
        runtime.till.identify("bon-1", NOOR.card)
    assert caught.value.code == "card_blocked"
    events = heard(runtime)
    assert runtime.till.present_card(NOOR.card, "EAN-13") is None
    assert [(event.kind, event.data) for event in events] == [(EventKind.CARD_REFUSED, {"code": "blocked"})]
    assert runtime.till.quote("bon-1").holder is None


@pytest.mark.parametrize("text", [PAYMENT_CARD, "4111 1111 1111 1111", f";{PAYMENT_CARD}=30121010000000000?"])
def test_a_payment_card_is_refused_without_a_digit_of_it(runtime: Runtime, text: str) -> None:
    runtime.till.open_session("bon-1")
    with pytest.raises(TillError) as caught:
        runtime.till.identify("bon-1", text)
    assert caught.value.code == "payment_card"
    assert not any(char.isdigit() for char in str(caught.value))


def test_another_text_is_no_card(runtime: Runtime) -> None:
    runtime.till.open_session("bon-1")
    with pytest.raises(CardFormatError):
        runtime.till.identify("bon-1", SANNE.card[:-1] + str((int(SANNE.card[-1]) + 1) % 10))


# Made up; both pass the GS1 check digit, and the second passes Luhn as well, as one article number in ten does.
@pytest.mark.parametrize("article", [ARTICLE, "8710400000044"])
def test_an_article_is_told_as_a_label(runtime: Runtime, article: str) -> None:
    assert luhn_valid(article) == (article != ARTICLE)
    events = heard(runtime)
    assert runtime.till.present_card(article, "EAN-13") is None
    assert [(event.kind, event.data["text"]) for event in events] == [(EventKind.LABEL_SCANNED, article)]


def test_a_card_scanned_before_the_sale_goes_with_it(runtime: Runtime) -> None:
    runtime.till.present_card(SANNE.card, "EAN-13")
    assert runtime.till.waiting is not None
    quote = runtime.till.open_session("bon-1")
    assert quote.holder is not None
    assert quote.holder.account == SANNE.account
    assert runtime.till.waiting is None
    assert runtime.till.open_session("bon-2").holder is None


def test_a_card_scanned_long_after_the_last_touch_waits_for_the_next_sale(runtime: Runtime) -> None:
    now = wall_ms()
    till = Till(
        runtime.store,
        runtime.terminal,
        formats=FORMATS,
        bus=runtime.bus,
        time_zone="Europe/Amsterdam",
        business_day_starts=time(4),
        session_timeout_s=60,
        now_ms=lambda: now,
    )
    till.open_session("bon-1")
    now += 60_000
    till.present_card(SANNE.card, "EAN-13")
    assert till.quote("bon-1").holder is not None
    now += 60_001
    till.present_card(JORIS.card, "CODE-128")
    left = till.quote("bon-1").holder
    assert left is not None
    assert left.account == SANNE.account
    assert till.waiting is not None
    assert till.waiting.account == JORIS.account
    now += 60_001
    assert till.waiting is None  # that customer has walked away
    assert till.open_session("bon-2").holder is None


def test_the_oldest_closed_session_is_forgotten_first(runtime: Runtime) -> None:
    for number in range(MAX_SESSIONS):
        runtime.till.open_session(f"bon-{number}")
    runtime.till.bookings.void("bon-7")
    runtime.till.open_session("one-more")
    assert runtime.till.quote("bon-0").state is SessionState.OPEN
    with pytest.raises(TillError) as caught:
        runtime.till.quote("bon-7")
    assert caught.value.code == "unknown_session"
    runtime.till.open_session("and-another")
    with pytest.raises(TillError):
        runtime.till.quote("bon-0")


def test_another_card_clears_the_rewards(runtime: Runtime) -> None:
    prepare(runtime, "bon-1", SANNE.card, 1000, rewards=("koffie",))
    quote = runtime.till.identify("bon-1", FATIMA.card)
    assert quote.settlement.redemptions == ()
    assert runtime.till.bookings.commit("bon-1").entry.account == FATIMA.account


# -- rewards --------------------------------------------------------------------------------------------------------


def test_a_reward_is_spent_with_the_sale(runtime: Runtime) -> None:
    booked = sell(runtime, "bon-1", SANNE.card, 2340, rewards=("koffie",))
    # 23.40 − 2.50 = 20.90 is paid: 20 + 10 points earned, 250 spent.
    assert booked.entry.settlement.payable_minor == 2090
    assert booked.entry.points == 30 - 250


def test_a_reward_needs_a_card_and_must_exist(runtime: Runtime) -> None:
    runtime.till.open_session("bon-1")
    with pytest.raises(TillError) as caught:
        runtime.till.redeem("bon-1", "koffie")
    assert caught.value.code == "no_card"
    runtime.till.identify("bon-1", SANNE.card)
    assert refusal(runtime, "bon-1", "taart") == "unknown_reward"


def test_limits_of_the_basket_and_of_the_balance(runtime: Runtime) -> None:
    prepare(runtime, "bon-1", SANNE.card, 249)
    assert refusal(runtime, "bon-1", "koffie") == "basket_too_small"
    prepare(runtime, "bon-2", FATIMA.card, 2000, rewards=("koffie",))
    assert refusal(runtime, "bon-2", "koffie") == "limit_per_basket"
    prepare(runtime, "bon-3", JORIS.card, 2000)
    assert refusal(runtime, "bon-3", "koffie") == "points_short"


def test_limit_of_the_card_per_day_and_a_void_gives_room_again(runtime: Runtime) -> None:
    sell(runtime, "bon-1", SANNE.card, 2000, rewards=("vijf-euro",))
    prepare(runtime, "bon-2", SANNE.card, 2000)
    assert refusal(runtime, "bon-2", "koffie") == "card_cap"
    runtime.till.bookings.void("bon-1")
    assert runtime.till.redeem("bon-2", "koffie").settlement.points_spent == 250


def test_limit_of_the_till_per_day(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, programme=with_offline(per_till_day_points=600))
    sell(runtime, "bon-1", SANNE.card, 2000, rewards=("vijf-euro",))
    prepare(runtime, "bon-2", FATIMA.card, 2000)
    assert refusal(runtime, "bon-2", "koffie") == "till_cap"
    runtime.store.close()


def test_limit_is_judged_again_at_commit(runtime: Runtime) -> None:
    prepare(runtime, "bon-1", SANNE.card, 2000, rewards=("vijf-euro",))
    prepare(runtime, "bon-2", SANNE.card, 2000, rewards=("koffie",))
    runtime.till.bookings.commit("bon-1")
    with pytest.raises(RewardRefused) as caught:
        runtime.till.bookings.commit("bon-2")
    assert caught.value.code == "card_cap"
    assert runtime.journal.head().seq == 1


def test_an_old_mirror_and_a_strict_head_office_give_no_rewards(runtime: Runtime, tmp_path: Path) -> None:
    publish(runtime.mirror, [], now_ms=wall_ms() - 86_401_000)
    prepare(runtime, "bon-1", SANNE.card, 2000)
    assert refusal(runtime, "bon-1", "koffie") == "mirror_old"
    assert runtime.till.bookings.commit("bon-1").entry.points == 30
    strict = make_runtime(tmp_path / "strict", programme=with_offline(redeem="never"))
    prepare(strict, "bon-1", SANNE.card, 2000)
    assert refusal(strict, "bon-1", "koffie") == "policy_never"
    strict.store.close()


def test_an_unknown_card_cannot_spend_what_it_earned(runtime: Runtime) -> None:
    sell(runtime, "bon-1", UNKNOWN_CARD, 30_000)
    prepare(runtime, "bon-2", UNKNOWN_CARD, 2000)
    assert refusal(runtime, "bon-2", "koffie") == "card_unknown"


def test_rewards_that_no_longer_fit_are_dropped_and_named_once(runtime: Runtime) -> None:
    prepare(runtime, "bon-1", SANNE.card, 1000, rewards=("vijf-euro",))
    shrunk = runtime.till.set_basket("bon-1", basket(300))
    assert shrunk.dropped_rewards == ("vijf-euro",)
    assert (shrunk.settlement.payable_minor, shrunk.settlement.points_spent) == (300, 0)
    assert runtime.till.set_basket("bon-1", basket(1000)).dropped_rewards == ()


def test_a_basket_in_another_currency_is_refused_and_changes_nothing(runtime: Runtime) -> None:
    prepare(runtime, "bon-1", SANNE.card, 1000)
    with pytest.raises(BasketError, match="expected a basket in EUR, got USD"):
        runtime.till.set_basket("bon-1", Basket(currency="USD"))
    assert runtime.till.quote("bon-1").settlement.payable_minor == 1000


# -- disk and clock -------------------------------------------------------------------------------------------------


def test_disk_full_books_nothing_and_the_same_commit_succeeds_once_there_is_room(runtime: Runtime) -> None:
    # 400 lines make an entry of some 100 kB, which no free page of a fresh database can hold.
    prepare(runtime, "bon-1", SANNE.card, *[100] * 400)
    runtime.store.db.conn.execute("PRAGMA max_page_count = 1")  # SQLite takes this as: no page more than there are
    with pytest.raises(StoreFull, match="nothing was booked"):
        runtime.till.bookings.commit("bon-1")
    assert runtime.journal.head().seq == 0
    assert runtime.mirror.find(token(SANNE.card)).balance == 1284
    assert runtime.till.quote("bon-1").state is SessionState.OPEN
    runtime.store.db.conn.execute(f"PRAGMA max_page_count = {NO_PAGE_LIMIT}")
    booked = runtime.till.bookings.commit("bon-1")
    assert (booked.entry.seq, booked.balance) == (1, 1284 + 600)
    assert runtime.till.bookings.commit("bon-1") == booked
    assert runtime.journal.head().seq == 1


def test_a_till_whose_clock_stands_in_2017_sells_on(runtime: Runtime) -> None:
    till = Till(
        runtime.store,
        runtime.terminal,
        formats=FORMATS,
        bus=runtime.bus,
        time_zone="Europe/Amsterdam",
        business_day_starts=time(4),
        session_timeout_s=60,
        now_ms=lambda: 1_500_000_000_000,
    )
    till.open_session("bon-1")
    till.set_basket("bon-1", basket(1000))
    till.identify("bon-1", SANNE.card)
    entry = till.bookings.commit("bon-1").entry
    assert (entry.points, entry.clock.wall_ms, entry.business_date) == (15, 1_500_000_000_000, date(2017, 7, 14))


def test_a_clock_before_2024_is_told_in_one_line() -> None:
    assert clock_problem(EARLIEST_MS) is None
    told = clock_problem(0)
    assert told is not None
    assert "1970-01-01 00:00" in told
    assert "\n" not in told


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        # 04:00 in Amsterdam, winter and summer.
        (datetime(2026, 1, 15, 2, 59, 59, tzinfo=UTC), date(2026, 1, 14)),
        (datetime(2026, 1, 15, 3, 0, 0, tzinfo=UTC), date(2026, 1, 15)),
        (datetime(2026, 7, 15, 1, 59, 59, tzinfo=UTC), date(2026, 7, 14)),
        (datetime(2026, 7, 15, 2, 0, 0, tzinfo=UTC), date(2026, 7, 15)),
        # 29 March 2026: 02:00 becomes 03:00, so 04:00 comes one hour sooner (02:00 UTC).
        (datetime(2026, 3, 29, 1, 59, 59, tzinfo=UTC), date(2026, 3, 28)),
        (datetime(2026, 3, 29, 2, 0, 0, tzinfo=UTC), date(2026, 3, 29)),
        # 25 October 2026: 03:00 becomes 02:00, so 04:00 comes one hour later (03:00 UTC).
        (datetime(2026, 10, 25, 2, 59, 59, tzinfo=UTC), date(2026, 10, 24)),
        (datetime(2026, 10, 25, 3, 0, 0, tzinfo=UTC), date(2026, 10, 25)),
    ],
)
def test_the_business_date_turns_at_four_local_time(runtime: Runtime, moment: datetime, day: date) -> None:
    assert runtime.till.reckoning.business_date(int(moment.timestamp() * 1000)) == day
