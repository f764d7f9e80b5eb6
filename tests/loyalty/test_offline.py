"""What a till may redeem alone: each reason, and the bound that always holds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.offline import Mode, Reason, Verdict, assess
from loyalty.programme import OfflineMode, OfflinePolicy

NOW = 1_780_000_000_000
DAY_MS = 86_400_000
CAPPED = OfflinePolicy(
    redeem=OfflineMode.CAPPED, per_card_day_points=500, per_till_day_points=2000, mirror_max_age_s=86_400
)


def judged(policy: OfflinePolicy = CAPPED, **changes: Any) -> Verdict:
    """A known card with 800 points on a mirror of a minute ago; `changes` as in `assess`."""
    given_: dict[str, Any] = {
        "known": True,
        "blocked": False,
        "balance": 800,
        "mirror_as_of_ms": NOW - 60_000,
        "now_ms": NOW,
        "card_spent_today": 0,
        "till_spent_today": 0,
    }
    return assess(policy, **{**given_, **changes})


@pytest.mark.parametrize(
    ("changes", "limit", "reason"),
    [
        ({}, 500, Reason.CARD_CAP),
        ({"balance": 499}, 499, Reason.BALANCE),
        ({"balance": 0}, 0, Reason.BALANCE),
        ({"balance": -30}, 0, Reason.BALANCE),  # after a return
        ({"card_spent_today": 200}, 300, Reason.CARD_CAP),
        ({"card_spent_today": 900}, 0, Reason.CARD_CAP),
        ({"till_spent_today": 1900}, 100, Reason.TILL_CAP),
        ({"till_spent_today": 2500}, 0, Reason.TILL_CAP),
        ({"card_spent_today": -100}, 600, Reason.CARD_CAP),  # a void of yesterday's sale gives back
        ({"known": False}, 0, Reason.CARD_UNKNOWN),
        ({"blocked": True}, 0, Reason.CARD_BLOCKED),
        ({"blocked": True, "known": False}, 0, Reason.CARD_BLOCKED),
        ({"mirror_as_of_ms": None}, 0, Reason.MIRROR_OLD),
        ({"mirror_as_of_ms": NOW - DAY_MS}, 500, Reason.CARD_CAP),  # exactly as old as allowed
        ({"mirror_as_of_ms": NOW - DAY_MS - 1}, 0, Reason.MIRROR_OLD),
        ({"mirror_as_of_ms": NOW + 120_000}, 500, Reason.CARD_CAP),  # a clock set back by two minutes is drift
        ({"mirror_as_of_ms": NOW + 120_001}, 0, Reason.MIRROR_OLD),  # more would keep the mirror fresh for ever
    ],
    ids=str,
)
def test_each_reason(changes: dict[str, Any], limit: int, reason: Reason) -> None:
    verdict = judged(**changes)
    assert (verdict.limit, verdict.reason, verdict.allowed) == (limit, reason, limit > 0)
    assert verdict.as_of_ms == changes.get("mirror_as_of_ms", NOW - 60_000)


def test_never_means_never() -> None:
    verdict = judged(OfflinePolicy(redeem=OfflineMode.NEVER, per_card_day_points=500, per_till_day_points=2000))
    assert (verdict.allowed, verdict.limit, verdict.reason) == (False, 0, Reason.POLICY_NEVER)


def test_a_policy_without_caps_allows_nothing() -> None:
    assert judged(OfflinePolicy(redeem=OfflineMode.CAPPED)).limit == 0


LEASE = OfflinePolicy(redeem=OfflineMode.LEASE, lease_points=300)


def test_while_head_office_answers_the_balance_is_the_bound() -> None:
    for policy in (OfflinePolicy(), CAPPED, LEASE):
        verdict = judged(policy, online=True, mirror_as_of_ms=None, card_spent_today=9999)
        assert (verdict.limit, verdict.reason, verdict.mode) == (800, Reason.BALANCE, Mode.ONLINE)
    assert judged(online=True, balance=-5) == Verdict(False, 0, NOW - 60_000, Reason.BALANCE, Mode.ONLINE)
    assert judged(online=True, blocked=True).reason is Reason.CARD_BLOCKED
    assert judged(online=True, known=False).reason is Reason.CARD_UNKNOWN


@pytest.mark.parametrize(
    ("policy", "changes", "limit", "reason", "mode"),
    [
        (LEASE, {}, 0, Reason.NO_LEASE, Mode.LEASE),
        (LEASE, {"balance": 0}, 0, Reason.NO_LEASE, Mode.LEASE),
        (LEASE, {"leased": 300}, 300, Reason.LEASE_SHORT, Mode.LEASE),
        (LEASE, {"leased": 900}, 800, Reason.BALANCE, Mode.LEASE),
        (LEASE, {"leased": 300, "mirror_as_of_ms": None}, 300, Reason.LEASE_SHORT, Mode.LEASE),
        (LEASE, {"leased": 300, "held": 100}, 400, Reason.LEASE_SHORT, Mode.LEASE),
        (LEASE, {"leased": 300, "blocked": True}, 0, Reason.CARD_BLOCKED, Mode.NEVER),
        (CAPPED, {}, 500, Reason.CARD_CAP, Mode.CAPPED),
        (CAPPED, {"held": 250}, 750, Reason.CARD_CAP, Mode.CAPPED),
        (CAPPED, {"leased": 100, "mirror_as_of_ms": None}, 100, Reason.MIRROR_OLD, Mode.CAPPED),
        (OfflinePolicy(), {}, 0, Reason.POLICY_NEVER, Mode.NEVER),
        (OfflinePolicy(), {"held": 250}, 250, Reason.POLICY_NEVER, Mode.NEVER),
    ],
    ids=str,
)
def test_which_policy_and_why(
    policy: OfflinePolicy, changes: dict[str, Any], limit: int, reason: Reason, mode: Mode
) -> None:
    verdict = judged(policy, **changes)
    assert (verdict.limit, verdict.reason, verdict.mode) == (limit, reason, mode)
    assert verdict.allowed == (limit > 0)


@pytest.mark.parametrize("policy", [OfflinePolicy(), CAPPED, LEASE], ids=lambda policy: policy.redeem)
@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({}, 0),
        ({"leased": 300}, 0),
        ({"leased": 300, "held": 250}, 250),
        ({"held": 900}, 800),
        ({"held": 250, "spendable": 100}, 100),
    ],
    ids=str,
)
def test_short_of_room_only_what_is_held_is_redeemed(
    policy: OfflinePolicy, changes: dict[str, Any], limit: int
) -> None:
    verdict = judged(policy, short_of_room=True, **changes)
    assert (verdict.limit, verdict.allowed, verdict.reason) == (limit, limit > 0, Reason.NO_ROOM)
    assert verdict.mode is Mode.NEVER


def test_short_of_room_what_stands_above_it_is_said_as_ever() -> None:
    assert judged(short_of_room=True, online=True) == judged(online=True)
    assert judged(short_of_room=True, blocked=True) == judged(blocked=True)
    assert judged(short_of_room=True, known=False) == judged(known=False)
    assert judged(short_of_room=True, restored=True, held=100) == judged(restored=True, held=100)


def test_a_lease_policy_says_how_much() -> None:
    with pytest.raises(ValueError, match="lease_points above 0"):
        OfflinePolicy(redeem=OfflineMode.LEASE)


POLICIES = st.builds(
    OfflinePolicy,
    redeem=st.sampled_from(OfflineMode),
    lease_points=st.integers(1, 10_000),
    per_card_day_points=st.integers(0, 10_000),
    per_till_day_points=st.integers(0, 50_000),
    mirror_max_age_s=st.integers(1, 10**6),
)
CASES = st.fixed_dictionaries(
    {
        "known": st.booleans(),
        "blocked": st.booleans(),
        "balance": st.integers(-(10**5), 10**5),
        "mirror_as_of_ms": st.none() | st.integers(NOW - 10**9, NOW + 10**6),
        "card_spent_today": st.integers(0, 10**5),
        "till_spent_today": st.integers(0, 10**5),
        "held": st.integers(0, 10**4),
        "leased": st.integers(0, 10**4),
        "short_of_room": st.booleans(),
    }
)


@given(POLICIES, CASES)
def test_the_limit_is_never_above_any_cap(policy: OfflinePolicy, case: dict[str, Any]) -> None:
    verdict = judged(policy, **case)
    assert 0 <= verdict.limit <= max(0, case["balance"])
    own = verdict.limit - case["held"] - case["leased"]
    for cap, spent in (
        (policy.per_card_day_points, case["card_spent_today"]),
        (policy.per_till_day_points, case["till_spent_today"]),
    ):
        assert own <= 0 or spent + own <= cap
    assert verdict.allowed == (verdict.limit > 0)
    if verdict.allowed:
        assert case["known"]
        assert not case["blocked"]
    if case["short_of_room"]:
        assert verdict.limit <= case["held"]
    if own > 0:
        assert policy.redeem is OfflineMode.CAPPED
        assert case["mirror_as_of_ms"] is not None
