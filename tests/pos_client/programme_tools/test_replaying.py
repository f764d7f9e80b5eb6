"""A programme over past sales: figures by hand, and sums that always add up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.programme import Programme
from pos_client.programme_tools.reading import read_programme
from pos_client.programme_tools.replaying import Replay
from pos_client.programme_tools.reporting import Report, report
from pos_client.programme_tools.sales import Receipt, SoldLine
from pos_client.samples import SAMPLES
from tests.pos_client.programme_tools.build import part, programme

START = datetime(2026, 1, 5, 10, 0)  # a Monday


def bread(minor: int, quantity: int = 1) -> SoldLine:
    return SoldLine("BROOD", "brood", quantity * 1000, minor)


def receipt(number: int, day: int, card: str, *lines: SoldLine) -> Receipt:
    return Receipt(str(number), START + timedelta(days=day), card, list(lines))


def run(tried: Programme, *receipts: Receipt) -> Report:
    replay = Replay(tried)
    for one in receipts:
        replay.take(one)
    replay.finish()
    return report(replay)


def test_a_small_year_by_hand() -> None:
    # A point a euro; 250 points are € 2.50. Card a: 300, then 100 − 2.50 = 97 and 250 spent; b: 60; no card: nothing.
    found = run(
        read_programme("bakery"),
        receipt(1, 0, "a", bread(30_000)),
        receipt(2, 1, "", bread(5_000)),
        receipt(3, 2, "b", bread(6_000)),
        receipt(4, 3, "a", bread(10_000)),
    )
    data = found.to_json()
    assert data["points_issued"] == 300 + 97 + 60
    assert (data["points_redeemed"], data["redemptions"], data["redeemed_minor"]) == (250, 1, 250)
    assert data["points_outstanding"] == 147 + 60
    assert data["point_value"] == {"reward": "koffie", "points": 250, "value_minor": 250}
    assert data["liability_minor"] == 207
    assert data["cost_minor"] == 250 + 207
    assert (data["turnover_minor"], data["turnover_with_card_minor"]) == (51_000, 46_000)
    assert data["cost_of_card_turnover_basis_points"] == 99  # 4.57 / 460 = 0.9935 %
    assert data["cost_of_turnover_basis_points"] == 90  # 4.57 / 510 = 0.8961 %
    assert (data["from"], data["to"], data["cards"]) == ("2026-01-05", "2026-01-08", 2)
    assert data["segments_by"] == "spend_decile"
    assert [segment["turnover_minor"] for segment in data["segments"]] == [40_000, 6_000]


def test_returns_take_back_what_was_earned_whatever_their_order() -> None:
    found = run(
        read_programme("bakery"),
        receipt(1, 0, "a", bread(1_000, 3)),
        receipt(2, 1, "a", bread(-333, -1)),
        receipt(3, 2, "a", bread(-334, -1)),
        receipt(4, 3, "a", bread(-333, -1)),
        receipt(5, 4, "a", bread(-333, -1)),
    ).to_json()
    assert (found["points_issued"], found["points_taken_back"], found["points_outstanding"]) == (10, 10, 0)
    assert found["returns_without_sale"] == 1


def test_points_that_lapse() -> None:
    changed = programme(rewards=[], stamp_cards=[], expiry={"after_months": 1})
    found = run(changed, receipt(1, 0, "a", bread(5_000)), receipt(2, 90, "b", bread(1_000))).to_json()
    assert (found["points_expired"], found["points_outstanding"]) == (50, 10)
    assert (found["point_value"], found["liability_minor"]) == (None, 0)


def test_points_that_are_pending_are_not_spent() -> None:
    reward = part("amount_off", "r", cost_points=50, discount_minor=50)
    sales = (receipt(1, 0, "a", bread(5_000)), receipt(2, 5, "a", bread(1_000)), receipt(3, 20, "a", bread(1_000)))
    early = run(programme(rewards=[reward]), *sales).to_json()
    late = run(programme(rewards=[reward], expiry={"vesting_days": 14}), *sales).to_json()
    assert (early["redemptions"], late["redemptions"]) == (1, 1)
    assert run(programme(rewards=[reward], expiry={"vesting_days": 14}), *sales[:2]).to_json()["redemptions"] == 0


def test_tiers_are_reached_on_the_way() -> None:
    found = run(
        read_programme("fashion"),
        receipt(1, 0, "a", SoldLine("JAS", "jassen", 1000, 30_000)),
        receipt(2, 1, "a", SoldLine("JAS", "jassen", 1000, 10_000)),
        receipt(3, 2, "b", SoldLine("SOK", "sokken", 1000, 1_000)),
    ).to_json()
    # € 300 at bronze, which makes silver: € 100 then gives 100 + 25. Nothing vests within 14 days.
    assert found["points_issued"] == 300 + 125 + 10
    assert [(segment["segment"], segment["cards"]) for segment in found["segments"]] == [
        ("brons", 1),
        ("zilver", 1),
        ("goud", 0),
    ]
    assert found["segments"][1]["points_issued"] == 425


def test_points_as_part_payment_take_as_much_as_there_is() -> None:
    found = run(
        read_programme("supermarket"),
        receipt(1, 0, "a", SoldLine("MELK", "zuivel", 1000, 35_000)),
        receipt(2, 2, "a", SoldLine("MELK", "zuivel", 1000, 1_000)),
    ).to_json()
    # 350 and 10 for the week; 300 of them pay € 3.00, and € 7.00 earns 7.
    assert (found["points_redeemed"], found["redeemed_minor"]) == (300, 300)
    assert found["points_issued"] == 360 + 7


def test_the_tenth_coffee_and_what_a_free_one_is_worth() -> None:
    coffee = SoldLine("KOFFIE", "dranken", 1000, 275)
    visits = [receipt(number, number, "a", coffee) for number in range(11)]
    found = run(read_programme("bakery"), *visits).to_json()
    assert (found["redemptions"], found["redeemed_minor"], found["points_redeemed"]) == (1, 275, 0)
    free = part("free_item", "free", cost_points=100, skus=["KOFFIE"])
    assert run(programme(rewards=[free], stamp_cards=[]), *visits).to_json()["point_value"]["value_minor"] == 275


def test_a_day_cap_counts_each_day_anew() -> None:
    capped = programme(rewards=[], caps={"per_card_day_points": 15})
    sales = [receipt(number, number // 2, "a", bread(1_000)) for number in range(4)]
    assert run(capped, *sales).to_json()["points_issued"] == 30


def test_weekly_challenges_of_a_year_do_not_pile_up() -> None:
    challenges = [part(None, f"c-{number}", goal=1, points=1, every="week") for number in range(4)]
    sales = [receipt(number, 7 * number, "a", bread(1_000)) for number in range(60)]
    assert run(programme(rewards=[], challenges=challenges), *sales).to_json()["points_issued"] == 60 * 14


def test_a_receipt_of_a_thousand_lines_is_taken_in_parts() -> None:
    found = run(programme(rewards=[]), receipt(1, 0, "a", *[bread(100)] * 1001)).to_json()
    assert (found["points_issued"], found["receipts_split"]) == (1001, 2)


LINES = st.tuples(
    st.sampled_from(["KOFFIE", "BROOD", "PINDAKAAS"]),
    st.sampled_from(["brood", "fruit", "tabak", "schoenen"]),
    st.integers(-3, 5),
    st.integers(0, 30_000),
)


@st.composite
def sales(draw: st.DrawFn) -> list[Receipt]:
    found, day = [], 0
    for number in range(draw(st.integers(0, 12))):
        day += draw(st.integers(0, 200))
        lines = [
            SoldLine(sku, category, quantity * 1000, -minor if quantity < 0 else minor)
            for sku, category, quantity, minor in draw(st.lists(LINES, min_size=1, max_size=4))
        ]
        found.append(receipt(number, day, draw(st.sampled_from(["", "a", "b"])), *lines))
    return found


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(SAMPLES), receipts=sales())
def test_points_add_up_whatever_was_sold(name: str, receipts: list[Receipt]) -> None:
    data: dict[str, Any] = run(read_programme(name), *receipts).to_json()
    taken = data["points_taken_back"] + data["points_redeemed"] + data["points_expired"]
    assert data["points_issued"] - taken == data["points_outstanding"]
    assert 0 <= data["points_taken_back"] <= data["points_issued"]
    for column in ("cards", "points_issued", "points_outstanding", "redeemed_minor"):
        assert sum(segment[column] for segment in data["segments"]) == data[column]
    assert data["turnover_minor"] == sum(line.amount_minor for one in receipts for line in one.lines)
