"""Returns, coupons and counters at head office: judged across tills, booked once, parked with a reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from loyalty.basket import Basket, Line
from loyalty.codes import make_code
from loyalty.facts import Count, Facts
from loyalty.programme import Programme
from loyalty.redemption import Choice
from loyalty.returns import adjust
from sync.hq.database import Connection
from sync.hq.programmes import publish
from sync.wire import BatchAnswer
from sync.wire_mirror import AccountChange, ChangesPage
from tests.support.entries import PROGRAMME_TOML, TestTill

Member = Callable[..., tuple[str, str]]

RULES = Programme.from_toml(
    PROGRAMME_TOML.replace("version = 1", "version = 2")
    + """
[[coupons]]
id = "spring"
name = { nl = "lente", en = "spring" }
code_prefix = "SP"
gives = { kind = "amount_off", discount_minor = 200 }

[[stamp_cards]]
id = "coffee"
name = { nl = "koffie", en = "coffee" }
stamps = 10
gives = { kind = "free_item" }
"""
)
CODE = make_code("SP", 99)
SPRING = Choice(reward="spring", code=CODE)


@pytest.fixture(autouse=True)
def second_version(conn: Connection) -> None:
    publish(conn, RULES)


@pytest.fixture
def tills(new_till: Callable[[], TestTill]) -> tuple[TestTill, TestTill]:
    return new_till(), new_till()


def cups(number: int) -> Basket:
    return Basket(lines=(Line(line_id="1", sku="cup", gross_minor=250 * number, quantity=1000 * number),))


def sent(till: TestTill, start: int = 1) -> BatchAnswer:
    response = till.send(till.chain.batch(start))
    assert response.status_code == 200, response.text
    return BatchAnswer.decode(response.content)


def last_code(till: TestTill) -> str | None:
    """Send what was appended last and tell its verdict."""
    return sent(till, len(till.chain.raws)).results[-1].code


def balance(conn: Connection, account: str) -> int:
    row = conn.execute("SELECT points FROM balance WHERE account_id = %s", (account,)).fetchone()
    assert row is not None
    return int(row[0])


def test_a_return_in_parts_takes_back_all_of_it_and_no_more(
    tills: tuple[TestTill, TestTill], member: Member, conn: Connection
) -> None:
    here, there = tills
    card, account = member()
    start = balance(conn, account)
    sale = here.chain.sale(card, rules=RULES, goods=cups(4))  # € 10.00: 10 points over 4 cups
    assert last_code(here) is None
    assert balance(conn, account) == start + 10
    there.chain.returned(sale, {"1": 1000})  # floor(10/4) = 2
    assert (last_code(there), balance(conn, account)) == (None, start + 8)
    # The first till has not heard of it, and reckons as if nothing had come back: 2 again, where 3 are due.
    here.chain.returned(sale, {"1": 1000})
    assert (last_code(here), balance(conn, account)) == ("accrual_differs", start + 8)
    here.chain.returned(sale, {"1": 1000}, {"1": 1000})  # floor(20/4) − 2 = 3
    assert (last_code(here), balance(conn, account)) == (None, start + 5)
    there.chain.returned(sale, {"1": 3000}, {"1": 1000})
    assert (last_code(there), balance(conn, account)) == ("return_refused", start + 5)
    there.chain.returned(sale, {"1": 2000}, {"1": 2000})
    assert (last_code(there), balance(conn, account)) == (None, start)
    here.chain.void(sale)
    assert (last_code(here), balance(conn, account)) == ("void_returned", start)


def test_sale_and_return_in_one_batch(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member()
    start = balance(conn, account)
    sale = till.chain.sale(card, rules=RULES, goods=cups(2), rewards=["five-off"])
    till.chain.returned(sale, {"1": 1000})
    till.chain.returned(sale, {"1": 1000}, {"1": 1000})
    assert [result.code for result in sent(till).results] == [None, None, None]
    assert balance(conn, account) == start


def test_a_return_that_belongs_to_nothing_here(till: TestTill, member: Member) -> None:
    card, _ = member()
    other_card, _ = member()
    sale = till.chain.sale(card, rules=RULES, goods=cups(2))
    till.chain.void(sale)
    till.chain.returned(sale, {"1": 1000})
    mine = till.chain.sale(card, rules=RULES, goods=cups(2))
    till.chain.returned(mine.model_copy(update={"card": other_card}), {"1": 1000})
    till.chain.returned(sale.model_copy(update={"id": "019d4530-4c00-7a00-8000-00000000ffff"}), {"1": 1000})
    codes = [result.code for result in sent(till).results]
    assert codes == [None, None, "return_voided", None, "return_unknown", "return_unknown"]


def test_a_return_that_pays_more_than_the_sale_did(till: TestTill, member: Member) -> None:
    card, _ = member()
    sale = till.chain.sale(card, rules=RULES, goods=cups(2))
    honest = till.chain.returned(sale, {"1": 1000})
    line = honest.basket.lines[0].model_copy(update={"gross_minor": honest.basket.lines[0].gross_minor - 100})
    kept = honest.model_dump(exclude={"seq", "id", "session", "clock", "terminal", "epoch", "basket"})
    till.chain._append(**kept, basket=Basket(lines=(line,)))
    assert [result.code for result in sent(till).results] == [None, None, "accrual_differs"]
    other = till.chain.sale(card, rules=RULES, goods=cups(2))
    till.chain._append(**{**kept, "original": other.id}, basket=Basket(lines=(line,)))
    assert [result.code for result in sent(till, 4).results] == [None, "accrual_differs"]


def test_a_coupon_counts_once_wherever_it_is_used_and_a_void_frees_it(
    tills: tuple[TestTill, TestTill], member: Member
) -> None:
    here, there = tills
    card, _ = member()
    first = here.chain.sale(card, rules=RULES, goods=cups(2), rewards=[SPRING])
    assert last_code(here) is None
    there.chain.sale(card, rules=RULES, goods=cups(2), rewards=[SPRING])
    answer = sent(there).results[-1]
    assert (answer.code, CODE in str(answer.text)) == ("coupon_used", False)
    here.chain.void(first)
    here.chain.sale(card, rules=RULES, goods=cups(2), rewards=[SPRING])
    here.chain.sale(card, rules=RULES, goods=cups(2), rewards=[SPRING])
    assert [result.code for result in sent(here, 2).results] == [None, None, "coupon_used"]


def test_stamps_are_counted_and_told_to_the_tills(till: TestTill, member: Member) -> None:
    card, account = member()

    def told() -> dict[str, int]:
        page = ChangesPage.decode(till.get("/v1/changes/till").content)
        (change,) = [part for part in page.changes if isinstance(part, AccountChange) and part.account == account]
        return change.counters

    assert told() == {}
    sale = till.chain.sale(card, rules=RULES, goods=cups(11))
    assert [(part.account, part.counters) for part in sent(till).balances] == [(account, {"coffee": 11})]
    eleven = Facts(counters=(Count(counter="coffee", count=11),))
    free = till.chain.sale(card, rules=RULES, goods=cups(2), rewards=["coffee"], facts=eleven)
    assert last_code(till) is None
    assert told() == {"coffee": 2}
    till.chain.void(free)
    till.chain.returned(sale, {"1": 4000})
    assert [result.code for result in sent(till, 3).results] == [None, None]
    assert told() == {"coffee": 7}


def test_an_adjustment_is_booked_on_a_managers_word(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member()
    start = balance(conn, account)
    sale = till.chain.sale(card, rules=RULES, goods=cups(2))
    made = adjust(-20, "EUR")
    kept = sale.model_dump(include={"business_date", "card", "account", "programme", "programme_version", "tier"})
    till.chain._append(
        **kept,
        kind="adjustment",
        basket=made.basket,
        settlement=made.settlement,
        points=-20,
        reason="wrong receipt scanned",
        approver="manager 7",
    )
    assert [result.code for result in sent(till).results] == [None, None]
    assert balance(conn, account) == start + 5 - 20


def test_two_tills_that_return_the_same_goods_at_once(
    tills: tuple[TestTill, TestTill], member: Member, conn: Connection
) -> None:
    card, account = member()
    start = balance(conn, account)
    sale = tills[0].chain.sale(card, rules=RULES, goods=cups(2))
    assert last_code(tills[0]) is None
    for till in tills:
        till.chain.returned(sale, {"1": 2000})
    assert sorted(str(last_code(till)) for till in tills) == ["None", "return_refused"]
    assert balance(conn, account) == start
