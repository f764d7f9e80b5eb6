"""A programme run over past sales, with the engine that tills run: the pilot before the pilot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

from loyalty.basket import MAX_LINES, MAX_MINOR, Basket, Line
from loyalty.counting import REACHED, counter_of
from loyalty.errors import RewardRefused
from loyalty.facts import Count, Facts
from loyalty.goods import whole_items
from loyalty.lots import Lots, earn, expire, lot_of, spend, take_back
from loyalty.money import Rounding, divide
from loyalty.programme import Programme
from loyalty.programme_members import Badge, Challenge
from loyalty.programme_rewards import FreeItem, PayWithPoints, Reward
from loyalty.redemption import Choice
from loyalty.settlement import Settlement, settle
from loyalty.tiers import Activity, qualifying, upgraded
from pos_client.programme_tools.reading import Unreadable
from pos_client.programme_tools.sales import Receipt, SoldLine
from pos_client.programme_tools.worth import PointValue, best_value, reward_value


@dataclass(slots=True)
class Sums:
    """What a card, a segment or the whole file comes to: minor units and points."""

    turnover_minor: int = 0
    issued: int = 0
    taken_back: int = 0
    redeemed: int = 0
    redeemed_minor: int = 0
    expired: int = 0

    def add(self, other: Sums) -> None:
        """Add another's figures."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class Bought:
    """A line that may come back: its quantity in thousandths, how much of it is back, the points it earned."""

    sale: str
    quantity: int
    back: int
    points: int


@dataclass(slots=True)
class Account:
    """One card of the file."""

    tier: str
    sums: Sums = field(default_factory=Sums)
    lots: Lots = field(default_factory=Lots)
    counters: dict[str, int] = field(default_factory=dict)
    history: list[Activity] = field(default_factory=list)
    bought: dict[str, list[Bought]] = field(default_factory=dict)
    day: date = date.min
    earned_today: int = 0


@dataclass(slots=True)
class Whole:
    """Counts of the whole file."""

    receipts: int = 0
    lines: int = 0
    turnover_minor: int = 0
    redemptions: int = 0
    first: date | None = None
    last: date | None = None
    unmatched_returns: int = 0
    backwards: int = 0
    split: int = 0


class Replay:
    """Takes receipts in the order of time; `accounts` and `whole` are what came of them."""

    def __init__(self, programme: Programme) -> None:
        self.programme = programme
        self.accounts: dict[str, Account] = {}
        self.whole = Whole()
        self._zone = ZoneInfo(programme.time_zone)
        self._rewards = _by_value(programme.rewards)
        self._cheapest = min((_least(reward) for reward in programme.rewards), default=0)
        self._free = [reward for reward in programme.rewards if isinstance(reward, FreeItem)]
        self._prices = {reward.id: (0, 0) for reward in self._free}

    def take(self, receipt: Receipt) -> None:
        """Run one receipt.

        Raises:
            Unreadable: an amount that no till could book.
        """
        whole, day = self.whole, receipt.at.date()
        whole.receipts += 1
        whole.lines += len(receipt.lines)
        amount = sum(line.amount_minor for line in receipt.lines)
        whole.turnover_minor += amount
        whole.first = min(whole.first or day, day)
        if whole.last is not None and day < whole.last:
            whole.backwards += 1
        whole.last = max(whole.last or day, day)
        for reward in self._free:
            self._see_prices(reward, receipt.lines)
        if not receipt.card:
            return
        account = self.accounts.get(receipt.card)
        if account is None:
            account = self.accounts[receipt.card] = Account(self.programme.tiers[0].id)
        account.sums.turnover_minor += amount
        if account.day != day:
            account.day, account.earned_today = day, 0
            account.lots, gone = expire(account.lots, day)
            account.sums.expired += gone
            self._forget_past_periods(account, day)
        came_back = [line for line in receipt.lines if line.quantity < 0]
        goods = [line for line in receipt.lines if line.quantity >= 0] if came_back else receipt.lines
        for line in came_back:
            self._return(account, line)
        for start in range(0, len(goods), MAX_LINES):
            whole.split += start > 0
            self._sell(account, receipt, goods[start : start + MAX_LINES], f"{receipt.number}/{start}")

    def finish(self) -> None:
        """Let what lapsed by the last day lapse, also of members who did not come back."""
        for account in self.accounts.values():
            account.lots, gone = expire(account.lots, self.whole.last or date.min)
            account.sums.expired += gone

    def point_value(self) -> PointValue | None:
        """What a point is worth by the best reward; a free article counts at the mean price it was sold for."""
        return best_value(self.programme.rewards, self._mean_price)

    # -- one receipt ------------------------------------------------------------------------------------------------

    def _sell(self, account: Account, receipt: Receipt, goods: Sequence[SoldLine], sale: str) -> None:
        basket = _basket(self.programme.currency, goods, receipt)
        day = receipt.at.date()
        facts = Facts(
            at_ms=int(receipt.at.replace(tzinfo=self._zone).timestamp()) * 1000,
            earned_today=max(0, account.earned_today),
            counters=tuple(Count(counter=name, count=count) for name, count in account.counters.items()),
        )
        settled = self._settle(account, basket, facts, day)
        account.earned_today += settled.points_earned
        account.sums.issued += settled.points_earned
        if settled.redemptions:
            self.whole.redemptions += len(settled.redemptions)
            account.sums.redeemed += settled.points_spent
            account.sums.redeemed_minor += sum(
                part.discount_minor + part.issued_minor + part.cash_minor for part in settled.redemptions
            )
            account.lots, _ = spend(account.lots, settled.points_spent, day)
        if settled.points_earned:
            account.lots = earn(account.lots, lot_of(sale, settled.points_earned, day, self.programme.expiry))
        for progress in settled.counters:
            account.counters[progress.counter] = account.counters.get(progress.counter, 0) + progress.count
        for line, share in zip(goods, settled.accrual.lines, strict=True):
            if line.quantity > 0:
                account.bought.setdefault(line.sku, []).append(Bought(sale, line.quantity, 0, share.points))
        if self.programme.tier_policy is not None:
            self._count_towards_tier(account, day, settled)

    def _settle(self, account: Account, basket: Basket, facts: Facts, day: date) -> Settlement:
        """With the first wish that can be had: a full stamp card, then the reward that gives most for a point."""
        for wish in self._wishes(account, basket, day):
            try:
                settled = settle(self.programme, basket, account.tier, [wish], facts)
            except RewardRefused:
                continue  # not on this basket, or not for this member: the next best
            return settled
        return settle(self.programme, basket, account.tier, (), facts)

    def _wishes(self, account: Account, basket: Basket, day: date) -> Iterator[Choice]:
        for card in self.programme.stamp_cards:
            if account.counters.get(card.id, 0) >= card.stamps:
                yield Choice(reward=card.id)
        have = account.lots.spendable(day) if self._rewards and account.lots.lots else 0
        if not have or have < self._cheapest:
            return
        for reward in self._rewards:
            if isinstance(reward, PayWithPoints):
                most = min(have * reward.value_minor // reward.cost_points, basket.gross_minor)
                if (amount := most - most % reward.step) > 0:
                    yield Choice(reward=reward.id, amount_minor=amount)
            elif reward.cost_points <= have:
                yield Choice(reward=reward.id)

    def _forget_past_periods(self, account: Account, day: date) -> None:
        """Drop the counters of weeks and months gone by: an entry has room for a member's current ones."""
        if not account.counters:
            return
        goals: tuple[Challenge | Badge, ...] = (*self.programme.challenges, *self.programme.badges)
        current = {counter_of(goal, day) for goal in goals}
        account.counters = {
            name: count
            for name, count in account.counters.items()
            if "/" not in name or name.removesuffix(REACHED) in current
        }

    def _return(self, account: Account, line: SoldLine) -> None:
        """Take back the points of a line, from the latest sales of the article first: floor(points × r / q) of each."""
        left = -line.quantity
        for sold in reversed(account.bought.get(line.sku, ())):
            back = min(left, sold.quantity - sold.back)
            if back <= 0:
                continue
            points = _share(sold, sold.back + back) - _share(sold, sold.back)
            sold.back += back
            left -= back
            if points:
                account.lots, _ = take_back(account.lots, sold.sale, points)
                account.sums.taken_back += points
            if not left:
                return
        self.whole.unmatched_returns += 1

    def _count_towards_tier(self, account: Account, day: date, settled: Settlement) -> None:
        policy = self.programme.tier_policy
        assert policy is not None
        account.history.append(Activity(day, settled.points_earned, settled.payable_minor, 1))
        account.tier = upgraded(self.programme, account.tier, qualifying(policy, account.history, day))

    # -- prices -----------------------------------------------------------------------------------------------------

    def _see_prices(self, reward: FreeItem, lines: Sequence[SoldLine]) -> None:
        amount, items = self._prices[reward.id]
        for line in lines:
            if (
                line.amount_minor > 0
                and (count := whole_items(line.quantity)) > 0
                and reward.include(line.category, line.sku)
            ):
                amount, items = amount + line.amount_minor, items + count
        self._prices[reward.id] = amount, items

    def _mean_price(self, reward: FreeItem) -> int | None:
        amount, items = self._prices[reward.id]
        return divide(amount, items, Rounding.HALF_UP) if items else None


def _share(sold: Bought, back: int) -> int:
    return divide(sold.points * back, sold.quantity, Rounding.FLOOR)


def _basket(currency: str, goods: Sequence[SoldLine], receipt: Receipt) -> Basket:
    if any(abs(line.amount_minor) > MAX_MINOR for line in goods):
        raise Unreadable([f"receipt '{receipt.number}': expected lines below a million, got more"])
    return Basket(
        currency=currency,
        lines=tuple(
            Line(
                line_id=str(number),
                sku=line.sku,
                category=line.category,
                quantity=line.quantity,
                gross_minor=line.amount_minor,
            )
            for number, line in enumerate(goods)
        ),
    )


def _least(reward: Reward) -> int:
    """Points below which a reward cannot be had."""
    if isinstance(reward, PayWithPoints):
        return reward.step * reward.cost_points // reward.value_minor
    return reward.cost_points


def _by_value(rewards: Iterable[Reward]) -> list[Reward]:
    """Those that give most for a point first; those of unknown worth last."""
    known = [(reward, reward_value(reward)) for reward in rewards]
    priced = [(reward, value) for reward, value in known if value is not None]
    priced.sort(key=lambda pair: pair[1] * 1_000_000 // pair[0].cost_points, reverse=True)
    return [*(reward for reward, _ in priced), *(reward for reward, value in known if value is None)]
