"""What the till knows of head office: never older than what it knew, and its own entries always on top."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty.lots import Expiring
from sync.errors import OtherVersion
from sync.journal import Journal
from sync.mirror import Contact, Holder, Mirror
from sync.store import Store
from sync.wire import AccountBalance
from sync.wire_mirror import ProgrammeChange
from tests.support.entries import programme
from tests.sync.build import CARD, OTHER_CARD, account, card, draft, enrolled, hear, page, published, void_of


def test_an_empty_mirror(store: Store) -> None:
    mirror = Mirror(store)
    assert mirror.programme() is None
    assert mirror.contact() == Contact(None, None, None)
    assert mirror.cursor() == ""
    assert mirror.accounts() == 0
    holder = mirror.find(CARD)
    assert holder == Holder(CARD, None, None, None, False, 0, 0)
    assert not holder.known


def test_a_member(store: Store) -> None:
    mirror = hear(store, account(1284, tier="gold"), card(), card(OTHER_CARD, blocked=True))
    holder = mirror.find(CARD)
    assert holder == Holder(CARD, "m1", "Sanne", "gold", False, 1284, 0)
    assert (holder.known, holder.balance) == (True, 1284)
    assert mirror.find(OTHER_CARD).blocked  # another card of the same account
    assert mirror.accounts() == 1


def test_queued_is_everything_of_ours_that_head_office_did_not_include(store: Store, journal: Journal) -> None:
    mirror = hear(store, account(100), card(), card(OTHER_CARD))
    journal.append(draft(1000))  # 10
    journal.append(draft(2000, rewards=("five-off",)))  # 15 − 50
    sale = journal.append(draft(700, card=OTHER_CARD))  # 7, by the other card of the account
    assert (mirror.find(CARD).queued, mirror.find(CARD).balance) == (-18, 82)
    mirror.confirm([AccountBalance(account="m1", points=110)], 1, 1)
    holder = mirror.find(CARD)
    assert (holder.confirmed, holder.queued, holder.balance) == (110, -28, 82)
    journal.append(void_of(sale))
    assert mirror.find(OTHER_CARD).balance == 75
    mirror.confirm([AccountBalance(account="m1", points=75)], 1, 4)
    assert (mirror.find(CARD).confirmed, mirror.find(CARD).queued) == (75, 0)


@pytest.mark.parametrize(("epoch", "seq", "taken"), [(1, 3, True), (1, 2, True), (1, 1, False), (2, 0, True)])
def test_an_older_page_never_takes_back_what_is_known(store: Store, epoch: int, seq: int, taken: bool) -> None:
    """A page read before the last batch was answered comes late; the batch's balances stand."""
    mirror = hear(store, account(100), card())
    mirror.confirm([AccountBalance(account="m1", points=120)], 1, 2)
    hear(store, account(105, first_name="Late", tier="gold"), seq=seq, epoch=epoch)
    holder = mirror.find(CARD)
    assert (holder.confirmed, holder.first_name) == ((105, "Late") if taken else (120, "Sanne"))


def test_an_older_confirmation_changes_nothing(store: Store) -> None:
    mirror = hear(store, account(100), card(), seq=5)
    mirror.confirm([AccountBalance(account="m1", points=1)], 1, 4)
    mirror.confirm([AccountBalance(account="nobody", points=1)], 1, 9)
    assert mirror.find(CARD).confirmed == 100
    assert mirror.accounts() == 1


def test_an_unknown_card_gathers_points_until_it_has_an_owner(store: Store, journal: Journal) -> None:
    mirror = hear(store, account(100, "m7"))
    journal.append(draft(1000, card=OTHER_CARD, account=None))
    journal.append(draft(500, card=OTHER_CARD, account=None))
    journal.append(draft(300, card=CARD, account=None))
    holder = mirror.find(OTHER_CARD)
    assert (holder.known, holder.confirmed, holder.queued, holder.balance) == (False, 0, 15, 15)
    # Head office links the card: what it has not included yet comes on top.
    hear(store, card(OTHER_CARD, "m7"), account(110, "m7"), seq=1)
    holder = mirror.find(OTHER_CARD)
    assert (holder.account, holder.confirmed, holder.queued) == ("m7", 110, 5)


def test_a_card_of_an_account_that_is_not_here_is_unknown(store: Store) -> None:
    assert not hear(store, card(CARD, "somebody")).find(CARD).known


def test_a_card_can_move_and_be_blocked(store: Store) -> None:
    mirror = hear(store, account(1, "m1"), account(2, "m2"), card(CARD, "m1"))
    hear(store, card(CARD, "m2", blocked=True))
    assert (mirror.find(CARD).account, mirror.find(CARD).blocked, mirror.find(CARD).confirmed) == ("m2", True, 2)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 3000), st.booleans()), max_size=12), st.data())
def test_confirming_any_part_of_the_queue_never_changes_the_balance_shown(
    tmp_path_factory: pytest.TempPathFactory, sales: list[tuple[int, bool]], data: st.DataObject
) -> None:
    opened, journal = enrolled(tmp_path_factory.mktemp("mirror") / "till.db")
    mirror = hear(opened, account(1000), card(), card(OTHER_CARD))
    entries = [journal.append(draft(amount, card=CARD if first else OTHER_CARD)) for amount, first in sales]
    balance = mirror.find(CARD).balance
    assert balance == 1000 + sum(entry.points for entry in entries)
    for seq in sorted(data.draw(st.lists(st.integers(0, len(entries)), max_size=4))):
        included = 1000 + sum(entry.points for entry in entries[:seq])
        if data.draw(st.booleans()):
            mirror.confirm([AccountBalance(account="m1", points=included)], 1, seq)
        else:
            hear(opened, account(included), seq=seq)
        assert (mirror.find(CARD).balance, mirror.find(OTHER_CARD).balance) == (balance, balance)
    opened.close()


# -- the page and its cursor ------------------------------------------------------------------------------------------


def test_a_page_and_its_cursor_are_one_write(store: Store) -> None:
    mirror = hear(store, account(1), card(), published(1), seq=4)
    broken = ProgrammeChange(document={"format": 1, "id": "x"})
    with pytest.raises(OtherVersion, match=r"a programme that this till cannot read \(version: Field required: add 'v"):
        mirror.apply(page(account(999), broken, seq=5), 2000)
    assert (mirror.find(CARD).confirmed, mirror.cursor()) == (1, "c4")
    assert mirror.contact().as_of_ms == 1000


def test_the_mirror_is_as_of_the_last_page_only(store: Store) -> None:
    mirror = Mirror(store)
    mirror.apply(page(account(1), more=True, cursor="half", as_of_ms=5_000), 2_000)
    assert mirror.contact() == Contact(as_of_ms=None, last_contact_ms=2_000, clock_offset_ms=3_000)
    assert mirror.cursor() == "half"
    mirror.apply(page(cursor="whole", as_of_ms=5_100), 2_050)
    assert mirror.contact() == Contact(as_of_ms=2_050, last_contact_ms=2_050, clock_offset_ms=3_050)
    mirror.heard(9_000, 8_000)
    assert mirror.contact() == Contact(as_of_ms=2_050, last_contact_ms=9_000, clock_offset_ms=-1_000)


def test_the_programme_in_force_is_the_highest_version(store: Store) -> None:
    mirror = hear(store, published(2))
    assert mirror.programme() == programme(2)
    assert mirror.programme() is mirror.programme()
    hear(store, published(1))
    assert mirror.programme() == programme(2)
    hear(store, published(10))
    assert mirror.programme() == programme(10)
    assert Mirror(store).programme() == programme(10)


def test_a_first_name_that_was_erased_is_gone(store: Store) -> None:
    hear(store, account(1), card())
    mirror = hear(store, account(1, first_name=None))
    assert mirror.find(CARD).first_name is None


def test_what_lapses_next_is_what_is_spent_first(store: Store, journal: Journal) -> None:
    """50 points are spent here before head office hears of it; a void gives them back; a batch's answer states it."""
    day = date(2026, 12, 31)
    stated = msgspec.structs.replace(account(200), expires_on=day, expiring=60)
    mirror = hear(store, stated, card())
    assert mirror.find(CARD).expiring == Expiring(60, day)
    journal.append(draft(1000))
    sale = journal.append(draft(2000, rewards=("five-off",)))
    assert mirror.find(CARD).expiring == Expiring(10, day)
    journal.append(void_of(sale))
    assert mirror.find(CARD).expiring == Expiring(60, day)
    mirror.confirm([AccountBalance(account="m1", points=40, expires_on=day, expiring=55)], 1, 3)
    assert mirror.find(CARD).expiring == Expiring(40, day), "never more than there is"
    mirror.confirm([AccountBalance(account="m1", points=40)], 1, 3)
    assert mirror.find(CARD).expiring is None
