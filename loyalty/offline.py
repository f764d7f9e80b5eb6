"""What a till may redeem, with head office or without it, and why: the bound on overspending."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from loyalty.programme import OfflineMode, OfflinePolicy


class Mode(StrEnum):
    """On whose word points are given."""

    ONLINE = "online"  # head office sets them aside for this sale before they are promised
    LEASE = "lease"  # head office set them aside at this till before
    CAPPED = "capped"  # the till's own, within the policy's caps
    NEVER = "never"  # nobody's: only what is held for this sale already


class Reason(StrEnum):
    """Why a limit is what it is; stable codes, translated by the screen."""

    BALANCE = "balance"  # the member's own points are the bound
    PENDING = "pending"  # so are they, and some of them cannot be spent yet
    POLICY_NEVER = "policy_never"
    CARD_CAP = "card_cap"
    TILL_CAP = "till_cap"
    NO_LEASE = "no_lease"  # nothing of this member's is set aside at this till
    LEASE_SHORT = "lease_short"  # less is set aside at this till than the member has
    MIRROR_OLD = "mirror_old"
    CARD_UNKNOWN = "card_unknown"
    CARD_BLOCKED = "card_blocked"
    NO_ROOM = "no_room"  # this till's disk or queue comes near its limit: what is left is for earning
    RESTORED = "restored"  # this till's journal may be a copy: head office has not said yet how far it has it


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be redeemed now: up to `limit` points on the word that `mode` names, by data as of `as_of_ms`."""

    allowed: bool
    limit: int
    as_of_ms: int | None
    reason: Reason
    mode: Mode = Mode.ONLINE


_MODES = {OfflineMode.NEVER: Mode.NEVER, OfflineMode.CAPPED: Mode.CAPPED, OfflineMode.LEASE: Mode.LEASE}

_WHATEVER_THE_BALANCE = frozenset({Reason.POLICY_NEVER, Reason.MIRROR_OLD, Reason.NO_LEASE})
"""Reasons that more points would not change: told also to a member who has none."""


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
    online: bool = False,
    held: int = 0,
    leased: int = 0,
    restored: bool = False,
    short_of_room: bool = False,
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
        card_spent_today: points this card redeemed on this till's own word on this business date.
        till_spent_today: points all cards redeemed on this till's own word on this business date.
        online: head office can be asked to hold points: the policy is for when it cannot.
        held: points that head office holds for this sale.
        leased: points of this member set aside at this till, not spent and not lapsed.
        restored: this till's journal may be a copy or a backup: what it says was spent and set aside does not count.
        short_of_room: this till's disk or queue comes near its limit: redeeming stops, for earning to go on.
    """
    if blocked:
        return Verdict(False, 0, mirror_as_of_ms, Reason.CARD_BLOCKED, Mode.NEVER)
    if not known:
        return Verdict(False, 0, mirror_as_of_ms, Reason.CARD_UNKNOWN, Mode.NEVER)
    points = max(0, balance if spendable is None else spendable)
    bounded = Reason.BALANCE if points == max(0, balance) else Reason.PENDING
    if online:
        return Verdict(points > 0, points, mirror_as_of_ms, bounded, Mode.ONLINE)
    if restored or short_of_room:
        bound = min(points, held)
        reason = Reason.RESTORED if restored else Reason.NO_ROOM
        return Verdict(bound > 0, bound, mirror_as_of_ms, reason, Mode.NEVER)
    own, reason = _own_word(policy, mirror_as_of_ms, now_ms, card_spent_today, till_spent_today)
    if policy.redeem is OfflineMode.LEASE and leased:
        reason = Reason.LEASE_SHORT
    bound = held + leased + own
    if points < bound or (points == bound and reason not in _WHATEVER_THE_BALANCE):
        bound, reason = points, bounded
    return Verdict(bound > 0, bound, mirror_as_of_ms, reason, _MODES[policy.redeem])


def _own_word(
    policy: OfflinePolicy, mirror_as_of_ms: int | None, now_ms: int, card_spent_today: int, till_spent_today: int
) -> tuple[int, Reason]:
    """The points that a till may give without any set aside, and what bounds them."""
    if policy.redeem is OfflineMode.NEVER:
        return 0, Reason.POLICY_NEVER
    if policy.redeem is OfflineMode.LEASE:
        return 0, Reason.NO_LEASE
    # A clock set back would make the mirror look fresh for ever, so an age below zero counts as unknown age.
    age_ms = None if mirror_as_of_ms is None else now_ms - mirror_as_of_ms
    if age_ms is None or not -120_000 <= age_ms <= policy.mirror_max_age_s * 1000:
        return 0, Reason.MIRROR_OLD
    return min(
        (max(0, policy.per_card_day_points - card_spent_today), Reason.CARD_CAP),
        (max(0, policy.per_till_day_points - till_spent_today), Reason.TILL_CAP),
        key=lambda pair: pair[0],
    )
