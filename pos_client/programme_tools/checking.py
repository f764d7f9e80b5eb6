"""Warnings about a programme that could pay out without limit, each with a basket that was run and shows it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.errors import RewardRefused
from loyalty.explain import money
from loyalty.facts import Count
from loyalty.programme import Programme
from loyalty.programme_parts import Goods
from loyalty.programme_rewards import (
    AmountOffGift,
    Coupon,
    FreeItem,
    FreeItemGift,
    PercentOff,
    PercentOffGift,
    PointsGift,
    Reward,
    StampCard,
)
from loyalty.programme_rules import Multiplier, Stacking
from loyalty.settlement import Settlement, settle
from pos_client.programme_tools.extremes import (
    CHEAP_MINOR,
    ORDINARY_MINOR,
    Article,
    Case,
    articles,
    basket_of,
    cases,
    member_facts,
    moments,
)
from pos_client.programme_tools.worth import PointValue, best_value

MAX_TRIALS = 20_000
"""Baskets run at most: some seconds."""

STACKED_PERCENT = 300
"""Bonuses that add up to this much without a cap are warned about: four times the points."""

OFTEN = 100
"""A limit for one member above this holds nobody: once a week takes two years to reach it."""


@dataclass(frozen=True, slots=True)
class PayoutWarning:
    """Something that could cost the shop without limit. `basket`, `member` and `at` are what `programme try` takes."""

    code: str
    path: str
    text: str
    basket: dict[str, Any]
    member: dict[str, Any]
    at: str
    points: int

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "code": self.code,
            "path": self.path,
            "text": self.text,
            "basket": self.basket,
            "member": self.member,
            "at": self.at,
            "points": self.points,
        }


def warnings(programme: Programme, today: date) -> tuple[PayoutWarning, ...]:
    """What could pay out without limit from `today` on."""
    found = [
        *_pays_for_itself(programme, today),
        *_stacking(programme, today),
        *_no_ceiling(programme, today),
        *_free_every_time(programme, today),
        *_full_cards(programme, today),
    ]
    return tuple(found)


def _pays_for_itself(programme: Programme, today: date) -> Iterator[PayoutWarning]:
    """The basket that gives most for the money, when that is at least the money."""
    worst: tuple[Case, Settlement, PointValue] | None = None
    for case in itertools.islice(cases(programme, today), MAX_TRIALS):
        value = best_value(reward for reward in programme.rewards if _endless(reward) and _for(reward, case.tier))
        if value is None:
            continue
        settled = settle(programme, case.basket, case.tier, (), case.facts)
        if value.of(settled.points_earned) < settled.payable_minor:
            continue
        if worst is None or _rate(settled, value) > _rate(worst[1], worst[2]):
            worst = case, settled, value
    if worst is None:
        return
    case, settled, value = worst
    baskets = -(-value.points // settled.points_earned)
    such = "such basket" if baskets == 1 else "such baskets"
    paid = settled.payable_minor
    rules = ", ".join(f"'{part.rule}'" for part in settled.accrual.components if part.points)
    yield _warning(
        programme,
        case,
        settled,
        code="pays_for_itself",
        path=_path(programme, "rewards", value.reward),
        text=(
            f"worth more than it costs to earn: {_scene(programme, case)} pays {_money(programme, paid)} and gets "
            f"{settled.points_earned} points ({rules}), worth {_money(programme, value.of(settled.points_earned))}; "
            f"after {baskets} {such} for {_money(programme, baskets * paid)} the reward gives "
            f"{_money(programme, value.value_minor)}. Raise its cost_points, lower the points of these rules, hold "
            "them with caps.per_basket_points, or let those by visit begin at a minimum_basket_minor"
        ),
    )


def _rate(settled: Settlement, value: PointValue) -> tuple[int, int]:
    # Compared as value for each euro paid; the paid amounts are positive. The smaller basket shows the same better.
    return value.of(settled.points_earned) * 10_000 // max(1, settled.payable_minor), -settled.payable_minor


def _stacking(programme: Programme, today: date) -> Iterator[PayoutWarning]:
    """Multipliers that add up past what a cap holds, or with none to hold them."""
    worst: tuple[int, Case, Settlement] | None = None
    rules = {rule.id: rule for rule in programme.earn}
    kinds = articles(programme, [rule for rule in programme.earn if isinstance(rule, Multiplier)])
    for at_ms, tier, article in itertools.product(moments(programme, today), programme.tiers, kinds):
        case = Case(basket_of(programme, article, ORDINARY_MINOR), tier.id, member_facts(programme, at_ms))
        settled = settle(programme, case.basket, case.tier, (), case.facts)
        stacked = [
            rule.percent
            for part in settled.accrual.components
            if isinstance(rule := rules.get(part.rule), Multiplier) and rule.stacking is Stacking.ADD
        ]
        if len(stacked) > 1 and (worst is None or sum(stacked) > worst[0]):
            worst = sum(stacked), case, settled
    if worst is None:
        return
    percent, case, settled = worst
    capped = [part for part in settled.accrual.components if part.capped_by]
    names = ", ".join(
        f"'{part.rule}'" for part in settled.accrual.components if isinstance(rules.get(part.rule), Multiplier)
    )
    scene = _scene(programme, case)
    if capped:
        text = (
            f"bonuses add up past the cap: for {_money(programme, settled.payable_minor)} {scene} is promised "
            f"+ {percent} % by {names}, and the cap leaves {settled.points_earned} points: raise the cap, or give one "
            "of these rules stacking = 'max'"
        )
        yield _warning(programme, case, settled, code="past_the_cap", path="caps", text=text)
    elif percent >= STACKED_PERCENT and programme.caps.per_basket_points is None:
        text = (
            f"bonuses add up and no cap holds them: for {_money(programme, settled.payable_minor)} {scene} gets "
            f"{settled.points_earned} points, + {percent} % by {names}: set caps.per_basket_points, or give one of "
            "these rules stacking = 'max'"
        )
        yield _warning(programme, case, settled, code="stacking_without_cap", path="caps", text=text)


def _no_ceiling(programme: Programme, today: date) -> Iterator[PayoutWarning]:
    """Rewards whose value grows with the basket, at the same price in points."""
    plain = _plain_case(programme, today)
    earned = settle(programme, plain.basket, plain.tier, (), plain.facts).points_earned
    for place, reward in enumerate(programme.rewards):
        unbounded = isinstance(reward, PercentOff) or (
            isinstance(reward, FreeItem) and not reward.categories and not reward.skus
        )
        if not isinstance(reward, PercentOff | FreeItem) or not unbounded or reward.max_minor is not None:
            continue
        spent = reward.cost_points * ORDINARY_MINOR // earned if earned else ORDINARY_MINOR
        percent = reward.percent if isinstance(reward, PercentOff) else 100
        amount = max(spent * 100 // percent + CHEAP_MINOR, reward.minimum_basket_minor)
        case = _case_for(programme, reward, amount, today)
        if (settled := _take(programme, case, reward)) is None or not settled.redemptions:
            continue
        off = settled.redemptions[0].discount_minor
        text = (
            f"nothing holds what it takes off: {_scene(programme, case)} gets {_money(programme, off)} off a basket of "
            f"{_money(programme, case.basket.gross_minor)} for {reward.cost_points} points, which some "
            f"{_money(programme, spent)} of shopping earn: set max_minor"
        )
        yield _warning(programme, case, settled, code="no_ceiling", path=f"rewards.{place}.max_minor", text=text)


def _free_every_time(programme: Programme, today: date) -> Iterator[PayoutWarning]:
    """Personal offers without a code or a limit that leave nothing to pay, on every receipt."""
    for place, coupon in enumerate(programme.coupons):
        if coupon.code_prefix is not None or not _endless(coupon):
            continue
        gift = coupon.gives
        amount = max(
            gift.discount_minor if isinstance(gift, AmountOffGift) else CHEAP_MINOR, coupon.minimum_basket_minor
        )
        case = _case_for(programme, coupon, amount, today)
        if (settled := _take(programme, case, coupon)) is None:
            continue
        value = best_value(reward for reward in programme.rewards if _endless(reward))
        back = value.of(settled.points_earned) if value and isinstance(gift, PointsGift) else 0
        if settled.payable_minor - back > 0:
            continue
        text = (
            f"nothing holds how often it is given: {_scene(programme, case)} pays "
            f"{_money(programme, settled.payable_minor)} for a basket of {_money(programme, case.basket.gross_minor)}"
            + (f" and gets points worth {_money(programme, back)}" if back else "")
            + ", on every receipt: set limit_per_member, or a minimum_basket_minor well above what it gives"
        )
        yield _warning(programme, case, settled, code="free_every_time", path=f"coupons.{place}", text=text)


def _full_cards(programme: Programme, today: date) -> Iterator[PayoutWarning]:
    """Stamp cards whose gift is worth more than the cheapest way to fill one."""
    for place, card in enumerate(programme.stamp_cards):
        gift = card.gives
        paid = card.stamps * (CHEAP_MINOR if card.counts == "items" else max(CHEAP_MINOR, card.minimum_basket_minor))
        if isinstance(gift, AmountOffGift):
            worth: int | None = gift.discount_minor
        elif isinstance(gift, FreeItemGift) and _same_article(card, gift):
            worth = None  # one more of the very article that was bought: what it costs does not matter
        elif isinstance(gift, PercentOffGift | FreeItemGift):
            free = isinstance(gift, PercentOffGift) or not (gift.categories or gift.skus)
            worth = gift.max_minor if gift.max_minor is not None else paid + CHEAP_MINOR if free else None
        else:
            value = best_value(reward for reward in programme.rewards if _endless(reward))
            worth = value.of(gift.points) if value else None
        if worth is None or worth < paid:
            continue
        percent = gift.percent if isinstance(gift, PercentOffGift) else 100
        amount = max(worth * 100 // percent, card.minimum_basket_minor, CHEAP_MINOR)
        case = _case_for(programme, card, amount, today)
        if (settled := _take(programme, case, card)) is None:
            continue
        text = (
            f"the gift is worth more than filling the card costs: {card.stamps} stamps come with "
            f"{_money(programme, paid)} of shopping at {_money(programme, CHEAP_MINOR)} an article, and give "
            f"{_money(programme, worth)}: set or lower max_minor, or ask for more stamps"
        )
        yield _warning(programme, case, settled, code="full_card", path=f"stamp_cards.{place}", text=text)


def _same_article(card: StampCard, gift: FreeItemGift) -> bool:
    return (
        card.counts == "items"
        and not (card.categories or gift.categories)
        and len(card.skus) == 1
        and card.skus == gift.skus
    )


# -- what the warnings share ----------------------------------------------------------------------------------------


def _endless(part: Reward | Coupon) -> bool:
    """Whether nothing that anybody would meet bounds how often one member can have it."""
    return part.stock is None and (part.limit_per_member is None or part.limit_per_member > OFTEN)


def _for(reward: Reward, tier: str) -> bool:
    return not reward.tiers or tier in reward.tiers


def _plain_case(programme: Programme, today: date) -> Case:
    """An ordinary basket of a new member, at noon today."""
    kinds = articles(programme, programme.earn) or [Article("goods", "article")]
    at_ms = moments(programme, today)[0]
    facts = member_facts(programme, at_ms).model_copy(update={"birthday": (), "segments": ()})
    return Case(basket_of(programme, kinds[0], ORDINARY_MINOR, 1), programme.tiers[0].id, facts)


def _case_for(programme: Programme, part: Reward | Coupon | StampCard, amount: int, today: date) -> Case:
    """A basket that a benefit can be given on, for a member who may have it, when it is on."""
    gift = part.gives if isinstance(part, Coupon | StampCard) else part
    goods = gift if isinstance(gift, Goods) else part if isinstance(part, Goods) else Goods()
    kinds = articles(programme, [goods]) or [Article("goods", "article")]
    start = max(today, part.valid_from or today)
    at_ms = next((at_ms for at_ms in moments(_only_when(programme, part), start)), moments(programme, today)[0])
    facts = member_facts(programme, at_ms)
    if isinstance(part, StampCard):
        facts = facts.model_copy(update={"counters": (Count(counter=part.id, count=part.stamps),)})
    tier = part.tiers[0] if part.tiers else programme.tiers[0].id
    return Case(basket_of(programme, kinds[0], amount, 1), tier, facts)


def _only_when(programme: Programme, part: Reward | Coupon | StampCard) -> Programme:
    """The programme with one rule that holds exactly when `part` does, to find such a moment."""
    when = {
        "weekdays": part.weekdays,
        "hours": part.hours,
        "valid_from": part.valid_from,
        "valid_until": part.valid_until,
    }
    return programme.model_copy(update={"earn": (programme.earn[0].model_copy(update=when),)})


def _take(programme: Programme, case: Case, part: Reward | Coupon | StampCard) -> Settlement | None:
    try:
        return settle(programme, case.basket, case.tier, [part.id], case.facts)
    except RewardRefused:
        return None  # not to be had at the moment that was tried: then it pays nothing out


def _path(programme: Programme, group: str, name: str) -> str:
    places = {part.id: place for place, part in enumerate(getattr(programme, group))}
    return f"{group}.{places[name]}"


def _money(programme: Programme, minor: int) -> str:
    return money(minor, programme.currency, "en")


def _local(programme: Programme, at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(ZoneInfo(programme.time_zone))


def _scene(programme: Programme, case: Case) -> str:
    line = case.basket.lines[0]
    at = _local(programme, case.facts.at_ms)
    return (
        f"{line.quantity // 1000} × '{line.sku}' of category '{line.category}' for a member of tier '{case.tier}' "
        f"on {at:%A %d-%m-%Y at %H:%M}"
    )


def _warning(
    programme: Programme, case: Case, settled: Settlement, *, code: str, path: str, text: str
) -> PayoutWarning:
    at = _local(programme, case.facts.at_ms)
    member: dict[str, Any] = {"tier": case.tier}
    if case.facts.segments:
        member["segments"] = list(case.facts.segments)
    if case.facts.birthday and any(rule.birthday for rule in programme.earn):
        member["birthday"] = f"{at:%m-%d}"
    if case.facts.counters:
        member["counters"] = {known.counter: known.count for known in case.facts.counters}
    if settled.redemptions:
        member["takes"] = [part.reward for part in settled.redemptions]
        member["balance"] = settled.points_spent
    return PayoutWarning(
        code=code,
        path=path,
        text=text,
        basket=case.basket.model_dump(mode="json"),
        member=member,
        at=at.isoformat(),
        points=settled.points_earned,
    )
