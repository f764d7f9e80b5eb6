"""The till that the golden exchanges were made with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from loyalty.contacts import phone_hash
from pos_client.runtime import Runtime
from sync.wire_mirror import AccountChange
from tests.support.till import CARD_KEY, JORIS, PROGRAMME, SANNE, make_runtime, publish

ODOO = "https://winkel.odoo.example"
OFFER = {
    "kind": "percent_off",
    "percent": 10,
}


def shop(folder: Path, **changes: Any) -> Runtime:
    """A till in `folder` with every adapter on. Sanne has a phone number, Joris a personal offer of a tenth off."""
    offer = {
        "id": "tiende",
        "name": {"nl": "Een tiende eraf", "en": "A tenth off"},
        "segments": ["buurt"],
        "gives": OFFER,
    }
    programme = {**PROGRAMME, "coupons": [offer]}
    on = {"adapters": {"odoo_origins": [ODOO], "toast": True, "nexo": True}}
    runtime = make_runtime(folder, programme=programme, **on, **changes)
    publish(
        runtime.mirror,
        [
            AccountChange(
                account=SANNE.account,
                first_name=SANNE.first_name,
                tier=SANNE.tier,
                points=SANNE.points,
                phone=phone_hash("0612345678", CARD_KEY),
            ),
            AccountChange(
                account=JORIS.account,
                first_name=JORIS.first_name,
                tier=JORIS.tier,
                points=JORIS.points,
                segments=("buurt",),
            ),
        ],
    )
    return runtime
