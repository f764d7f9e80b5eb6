"""The register of cards and numbers: what the feed says is in it at once, what a snapshot brought a little later."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.register import Register
from sync.store import Store
from sync.wire_mirror import AccountChange, AccountGone, CardChange, CardGone, Section
from tests.sync.build import KEY, hear, take

_files = itertools.count()

TRUTH = """
    SELECT 'card', account, token FROM card
    UNION ALL SELECT 'email', email_hash, account FROM account WHERE email_hash IS NOT NULL
    UNION ALL SELECT 'phone', phone_hash, account FROM account WHERE phone_hash IS NOT NULL ORDER BY 1, 2, 3"""
REGISTER = "SELECT kind, key, value FROM register ORDER BY 1, 2, 3"

Row = tuple[str, str, str]

ACCOUNTS = st.builds(
    lambda name, phone, email: AccountChange(
        account=name, first_name=None, tier="basic", points=0, phone=phone, email=email
    ),
    st.sampled_from("abcdef"),
    st.none() | st.sampled_from(("p1", "p2")),
    st.none() | st.sampled_from(("e1", "e2")),
)
CARDS = st.builds(
    lambda token, owner: CardChange(token=token, account=owner, blocked=False),
    st.sampled_from("123456"),
    st.sampled_from("abcdef"),
)
GONE = st.builds(lambda name: AccountGone(account=name), st.sampled_from("abcdef")) | st.builds(
    lambda token: CardGone(token=token), st.sampled_from("123456")
)
SNAPSHOTS = st.tuples(
    st.lists(ACCOUNTS, unique_by=lambda row: row.account), st.lists(CARDS, unique_by=lambda row: row.token)
)
STEPS = st.lists(st.lists(ACCOUNTS | CARDS | GONE, max_size=4) | SNAPSHOTS, max_size=8)


def in_register(store: Store) -> list[Row]:
    """All of the register."""
    return [(kind, key, value) for kind, key, value in store.rows(REGISTER)]


def snapshot(store: Store, accounts: Sequence[AccountChange], cards: Sequence[CardChange]) -> None:
    """Take one that brings these."""
    rows = {
        Section.ACCOUNTS: sorted(accounts, key=lambda row: row.account),
        Section.CARDS: sorted(cards, key=lambda row: row.token),
    }
    take(store, *Section, rows=rows)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, at_once=st.integers(1, 5))
def test_it_says_what_cards_and_accounts_say(
    tmp_path: Path, steps: Sequence[list[AccountChange] | tuple[list[AccountChange], list[CardChange]]], at_once: int
) -> None:
    """Whatever pages and snapshots came, in whatever order."""
    with contextlib.closing(Store.open(tmp_path / f"{next(_files)}.db", KEY)) as store:
        register = Register(store, at_once)
        register.catch_up()
        for step in steps:
            if isinstance(step, tuple):
                snapshot(store, *step)
                register.catch_up()
            else:
                hear(store, *step)
            assert in_register(store) == store.rows(TRUTH)


def person(name: str, phone: str | None = None) -> AccountChange:
    """A member, with a phone number or none."""
    return AccountChange(account=name, first_name=None, tier="basic", points=0, phone=phone)


def card_of(name: str, token: str) -> CardChange:
    """A card of theirs."""
    return CardChange(token=token, account=name, blocked=False)


def test_a_snapshot_leaves_it_as_it_was_until_it_is_gone_through(tmp_path: Path) -> None:
    """That is what makes a snapshot quick, and what look-ups must bear."""
    with contextlib.closing(Store.open(tmp_path / "till.db", KEY)) as store:
        snapshot(store, [person("a", "p1")], [card_of("a", "1")])
        Register(store).catch_up()
        before = in_register(store)
        assert before == [("card", "a", "1"), ("phone", "p1", "a")]
        snapshot(store, [person("b", "p1")], [card_of("b", "1"), card_of("b", "2")])
        assert in_register(store) == before
        Register(store).catch_up()
        assert in_register(store) == [("card", "b", "1"), ("card", "b", "2"), ("phone", "p1", "b")]


def test_one_that_was_broken_off_goes_on_where_it_was(tmp_path: Path) -> None:
    """After being told to stop, and in another process; what comes by the feed meanwhile is in it too."""
    path = tmp_path / "till.db"
    with contextlib.closing(Store.open(path, KEY)) as store:
        snapshot(store, [], [card_of("a", str(number)) for number in range(6)])
        asked = iter((False, True))
        Register(store, 2).catch_up(lambda: next(asked))
        assert in_register(store) == [("card", "a", "0"), ("card", "a", "1")]
    with contextlib.closing(Store.open(path, KEY)) as store:
        hear(store, card_of("b", "0"), card_of("a", "7"))
        Register(store, 2).catch_up()
        assert in_register(store) == store.rows(TRUTH)
        assert store.rows("SELECT * FROM register_due") == []


def test_a_till_that_was_there_before_has_one_after_its_first_round(tmp_path: Path) -> None:
    """The step of the schema only says that it is due: a million rows are not sorted while people wait for a start."""
    with contextlib.closing(Store.open(tmp_path / "till.db", KEY)) as store:
        hear(store, person("a", "p1"), card_of("a", "1"))
        with store.transaction() as connection:
            connection.execute("DELETE FROM register")
        assert store.rows("SELECT kind, key, value FROM register_due") == [("card", "", "")]
        Register(store).catch_up()
        assert in_register(store) == [("card", "a", "1"), ("phone", "p1", "a")]
