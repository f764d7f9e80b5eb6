"""Rewards: what they take off, exactly, and why one cannot be given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.basket import Basket
from loyalty.errors import RewardRefused
from loyalty.offline import Reason, Verdict
from loyalty.programme import Programme
from loyalty.redemption import discounts_by_line, options, redeem
from tests.loyalty.build import amount_off, basket, baskets, line, programme, programmes

RULES = programme(rewards=(amount_off("five", 500, 500), amount_off("coffee", 250, 250, limit_per_basket=2)))


def spread(goods: Basket, *rewards: str) -> dict[str, int]:
    """Minor units off each line."""
    return discounts_by_line(redeem(RULES, goods, rewards))


def test_spread_pro_rata_by_largest_remainder() -> None:
    # 500·800/1200 = 333⅓ and 166⅔.
    assert spread(basket(800, 400), "five") == {"a": 333, "b": 167}
    # Three equal lines: 166⅔ each, two units to the first two.
    assert spread(basket(400, 400, 400), "five") == {"a": 167, "b": 167, "c": 166}


def test_a_second_reward_is_spread_over_what_is_left() -> None:
    # 500 over 600, 400: 300, 200; then 250 over 300, 200: 150, 100.
    goods = basket(600, 400)
    first, second = redeem(RULES, goods, ["five", "coffee"])
    assert [(part.line_id, part.discount_minor) for part in first.lines] == [("a", 300), ("b", 200)]
    assert [(part.line_id, part.discount_minor) for part in second.lines] == [("a", 150), ("b", 100)]
    assert (first.points, first.discount_minor, second.points) == (500, 500, 250)


def test_lines_that_are_not_eligible_or_negative_carry_no_discount() -> None:
    goods = Basket(lines=(line("bread", 600), line("deposit", 400, eligible=False), line("back", -50)))
    assert spread(goods, "five") == {"bread": 500}


def test_down_to_the_last_cent() -> None:
    assert spread(basket(499, 1), "five") == {"a": 499, "b": 1}


@pytest.mark.parametrize(
    ("goods", "rewards", "code"),
    [
        (basket(499), ["five"], "basket_too_small"),
        (basket(749), ["five", "coffee"], "basket_too_small"),
        # € 9.00 of bread but € 4.50 taken back: € 4.50 to pay, less than the reward.
        (basket(900, -450), ["five"], "basket_too_small"),
        (Basket(lines=(line("gift card", 5000, eligible=False),)), ["five"], "basket_too_small"),
        (Basket(), ["five"], "basket_too_small"),
        (basket(2000), ["five", "five"], "limit_per_basket"),
        (basket(2000), ["coffee", "coffee", "coffee"], "limit_per_basket"),
        (Basket(currency="USD", lines=(line("a", 2000),)), ["five"], "currency"),
        (basket(2000), ["ten"], "unknown_reward"),
    ],
)
def test_refused_with_a_stable_code(goods: Basket, rewards: list[str], code: str) -> None:
    with pytest.raises(RewardRefused) as caught:
        redeem(RULES, goods, rewards)
    assert caught.value.code == code
    assert rewards[-1] in str(caught.value)


@given(programmes(), baskets(), st.lists(st.sampled_from(["reward-0", "reward-1"]), max_size=5))
def test_every_reward_taken_is_spread_exactly_and_no_line_becomes_negative(
    rules: Programme, goods: Basket, wanted: list[str]
) -> None:
    taken: list[str] = []
    for reward in wanted:
        try:
            redeem(rules, goods, [*taken, reward])
        except RewardRefused:
            continue
        taken.append(reward)
    chosen = redeem(rules, goods, taken)
    for redemption in chosen:
        assert sum(part.discount_minor for part in redemption.lines) == redemption.discount_minor
        assert all(part.discount_minor > 0 for part in redemption.lines)
    off = discounts_by_line(chosen)
    for item in goods.lines:
        assert 0 <= off.get(item.line_id, 0) <= max(0, item.gross_minor)
        assert item.eligible or item.line_id not in off
    assert sum(off.values()) <= max(0, goods.gross_minor)
    assert redeem(rules, goods, taken) == chosen  # head office computes the same again


def verdict(limit: int, reason: Reason = Reason.BALANCE) -> Verdict:
    return Verdict(limit > 0, limit, 0, reason)


@pytest.mark.parametrize(
    ("balance", "judged", "five", "coffee"),
    [
        (1000, verdict(1000), None, None),
        (500, verdict(500), None, None),
        (499, verdict(499), "points_short", None),
        (0, verdict(0), "points_short", "points_short"),
        (-20, verdict(0), "points_short", "points_short"),
        (1000, verdict(300, Reason.CARD_CAP), "card_cap", None),
        (1000, verdict(0, Reason.TILL_CAP), "till_cap", "till_cap"),
        (1000, verdict(0, Reason.POLICY_NEVER), "policy_never", "policy_never"),
        (1000, verdict(0, Reason.MIRROR_OLD), "mirror_old", "mirror_old"),
        (1000, verdict(0, Reason.CARD_BLOCKED), "card_blocked", "card_blocked"),
        (300, verdict(0, Reason.CARD_UNKNOWN), "points_short", "card_unknown"),
    ],
)
def test_options_say_why_not(balance: int, judged: Verdict, five: str | None, coffee: str | None) -> None:
    found = options(RULES, basket(2000), (), balance, judged)
    assert [(option.reward.id, option.available, option.code) for option in found] == [
        ("five", five is None, five),
        ("coffee", coffee is None, coffee),
    ]


def test_options_on_top_of_what_is_chosen() -> None:
    goods = basket(2000)
    chosen = redeem(RULES, goods, ["five"])
    five, coffee = options(RULES, goods, chosen, 800, verdict(800))
    assert (five.code, coffee.code) == ("points_short", None)  # 1000 > 800, but 750 is not
    five, coffee = options(RULES, goods, chosen, 1000, verdict(700, Reason.CARD_CAP))
    assert (five.code, coffee.code) == ("card_cap", "card_cap")
    five, coffee = options(RULES, goods, chosen, 9000, verdict(9000))
    assert (five.code, coffee.code) == ("limit_per_basket", None)


@given(programmes(), baskets(), st.integers(-100, 3000), st.integers(0, 3000))
def test_an_option_that_is_available_can_be_taken(rules: Programme, goods: Basket, balance: int, limit: int) -> None:
    for option in options(rules, goods, (), balance, verdict(min(limit, max(0, balance)))):
        if option.available:
            (redemption,) = redeem(rules, goods, [option.reward.id])
            assert redemption.points <= min(limit, balance)
        else:
            assert option.code
