"""A till that has sold: what its manager looks into."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from loyalty.basket import Basket, Line
from loyalty.contacts import email_hash, phone_hash
from pos_client.runtime import Runtime
from sync.wire_mirror import AccountChange
from tests.support.till import CARD_KEY, JORIS, SANNE, make_runtime, publish

PHONE = "06-12345678"
EMAIL = "sanne@voorbeeld.nl"

_numbers = itertools.count(1)


def basket(minor: int = 2340) -> Basket:
    return Basket(lines=(Line(line_id="1", sku="brood", text="Brood", quantity=1000, gross_minor=minor),))


def sell(runtime: Runtime, card: str, *, minor: int = 2340, reward: str | None = None) -> str:
    """A booked sale; returns its receipt."""
    session = f"bon-{next(_numbers)}"
    runtime.till.open_session(session)
    runtime.till.set_basket(session, basket(minor))
    runtime.till.identify(session, card)
    if reward:
        runtime.till.redeem(session, reward)
    runtime.till.bookings.commit(session)
    return session


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    """Sanne is known by phone and e-mail; her partner Joris has the same phone."""
    made = make_runtime(tmp_path / "till", till={"language": "en"})
    phone, email = phone_hash(PHONE, CARD_KEY), email_hash(EMAIL, CARD_KEY)
    publish(
        made.mirror,
        [
            AccountChange(
                account=SANNE.account, first_name="Sanne", tier="zilver", points=1284, phone=phone, email=email
            ),
            AccountChange(account=JORIS.account, first_name="Joris", tier="basis", points=180, phone=phone),
        ],
    )
    yield made
    made.store.close()
