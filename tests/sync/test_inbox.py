"""The till's inbox against a real head office: what is shown, what is decided, and balances before and after."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from loyalty.cards import CardNumber
from loyalty.ledger import Entry, EntryKind
from loyalty.resolution import NO_CARD, Action, Resolution
from loyalty.returns import nothing
from sync.hq.database import Connection, Database
from sync.hq.inbox import resolve
from sync.hq.members import import_members
from sync.hq.waiting import Word
from sync.inbox import KEPT_MS, DecidedBefore, Parked, ParkedEntry
from sync.store import Store
from sync.wire_mirror import ParkedChange, ParkedState, Section
from tests.sync.build import CARD, DAY, OTHER_CARD, draft, hear, page, take
from tests.sync.build import account as account_change
from tests.sync.build import card as card_change
from tests.sync.hq.conftest import CARDS
from tests.sync.test_agent import Shop, hq_points, shop

__all__ = ["shop"]


def decision(entry: ParkedEntry, action: Action, account: str | None = None, undoes: Action | None = None) -> Any:
    """A draft that decides about `entry`."""
    what = Resolution(
        terminal=entry.terminal,
        epoch=entry.epoch,
        seq=entry.seq,
        digest=entry.digest.hex(),
        action=action,
        account=account,
        undoes=undoes,
    )
    made = nothing("EUR")
    return draft(
        kind=EntryKind.RESOLUTION,
        card=entry.card or NO_CARD,
        account=account,
        basket=made.basket,
        settlement=made.settlement,
        resolves=what,
        reason="nagevraagd",
        approver="Wil",
    )


def only(shop: Shop) -> ParkedEntry:
    (entry,) = Parked(shop.store).entries()
    return entry


def balance(shop: Shop, card: str | None = None) -> tuple[int, int]:
    """Confirmed, and queued here."""
    holder = shop.mirror.find(card or shop.card)
    return holder.confirmed, holder.queued


def test_the_balance_before_and_after_an_approval(shop: Shop, conn: Connection) -> None:
    shop.agent.run_once()
    shop.sell(1000, programme_version=9)
    assert balance(shop) == (100, 10)
    assert shop.agent.run_once().parked == 1
    assert balance(shop) == (100, 0)  # head office did not book it
    entry = only(shop)
    assert (entry.number, entry.code, entry.points, entry.waits) == (1, "unknown_programme", 10, True)
    shop.journal.append(decision(entry, Action.APPROVE))
    assert balance(shop) == (100, 0)  # asked, and not yet heard of
    assert (only(shop).waits, only(shop).asked) == (False, "approve")
    shop.agent.run_once()
    assert balance(shop) == (110, 0)
    assert hq_points(conn, shop.account) == 110
    assert Parked(shop.store).entries() == []
    (done,) = Parked(shop.store).entries(everything=True)
    assert (done.state, done.approver, done.reason) == (ParkedState.APPROVED, "Wil", "nagevraagd")
    night = shop.agent.nightly()
    assert night.agrees
    assert night.days[0].parked == 0


def test_the_balance_of_a_card_that_nobody_knew_before_and_after_a_link(shop: Shop, conn: Connection) -> None:
    shop.agent.run_once()
    shop.sell(1000, card=OTHER_CARD, account=None)
    shop.sell(500, card=OTHER_CARD, account=None)
    shop.agent.run_once()
    assert balance(shop, OTHER_CARD) == (0, 15)  # promised, until somebody decides otherwise
    first, second = Parked(shop.store).entries()
    shop.journal.append(decision(first, Action.LINK, shop.account))
    shop.agent.run_once()
    assert balance(shop, OTHER_CARD) == balance(shop) == (115, 0)
    assert hq_points(conn, shop.account) == 115
    assert Parked(shop.store).find(second.number).state is ParkedState.LINKED  # type: ignore[union-attr]
    shop.sell(200, card=OTHER_CARD, account=shop.account)
    assert balance(shop) == (115, 2)


def test_the_balance_before_and_after_a_reversal(shop: Shop, conn: Connection) -> None:
    shop.agent.run_once()
    shop.sell(1000, card=OTHER_CARD, account=None)
    shop.sell(1000, programme_version=9)
    shop.agent.run_once()
    assert (balance(shop, OTHER_CARD), balance(shop)) == ((0, 10), (100, 0))
    for entry in Parked(shop.store).entries():
        shop.journal.append(decision(entry, Action.REVERSE))
    shop.agent.run_once()
    assert (balance(shop, OTHER_CARD), balance(shop)) == ((0, 0), (100, 0))
    assert hq_points(conn, shop.account) == 100


def test_points_that_wait_are_not_counted_twice_when_the_card_is_linked_but_not_booked(
    shop: Shop, database: Database, conn: Connection
) -> None:
    """The card becomes known; what was parked for it is parked again, for another reason."""
    number = "2979000000001"
    card = CardNumber.parse(number, CARDS).token(database.keys.card)
    shop.sell(1000, card=card, account=None, programme_version=9)
    shop.agent.run_once()
    lines = ["card_number,first_name,tier,points", f"{number},Bo,basic,3"]
    import_members(conn, database.keys.card, CARDS, lines, today=DAY)
    shop.agent.run_once()
    assert balance(shop, card) == (3, 0)
    entry = only(shop)
    assert (entry.number, entry.code, entry.waits) == (1, "unknown_programme", True)
    shop.journal.append(decision(entry, Action.APPROVE))
    shop.agent.run_once()
    assert balance(shop, card) == (13, 0)


def test_a_link_that_brings_another_reason_to_light_is_decided_about_anew(shop: Shop, conn: Connection) -> None:
    shop.agent.run_once()
    shop.sell(1000, card=OTHER_CARD, account=None, programme_version=9)
    shop.agent.run_once()
    shop.journal.append(decision(only(shop), Action.LINK, shop.account))
    shop.agent.run_once()
    assert (only(shop).code, only(shop).waits) == ("unknown_programme", True)
    shop.journal.append(decision(only(shop), Action.APPROVE))
    shop.agent.run_once()
    assert balance(shop) == (110, 0)


def test_deciding_twice_here_is_refused_and_writes_nothing(shop: Shop) -> None:
    shop.agent.run_once()
    shop.sell(1000, programme_version=9)
    shop.agent.run_once()
    entry = only(shop)
    shop.journal.append(decision(entry, Action.REVERSE))
    before = shop.journal.head()
    with pytest.raises(DecidedBefore, match="reverse was decided here before, and is on its way"):
        shop.journal.append(decision(entry, Action.APPROVE))
    shop.agent.run_once()
    with pytest.raises(DecidedBefore, match="was reversed before"):
        shop.journal.append(decision(entry, Action.APPROVE))
    assert shop.journal.head().seq == before.seq


def test_a_decision_that_head_office_could_not_carry_out_is_made_anew(shop: Shop) -> None:
    shop.agent.run_once()
    shop.sell(1000, card=OTHER_CARD, account=None)
    shop.agent.run_once()
    shop.journal.append(decision(only(shop), Action.LINK, "nobody"))
    shop.agent.run_once()
    entry, refused = Parked(shop.store).entries()
    assert (refused.code, refused.entry_kind) == ("resolution_refused", "resolution")
    assert entry.waits
    shop.journal.append(decision(entry, Action.LINK, shop.account))
    shop.journal.append(decision(refused, Action.REVERSE))
    shop.agent.run_once()
    assert Parked(shop.store).entries() == []
    assert balance(shop) == (110, 0)


def test_head_offices_own_word_reaches_the_till(shop: Shop, database: Database, conn: Connection) -> None:
    shop.agent.run_once()
    shop.sell(1000, programme_version=9)
    shop.agent.run_once()
    shop.journal.append(decision(only(shop), Action.REFER))
    shop.agent.run_once()
    entry = only(shop)
    assert (entry.state, entry.waits) == (ParkedState.REFERRED, False)
    with pytest.raises(DecidedBefore, match="handed to head office"):
        shop.journal.append(decision(entry, Action.APPROVE))
    what = decision(entry, Action.APPROVE).resolves
    with conn.transaction():
        assert resolve(conn, database.programmes, Word(what, "klopt", "Hoofdkantoor"))[0] is None
    shop.agent.run_once()
    assert balance(shop) == (110, 0)
    assert Parked(shop.store).entries() == []


def parked(seq: int, digest: bytes, state: ParkedState = ParkedState.OPEN, decided_ms: int | None = None) -> Any:
    return ParkedChange(
        terminal="t-1",
        till="kassa 1",
        epoch=1,
        seq=seq,
        digest=digest.hex(),
        code="accrual_differs",
        text="",
        state=state,
        entry_kind="sale",
        card=CARD,
        points=10,
        business_date=DAY,
        parked_ms=0,
        decided_ms=decided_ms,
    )


def test_an_own_parked_entry_that_no_balance_includes_is_not_counted(store: Store, journal: Any) -> None:
    """Head office could not even read whose it was: no balance ever says that it includes the entry."""
    mirror = hear(store, account_change(100), card_change())
    journal.append(draft(1000))
    journal.append(draft(300))
    assert mirror.find(CARD).queued == 13
    digest = store.rows("SELECT digest FROM journal WHERE seq = 1")[0][0]
    hear(store, parked(1, digest))
    assert mirror.find(CARD).queued == 3
    hear(store, parked(1, digest, ParkedState.APPROVED))  # and the balance comes with the next page
    assert mirror.find(CARD).queued == 13
    hear(store, account_change(110), seq=1)
    assert (mirror.find(CARD).confirmed, mirror.find(CARD).queued) == (110, 3)


def test_what_was_decided_long_ago_is_forgotten_and_numbers_are_never_used_again(store: Store) -> None:
    mirror = hear(store, parked(1, b"1" * 32), parked(2, b"2" * 32, ParkedState.REVERSED, decided_ms=5))
    mirror.apply(page(parked(3, b"3" * 32)), 6 + KEPT_MS)
    assert [entry.number for entry in Parked(store).entries(everything=True)] == [1, 3]
    take(store, Section.PROGRAMMES, Section.STOCKS, Section.PARKED)  # of a head office that knows of none
    assert Parked(store).entries(everything=True) == []
    hear(store, parked(1, b"1" * 32))
    assert [entry.number for entry in Parked(store).entries()] == [4]
    assert Parked(store).find(1) is None


def test_a_resolution_leaves_a_first_purchase_what_it_is(store: Store, journal: Any) -> None:
    mirror = hear(store, msgspec.structs.replace(account_change(0), first_purchase=True), card_change())
    hear(store, parked(9, b"9" * 32))
    (entry,) = Parked(store).entries()
    appended: Entry = journal.append(decision(entry, Action.REVERSE))
    assert appended.points == 0
    assert mirror.standing(mirror.find(CARD)).first_purchase


def test_taking_back_what_was_sent_and_what_was_not(shop: Shop, conn: Connection) -> None:
    shop.agent.run_once()
    shop.sell(1000, programme_version=9)
    shop.agent.run_once()
    entry = only(shop)
    assert entry.undoes is None
    with pytest.raises(DecidedBefore, match="nothing was decided"):
        shop.journal.append(decision(entry, Action.UNDO, undoes=Action.APPROVE))
    shop.journal.append(decision(entry, Action.REVERSE))
    assert only(shop).undoes is Action.REVERSE  # not sent yet
    with pytest.raises(DecidedBefore, match="the last decision about this entry is reverse"):
        shop.journal.append(decision(entry, Action.UNDO, undoes=Action.APPROVE))
    shop.journal.append(decision(entry, Action.UNDO, undoes=Action.REVERSE))
    assert (only(shop).asked, only(shop).undoes, only(shop).waits) == ("undo", None, False)
    with pytest.raises(DecidedBefore, match="is being taken back"):
        shop.journal.append(decision(entry, Action.APPROVE))
    shop.agent.run_once()
    assert (only(shop).asked, only(shop).waits) == (None, True)
    shop.journal.append(decision(entry, Action.APPROVE))
    shop.agent.run_once()
    assert balance(shop) == (110, 0)
    done = Parked(shop.store).find(entry.number)
    assert done is not None
    assert (done.state, done.undoes) == (ParkedState.APPROVED, Action.APPROVE)
    shop.journal.append(decision(entry, Action.UNDO, undoes=Action.APPROVE))
    assert balance(shop) == (110, 0)  # asked, and not yet heard of
    shop.agent.run_once()
    assert balance(shop) == (100, 0)
    assert hq_points(conn, shop.account) == 100
    assert [said.action for said in Parked(shop.store).said(done)] == ["reverse", "undo", "approve", "undo"]
    with pytest.raises(DecidedBefore, match="booked and taken back: give the points by hand"):
        shop.journal.append(decision(entry, Action.UNDO, undoes=Action.REVERSE))
    assert shop.agent.nightly().agrees


def test_a_link_taken_back_is_a_promise_again(shop: Shop, conn: Connection) -> None:
    shop.agent.run_once()
    shop.sell(1000, card=OTHER_CARD, account=None)
    shop.agent.run_once()
    entry = only(shop)
    shop.journal.append(decision(entry, Action.LINK, shop.account))
    shop.agent.run_once()
    assert balance(shop, OTHER_CARD) == balance(shop) == (110, 0)
    shop.journal.append(decision(entry, Action.UNDO, undoes=Action.LINK))
    shop.agent.run_once()
    assert (balance(shop), balance(shop, OTHER_CARD)) == ((100, 0), (0, 10))
    assert (only(shop).code, only(shop).waits) == ("unknown_card", True)


def test_what_was_handed_over_or_booked_by_itself_cannot_be_taken_back(shop: Shop) -> None:
    changes = [
        msgspec.structs.replace(parked(1, b"1" * 32, ParkedState.REFERRED, 5), approver="Wil"),
        parked(2, b"2" * 32, ParkedState.LINKED),
    ]
    hear(shop.store, *changes)
    first, second = Parked(shop.store).entries(everything=True)
    assert (first.undoes, second.undoes) == (None, None)
    with pytest.raises(DecidedBefore, match="handed to head office, which decides"):
        shop.journal.append(decision(first, Action.UNDO, undoes=Action.REFER))
    with pytest.raises(DecidedBefore, match="nothing was decided"):
        shop.journal.append(decision(second, Action.UNDO, undoes=Action.LINK))


def test_an_undo_that_head_office_refuses_waits_in_the_inbox(shop: Shop, conn: Connection) -> None:
    shop.agent.run_once()
    shop.sell(1000, programme_version=9)
    shop.agent.run_once()
    entry = only(shop)
    shop.journal.append(decision(entry, Action.APPROVE))
    shop.agent.run_once()
    conn.execute("UPDATE balance SET points = 3")
    shop.journal.append(decision(entry, Action.UNDO, undoes=Action.APPROVE))
    assert shop.agent.run_once().parked == 1
    conn.execute("UPDATE balance SET points = 110")
    refused = only(shop)
    assert (refused.entry_kind, refused.code) == ("resolution", "resolution_refused")
    assert "its 10 points were spent since" in refused.text
    stands = Parked(shop.store).find(entry.number)
    assert stands is not None
    assert (stands.state, stands.asked, stands.undoes) == (ParkedState.APPROVED, None, Action.APPROVE)
