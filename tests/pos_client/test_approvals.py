"""Managers and their PINs: on a real encrypted store, across restarts, with guessing held back."""

from __future__ import annotations

from pathlib import Path

import pytest

from pos_client.approvals import LOCK_MS, MAX_MANAGERS, MAX_WRONG, Approvals
from pos_client.reckoning import TillError
from sync.store import Store
from tests.sync.build import KEY


class Clock:
    now = 1_774_944_000_000

    def __call__(self) -> int:
        return self.now


def refused(approvals: Approvals, name: str, pin: str) -> str:
    with pytest.raises(TillError) as caught:
        approvals.approve(name, pin)
    return caught.value.code


def test_a_right_pin_gives_the_name(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "till.db", KEY)
    approvals = Approvals(store)
    assert refused(approvals, "Wil", "1234") == "no_manager"
    approvals.add("Wil", "1234")
    approvals.add("Jo", "998877")
    assert approvals.approve("Wil", "1234") == "Wil"
    assert refused(approvals, "Wil", "998877") == "approval_wrong"
    assert refused(approvals, "Piet", "1234") == "approval_wrong"
    approvals.add("Wil", "4321")
    assert refused(approvals, "Wil", "1234") == "approval_wrong"
    assert approvals.approve("Wil", "4321") == "Wil"
    approvals.remove("Jo")
    assert approvals.names() == ["Wil"]
    with pytest.raises(TillError, match="no manager 'Jo'"):
        approvals.remove("Jo")
    (kept,) = store.row("SELECT pin_hash FROM manager") or ("",)
    assert kept.startswith("$argon2id$")
    store.close()


def test_five_wrong_ones_lock_also_over_a_restart_and_with_the_right_pin(tmp_path: Path) -> None:
    clock = Clock()
    store = Store.open(tmp_path / "till.db", KEY)
    approvals = Approvals(store, clock)
    approvals.add("Wil", "1234")
    approvals.add("Jo", "5678")
    for _ in range(MAX_WRONG - 1):
        assert refused(approvals, "Wil", "0000") == "approval_wrong"
    assert refused(approvals, "Wil", "0000") == "approval_locked"
    store.close()
    store = Store.open(tmp_path / "till.db", KEY)
    approvals = Approvals(store, clock)
    assert refused(approvals, "Wil", "1234") == "approval_locked"
    assert approvals.approve("Jo", "5678") == "Jo"  # one manager's lock is nobody else's
    clock.now += LOCK_MS
    assert refused(approvals, "Wil", "0000") == "approval_locked"  # one more guess locks again
    clock.now += LOCK_MS
    assert approvals.approve("Wil", "1234") == "Wil"
    for _ in range(MAX_WRONG - 1):
        assert refused(approvals, "Wil", "0000") == "approval_wrong"
    assert approvals.approve("Wil", "1234") == "Wil"
    store.close()


def test_a_clock_that_is_set_back_locks_nobody_out_for_good(tmp_path: Path) -> None:
    clock = Clock()
    store = Store.open(tmp_path / "till.db", KEY)
    approvals = Approvals(store, clock)
    approvals.add("Wil", "1234")
    for _ in range(MAX_WRONG):
        refused(approvals, "Wil", "0000")
    clock.now -= 365 * 86_400_000
    assert approvals.approve("Wil", "1234") == "Wil"
    store.close()


@pytest.mark.parametrize(
    ("name", "pin"),
    [("", "1234"), (" Wil", "1234"), ("W\nil", "1234"), ("W" * 65, "1234"), ("Wil", "123"), ("Wil", "1" * 13),
     ("Wil", "12a4"), ("Wil", "１２３４")],
)  # fmt: skip
def test_what_is_no_name_or_pin_is_refused(tmp_path: Path, name: str, pin: str) -> None:
    store = Store.open(tmp_path / "till.db", KEY)
    with pytest.raises(TillError, match="expected a") as caught:
        Approvals(store).add(name, pin)
    assert caught.value.code == "manager_invalid"
    assert Approvals(store).names() == []
    store.close()


def test_a_till_has_a_limited_number_of_managers(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "till.db", KEY)
    with store.transaction() as connection:
        connection.executemany("INSERT INTO manager VALUES (?, 'x', 0, 0)", [(f"m{n}",) for n in range(MAX_MANAGERS)])
    with pytest.raises(TillError, match="remove one first"):
        Approvals(store).add("Wil", "1234")
    assert len(Approvals(store).names()) == MAX_MANAGERS
    store.close()
