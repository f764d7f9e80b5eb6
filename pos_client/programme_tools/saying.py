"""A programme's parts in words that a customer understands: what a rule gives, what a reward costs, and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from zoneinfo import ZoneInfo

from babel.dates import format_date, get_day_names

from loyalty.money import Rounding
from loyalty.programme import Programme
from loyalty.programme_members import Badge, Challenge, Expiry, OfflineMode, Tier, TierPolicy
from loyalty.programme_parts import Goods, Weekday, When, Who
from loyalty.programme_rewards import (
    AmountOffGift,
    CashBackGift,
    Coupon,
    FreeItemGift,
    Gift,
    Giving,
    IssueGift,
    PayWithPoints,
    PercentOffGift,
    PointsGift,
    Priced,
    Reward,
    StampCard,
)
from loyalty.programme_rules import (
    Birthday,
    Caps,
    Earning,
    EarnRule,
    Multiplier,
    PerAmount,
    PerItem,
    PerVisit,
    Stacking,
)
from pos_client.i18n import mark
from pos_client.screen.words import Words

_LOCALES = {"nl": "nl_NL", "en": "en_GB"}
_BIRTHDAYS = {
    Birthday.DAY: mark("on the birthday"),
    Birthday.WEEK: mark("within three days of the birthday"),
    Birthday.MONTH: mark("in the month of the birthday"),
}
_EVERY = {"once": mark("once"), "month": mark("each month"), "week": mark("each week")}
_DOWNGRADES = {
    "one_step": mark("who reaches less goes down one tier"),
    "by_balance": mark("who reaches less goes down to the tier that was reached"),
    "never": mark("nobody goes down"),
}
_SHOWN = {
    "static": mark("the printed card"),
    "rotating": mark("the code on the phone"),
    "pin": mark("the PIN"),
}


class Sayer:
    """Says the parts of one programme in one language ("nl" or "en")."""

    def __init__(self, programme: Programme, language: str) -> None:
        self.programme = programme
        self.language = language
        self.words = Words(language, ZoneInfo(programme.time_zone))
        self._ = self.words.translate

    def money(self, minor: int) -> str:
        """Minor units of the programme's currency: 2340 → "€ 23,40"."""
        return self.words.money(minor, self.programme.currency)

    def points(self, points: int) -> str:
        """1 → "1 point", 1284 → "1,284 points"."""
        _ = self._
        number = self.words.points(points)
        return _("{points} point").format(points=number) if points == 1 else _("{points} points").format(points=number)

    def day(self, day: date) -> str:
        """ "1 April 2026"."""
        return str(format_date(day, "long", locale=_LOCALES[self.language]))

    # -- earning ----------------------------------------------------------------------------------------------------

    def earn(self, rule: EarnRule) -> str:
        """A whole earn rule: what it gives, on what, when, for whom, up to what."""
        return "; ".join([self._gives(rule), *self._conditions(rule)])

    def _gives(self, rule: EarnRule) -> str:
        _ = self._
        match rule:
            case PerAmount():
                text = _("{points} for every {amount}").format(
                    points=self.points(rule.points), amount=self.money(rule.per_minor)
                )
            case PerItem():
                text = _("{points} for every {items} articles").format(
                    points=self.points(rule.points), items=self.words.points(rule.per_items)
                )
            case PerVisit():
                text = _("{points} for every visit").format(points=self.points(rule.points))
            case Multiplier():
                text = _("{percent} % more points").format(percent=rule.percent)
        if isinstance(rule, PerAmount | Multiplier) and rule.rounding is Rounding.HALF_UP:
            text += _(", halves rounded up")
        if isinstance(rule, Multiplier):
            return text + (_(", in place of other bonuses when it gives more") if rule.stacking is Stacking.MAX else "")
        return text + (_(", which no bonus multiplies") if rule.bonus else "")

    def caps(self, caps: Caps) -> str:
        """The caps on all rules together."""
        _ = self._
        parts = []
        if caps.per_basket_points is not None:
            parts.append(_("at most {points} on one receipt").format(points=self.points(caps.per_basket_points)))
        if caps.per_card_day_points is not None:
            parts.append(_("at most {points} on one card a day").format(points=self.points(caps.per_card_day_points)))
        return "; ".join(parts) or _("no cap")

    # -- getting ----------------------------------------------------------------------------------------------------

    def reward(self, reward: Reward) -> str:
        """A whole reward: its price and what it gives."""
        return "; ".join([f"{self.price(reward)}: {self.gift(reward)}", *self._conditions(reward)])

    def price(self, reward: Priced) -> str:
        """What a reward costs."""
        if isinstance(reward, PayWithPoints):
            return self._("{points} for each {amount}").format(
                points=self.points(reward.cost_points), amount=self.money(reward.value_minor)
            )
        return self.points(reward.cost_points)

    def gift(self, gift: Gift | Reward) -> str:  # noqa: PLR0911 - one answer a kind
        """What a reward, coupon or stamp card gives."""
        _ = self._
        match gift:
            case AmountOffGift():
                return _("{amount} off").format(amount=self.money(gift.discount_minor))
            case PercentOffGift():
                text = _("{percent} % off").format(percent=gift.percent)
                if gift.rounding is Rounding.HALF_UP:
                    text += _(", halves rounded up")
                return text + self._up_to(gift.max_minor)
            case FreeItemGift():
                return _("the cheapest article free") + self._up_to(gift.max_minor)
            case PointsGift():
                return _("{points} on top").format(points=self.points(gift.points))
            case PayWithPoints():
                return _("pay with points, in steps of {amount}").format(amount=self.money(gift.step))
            case IssueGift():
                text = _("a voucher of {amount}") if gift.kind == "voucher" else _("a gift card of {amount}")
                days = _(", valid for {days} days").format(days=gift.valid_days)
                return text.format(amount=self.money(gift.value_minor)) + days
            case CashBackGift():
                return _("{amount} in cash").format(amount=self.money(gift.value_minor))
        raise TypeError(f"expected a gift of a programme, got {type(gift).__name__}")

    def _up_to(self, minor: int | None) -> str:
        return "" if minor is None else self._(", at most {amount}").format(amount=self.money(minor))

    def coupon(self, coupon: Coupon) -> str:
        """A whole coupon or personal offer."""
        _ = self._
        start = (
            _("for a code that begins with {prefix}").format(prefix=coupon.code_prefix)
            if coupon.code_prefix
            else _("without a code")
        )
        return "; ".join([f"{start}: {self.gift(coupon.gives)}", *self._gift_goods(coupon), *self._conditions(coupon)])

    def stamp_card(self, card: StampCard) -> str:
        """A whole stamp card."""
        _ = self._
        each = _("a stamp for every article") if card.counts == "items" else _("a stamp for every visit")
        full = _("{stamps} stamps: {gift}").format(stamps=card.stamps, gift=self.gift(card.gives))
        return "; ".join([each, full, *self._gift_goods(card), *self._conditions(card)])

    def _gift_goods(self, benefit: Coupon | StampCard) -> Iterator[str]:
        if isinstance(benefit.gives, Goods):
            yield from self._goods(benefit.gives)

    # -- over time --------------------------------------------------------------------------------------------------

    def goal(self, goal: Challenge | Badge) -> str:
        """A whole challenge or badge."""
        _ = self._
        match goal.counts:
            case "items":
                text = _("{count} articles").format(count=self.words.points(goal.goal))
            case "visits":
                text = _("{count} visits").format(count=self.words.points(goal.goal))
            case "spend":
                text = _("{amount} spent").format(amount=self.money(goal.goal))
        if isinstance(goal, Challenge):
            text += _(" give {points}").format(points=self.points(goal.points))
        return "; ".join([f"{text}, {_(_EVERY[goal.every])}", *self._conditions(goal)])

    def tier(self, tier: Tier, policy: TierPolicy | None) -> str:
        """What a member needs for a tier."""
        _ = self._
        if policy is None:
            return _("given by head office")
        match policy.by:
            case "points":
                return _("from {points}").format(points=self.points(tier.threshold))
            case "spend":
                return _("from {amount} spent").format(amount=self.money(tier.threshold))
            case "visits":
                return _("from {count} visits").format(count=self.words.points(tier.threshold))

    def tier_policy(self, policy: TierPolicy | None) -> str:
        """Over which window tiers are counted, and how members go down."""
        _ = self._
        if policy is None:
            return _("given by head office")
        if policy.window == "rolling":
            window = _("counted over the last {months} months").format(months=policy.months)
        else:
            window = _("counted over the calendar year")
        return f"{window}; {_(_DOWNGRADES[policy.downgrade])}"

    def expiry(self, expiry: Expiry) -> str:
        """When points lapse and from when they can be spent."""
        _ = self._
        if expiry.after_months is None:
            text = _("points never lapse")
        else:
            text = _("points lapse after {months} months").format(months=expiry.after_months)
        if expiry.end_of_year:
            text += _(", on 31 December of that year")
        if expiry.vesting_days:
            text += _("; they can be spent after {days} days").format(days=expiry.vesting_days)
        return text

    def offline(self) -> str:
        """What a till may give while head office is out of reach."""
        _ = self._
        policy = self.programme.offline
        if policy.redeem is OfflineMode.NEVER:
            return _("no rewards without a connection")
        if policy.redeem is OfflineMode.LEASE:
            return _(
                "without a connection what is set aside at the till: at most {points} on one account, "
                "at {tills} tills at once, for {hours} hours"
            ).format(
                points=self.points(policy.lease_points),
                tills=self.words.points(policy.lease_tills),
                hours=self.words.points(policy.lease_lifetime_s // 3600),
            )
        return _(
            "without a connection at most {card} on one card and {till} at one till a day, for {hours} hours"
        ).format(
            card=self.points(policy.per_card_day_points),
            till=self.points(policy.per_till_day_points),
            hours=self.words.points(policy.mirror_max_age_s // 3600),
        )

    def credential(self) -> str:
        """What spending asks for."""
        _ = self._
        policy = self.programme.credential
        ways = _(" or ").join(_(_SHOWN[way]) for way in policy.spend)
        text = _("spending asks for {ways}").format(ways=ways)
        if policy.from_points:
            text += _("; up to {points} the printed card will do").format(points=self.points(policy.from_points))
        return text

    # -- conditions -------------------------------------------------------------------------------------------------

    def _conditions(self, part: object) -> Iterator[str]:
        _ = self._
        if isinstance(part, Goods):
            yield from self._goods(part)
        if isinstance(part, Who):
            yield from self._who(part)
        if isinstance(part, When):
            yield from self._when(part)
        minimum = part.minimum_basket_minor if isinstance(part, Earning | Giving) else 0
        if minimum:
            yield _("from {amount} on the receipt").format(amount=self.money(minimum))
        if isinstance(part, Earning):
            if part.birthday is not None:
                yield _(_BIRTHDAYS[part.birthday])
            if part.first_purchase:
                yield _("on the first purchase")
            if part.cap_points is not None:
                yield _("at most {points} on one receipt").format(points=self.points(part.cap_points))
        if isinstance(part, Giving):
            if part.limit_per_basket != type(part).model_fields["limit_per_basket"].default:
                yield _("at most {count} on one receipt").format(count=part.limit_per_basket)
            if part.limit_per_member is not None:
                yield _("at most {count} for each member").format(count=self.words.points(part.limit_per_member))
            if part.stock is not None:
                yield _("while {count} last").format(count=self.words.points(part.stock))

    def _goods(self, goods: Goods) -> Iterator[str]:
        _ = self._
        named = [*goods.categories, *goods.skus]
        left_out = [*goods.excluded_categories, *goods.excluded_skus]
        if named:
            yield _("on {goods}").format(goods=", ".join(named))
        if left_out:
            yield _("not on {goods}").format(goods=", ".join(left_out))

    def _who(self, who: Who) -> Iterator[str]:
        _ = self._
        if who.tiers:
            tiers = ", ".join(self.programme.tier(tier).name.get(self.language) for tier in who.tiers)
            yield _("for {tiers}").format(tiers=tiers)
        if who.segments:
            yield _("for members in {segments}").format(segments=", ".join(who.segments))

    def _when(self, when: When) -> Iterator[str]:
        _ = self._
        if when.weekdays:
            yield _("on {days}").format(days=self._weekdays(when.weekdays))
        if when.hours:
            yield _("at {hours}").format(hours=", ".join(hours.replace("-", "–") for hours in when.hours))
        if when.valid_from is not None:
            yield _("from {day}").format(day=self.day(when.valid_from))
        if when.valid_until is not None:
            yield _("until {day}").format(day=self.day(when.valid_until))

    def _weekdays(self, days: Sequence[Weekday]) -> str:
        names = get_day_names("wide", locale=_LOCALES[self.language])
        return ", ".join(names[list(Weekday).index(day)] for day in days)
