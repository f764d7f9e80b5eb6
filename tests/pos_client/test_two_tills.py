"""What a manager orders at one till reaches the next one by way of head office."""

from __future__ import annotations

from collections.abc import Callable

from loyalty.card_orders import CardAction
from loyalty.cards import CardNumber
from sync.hq.database import Connection
from tests.pos_client.test_spending import NUMBER, Shop, give, new_shop
from tests.sync.hq.conftest import CARDS, conn, database, database_url, hq

__all__ = ["conn", "database", "database_url", "give", "hq", "new_shop"]

NEW = "2900000000024"


def _token(shop: Shop, number: str) -> str:
    return CardNumber.parse(number, CARDS).token(shop.runtime.terminal.card_key)


def _order(shop: Shop, action: CardAction, its_id: str, new: str | None = None) -> None:
    shop.till.corrections.order_card(
        its_id, _token(shop, NUMBER), action, new_card_text=new, reason="lost", approver="Wil"
    )


def test_a_card_blocked_at_one_till_is_refused_at_the_next(
    new_shop: Callable[[], Shop], give: Callable[..., str], conn: Connection
) -> None:
    give(100)
    here, there = new_shop(), new_shop()
    here.off()
    _order(here, CardAction.BLOCK, "o-1")
    assert here.till.present_card(NUMBER, "EAN-13") is None  # at once, without a line
    there.sync()
    assert there.till.present_card(NUMBER, "EAN-13") is not None  # nobody can have told it yet
    here.on()
    there.sync()
    assert there.runtime.mirror.find(_token(there, NUMBER)).blocked
    assert there.till.present_card(NUMBER, "EAN-13") is None
    assert conn.execute("SELECT blocked FROM card").fetchall() == [(True,)]
    # And the other way round: let in again there, it is let in here.
    _order(there, CardAction.UNBLOCK, "o-2")
    there.sync()
    here.sync()
    assert here.till.present_card(NUMBER, "EAN-13") is not None


def test_a_card_replaced_at_one_till_is_the_members_at_the_next(
    new_shop: Callable[[], Shop], give: Callable[..., str]
) -> None:
    account = give(100)
    here, there = new_shop(), new_shop()
    _order(here, CardAction.REPLACE, "o-1", NEW)
    here.sync()
    there.sync()
    assert there.till.present_card(NUMBER, "EAN-13") is None
    assert there.till.present_card(NEW, "EAN-13") is not None
    assert there.runtime.mirror.find(_token(there, NEW)).account == account
