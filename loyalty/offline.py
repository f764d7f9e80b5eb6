"""What a till may redeem on its own word, and why: the bound on overspending without head office."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from loyalty.programme import OfflineMode, OfflinePolicy


class Reason(StrEnum):
    """Why a limit is what it is; stable codes, translated by the screen."""

    BALANCE = "balance"  # the member's own points are the bound
    PENDING = "pending"  # so are they, and some of them cannot be spent yet
    POLICY_NEVER = "policy_never"
    CARD_CAP = "card_cap"
    TILL_CAP = "till_cap"
    MIRROR_OLD = "mirror_old"
    CARD_UNKNOWN = "card_unknown"
    CARD_BLOCKED = "card_blocked"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be redeemed now: up to `limit` points, judged on data as of `as_of_ms`."""

    allowed: bool
    limit: int
    as_of_ms: int | None
    reason: Reason


def assess(
    policy: OfflinePolicy,
    *,
    known: bool,
    blocked: bool,
    balance: int,
    spendable: int | None = None,
    mirror_as_of_ms: int | None,
    now_ms: int,
    card_spent_today: int,
    till_spent_today: int,
) -> Verdict:
    """How many points this till may redeem for this card now.

    Args:
        policy: head office's choice, from the programme.
        known: the card is in the mirror; an unknown card earns but cannot spend.
        blocked: the card is on the block list.
        balance: points shown for the member (confirmed plus queued here).
        spendable: of these, the points that are not pending; all of them when None.
        mirror_as_of_ms: when the mirror last agreed with head office, Unix milliseconds UTC; None for never.
        now_ms: Unix milliseconds UTC.
        card_spent_today: points this card redeemed at this till on this business date.
        till_spent_today: points all cards redeemed at this till on this business date.
    """
    if blocked:
        return Verdict(False, 0, mirror_as_of_ms, Reason.CARD_BLOCKED)
    if not known:
        return Verdict(False, 0, mirror_as_of_ms, Reason.CARD_UNKNOWN)
    if policy.redeem is OfflineMode.NEVER:
        return Verdict(False, 0, mirror_as_of_ms, Reason.POLICY_NEVER)
    # A clock set back would make the mirror look fresh for ever, so an age below zero counts as unknown age.
    age_ms = None if mirror_as_of_ms is None else now_ms - mirror_as_of_ms
    if age_ms is None or not -120_000 <= age_ms <= policy.mirror_max_age_s * 1000:
        return Verdict(False, 0, mirror_as_of_ms, Reason.MIRROR_OLD)
    own = balance if spendable is None else spendable
    limits = (
        (max(0, own), Reason.BALANCE if own == balance else Reason.PENDING),
        (max(0, policy.per_card_day_points - card_spent_today), Reason.CARD_CAP),
        (max(0, policy.per_till_day_points - till_spent_today), Reason.TILL_CAP),
    )
    limit, reason = min(limits, key=lambda pair: pair[0])
    return Verdict(limit > 0, limit, mirror_as_of_ms, reason)
