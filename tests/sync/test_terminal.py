"""Who the till is, and its clock."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync.errors import NotEnrolled, StoreUnusable
from sync.store import Store
from sync.terminal import EARLIEST_MS, clock_problem, enrolment_key, load_terminal, read_clock, save_terminal, wall_ms
from sync.wire import EnrolAnswer, WireError
from tests.sync.build import KEY, hear, key_text

ANSWER = EnrolAnswer(
    terminal="t-7",
    epoch=3,
    store="s",
    store_name="De Molen",
    hq_public_key=key_text(bytes(32)),
    card_key=key_text(b"c" * 32),
    server_time_ms=0,
)


@pytest.fixture
def fresh(tmp_path: Path) -> Store:
    """A store that nobody enrolled."""
    return Store.open(tmp_path / "till.db", KEY)


def test_nobody_yet(fresh: Store) -> None:
    with pytest.raises(NotEnrolled, match="ask head office for a code, then run: spaarpunt enrol CODE"):
        load_terminal(fresh)
    fresh.close()


def test_saved_and_loaded(fresh: Store) -> None:
    private = Ed25519PrivateKey.generate()
    saved = save_terminal(fresh, ANSWER, private)
    assert (saved.terminal, saved.epoch, saved.store_name, saved.card_key) == ("t-7", 3, "De Molen", b"c" * 32)
    fresh.close()
    again = Store.open(fresh.path, KEY)
    loaded = load_terminal(again)
    assert loaded.private_key.private_bytes_raw() == private.private_bytes_raw()
    assert again.row("SELECT epoch, seq, acked_seq FROM head") == (3, 0, 0)
    again.close()


def test_keys_are_not_in_what_is_printed(fresh: Store) -> None:
    shown = repr(save_terminal(fresh, ANSWER, Ed25519PrivateKey.generate()))
    assert "t-7" in shown
    assert "key" not in shown
    assert "ccc" not in shown
    fresh.close()


def test_a_till_is_enrolled_once(fresh: Store) -> None:
    save_terminal(fresh, ANSWER, Ed25519PrivateKey.generate())
    with pytest.raises(StoreUnusable, match="already belongs to an enrolled till"):
        save_terminal(fresh, ANSWER.model_copy(update={"terminal": "t-8"}), Ed25519PrivateKey.generate())
    assert load_terminal(fresh).terminal == "t-7"
    fresh.close()


def test_a_broken_answer_saves_nothing(fresh: Store) -> None:
    with pytest.raises(WireError):
        save_terminal(fresh, ANSWER.model_copy(update={"card_key": "short"}), Ed25519PrivateKey.generate())
    with pytest.raises(NotEnrolled):
        load_terminal(fresh)
    fresh.close()


def test_the_enrolment_key_outlives_a_crash_between_asking_and_hearing(fresh: Store) -> None:
    """Head office answers the same key and code the same way: a lost answer costs no code."""
    first = enrolment_key(fresh)
    fresh.close()
    again = Store.open(fresh.path, KEY)
    assert enrolment_key(again).private_bytes_raw() == first.private_bytes_raw()
    save_terminal(again, ANSWER, first)
    assert enrolment_key(again).private_bytes_raw() != first.private_bytes_raw()
    again.close()


def test_the_clock_is_kept_as_it_is(store: Store) -> None:
    before = wall_ms()
    first = read_clock(store)
    assert before <= first.wall_ms <= wall_ms()
    assert first.offset_ms is None
    assert re.fullmatch(r"[0-9a-f-]{36}|unknown", first.boot_id)
    hear(store).heard(1_000, 4_500)
    second = read_clock(store, lambda: 77)
    assert (second.wall_ms, second.offset_ms) == (77, 3_500)
    assert second.monotonic_ms >= first.monotonic_ms
    assert second.boot_id == first.boot_id


def test_a_clock_before_2024_is_one_line_of_what_to_do() -> None:
    assert clock_problem(EARLIEST_MS) is None
    assert clock_problem(EARLIEST_MS - 1) == (
        "this machine's clock says 2023-12-31 23:59 UTC: set the date and time; "
        "sales are kept and sent, with this time noted"
    )
    assert "1970-01-01" in (clock_problem(0) or "")
