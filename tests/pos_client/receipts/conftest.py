"""A till of a bakery whose programme says everything that a receipt can show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loyalty.basket import Basket, Line
from pos_client.runtime import Runtime
from pos_client.session import Booked
from tests.support.till import PROGRAMME, SANNE, make_runtime

HEADER = "Dorpsstraat 12, Ons Dorp\nma-za 7:00-18:00"
FOOTER = "Bedankt en tot ziens!"
DOCUMENT: dict[str, Any] = {
    **PROGRAMME,
    "expiry": {"after_months": 24},
    "receipt": {"header": {"nl": HEADER, "en": "High Street 12"}},
    "texts": {"receipt": {"nl": FOOTER, "en": "Thank you!"}},
    "rewards": [
        *PROGRAMME["rewards"],
        {
            "kind": "voucher",
            "id": "taartbon",
            "name": {"nl": "Taartbon", "en": "Cake voucher"},
            "cost_points": 200,
            "value_minor": 750,
            "valid_days": 90,
        },
    ],
}
BASKET = Basket(
    lines=(
        Line(line_id="1", sku="brood", text="Brood", quantity=2000, gross_minor=840),
        Line(line_id="2", sku="taart", text="Café-taart met een heel lange naam uit het seizoen", gross_minor=1250),
        Line(line_id="3", sku="kaas", text="Kaas", quantity=347, gross_minor=515),
    )
)


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    made = make_runtime(tmp_path / "till", programme=DOCUMENT)
    yield made
    made.store.close()


def sell(runtime: Runtime, session: str = "bon-1", card: str = SANNE.card, rewards: tuple[str, ...] = ()) -> Booked:
    """A booked sale of `BASKET`."""
    runtime.till.open_session(session)
    runtime.till.set_basket(session, BASKET)
    runtime.till.identify(session, card)
    for reward in rewards:
        runtime.till.redeem(session, reward)
    return runtime.till.bookings.commit(session)
