"""What a replay found, as figures with their assumptions: points, liability, redemption, cost, segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from loyalty.money import Rounding, divide
from loyalty.programme import Programme
from loyalty.programme_rewards import Issue
from pos_client.i18n import mark
from pos_client.programme_tools.replaying import Account, Replay, Sums, Whole
from pos_client.programme_tools.worth import PointValue

DECILES = 10

ASSUMPTIONS = (
    mark("members buy what the file says: the programme changes nothing in what they buy"),
    mark(
        "every member takes, once a visit, the reward that gives most for a point as soon as the points are there, and "
        "hands in every full stamp card: the dearest case"
    ),
    mark("amounts are in the currency of the programme"),
    mark("birthdays, first purchases, segments and coupons are not in the file: rules that ask for them give nothing"),
    mark("a card begins in the lowest tier without points, goes up as it buys, and does not go down"),
)
"""What the figures rest on, each a sentence."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Some of the cards together. Points, minor units; `cost_basis_points` hundredths of a per cent of turnover."""

    name: str
    cards: int
    sums: Sums
    outstanding: int
    liability_minor: int

    @property
    def cost_minor(self) -> int:
        """What was given and what is still owed."""
        return self.sums.redeemed_minor + self.liability_minor

    @property
    def cost_basis_points(self) -> int:
        """Cost as a share of what these cards bought, in hundredths of a per cent; 0 without turnover."""
        return share_basis_points(self.cost_minor, self.sums.turnover_minor)

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "segment": self.name,
            "cards": self.cards,
            "turnover_minor": self.sums.turnover_minor,
            "points_issued": self.sums.issued,
            "points_taken_back": self.sums.taken_back,
            "points_redeemed": self.sums.redeemed,
            "points_expired": self.sums.expired,
            "points_outstanding": self.outstanding,
            "redeemed_minor": self.sums.redeemed_minor,
            "liability_minor": self.liability_minor,
            "cost_minor": self.cost_minor,
            "cost_basis_points": self.cost_basis_points,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a replay found. `by` says what the segments are: "tier" or "spend_decile"."""

    programme: Programme
    whole: Whole
    value: PointValue | None
    members: Segment
    by: str
    segments: tuple[Segment, ...]

    @property
    def cost_of_all_basis_points(self) -> int:
        """Cost as a share of the whole turnover, with and without a card."""
        return share_basis_points(self.members.cost_minor, self.whole.turnover_minor)

    def to_json(self) -> dict[str, Any]:
        """For programs: points, minor units, hundredths of a per cent."""
        whole, members = self.whole, self.members.to_json()
        del members["segment"]
        members["turnover_with_card_minor"] = members.pop("turnover_minor")
        members["cost_of_card_turnover_basis_points"] = members.pop("cost_basis_points")
        return {
            "programme": self.programme.id,
            "programme_version": self.programme.version,
            "currency": self.programme.currency,
            "from": _text(whole.first),
            "to": _text(whole.last),
            "receipts": whole.receipts,
            "lines": whole.lines,
            "turnover_minor": whole.turnover_minor,
            **members,
            "redemptions": whole.redemptions,
            "cost_of_turnover_basis_points": self.cost_of_all_basis_points,
            "point_value": None
            if self.value is None
            else {"reward": self.value.reward, "points": self.value.points, "value_minor": self.value.value_minor},
            "segments_by": self.by,
            "segments": [segment.to_json() for segment in self.segments],
            "returns_without_sale": whole.unmatched_returns,
            "receipts_out_of_order": whole.backwards,
            "receipts_split": whole.split,
            "assumptions": list(ASSUMPTIONS),
            "vouchers_counted_when_issued": any(isinstance(reward, Issue) for reward in self.programme.rewards),
        }


def report(replay: Replay) -> Report:
    """Sum up a replay that is finished."""
    value = replay.point_value()
    accounts = list(replay.accounts.values())
    members = _segment("", accounts, value)
    if replay.programme.tier_policy is not None:
        by = "tier"
        segments = [
            _segment(tier.id, [account for account in accounts if account.tier == tier.id], value)
            for tier in replay.programme.tiers
        ]
    else:
        by, segments = "spend_decile", _deciles(accounts, value)
    return Report(replay.programme, replay.whole, value, members, by, tuple(segments))


def share_basis_points(part: int, whole: int) -> int:
    """Hundredths of a per cent, halves up; 0 of nothing or of less."""
    return divide(part * 10_000, whole, Rounding.HALF_UP) if whole > 0 else 0


def _segment(name: str, accounts: Sequence[Account], value: PointValue | None) -> Segment:
    sums = Sums()
    outstanding = 0
    liability = 0
    for account in accounts:
        sums.add(account.sums)
        outstanding += account.lots.balance
        # Points that a member owes are no claim that lowers what others have.
        liability += max(0, account.lots.balance)
    return Segment(name, len(accounts), sums, outstanding, value.of(liability) if value else 0)


def _deciles(accounts: list[Account], value: PointValue | None) -> list[Segment]:
    """Ten groups of as many cards, those that buy most first; fewer than ten cards make fewer groups."""
    ranked = sorted(accounts, key=lambda account: -account.sums.turnover_minor)
    found = []
    for number in range(DECILES):
        start, end = (len(ranked) * edge // DECILES for edge in (number, number + 1))
        if end > start:
            found.append(_segment(str(number + 1), ranked[start:end], value))
    return found


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
