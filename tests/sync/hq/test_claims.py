"""Facts that tills state: an honest till that knew less is booked, one that claims what it cannot have known parks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from loyalty.basket import Basket, Line
from loyalty.facts import Count, Facts
from loyalty.programme import Programme
from loyalty.programme_members import Credential
from loyalty.programme_rules import Birthday
from sync.hq.database import Connection
from sync.hq.profiles import edit, set_pin
from sync.hq.programmes import publish
from sync.wire import BatchAnswer
from tests.support.entries import PROGRAMME_TOML, TestTill

Member = Callable[..., tuple[str, str]]

RULES = Programme.from_toml(
    PROGRAMME_TOML.replace("version = 1", "version = 2")
    + """
[caps]
per_card_day_points = 100

[credential]
spend = ["rotating", "pin"]
from_points = 10

[[earn]]
kind = "per_visit"
id = "welcome"
name = { nl = "welkom", en = "welcome" }
points = 5
bonus = true
first_purchase = true

[[earn]]
kind = "per_visit"
id = "birthday"
name = { nl = "jarig", en = "birthday" }
points = 5
bonus = true
birthday = "day"

[[earn]]
kind = "per_visit"
id = "family"
name = { nl = "gezin", en = "family" }
points = 5
bonus = true
segments = ["families"]

[[rewards]]
kind = "amount_off"
id = "once"
name = { nl = "eenmaal", en = "once" }
cost_points = 10
discount_minor = 100
limit_per_member = 1
stock = 50

[[stamp_cards]]
id = "coffee"
name = { nl = "koffie", en = "coffee" }
stamps = 3
gives = { kind = "free_item" }

[[challenges]]
id = "twice"
name = { nl = "twee keer", en = "twice" }
goal = 2
points = 20
"""
)
NOON = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(autouse=True)
def second_version(conn: Connection) -> None:
    publish(conn, RULES)


@pytest.fixture
def other(new_till: Callable[[], TestTill]) -> TestTill:
    return new_till()


def codes(till: TestTill, start: int = 1) -> list[str | None]:
    response = till.send(till.chain.batch(start))
    assert response.status_code == 200, response.text
    return [result.code for result in BatchAnswer.decode(response.content).results]


def cups(number: int) -> Basket:
    return Basket(lines=(Line(line_id="1", sku="cup", gross_minor=250 * number, quantity=1000 * number),))


def counts(**known: int) -> Facts:
    """These counters; and so much earned that day that the cap of a day has nothing to say."""
    return Facts(earned_today=1000, counters=tuple(Count(counter=name, count=count) for name, count in known.items()))


def test_a_first_purchase_that_was_not(till: TestTill, other: TestTill, member: Member) -> None:
    token, account = member()
    first = Facts(first_purchase=True)
    for one in (till, other):  # the other had not heard of the sale at the first
        one.chain.sale(token, account=account, rules=RULES, facts=first)
        assert codes(one) == [None]
    till.chain.sale(token, account=account, rules=RULES, facts=first)
    assert codes(till, 2) == ["facts_impossible"]


def test_in_one_batch_too(till: TestTill, member: Member) -> None:
    token, account = member()
    for _ in range(2):
        till.chain.sale(token, account=account, rules=RULES, facts=Facts(first_purchase=True))
    assert codes(till) == [None, "facts_impossible"]


def test_who_came_with_points_bought_before(till: TestTill, member: Member) -> None:
    token, account = member(points=10)
    till.chain.sale(token, account=account, rules=RULES, facts=Facts(first_purchase=True))
    assert codes(till) == ["facts_impossible"]


def test_a_tier_and_a_birthday_count_as_long_as_they_were_told_once(
    conn: Connection, till: TestTill, member: Member
) -> None:
    token, account = member(tier="gold")
    edit(conn, account, birthday="11-24")
    day = Facts(at_ms=NOON, birthday=(Birthday.DAY,))
    edit(conn, account, tier="basic", birthday="05-05")  # the till has not heard yet
    till.chain.sale(token, account=account, rules=RULES, tier="gold", facts=day)
    till.chain.sale(token, account=account, rules=RULES, facts=day.model_copy(update={"at_ms": NOON - 86_400_000}))
    assert codes(till) == [None, "facts_impossible"]
    token, account = member()
    till.chain.sale(token, account=account, rules=RULES, tier="gold")
    till.chain.sale(token, account=account, rules=RULES, facts=day)
    assert codes(till, 3) == ["facts_impossible"] * 2


def test_a_segment_that_was_never_told(conn: Connection, till: TestTill, member: Member) -> None:
    token, account = member()
    family = Facts(segments=("families",))
    till.chain.sale(token, account=account, rules=RULES, facts=family)
    assert codes(till) == ["facts_impossible"]
    conn.execute("INSERT INTO formerly VALUES (%s, 'segment:families')", (account,))
    till.chain.sale(token, account=account, rules=RULES, facts=family)
    assert codes(till, 2) == [None]


def test_what_spending_takes(conn: Connection, till: TestTill, member: Member) -> None:
    token, account = member(points=200)

    def spend(credential: Credential) -> str | None:
        facts = Facts(credential=credential)
        till.chain.sale(token, account=account, rules=RULES, rewards=["five-off"], facts=facts)
        return codes(till, len(till.chain.raws))[0]

    assert spend(Credential.STATIC) == "facts_impossible"
    assert spend(Credential.PIN) == "facts_impossible"  # they have none
    assert spend(Credential.ROTATING) is None
    set_pin(conn, account, "4711")
    assert spend(Credential.PIN) is None
    set_pin(conn, account, None)
    assert spend(Credential.PIN) is None  # in good faith


def test_the_cap_of_a_day_counts_what_the_till_sold_itself(till: TestTill, other: TestTill, member: Member) -> None:
    token, account = member()
    other.chain.sale(token, [9000], account=account, rules=RULES)
    assert codes(other) == [None]
    till.chain.sale(token, [8000], account=account, rules=RULES)  # cannot know of the other's 90
    gone = till.chain.sale(token, [1000], account=account, rules=RULES, facts=Facts(earned_today=80))
    till.chain.void(gone)
    till.chain.sale(token, [1000], account=account, rules=RULES, facts=Facts(earned_today=80))
    assert codes(till) == [None] * 4
    till.chain.sale(token, [1000], account=account, rules=RULES, facts=Facts(earned_today=89))
    assert codes(till, 5) == ["facts_impossible"]
    till.chain.sale(token, [100], account=account, rules=RULES, facts=Facts(earned_today=0))
    # One of its entries is parked: what it counted on its own word is not known here any more.
    assert codes(till, 6) == [None]


def test_stamps_that_were_never_given(till: TestTill, other: TestTill, member: Member) -> None:
    token, account = member()
    till.chain.sale(token, account=account, rules=RULES, goods=cups(2), facts=Facts())
    till.chain.sale(token, account=account, rules=RULES, goods=cups(2), facts=counts(coffee=2))
    assert codes(till) == [None, None]

    def free(at: TestTill, stated: int) -> str | None:
        at.chain.sale(
            token, account=account, rules=RULES, goods=cups(1), rewards=["coffee"], facts=counts(coffee=stated)
        )
        return codes(at, len(at.chain.raws))[0]

    assert free(other, 5) == "facts_impossible"
    assert free(other, 4) is None
    assert free(till, 4) is None  # had not heard that the other took them
    assert free(till, 40) == "facts_impossible"


def test_stamps_on_a_parked_sale_are_believed(till: TestTill, member: Member) -> None:
    token, account = member()
    till.chain.sale(token, account=account, rules=RULES, goods=cups(3), facts=Facts(segments=("families",)))
    till.chain.sale(token, account=account, rules=RULES, goods=cups(1), rewards=["coffee"], facts=counts(coffee=3))
    assert codes(till) == ["facts_impossible", None]


@pytest.mark.parametrize("apart", [False, True])
def test_a_limited_reward_that_the_till_gave_itself(
    till: TestTill, other: TestTill, member: Member, apart: bool
) -> None:
    token, account = member(points=100)
    phone = Facts(credential=Credential.ROTATING)
    for one in (till, other):
        one.chain.sale(token, account=account, rules=RULES, rewards=["once"], facts=phone)
        assert codes(one) == [None]  # each in good faith
    last = till if not apart else other
    last.chain.sale(token, account=account, rules=RULES, rewards=["once"], facts=phone)
    assert codes(last, 2) == ["facts_impossible"]


def test_a_goal_is_reached_once(till: TestTill, member: Member) -> None:
    token, account = member()
    till.chain.sale(token, account=account, rules=RULES, facts=Facts())
    till.chain.sale(token, account=account, rules=RULES, facts=counts(twice=1))
    till.chain.sale(token, account=account, rules=RULES, facts=counts(twice=1))
    assert codes(till) == [None, None, "facts_impossible"]
    till.chain.sale(token, account=account, rules=RULES, facts=counts(twice=9))
    assert codes(till, 4) == ["facts_impossible"]


def test_more_in_stock_than_there_ever_were(till: TestTill, member: Member) -> None:
    token, account = member(points=100)
    stock = Facts(stock=(Count(counter="once", count=51),), credential=Credential.ROTATING)
    till.chain.sale(token, account=account, rules=RULES, rewards=["once"], facts=stock)
    assert codes(till) == ["facts_impossible"]
