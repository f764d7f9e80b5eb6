"""A programme tried on one basket or one return, without a till: what it gives, to whom, and why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from loyalty.basket import Basket
from loyalty.counting import counter_of
from loyalty.errors import RewardRefused
from loyalty.explain import say
from loyalty.facts import Count, Facts, birthday_windows
from loyalty.ledger import Clock, Entry, EntryKind
from loyalty.offline import Reason, Verdict
from loyalty.programme import Programme
from loyalty.programme_members import Badge, Challenge, Credential
from loyalty.programme_rules import Birthday
from loyalty.redemption import TAKEN, Choice, RewardOption, coupon_of, options
from loyalty.returns import Returned, Sold, take_back
from loyalty.settlement import Settlement, settle
from pos_client.i18n import LANGUAGES
from pos_client.programme_tools.reading import Unreadable

_BIRTHDAY = re.compile(r"^(?:\d{4}-)?(\d\d)-(\d\d)$")


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CouponCode(_Document):
    """A coupon presented by its code."""

    coupon: Annotated[str, Field(min_length=1, max_length=40)]


class Member(_Document):
    """Who stands at the till, as JSON. Everything may be left out: it is then a new member who takes nothing."""

    tier: str | None = None
    """Id of a tier of the programme; the lowest when left out."""
    balance: StrictInt = 0
    """Points before the sale."""
    birthday: Annotated[str, Field(pattern=_BIRTHDAY.pattern)] | None = None
    """"11-24" or "1990-11-24"."""
    first_purchase: StrictBool = False
    earned_today: Annotated[StrictInt, Field(ge=0)] = 0
    segments: tuple[str, ...] = ()
    counters: dict[str, StrictInt] = Field(default_factory=dict)
    """Stamps, by the stamp card's id, and how far a challenge or badge is, by its id."""
    had: dict[str, StrictInt] = Field(default_factory=dict)
    """Times the member had a reward before, by its id."""
    credential: Credential = Credential.STATIC
    takes: Annotated[tuple[str | Choice | CouponCode, ...], Field(max_length=20)] = ()
    """Rewards taken now: ids, {"reward": id, "amount_minor": …} to pay with points, {"coupon": code}."""


class LineBack(_Document):
    """A quantity of one line that comes back; thousandths, as in the basket."""

    line_id: str
    quantity: Annotated[StrictInt, Field(gt=0)]


class Return(_Document):
    """A return as JSON: the sale's basket, member and time, what came back before, and what comes back now."""

    basket: Basket
    member: Member = Member()
    at: datetime | None = None
    """When the sale was; now when left out. Without an offset it is the shop's time."""
    before: tuple[LineBack, ...] = ()
    returned: Annotated[tuple[LineBack, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Trial:
    """What a basket or a return comes to. `affordable` is empty for a return."""

    programme: Programme
    basket: Basket
    tier: str
    settlement: Settlement
    affordable: tuple[RewardOption, ...]

    def counted(self) -> dict[str, int]:
        """How each counter changes: stamps earned less stamps spent."""
        found: dict[str, int] = {}
        for part in self.settlement.counters:
            found[part.counter] = found.get(part.counter, 0) + part.count
        return found

    def to_json(self) -> dict[str, Any]:
        """The answer for programs: points, minor units."""
        settlement = self.settlement
        return {
            "points_total": settlement.points_earned,
            "components": [
                {"rule": part.rule, "kind": part.kind, "points": part.points} for part in settlement.accrual.components
            ],
            "lines": [{"line_id": line.line_id, "points": line.points} for line in settlement.accrual.lines],
            "redeemable": [
                {
                    "id": option.reward.id,
                    "name": option.reward.name.model_dump(),
                    "cost_points": option.cost_points,
                    "cost_stamps": option.cost_stamps,
                    "value_minor": option.value_minor,
                }
                for option in self.affordable
            ],
            "payable_minor": settlement.payable_minor,
            "points_spent": settlement.points_spent,
            "redemptions": [part.model_dump(mode="json") for part in settlement.redemptions],
            "counters": self.counted(),
            "tier": self.tier,
            "programme": self.programme.id,
            "programme_version": self.programme.version,
            "explanation": {language: say(self.programme, settlement, language) for language in LANGUAGES},
        }


def moment_ms(at: datetime | None, programme: Programme, now: datetime) -> int:
    """Unix milliseconds UTC of a moment that was typed: without an offset it is on the shop's clock; None is now."""
    moment = now if at is None else at if at.tzinfo else at.replace(tzinfo=ZoneInfo(programme.time_zone))
    return int(moment.timestamp()) * 1000


def try_basket(programme: Programme, basket: Basket, member: Member, at_ms: int) -> Trial:
    """Settle a basket for a member at a moment, with head office in reach.

    Raises:
        BasketError: the basket's currency is not the programme's.
        RewardRefused: a reward taken cannot be given, or the points are not there.
        Unreadable: a tier, counter or birthday that cannot be.
    """
    tier, facts = _tier(programme, member), _facts(programme, member, at_ms)
    settlement = settle(programme, basket, tier, _taken(programme, member), facts)
    if settlement.points_spent > max(0, member.balance):
        raise RewardRefused(
            "points_short", f"expected at most the {member.balance} points of the member, got {settlement.points_spent}"
        )
    if settlement.points_spent and not programme.credential.allows(member.credential, settlement.points_spent):
        ways = ", ".join(programme.credential.spend)
        raise RewardRefused("credential_needed", f"spending {settlement.points_spent} points asks for one of: {ways}")
    # No till's caps here: what a member could have with head office in reach.
    verdict = Verdict(True, max(0, member.balance), at_ms, Reason.BALANCE)
    offered = options(programme, basket, settlement.redemptions, member.balance, verdict, tier=tier, facts=facts)
    return Trial(programme, basket, tier, settlement, tuple(option for option in offered if option.available))


def try_return(programme: Programme, document: Return, now: datetime) -> Trial:
    """Settle the sale, then take back the lines that return: from the values of the sale, never by other rules.

    Raises:
        BasketError, RewardRefused, Unreadable: as `try_basket` of the sale.
        ReturnRefused: this cannot come back.
    """
    at_ms = moment_ms(document.at, programme, now)
    sale = try_basket(programme, document.basket, document.member, at_ms)
    back = take_back(Sold.of(_entry(sale, at_ms)), _quantities(document.before), _quantities(document.returned))
    return _returned(sale, back)


def _returned(sale: Trial, back: Returned) -> Trial:
    return Trial(sale.programme, back.basket, sale.tier, back.settlement, ())


def _quantities(lines: Sequence[LineBack]) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in lines:
        found[line.line_id] = found.get(line.line_id, 0) + line.quantity
    return found


def _entry(sale: Trial, at_ms: int) -> Entry:
    """The sale as a journal would have it: a return is worked out from that."""
    return Entry(
        terminal="try",
        epoch=1,
        seq=1,
        id="try",
        kind=EntryKind.SALE,
        session="try",
        clock=Clock(wall_ms=at_ms, monotonic_ms=0, boot_id="try", offset_ms=None),
        business_date=datetime.fromtimestamp(at_ms // 1000, UTC).date(),
        card="",
        account=None,
        programme=sale.programme.id,
        programme_version=sale.programme.version,
        tier=sale.tier,
        basket=sale.basket,
        settlement=sale.settlement,
        points=sale.settlement.points_delta,
    )


def _tier(programme: Programme, member: Member) -> str:
    known = [tier.id for tier in programme.tiers]
    if member.tier is not None and member.tier not in known:
        raise Unreadable([f"tier: expected one of {', '.join(known)}, got '{member.tier}'"])
    return member.tier or known[0]


def _taken(programme: Programme, member: Member) -> list[str | Choice]:
    return [coupon_of(programme, wish.coupon) if isinstance(wish, CouponCode) else wish for wish in member.takes]


def _facts(programme: Programme, member: Member, at_ms: int) -> Facts:
    day = datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(ZoneInfo(programme.time_zone)).date()
    counted: tuple[Challenge | Badge, ...] = (*programme.challenges, *programme.badges)
    goals = {goal.id: counter_of(goal, day) for goal in counted}
    known = {*goals, *(card.id for card in programme.stamp_cards)}
    if unknown := sorted(set(member.counters) - known):
        raise Unreadable([f"counters: expected some of {', '.join(sorted(known)) or 'none'}, got {', '.join(unknown)}"])
    return Facts(
        at_ms=at_ms,
        birthday=_birthday(member.birthday, day),
        first_purchase=member.first_purchase,
        earned_today=member.earned_today,
        segments=member.segments,
        counters=(
            *(Count(counter=goals.get(counter, counter), count=count) for counter, count in member.counters.items()),
            *(Count(counter=reward + TAKEN, count=count) for reward, count in member.had.items()),
        ),
        credential=member.credential,
    )


def _birthday(text: str | None, day: date) -> tuple[Birthday, ...]:
    if text is None:
        return ()
    match = _BIRTHDAY.match(text)
    assert match is not None  # the model's pattern
    try:
        return birthday_windows(int(match[1]), int(match[2]), day)
    except ValueError as error:
        raise Unreadable([f"birthday: expected a day such as 11-24, got '{text}'"]) from error
